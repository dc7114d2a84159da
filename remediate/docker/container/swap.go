package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/container/body"
	"docker-harden/remediate/docker/container/layer"
)

// Do lets the new container take the old one's place. Until the old one stops nothing has happened
// that anybody could notice. It undoes nothing itself: that is Undo's work after any error or crash.
func (r *Recreator) Do(ctx context.Context, step plan.Step, undo json.RawMessage, log remediate.Log) error {
	rec, _, err := readRecord(remediate.Record{Undo: undo})
	if err != nil {
		return err
	}
	a, err := open(ctx, r.Engine)
	if err != nil {
		return err
	}
	old, err := a.planned(ctx, step)
	if err != nil {
		return err
	}
	if old.State.Running != rec.Running || old.State.Paused != rec.Paused {
		return stale("container %s is %s now", rec.Name, old.State.Status)
	}
	x := &swap{r: r, a: a, rec: rec, old: old, log: log, changes: step.Changes}
	for _, part := range []func(context.Context) error{
		x.look, x.guard, x.create, x.judge, x.stop, x.carry, x.rename, x.start, x.settle, x.hand, x.drop,
	} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// swap is one recreate on its way.
type swap struct {
	r       *Recreator
	a       *api
	rec     *record
	log     remediate.Log
	changes changeList
	old     *state
	new     *state
	before  baseline
}

// The restart policies the swap sets.
var (
	never  = policy{Name: "no"}
	always = policy{Name: "always"}
)

// revived reports whether the engine starts a container again by itself under a policy.
func (p policy) revived() bool { return p.Name != "" && p.Name != never.Name }

// look remembers how the old container served, so that the new one can be measured by it.
func (x *swap) look(ctx context.Context) error {
	if !x.rec.Running {
		return nil
	}
	var err error
	x.before, err = x.r.baseline(ctx, x.a, x.old)
	return err
}

// guard lets a reboot in the middle revive the old container: under these policies one that was
// stopped through the API stays down.
func (x *swap) guard(ctx context.Context) error {
	if name := x.rec.Policy.Name; !x.rec.Running || name != "unless-stopped" && name != "on-failure" {
		return nil
	}
	return x.a.setPolicy(ctx, x.old.ID, always)
}

func (x *swap) create(ctx context.Context) error {
	x.log.Progress("creating the new container beside the running one")
	id, err := x.a.create(ctx, x.rec.TempNew, x.rec.New)
	if err != nil {
		return err
	}
	if err := x.log.Note(note{New: id}); err != nil {
		return err
	}
	for _, end := range x.rec.New.Connect {
		if err := x.a.connect(ctx, id, end); err != nil {
			return err
		}
	}
	return x.refresh(ctx, id)
}

func (x *swap) refresh(ctx context.Context, id string) error {
	c, err := x.a.inspect(ctx, id)
	if err == nil && c == nil {
		err = fmt.Errorf("the new container %.12s of %s has vanished", id, x.rec.Name)
	}
	if err == nil {
		x.new = c
	}
	return err
}

// judge proves that the new container differs from the old one in what was planned and nothing else.
func (x *swap) judge(context.Context) error {
	return alike(x.rec.Inspect, x.new.raw, x.rec.New, x.a.version)
}

// UnexplainedError is a new container that differs from the old one beyond the plan.
type UnexplainedError struct{ Differences []body.Difference }

// Error names every difference.
func (e *UnexplainedError) Error() string {
	lines := make([]string, len(e.Differences))
	for i, d := range e.Differences {
		lines[i] = clean(d.String(), maxMessage)
	}
	return "the new container would differ in more than was planned: " + strings.Join(lines, "; ")
}

func alike(before, after json.RawMessage, req *body.Request, api string) error {
	differences, err := body.Diff(before, after, req, api)
	if err != nil {
		return err
	}
	if len(differences) > 0 {
		return &UnexplainedError{Differences: differences}
	}
	return nil
}

func (x *swap) stop(ctx context.Context) error {
	if !x.rec.Running {
		return nil
	}
	x.log.Progress("stopping")
	return x.a.stop(ctx, x.old.ID)
}

// carry copies what the old container wrote into its own layer, now that it writes no more.
func (x *swap) carry(context.Context) error {
	from, err := x.r.openLayer(x.old)
	if errors.Is(err, layer.ErrDriver) {
		return nil // Prepare saw that nothing was written
	}
	if err != nil {
		return err
	}
	written, err := from.Written(stubs(x.old))
	if err != nil || written.Clean() {
		return err
	}
	to, err := x.r.openLayer(x.new)
	if err != nil {
		return err
	}
	x.log.Progress(fmt.Sprintf("carrying over %d files of the writable layer", written.Files))
	if err := layer.Copy(to, from); err != nil {
		return err
	}
	return x.log.Note(note{Carried: true})
}

func (x *swap) rename(ctx context.Context) error {
	if err := x.a.rename(ctx, x.old.ID, x.rec.TempOld); err != nil {
		return err
	}
	return x.a.rename(ctx, x.new.ID, x.rec.Name)
}

func (x *swap) start(ctx context.Context) error {
	if !x.rec.Running {
		return nil
	}
	x.log.Progress("starting")
	if err := x.a.start(ctx, x.new.ID); err != nil {
		return x.startFailure(err)
	}
	if x.rec.Paused {
		return x.a.pause(ctx, x.new.ID)
	}
	return nil
}

// settle waits until the new container is proven.
func (x *swap) settle(ctx context.Context) error {
	if x.rec.Running {
		if err := x.gate(ctx); err != nil {
			return err
		}
	}
	if err := x.refresh(ctx, x.new.ID); err != nil {
		return err
	}
	return alike(x.rec.Inspect, x.new.raw, x.rec.New, x.a.version)
}

// hand gives the restart policy from the old container to the new one. The old one loses it first: a
// reboot in between starts none, never two on the same volumes.
func (x *swap) hand(ctx context.Context) error {
	if err := x.log.Note(note{Live: true}); err != nil {
		return err
	}
	if x.rec.Policy.revived() {
		if err := x.a.setPolicy(ctx, x.old.ID, never); err != nil {
			return err
		}
	}
	var wanted policy
	if err := json.Unmarshal(x.rec.New.Policy, &wanted); err != nil {
		return fmt.Errorf("cannot read the planned restart policy: %w", err)
	}
	if !wanted.revived() {
		return nil
	}
	if err := x.a.setPolicy(ctx, x.new.ID, x.rec.New.Policy); err != nil {
		return err
	}
	return x.handed(ctx, wanted)
}

// handed proves the restart policies of both: an answer to an update proves nothing.
func (x *swap) handed(ctx context.Context, wanted policy) error {
	if err := x.refresh(ctx, x.new.ID); err != nil {
		return err
	}
	if got := x.new.HostConfig.RestartPolicy; got != wanted {
		return fmt.Errorf("the restart policy of %s is %q, not %q as planned", x.rec.Name, got.Name, wanted.Name)
	}
	old, err := x.a.inspect(ctx, x.old.ID)
	if err != nil || old == nil {
		return err
	}
	if got := old.HostConfig.RestartPolicy; got.revived() {
		return fmt.Errorf("the old container of %s would still be started by the engine: its restart policy is %q", x.rec.Name, got.Name)
	}
	return nil
}

// drop removes an old container that Docker Compose would start beside the new one: it finds
// containers by their labels, not by their names. Its writable layer was clean.
func (x *swap) drop(ctx context.Context) error {
	if !x.rec.Compose {
		return nil
	}
	if err := x.log.Note(note{Removed: true}); err != nil {
		return err
	}
	return x.a.remove(ctx, x.old.ID)
}
