package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/container/body"
)

// settleTime is how long a container that was brought back is watched.
const settleTime = time.Second

// prove shows that the old container is as it was: every setting, its name, its policy, and that it
// runs (or stands still, or was never started) as before.
func (b *back) prove(ctx context.Context) error {
	end := time.Now().Add(min(settleTime, b.r.Options.stable()))
	for {
		c, err := b.a.inspect(ctx, b.old.ID)
		if err != nil {
			return err
		}
		if c == nil {
			return fmt.Errorf("container %s has vanished while it was brought back", b.rec.Name)
		}
		if err := b.asBefore(ctx, c); errors.Is(err, errDown) && b.force {
			b.old, b.down = c, true
			b.said = append(b.said, err.Error()+": it has its old place and configuration, and somebody has to look why")
			return nil
		} else if err != nil {
			return err
		}
		if !b.acted || !b.rec.Running || time.Now().After(end) {
			b.old = c
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}

// errDown: everything of a container is back but its process. Some cannot start a second time; they
// would not have survived a reboot either. Force accepts that, for no other rollback could do better.
var errDown = errors.New("does not run again")

func (b *back) asBefore(ctx context.Context, c *state) error {
	var req *body.Request
	if b.rebuilt {
		var err error
		if req, err = b.request(ctx, true); err != nil {
			return err
		}
		if !body.SameLinks(b.was().HostConfig.Links, c.HostConfig.Links) {
			return fmt.Errorf("container %s is not linked as it was", b.rec.Name)
		}
	}
	if err := b.alike(c, req); err != nil {
		return fmt.Errorf("container %s is not as it was: %w", b.rec.Name, err)
	}
	switch {
	case c.name() != b.rec.Name:
		return fmt.Errorf("the container is named %s, not %s", c.name(), b.rec.Name)
	case c.HostConfig.RestartPolicy != b.rec.Policy:
		return fmt.Errorf("the restart policy of %s is %s, not %s as before", b.rec.Name, c.HostConfig.RestartPolicy.Name, b.rec.Policy.Name)
	case b.rec.Running && !c.State.Running:
		return fmt.Errorf("container %s %w: it %s with code %d", b.rec.Name, errDown, c.State.Status, c.State.ExitCode)
	case b.rec.Paused != c.State.Paused && b.rec.Running:
		return fmt.Errorf("container %s is %s, not as before", b.rec.Name, c.State.Status)
	}
	return b.together(c)
}

// alike compares the whole configuration. The restart policy is compared for itself: a guard may have
// been found in its place.
func (b *back) alike(c *state, req *body.Request) error {
	if !b.rec.Restart {
		return alike(b.rec.Inspect, c.raw, inheriting(req), b.a.version)
	}
	if moved := b.moved(c, nil); len(moved) > 0 {
		return errors.New(strings.Join(moved, "; "))
	}
	return nil
}

// was is the old container as it was recorded.
func (b *back) was() *state {
	c := &state{raw: b.rec.Inspect}
	_ = json.Unmarshal(b.rec.Inspect, c) // it was read from the same text before
	return c
}

// together fails when a container does not share what it is bound to.
func (b *back) together(c *state) error {
	for _, one := range b.rec.Binds {
		if p := b.provider(one); p != nil && p.old != nil && b.rec.Running && !b.down && !p.down && !b.r.shares(c, p.old, one) {
			return fmt.Errorf("container %s does not share the %s namespace of container %s", b.rec.Name, one.namespace(), p.rec.Name)
		}
	}
	return nil
}

// Commit removes the old containers, never their volumes. After it, Undo makes them again from the
// record: with new ids, and with the writable layers of the hardened ones.
func (r *Recreator) Commit(ctx context.Context, _ plan.Step, record remediate.Record) error {
	recs, notes, err := readRecord(record)
	if err != nil {
		return err
	}
	a, err := open(ctx, r.Engine)
	if err != nil {
		return err
	}
	for i := len(recs) - 1; i >= 0; i-- {
		if recs[i].Restart {
			continue
		}
		if err := a.commit(ctx, recs[i], notes[i]); err != nil {
			return err
		}
	}
	return nil
}

func (a *api) commit(ctx context.Context, rec *record, n note) error {
	old, err := a.inspect(ctx, rec.ID)
	if err != nil || old == nil || old.name() != rec.TempOld {
		return err // gone, or in service again: nothing to drop
	}
	if old.State.Running {
		return refused("the kept container %s runs: stop it first", rec.TempOld)
	}
	holder, err := a.named(ctx, rec.Name)
	if err != nil {
		return err
	}
	if holder == nil || holder.ID != n.New {
		return refused("container %s is not the one this step made: %s is kept", rec.Name, rec.TempOld)
	}
	return a.remove(ctx, old.ID)
}

// openAt speaks the API version that a record was written at where the engine still can, so that
// answers can be compared.
func openAt(ctx context.Context, e Engine, version string) (*api, error) {
	a, err := open(ctx, e)
	if err != nil || version == "" || version == a.version || !atLeast(a.version, version) {
		return a, err
	}
	if a.callAt(ctx, version, "GET", "/version", nil, nil) == nil {
		a.version = version
	}
	return a, nil
}

// inherited names what a container that was made again took from the engine's defaults. Nothing but
// the kernel shows this one, and what the removed container had is not known any more.
func (b *back) inherited() []string {
	if _, set := noNewPrivileges(b.old.HostConfig.SecurityOpt); set || !b.old.State.Running {
		return nil
	}
	p, err := inventory.ReadProc(b.r.Options.Root, b.old.State.PID)
	if err != nil || !p.Init.NoNewPrivs {
		return nil
	}
	return []string{"it has no-new-privileges from the engine's default, which the removed container may not have had"}
}

// inheriting is a request, nil for none, whose container may have taken log options and limits from
// defaults that the engine was given since: it adds them to every container that it makes or starts.
func inheriting(req *body.Request) *body.Request {
	var r body.Request
	if req != nil {
		r = *req
	}
	r.Inherits = true
	return &r
}

// taken names what the container in the old place took so.
func (b *back) taken() string {
	if b.old == nil || b.rec.Restart {
		return ""
	}
	names, err := body.Inherited(b.rec.Inspect, b.old.raw)
	if err != nil || len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("it has %s from the engine's defaults, which were given to the engine since", clean(strings.Join(names, ", "), maxMessage))
}
