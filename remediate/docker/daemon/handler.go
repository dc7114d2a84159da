package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
	"docker-harden/remediate/host"
)

// Handler performs steps of the kinds reload and restart on the engine's own configuration.
type Handler struct {
	Engine Engine
	// Daemon is a fresh observation; Prepare needs it. Undo works from its record alone.
	Daemon inventory.Daemon
	// Service is how the engine is started; Prepare keeps it for Undo.
	Service host.Service
	// Observe, when set, looks at the engine anew for a Prepare that finds Daemon's process gone: a resumed
	// apply has restarted it, or started it, on its way.
	Observe func(context.Context) (inventory.Daemon, host.Service, error)
	// Open gives the manager of a service; host.Open.
	Open func(host.Service) (host.Manager, error)
	// StateDir is where the handler remembers what the engine acts on, for [Effective].
	StateDir string
	// Timeout is how long an engine may take to answer after a start, beyond 2 s for each container with a
	// restart policy; 60 s when zero. An engine that visibly works is given longer. A reload gets no more.
	Timeout time.Duration
	// DropAutoRemoved allows a restart that makes the engine remove running containers created with --rm.
	// They cannot come back: without it such a step is refused.
	DropAutoRemoved bool

	hook func(point string) error // of tests: an error stands for the death of the program at this point
}

// flow is one Do or Undo.
type flow struct {
	handler  *Handler
	memo     memo
	record   string // sha256 of what memo was read from
	step     plan.Step
	manager  host.Manager
	progress func(string)
	gone     []string    // containers that ran and do not exist any more
	notes    []string    // what an Undo found and did beyond the plan
	frozen   bool        // the engine cannot take up icc again while containers live
	serving  []published // ports that accepted connections before the restart, where containers live through it
	force    bool        // undo although something was changed since
	// Of an undo: the file as it saw or left it last, and whether the engine it found has not read what others wrote.
	last         []byte
	unread       bool
	engineBefore process
	blind        bool      // which containers run could not be asked: an authorization plugin is in the way
	ended        []running // what ended with an engine that could not be asked what runs
	// comparable: a new container started before the change.
	comparable bool
}

func (h *Handler) flow(step plan.Step, undo json.RawMessage, progress func(string)) (*flow, error) {
	f := &flow{handler: h, step: step, progress: progress, record: digest(undo)}
	if err := json.Unmarshal(undo, &f.memo); err != nil || f.memo.Resolved == "" {
		return nil, fmt.Errorf("cannot read the record of step %s: %w", step.ID, err)
	}
	manager, err := h.Open(f.memo.Service)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the engine's service manager: %w", err)
	}
	f.manager = manager
	return f, nil
}

// point is where a test may end the program.
func (f *flow) point(name string) error {
	if f.handler.hook == nil {
		return nil
	}
	return f.handler.hook(name)
}

// Commit drops nothing: what Undo needs is in the record itself.
func (h *Handler) Commit(context.Context, plan.Step, remediate.Record) error { return nil }
