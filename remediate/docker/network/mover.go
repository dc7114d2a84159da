package network

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
)

// Mover is the handler of [plan.KindNetwork].
type Mover struct {
	Engine Engine
	// Limits sets what the step changes besides networks: limits of the running container.
	Limits remediate.Handler
	// Root is where the processes of the engine's host are found; "" for this machine.
	Root string
	// Stable is how long a running container is watched after its move. 0: 5 s.
	Stable time.Duration
	// Lag is how long the kernel's answers may lag behind the engine's. 0: 5 s.
	Lag time.Duration
}

// Prepare checks that the container can be moved without harm, and saves where it is. It changes nothing.
func (m *Mover) Prepare(ctx context.Context, step plan.Step) (json.RawMessage, error) {
	mv, limits, err := split(step)
	if err != nil {
		return nil, err
	}
	c, err := m.planned(ctx, step.Resource)
	if err != nil {
		return nil, err
	}
	if is := c.networks(); !slices.Equal(is, mv.from) {
		return nil, stale("container %s is on %s now, the plan saw it on %s", c.name(), names(is), names(mv.from))
	}
	if err := m.admit(ctx, c); err != nil {
		return nil, err
	}
	rec := record{Format: recordFormat, Name: c.name(), ID: c.ID, From: mv.from, To: mv.to, Address: c.address(bridge), Ports: published(c)}
	if rec.Place = c.NetworkSettings.Networks[bridge]; rec.Place != nil {
		rec.Place = &network.EndpointSettings{DriverOpts: rec.Place.DriverOpts, GwPriority: rec.Place.GwPriority}
	}
	left, err := m.network(ctx, bridge)
	if err != nil {
		return nil, err
	}
	rec.Left = placeOf(left)
	if mv.joined != "" {
		if rec.Joined, err = m.target(ctx, c, mv.joined); err != nil {
			return nil, err
		}
	}
	if len(limits.Changes) > 0 {
		if rec.Limits, err = m.Limits.Prepare(ctx, limits); err != nil {
			return nil, err
		}
	}
	return json.Marshal(rec)
}

// planned is the container that the step is about, under its own name.
func (m *Mover) planned(ctx context.Context, r plan.Resource) (*state, error) {
	c, err := m.inspect(ctx, r.ID)
	switch {
	case err != nil:
		return nil, err
	case c == nil:
		return nil, stale("container %s (%.12s) no longer exists", r.Name, r.ID)
	case c.name() != r.Name:
		return nil, stale("container %s is called %s now", r.Name, clean(c.name()))
	}
	return c, nil
}

// admit refuses containers that would lose something. The plan says so too: this is for what came after it.
func (m *Mover) admit(ctx context.Context, c *state) error {
	name, mode := c.name(), string(c.HostConfig.NetworkMode)
	o := inventory.OwnerByLabels(name, c.Config.Labels)
	switch {
	case c.State.Dead || c.State.Status == "removing" || c.State.Restarting:
		return refused("%s is %s", name, clean(string(c.State.Status)))
	case mode == "host" || mode == "none" || strings.HasPrefix(mode, "container:"):
		return refused("%s has no network of its own (%s)", name, clean(mode))
	case o.Kind != inventory.OwnedByNobody:
		return refused("%s belongs to %s (%s), which would put it back: plan again, and change it there", name, o.Kind, clean(o.Name))
	case len(c.HostConfig.Links) > 0:
		return refused("%s is linked to others (--link), and links work on the default bridge only", name)
	}
	unit, err := inventory.UnitOf(m.Root, name, c.ID)
	switch {
	case err != nil:
		return refused("whether a systemd unit holds %s could not be seen: %w", name, err)
	case unit != "":
		return refused("%s is started by systemd unit %s, which would put it back: plan again, and change docker run in that unit", name, clean(unit))
	}
	if err := m.linked(ctx, c); err != nil {
		return err
	}
	if mac, err := m.chosenMAC(ctx, c); err != nil || mac != "" {
		return cmp.Or(err, refused("the MAC address of %s was chosen (%s), and it would lose it for good", name, clean(mac)))
	}
	return m.listens(c)
}

// chosenMAC is the address that somebody asked for on the default bridge. Engines from 25 on tell it from their own choice in
// their own file only.
func (m *Mover) chosenMAC(ctx context.Context, c *state) (string, error) {
	info, err := m.Engine.Info(ctx)
	if err != nil {
		return "", fmt.Errorf("cannot ask the engine: %w", said(err))
	}
	text, err := os.ReadFile(filepath.Join("/"+m.Root, info.DockerRootDir, "containers", c.ID, "config.v2.json"))
	if err != nil {
		return "", nil // the engine is on another machine
	}
	var is struct {
		Config          struct{ MacAddress string }
		NetworkSettings struct {
			Networks map[string]struct{ DesiredMacAddress string }
		}
	}
	if err := json.Unmarshal(text, &is); err != nil {
		return "", fmt.Errorf("cannot read what the engine has of container %s: %w", c.name(), err)
	}
	return cmp.Or(is.NetworkSettings.Networks[bridge].DesiredMacAddress, is.Config.MacAddress), nil
}

// linked refuses a container that others are linked to: the engine lists it under their names for it too.
func (m *Mover) linked(ctx context.Context, c *state) error {
	all, err := m.Engine.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return fmt.Errorf("cannot list containers: %w", said(err))
	}
	for _, other := range all {
		for _, name := range other.Names {
			owner, alias, link := strings.Cut(strings.TrimPrefix(name, "/"), "/")
			if link && other.ID == c.ID {
				return refused("container %s is linked to %s as %s, would lose it and not start again", clean(owner), c.name(), clean(alias))
			}
		}
	}
	return nil
}

// target is the network that the step names, if it is one to move to.
func (m *Mover) target(ctx context.Context, c *state, name string) (*place, error) {
	n, err := m.network(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case n.Driver != "bridge" || n.Scope != "" && n.Scope != "local":
		return nil, refused("network %s has driver %s: a container is moved to one with driver bridge", clean(name), clean(n.Driver))
	case n.Internal && len(c.HostConfig.PortBindings) > 0:
		return nil, refused("network %s is internal, and %s has published ports", clean(name), c.name())
	}
	to := placeOf(n)
	return &to, nil
}

// network asks for a network by its full name: the engine also takes the beginning of an id.
func (m *Mover) network(ctx context.Context, name string) (inventory.HostNetwork, error) {
	n, err := m.Engine.NetworkInspect(ctx, name, network.InspectOptions{})
	switch {
	case errdefs.IsNotFound(err) || err == nil && n.Name != name:
		return inventory.HostNetwork{}, refused("there is no network %s: make it (docker network create), then plan again", clean(name))
	case err != nil:
		return inventory.HostNetwork{}, fmt.Errorf("cannot inspect network %s: %w", clean(name), said(err))
	}
	return inventory.NetworkOf(&n), nil
}

func placeOf(n inventory.HostNetwork) place { return place{Name: n.Name, ID: n.ID, Subnets: n.Subnets} }

// names is a list of names from a host in words.
func names(list []string) string {
	if len(list) == 0 {
		return "no network"
	}
	return clean(strings.Join(list, ", "))
}

// Commit drops nothing of a move: the record alone undoes it.
func (m *Mover) Commit(ctx context.Context, step plan.Step, r remediate.Record) error {
	rec, err := readRecord(r.Undo)
	if err != nil || rec.Limits == nil {
		return err
	}
	_, limits, err := split(step)
	if err != nil {
		return err
	}
	return m.Limits.Commit(ctx, limits, rec.limits(r))
}

// limits is the record of the step's limits.
func (rec *record) limits(r remediate.Record) remediate.Record {
	return remediate.Record{Undo: rec.Limits, Exact: r.Exact, Force: r.Force}
}
