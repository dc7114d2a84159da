package container

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/container/body"
	"docker-harden/remediate/docker/container/layer"
)

// Do lets new containers take the old ones' places. Until the first old one stops nothing has happened
// that anybody could notice. It undoes nothing itself: that is Undo's work after any error or crash.
//
// Several containers go through every part together: they stop in the order opposite to that in which
// they start, so that none ever runs without what it is bound to.
func (r *Recreator) Do(ctx context.Context, step plan.Step, undo json.RawMessage, log remediate.Log) error {
	recs, _, err := readRecord(remediate.Record{Undo: undo})
	if err != nil {
		return err
	}
	a, err := open(ctx, r.Engine)
	if err != nil {
		return err
	}
	all, err := r.swaps(ctx, a, step, recs, log)
	if err != nil {
		return err
	}
	for _, part := range []struct {
		do        func(*swap, context.Context) error
		backwards bool
	}{
		{do: (*swap).look},
		{do: (*swap).guard},
		{do: (*swap).create},
		{do: (*swap).judge},
		{do: (*swap).stop, backwards: true},
		{do: (*swap).carry},
		{do: (*swap).rename},
		{do: (*swap).start},
		{do: (*swap).settle},
		{do: (*swap).hand},
		{do: (*swap).drop},
	} {
		if err := inOrder(all, part.backwards, func(x *swap) error { return part.do(x, ctx) }); err != nil {
			return err
		}
	}
	return nil
}

// inOrder does something with each of several containers, in the order in which they start or in the
// opposite one, up to the first error.
func inOrder[T any](all []T, backwards bool, do func(T) error) error {
	for i := range all {
		if backwards {
			i = len(all) - 1 - i
		}
		if err := do(all[i]); err != nil {
			return err
		}
	}
	return nil
}

// swaps finds every container of a step as it was when the step was prepared.
func (r *Recreator) swaps(ctx context.Context, a *api, step plan.Step, recs []*record, log remediate.Log) ([]*swap, error) {
	parts := step.Parts()
	if len(parts) != len(recs) {
		return nil, fmt.Errorf("internal error: %s was prepared for %d containers and has %d", step.ID, len(recs), len(parts))
	}
	all := make([]*swap, len(parts))
	for i, rec := range recs {
		old, err := a.planned(ctx, parts[i].Resource)
		if err != nil {
			return nil, err
		}
		if old.State.Running != rec.Running || old.State.Paused != rec.Paused {
			return nil, stale("container %s is %s now", rec.Name, old.State.Status)
		}
		all[i] = &swap{r: r, a: a, rec: rec, old: old, log: log, changes: parts[i].Changes, all: all, req: rec.New}
		if rec.Restart {
			all[i].new = old
		}
	}
	return all, nil
}

// swap is one container on its way. One that is only stopped and started has the same container as old and new.
type swap struct {
	r       *Recreator
	a       *api
	rec     *record
	log     remediate.Log
	changes changeList
	old     *state
	new     *state
	before  baseline
	req     *body.Request // made the new container
	all     []*swap       // of the step, in the order in which they start
	began   time.Time     // when the new container was started
}

// note makes a fact durable.
func (x *swap) note(n note) error {
	if len(x.all) > 1 {
		n.Member = x.rec.Name
	}
	return x.log.Note(n)
}

// say tells a person what goes on.
func (x *swap) say(text string) {
	if len(x.all) > 1 {
		text = x.rec.Name + ": " + text
	}
	x.log.Progress(text)
}

// provider finds the container of the same step that this one is bound to.
func (x *swap) provider(b bind) *swap {
	for _, p := range x.all {
		if p.rec.ID == b.ID {
			return p
		}
	}
	return nil
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
	if x.rec.Restart {
		return nil
	}
	x.say("creating the new container beside the running one")
	var providers []body.Provider
	for _, b := range x.rec.Binds {
		if p := x.provider(b); p != nil {
			providers = append(providers, body.Provider{ID: b.ID, Name: b.Name, Now: p.new.ID})
		}
	}
	var err error
	if x.req, err = x.rec.New.Rebind(providers); err != nil {
		return err
	}
	id, err := x.a.create(ctx, x.rec.TempNew, x.req)
	if err != nil {
		return err
	}
	if err := x.note(note{New: id}); err != nil {
		return err
	}
	for _, end := range x.req.Connect {
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
	if x.rec.Restart {
		return nil
	}
	return alike(x.rec.Inspect, x.new.raw, x.req, x.a.version)
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
	x.say("stopping")
	return x.a.stop(ctx, x.old.ID)
}

// carry copies what the old container wrote into its own layer, now that it writes no more.
func (x *swap) carry(context.Context) error {
	if x.rec.Restart {
		return nil
	}
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
	x.say(fmt.Sprintf("carrying over %d files of the writable layer", written.Files))
	if err := layer.Copy(to, from); err != nil {
		return err
	}
	return x.note(note{Carried: true})
}

func (x *swap) rename(ctx context.Context) error {
	if x.rec.Restart {
		return nil
	}
	if err := x.a.rename(ctx, x.old.ID, x.rec.TempOld); err != nil {
		return err
	}
	return x.a.rename(ctx, x.new.ID, x.rec.Name)
}

func (x *swap) start(ctx context.Context) error {
	if !x.rec.Running {
		return nil
	}
	x.say("starting")
	x.began = time.Now()
	if err := x.a.start(ctx, x.new.ID); err != nil {
		return cmp.Or(x.blame(ctx), x.startFailure(err))
	}
	if x.rec.Paused {
		return x.a.pause(ctx, x.new.ID)
	}
	return x.wellFirst(ctx)
}

// settle waits until the new container is proven.
func (x *swap) settle(ctx context.Context) error {
	if x.rec.Running {
		if err := x.gate(ctx); err != nil {
			return err
		}
	}
	if x.rec.Restart {
		return nil
	}
	if err := x.refresh(ctx, x.new.ID); err != nil {
		return err
	}
	if !body.SameLinks(x.old.HostConfig.Links, x.new.HostConfig.Links) {
		return fmt.Errorf("container %s is not linked as it was", x.rec.Name)
	}
	return alike(x.rec.Inspect, x.new.raw, x.req, x.a.version)
}

// hand gives the restart policy from the old container to the new one. The old one loses it first: a
// reboot in between starts none, never two on the same volumes.
func (x *swap) hand(ctx context.Context) error {
	if x.rec.Restart {
		return x.unguard(ctx)
	}
	if err := x.note(note{Live: true}); err != nil {
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

// unguard gives a container that was only stopped and started its own restart policy back.
func (x *swap) unguard(ctx context.Context) error {
	if err := x.refresh(ctx, x.old.ID); err != nil {
		return err
	}
	if x.new.HostConfig.RestartPolicy != x.rec.Policy && x.rec.Policy.Name != "" {
		if err := x.a.setPolicy(ctx, x.old.ID, x.rec.Policy); err != nil {
			return err
		}
		if err := x.refresh(ctx, x.old.ID); err != nil {
			return err
		}
	}
	return alike(x.rec.Inspect, x.new.raw, nil, x.a.version)
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
	if !x.rec.Compose || x.rec.Restart {
		return nil
	}
	if err := x.note(note{Removed: true}); err != nil {
		return err
	}
	return x.a.remove(ctx, x.old.ID)
}
