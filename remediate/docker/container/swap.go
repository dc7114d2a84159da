package container

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"docker-harden/remediate/docker/container/body"
	"docker-harden/remediate/docker/container/layer"
)

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
	x.old.had = x.r.values(x.old)
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
		x.new, c.had = c, slices.Concat(x.old.Config.Env, x.old.had)
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
func (x *swap) carry(ctx context.Context) error {
	if x.rec.Restart {
		return nil
	}
	from, err := x.r.openLayer(x.old)
	if errors.Is(err, layer.ErrDriver) { // Prepare saw that nothing was written, but it has run since
		late, err := x.a.changed(ctx, x.old)
		if err == nil && len(late) > 0 {
			err = fmt.Errorf("it wrote %s into its layer before it stopped, which cannot be carried over with this storage driver", named(late))
		}
		return err
	}
	if err != nil {
		return err
	}
	written, err := from.Written(stubs(x.old), x.rec.moved()...)
	if err != nil || written.Clean() {
		return err
	}
	to, err := x.r.openLayer(x.new)
	if err != nil {
		return err
	}
	x.say(fmt.Sprintf("carrying over %d files of the writable layer", written.Files))
	if err := layer.Copy(to, from, x.rec.moved()...); err != nil {
		return err
	}
	if err := x.still(ctx); err != nil {
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
	if !x.rec.Restart {
		if err := x.still(ctx); err != nil {
			return err
		}
	}
	x.say("starting")
	x.began = time.Now()
	if err := x.a.start(ctx, x.new.ID); err != nil {
		return cmp.Or(x.blame(ctx), x.startFailure(err))
	}
	// A busy engine takes seconds to start a program, in which there is nothing to watch yet.
	x.began = time.Now()
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
		if again := x.exported(); len(again) > 0 {
			x.say("its start script sets " + strings.Join(again, ", ") + " again: its processes have it in their environment, inspect does not show it")
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
	kept, err := x.r.keepLog(ctx, x.a, x.rec, x.old)
	if err != nil {
		return fmt.Errorf("the old container of %s has to be removed, and cannot be: %w", x.rec.Name, err)
	}
	if kept != "" {
		x.say("of the old container: " + kept)
	}
	if err := x.note(note{Removed: true}); err != nil {
		return err
	}
	return x.a.remove(ctx, x.old.ID)
}
