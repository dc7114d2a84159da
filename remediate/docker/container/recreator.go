package container

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/container/body"
	"docker-harden/remediate/docker/container/layer"
)

// Recreator is the handler of [plan.KindRecreate]: a new container takes the old one's place.
type Recreator struct {
	Engine  Engine
	Options Options
	// bonds are the namespaces other containers borrow, by container id. They never change, so they
	// are read once for all steps of a run.
	bonds map[string]bond
}

var _ remediate.Handler = (*Recreator)(nil)

// Prepare checks everything that can be known before, and saves what Undo needs. It changes nothing.
func (r *Recreator) Prepare(ctx context.Context, step plan.Step) (json.RawMessage, error) {
	a, err := open(ctx, r.Engine)
	if err != nil {
		return nil, err
	}
	old, err := a.planned(ctx, step)
	if err != nil {
		return nil, err
	}
	if err := r.admit(ctx, a, old); err != nil {
		return nil, err
	}
	rec, err := r.record(ctx, a, old, step.Changes)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{rec.TempNew, rec.TempOld} {
		taken, err := a.named(ctx, name)
		if err != nil {
			return nil, err
		}
		if taken != nil {
			return nil, refused("a container named %s exists already; it is left from an earlier run: look at it and remove it", name)
		}
	}
	return json.Marshal(rec)
}

// planned finds the container of a step; another one under its name makes the plan stale.
func (a *api) planned(ctx context.Context, step plan.Step) (*state, error) {
	c, err := a.named(ctx, step.Resource.Name)
	switch {
	case err != nil:
		return nil, err
	case c == nil:
		return nil, stale("there is no container named %s any more", step.Resource.Name)
	case c.ID != step.Resource.ID:
		return nil, stale("container %s is another one now (%.12s, the plan saw %.12s)", step.Resource.Name, c.ID, step.Resource.ID)
	}
	return c, nil
}

func (r *Recreator) record(ctx context.Context, a *api, old *state, changes []plan.Change) (*record, error) {
	src, err := r.source(ctx, a, old)
	if err != nil {
		return nil, err
	}
	tx := r.Options.tx()
	rec := &record{
		Format: recordFormat, API: a.version, Name: old.name(), ID: old.ID, Inspect: old.raw,
		TempNew: old.name() + ".dh-" + tx + "-new", TempOld: old.name() + ".dh-" + tx + "-old",
		Policy: old.HostConfig.RestartPolicy, Running: old.State.Running, Paused: old.State.Paused,
		Compose: old.composeOwned(),
	}
	if rec.New, err = body.Build(src, changes); err != nil {
		return nil, staleChange(err)
	}
	if rec.Old, err = body.Build(src, nil); err != nil {
		return nil, err
	}
	return rec, r.layer(ctx, a, old, rec)
}

// layer records what is in the writable layer and refuses when it could not be carried over.
func (r *Recreator) layer(ctx context.Context, a *api, old *state, rec *record) error {
	l, err := layer.Open(r.Options.Root, old.GraphDriver.Name, old.GraphDriver.Data)
	if err == nil {
		rec.Written, err = l.Written(stubs(old))
	}
	if err != nil {
		rec.Unread = err.Error()
		changed, err := a.changed(ctx, old)
		if err != nil {
			return err
		}
		if len(changed) > 0 {
			return refused("%d files in the writable layer of %s cannot be carried over (%s), first %s",
				len(changed), rec.Name, rec.Unread, clean(changed[0], maxMessage))
		}
		return nil
	}
	if rec.Written.Clean() {
		return nil
	}
	if rec.Compose {
		return refused("%d files in the writable layer of %s (first %s) would be lost at the next docker compose up; put them into a volume",
			rec.Written.Files, rec.Name, clean(rec.Written.Paths[0], maxMessage))
	}
	if err := layer.Room(l.Upper, rec.Written); err != nil {
		return refused("%w", err)
	}
	return nil
}

// stubs are the places where the engine itself makes files and directories in a layer.
func stubs(c *state) []string {
	all := []string{
		"/dev", "/proc", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab", "/.dockerenv",
		"/dev/console", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sbin/docker-init",
	}
	for _, m := range c.Mounts {
		all = append(all, m.Destination)
	}
	for target := range c.HostConfig.Tmpfs {
		all = append(all, target)
	}
	if c.Config.WorkingDir != "" {
		all = append(all, c.Config.WorkingDir)
	}
	return all
}

// openLayer finds a container's writable layer on this machine.
func (r *Recreator) openLayer(c *state) (layer.Layer, error) {
	return layer.Open(r.Options.Root, c.GraphDriver.Name, c.GraphDriver.Data)
}

// proc is the kernel's truth of a running container.
func (r *Recreator) proc(c *state) (*inventory.Proc, error) {
	p, err := inventory.ReadProc(r.Options.Root, c.State.PID)
	if err != nil {
		return nil, fmt.Errorf("cannot read the processes of %s: %w", c.name(), err)
	}
	return p, nil
}

// path is where a file of the engine's host is found.
func (o Options) path(elem ...string) string {
	return filepath.Join(append([]string{"/" + o.Root}, elem...)...)
}
