package container

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

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
	parts, tx := step.Parts(), r.Options.tx()
	recs := make([]*record, len(parts))
	for i, part := range parts {
		c, err := a.planned(ctx, part.Resource)
		if err != nil {
			return nil, err
		}
		if recs[i], err = r.prepare(ctx, a, c, part, tx); err != nil {
			return nil, taken(err, step, part)
		}
		if err := r.dependents(ctx, a, c, step); err != nil {
			return nil, err
		}
	}
	if len(recs) == 1 {
		return json.Marshal(recs[0])
	}
	return json.Marshal(groupRecord{Format: groupFormat, Members: recs})
}

// taken says why a container that is refused was to be touched at all.
func taken(err error, step plan.Step, part plan.Member) error {
	if part.Resource == step.Resource || len(part.Controls) > 0 {
		return err
	}
	return fmt.Errorf("container %s goes along with %s: %w", part.Resource.Name, step.Resource.Name, err)
}

// prepare checks and records one container.
func (r *Recreator) prepare(ctx context.Context, a *api, c *state, part plan.Member, tx string) (*record, error) {
	var err error
	if part.Action == plan.ActionRestart {
		err = r.admitRestart(c)
	} else {
		err = r.admit(ctx, a, c)
	}
	if err != nil {
		return nil, err
	}
	rec := &record{
		Format: recordFormat, API: a.version, Name: c.name(), ID: c.ID, Inspect: c.raw,
		Policy: c.HostConfig.RestartPolicy, Running: c.State.Running, Paused: c.State.Paused,
		Compose: c.composeOwned(), Restart: part.Action == plan.ActionRestart,
	}
	if rec.Binds, err = a.binds(ctx, c, part); err != nil || rec.Restart {
		return rec, err
	}
	if err := r.unoccupied(ctx, a, c, part.Changes); err != nil {
		return nil, err
	}
	rec.Pids = r.ownPids(c)
	rec.TempNew, rec.TempOld = rec.Name+".dh-"+tx+"-new", rec.Name+".dh-"+tx+"-old"
	if err := r.requests(ctx, a, c, part.Changes, rec); err != nil {
		return nil, err
	}
	if part.WritableLayer == plan.LayerRefuse && !rec.Written.Clean() {
		return nil, refused("%d files in the writable layer of %s (first %s), and the profile says writable_layer: refuse",
			rec.Written.Files, rec.Name, clean(rec.Written.Paths[0], maxMessage))
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
	return rec, nil
}

// binds are the containers that one is bound to: those of its step, and those whose namespaces it uses.
func (a *api) binds(ctx context.Context, c *state, part plan.Member) ([]bind, error) {
	var out []bind
	for _, b := range part.Binds {
		out = append(out, bind{ID: b.To.ID, Name: b.To.Name, By: b.By})
	}
	for _, mode := range []struct{ value, by string }{
		{c.HostConfig.NetworkMode, "network"}, {c.HostConfig.PidMode, "pid"}, {c.HostConfig.IpcMode, "ipc"},
	} {
		ref, ok := strings.CutPrefix(mode.value, "container:")
		if !ok || slices.ContainsFunc(out, func(b bind) bool { return b.By == mode.by }) {
			continue
		}
		p, err := a.inspect(ctx, ref)
		if err != nil {
			return nil, err
		}
		if p == nil {
			return nil, refused("%s uses namespaces of container %.12s, which is gone", c.name(), ref)
		}
		out = append(out, bind{ID: p.ID, Name: p.name(), By: mode.by})
	}
	return out, nil
}

// planned finds the container of a resource; another one under its name makes the plan stale.
func (a *api) planned(ctx context.Context, r plan.Resource) (*state, error) {
	c, err := a.named(ctx, r.Name)
	switch {
	case err != nil:
		return nil, err
	case c == nil:
		return nil, stale("there is no container named %s any more", r.Name)
	case c.ID != r.ID:
		return nil, stale("container %s is another one now (%.12s, the plan saw %.12s)", r.Name, c.ID, r.ID)
	}
	return c, nil
}

// requests makes the bodies that make the new container, and the old one again should it be deleted.
func (r *Recreator) requests(ctx context.Context, a *api, old *state, changes []plan.Change, rec *record) error {
	src, err := r.source(ctx, a, old)
	if err != nil {
		return err
	}
	if changeList(changes).secrets() {
		if src.SecretsDir, err = r.Options.secretsDir(rec); err != nil {
			return err
		}
	}
	src.VolumePrefix = rec.volumePrefix()
	if rec.New, err = body.Build(src, changes); err != nil {
		return staleChange(err)
	}
	if rec.Old, err = body.Build(src, nil); err != nil {
		return err
	}
	if err := r.layer(ctx, a, old, rec); err != nil {
		return err
	}
	return r.prepareVolumes(ctx, a, old, rec)
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
	if rec.Compose && !inventory.OnlySecrets(rec.Written.Paths, rec.Written.Files) {
		return refused("%d files in the writable layer of %s (first %s) would be lost at the next docker compose up; put them into a volume",
			rec.Written.Files, rec.Name, clean(rec.Written.Paths[0], maxMessage))
	}
	rest, err := l.Written(stubs(old), rec.moved()...)
	if err != nil {
		return err
	}
	if err := layer.Room(l.Upper, "the writable layer", rest); err != nil {
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

// ownPids is the limit of processes that a container has although none is set; 0: it has none.
func (r *Recreator) ownPids(c *state) int64 {
	if p := c.HostConfig.PidsLimit; !c.State.Running || p != nil && *p > 0 {
		return 0
	}
	p, err := r.proc(c)
	if err != nil || p.PidsLimit == nil {
		return 0 // a limit that an undo of an update sets later counts as somebody's change then
	}
	return max(*p.PidsLimit, 0)
}

// path is where a file of the engine's host is found.
func (o Options) path(elem ...string) string {
	return filepath.Join(append([]string{"/" + o.Root}, elem...)...)
}
