package container

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// admit refuses containers that cannot be replaced without losing something.
func (r *Recreator) admit(ctx context.Context, a *api, c *state) error {
	if err := admitState(c); err != nil {
		return err
	}
	if inventory.Self(c.ID) {
		return refused("this program runs in %s: it cannot replace its own container", c.name())
	}
	if err := r.held(c); err != nil {
		return err
	}
	for _, m := range c.Mounts {
		if m.Type == "bind" {
			if err := r.bindSource(c, m.Source, m.Destination); err != nil {
				return err
			}
		}
	}
	if c.State.Running {
		if _, err := r.proc(c); err != nil {
			return refused("whether a new container holds could not be seen: %w", err)
		}
	}
	return a.provider(ctx, c)
}

// admitRestart refuses containers that cannot be stopped and started without losing something.
func (r *Recreator) admitRestart(c *state) error {
	if err := admitState(c); err != nil {
		return err
	}
	if inventory.Self(c.ID) {
		return refused("this program runs in %s: it cannot stop its own container", c.name())
	}
	if err := r.held(c); err != nil {
		return err
	}
	if _, err := r.proc(c); err != nil {
		return refused("whether it works as before could not be seen: %w", err)
	}
	return nil
}

func admitState(c *state) error {
	name, s := c.name(), c.State
	switch {
	case c.HostConfig.AutoRemove:
		return refused("%s was started with --rm: stopping it would remove it and its anonymous volumes", name)
	case s.Restarting:
		return refused("%s is in a restart loop: whether a new one works could not be seen; repair it first", name)
	case s.Dead, s.Status == "removing":
		return refused("%s is %s", name, s.Status)
	case !s.Running && s.Status != "created":
		return refused("%s has exited: its exit status would be lost; start it or remove it first", name)
	}
	return c.ownedElsewhere()
}

// ownedElsewhere refuses a container that another tool would make again at once. The plan says what
// to do there; this is for a plan that was made before the tool took the container over.
func (c *state) ownedElsewhere() error {
	o := inventory.OwnerByLabels(c.name(), c.Config.Labels)
	if o.Kind == inventory.OwnedByNobody || o.Kind == inventory.OwnedByCompose {
		return nil
	}
	return refused("%s belongs to %s (%s), which would make it again: plan again, and change it there", c.name(), o.Kind, clean(o.Name, maxMessage))
}

// held refuses a container whose docker run is a systemd unit: stopping it ends the unit, which would
// make it again.
func (r *Recreator) held(c *state) error {
	unit, err := inventory.UnitOf(r.Options.Root, c.name(), c.ID)
	if err != nil {
		return refused("whether a systemd unit holds %s could not be seen: %w", c.name(), err)
	}
	if unit != "" {
		return refused("%s is started by systemd unit %s, which would make it again: plan again, and change docker run in that unit", c.name(), clean(unit, maxMessage))
	}
	return nil
}

func (c *state) composeOwned() bool { return c.Config.Labels["com.docker.compose.project"] != "" }

// provider checks the container whose namespaces are borrowed.
func (a *api) provider(ctx context.Context, c *state) error {
	for _, mode := range []string{c.HostConfig.NetworkMode, c.HostConfig.PidMode, c.HostConfig.IpcMode} {
		ref, ok := strings.CutPrefix(mode, "container:")
		if !ok {
			continue
		}
		p, err := a.inspect(ctx, ref)
		if err != nil {
			return err
		}
		if p == nil || c.State.Running && !p.State.Running {
			return refused("%s uses namespaces of container %.12s, which is gone or does not run", c.name(), ref)
		}
	}
	return nil
}

// bond is what ties a container to another one for good.
type bond struct {
	name  string
	modes []string
	links []string
}

// dependents refuses a container that others are bound to by its id and that the step does not take along.
func (r *Recreator) dependents(ctx context.Context, a *api, c *state, step plan.Step) error {
	var list []struct {
		ID    string `json:"Id"`
		State string
		Names []string
	}
	if err := a.call(ctx, http.MethodGet, "/containers/json?all=1", nil, &list); err != nil {
		return fmt.Errorf("cannot list containers: %w", err)
	}
	if r.bonds == nil {
		r.bonds = make(map[string]bond)
	}
	for _, l := range list {
		with := func(m plan.Member) bool { return m.Resource.ID == l.ID && m.Action == plan.ActionRecreate }
		if l.ID == c.ID || slices.ContainsFunc(step.Members, with) || l.State != "running" && slices.ContainsFunc(l.Names, kept) {
			continue
		}
		b, known := r.bonds[l.ID]
		if !known {
			other, err := a.inspect(ctx, l.ID)
			if err != nil {
				return err
			}
			if other == nil {
				continue // removed meanwhile
			}
			b = bondOf(other)
			r.bonds[l.ID] = b
		}
		if b.to(c) {
			return refused("container %s depends on %s (it shares a namespace or is linked) and the plan does not say so: make the plan again", b.name, c.name())
		}
	}
	return nil
}

// kept reports whether a name is one that a swap gives. Such a container stands still until its own
// rollback, which comes after that of what it is bound to.
func kept(name string) bool { return swapName.MatchString(name) }

var swapName = regexp.MustCompile(`\.dh-[0-9a-z]{1,12}-(old|new|aside|back)$`)

func bondOf(c *state) bond {
	h := &c.HostConfig
	b := bond{name: c.name(), modes: []string{h.NetworkMode, h.PidMode, h.IpcMode}}
	switch h.NetworkMode {
	case "", "default", "bridge": // on other networks a link is a name, which stays right
		b.links = h.Links
	}
	return b
}

func (b bond) to(c *state) bool {
	for _, mode := range b.modes {
		if ref, ok := strings.CutPrefix(mode, "container:"); ok && (ref == c.ID || ref == c.name()) {
			return true
		}
	}
	for _, link := range b.links {
		if target, _, _ := strings.Cut(link, ":"); strings.TrimPrefix(target, "/") == c.name() {
			return true
		}
	}
	return false
}
