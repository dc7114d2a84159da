package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/daemon/canary"
)

// Do writes the file and makes the engine act on it. It returns when the engine was seen to do so and every
// container that ran is running.
func (h *Handler) Do(ctx context.Context, step plan.Step, undo json.RawMessage, log remediate.Log) error {
	f, err := h.flow(step, undo, log.Progress)
	if err != nil {
		return err
	}
	if f.memo.NotChecked != "" {
		f.progress(f.memo.NotChecked)
	}
	if step.Kind == plan.KindReload {
		err = f.doReload(ctx, log)
	} else {
		err = f.doRestart(ctx, log)
	}
	if err != nil {
		return fmt.Errorf("cannot %s the engine with its new configuration: %w", step.Kind, err)
	}
	return log.Note(phase{Phase: phaseDone})
}

func (f *flow) doReload(ctx context.Context, log remediate.Log) error {
	if err := f.put(log, phaseWriting, f.memo.Original.doc(), f.memo.After); err != nil {
		return err
	}
	if err := log.Note(phase{Phase: phaseReloading}); err != nil {
		return err
	}
	f.progress("reloading the engine")
	if err := f.reload(ctx); err != nil {
		return err
	}
	if err := f.point("reloaded"); err != nil {
		return err
	}
	p := f.current(ctx)
	if p.PID == 0 {
		return errors.New("its process is gone")
	}
	if err := f.prove(ctx, p.PID, wanted(f.step.Changes)); err != nil {
		return err
	}
	return f.finish(p)
}

func (f *flow) doRestart(ctx context.Context, log remediate.Log) error {
	f.tryFirst(ctx)
	present := f.memo.Original.doc()
	if f.memo.Staged {
		stage, err := f.stage(ctx, log)
		if err != nil {
			return err
		}
		present = stage
	}
	before, err := runningContainers(ctx, f.handler.Engine)
	if err != nil {
		return err
	}
	if err := f.stillNone(ctx, before); err != nil {
		return err
	}
	if f.memo.Live {
		f.serving = serving(ctx, before)
	}
	if err := f.put(log, phaseWriting, present, f.memo.After); err != nil {
		return err
	}
	if err := log.Note(phase{Phase: phaseRestarting}); err != nil {
		return err
	}
	f.progress("restarting the engine")
	p, err := f.restart(ctx, before)
	if err != nil {
		return err
	}
	if err := log.Note(phase{Phase: phaseRestarted, New: p}); err != nil {
		return err
	}
	if err := f.point("restarted"); err != nil {
		return err
	}
	ctx, done := f.inTime(ctx, f.handler.allowance(before))
	defer done()
	return f.asked(f.verify(ctx, p, before))
}

// stage makes live restore effective before the engine goes down: an engine that ends acts on what it holds
// in memory, not on the file.
func (f *flow) stage(ctx context.Context, log remediate.Log) ([]byte, error) {
	doc, err := staged(f.memo.Original.doc())
	if err != nil {
		return nil, err
	}
	if err := f.put(log, phaseStaging, f.memo.Original.doc(), doc); err != nil {
		return nil, err
	}
	f.progress("reloading the engine: containers will keep running while it restarts")
	if err := f.reload(ctx); err != nil {
		return nil, err
	}
	if err := f.prove(ctx, f.memo.Engine.PID, truths{"live-restore": "true"}); err != nil {
		return nil, err
	}
	return doc, f.point("staged and reloaded")
}

// put notes a phase and then writes.
func (f *flow) put(log remediate.Log, name string, expected, doc []byte) error {
	if err := log.Note(phase{Phase: name}); err != nil {
		return err
	}
	if err := f.point(name); err != nil {
		return err
	}
	if err := f.replace(expected, doc); err != nil {
		return err
	}
	return f.point(name + " done")
}

// verify proves a restart: settings, flags, containers.
func (f *flow) verify(ctx context.Context, p process, before []running) error {
	if err := f.sameFlags(p); err != nil {
		return err
	}
	want := wanted(f.step.Changes)
	if _, ok := want["icc"]; ok && f.memo.Live && len(before) > 0 {
		delete(want, "icc")
		f.progress("the engine takes up icc when it starts while no container runs")
	}
	if err := f.prove(ctx, p.PID, want); err != nil {
		return err
	}
	f.progress("checking that every container runs as before")
	if err := f.keepRunning(ctx, before, f.memo.Live); err != nil {
		return err
	}
	if err := portsServe(ctx, f.serving); err != nil {
		return err
	}
	if err := f.tryAgain(ctx, want); err != nil {
		return err
	}
	return f.finish(p)
}

// tryFirst starts a container before anything is changed: only where that works does its failure afterwards
// say something of the change.
func (f *flow) tryFirst(ctx context.Context) {
	f.progress("starting a container of a moment, to compare after the restart")
	_, err := canary.Run(ctx, f.handler.Engine)
	f.comparable = err == nil
	if err != nil {
		f.progress(fmt.Sprintf("a new container does not start even before the change, so it will say nothing of it: %s", withoutCredentials(err.Error())))
	}
}

// tryAgain insists that a new container still starts, and has what only a new container shows.
func (f *flow) tryAgain(ctx context.Context, want truths) error {
	if !f.comparable {
		return nil
	}
	f.progress("starting a container of a moment")
	proof, err := canary.Run(ctx, f.handler.Engine)
	if errors.Is(err, canary.ErrUntried) && !f.authorizes() {
		f.progress(err.Error())
		return nil
	}
	if err != nil {
		return fmt.Errorf("a new container started before the change and does not now: %w", err)
	}
	have := truths{keyRemap: `""`, "no-new-privileges": strconv.FormatBool(proof.NoNewPrivileges), "log-driver": strconv.Quote(proof.LogDriver)}
	if proof.Remapped {
		have[keyRemap] = isRemapped
	}
	for _, key := range have.keys() {
		if wanted, ok := want[key]; ok && wanted != "" && wanted != have[key] {
			return fmt.Errorf("a new container does not get what daemon.json says: %s is %s, not %s", key, have[key], wanted)
		}
	}
	return nil
}

// finish checks the file once more and remembers that the engine acts on it.
func (f *flow) finish(p process) error {
	now, err := observe(f.memo.Resolved)
	if err != nil {
		return err
	}
	if !same(now.doc(), f.memo.After) {
		return fmt.Errorf("%w: daemon.json was changed by somebody else meanwhile", plan.ErrStale)
	}
	return f.remember(f.memo.After, p)
}
