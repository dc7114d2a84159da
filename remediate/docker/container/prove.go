package container

import (
	"context"
	"errors"
	"fmt"
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
		if err := b.asBefore(c); errors.Is(err, errDown) && b.force {
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

func (b *back) asBefore(c *state) error {
	var req *body.Request
	if b.rebuilt {
		req = b.rec.Old
	}
	if err := alike(b.rec.Inspect, c.raw, req, b.a.version); err != nil {
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
	return nil
}

// Commit removes the old container, never its volumes. After it, Undo makes the old container again
// from the record: with a new id, and with the writable layer of the hardened one.
func (r *Recreator) Commit(ctx context.Context, _ plan.Step, record remediate.Record) error {
	rec, notes, err := readRecord(record)
	if err != nil {
		return err
	}
	a, err := open(ctx, r.Engine)
	if err != nil {
		return err
	}
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
	if holder == nil || holder.ID != notes.New {
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
