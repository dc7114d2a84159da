package docker

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// networkGap is how long published ports were measured to be away while a container moves, in seconds.
const networkGap = 0.3

const networkUndo = "it comes back to the default bridge without a restart: its address there may be another one, and docker inspect shows its place there as empty instead of unset"

// mover moves one container from the default bridge to a network.
type mover struct {
	h  *inventory.Host
	c  *inventory.Container
	to string
}

// move makes the change, or says why there is none.
func (m mover) move(f plan.Finding) plan.Finding {
	target, why := m.target()
	if reasons := append(m.blocks(), why...); len(reasons) > 0 {
		f.Blocked = strings.Join(reasons, "; ")
		return f
	}
	from := slices.Sorted(maps.Keys(m.c.Inspect.NetworkSettings.Networks))
	to := slices.DeleteFunc(slices.Clone(from), func(name string) bool { return name == inventory.DefaultBridge })
	if !slices.Contains(to, m.to) {
		to = append(to, m.to)
		slices.Sort(to)
	}
	f.Changes = []plan.Change{{
		Path: plan.NetworksPath, From: raw(from), To: raw(to), Kind: plan.KindNetwork,
		Reversibility: plan.Functional, ReverseNote: networkUndo,
	}}
	if running(m.c) {
		f.Downtime = networkGap
	}
	return m.price(f, target)
}

// price says what a move may break.
func (m mover) price(f plan.Finding, target inventory.HostNetwork) plan.Finding {
	f.Risk = f.Risk.Raise(plan.RiskMedium, "its address changes: who was told the old one no longer reaches it")
	if names := m.others(inventory.DefaultBridge); len(names) > 0 {
		f.Risk = f.Risk.Raise(plan.RiskMedium, "on the default bridge there are also "+list(names)+": those that stay there no longer reach it, nor it them")
	}
	if target.Internal {
		f.Risk = f.Risk.Raise(plan.RiskHigh, "network "+m.to+" is internal: it reaches nothing outside any more")
	}
	if names := m.others(m.to); len(names) > 0 && !target.Isolated {
		f.Notes = append(f.Notes, fmt.Sprintf("on %s it reaches %s, and they it, also by name", m.to, list(names)))
	}
	picked := slices.Concat(m.published(func(port string) bool { return port == "" || port == "0" }), m.published(func(port string) bool { return strings.Contains(port, "-") }))
	switch {
	case len(picked) > 0:
		f.Risk = f.Risk.Raise(plan.RiskMedium, "published on host ports that the engine picks, which will be others: "+list(picked))
	case m.c.Inspect.HostConfig.PublishAllPorts:
		f.Risk = f.Risk.Raise(plan.RiskMedium, "its ports are published on host ports that the engine picks, which will be others")
	}
	if names := m.sharers(); len(names) > 0 {
		f.Notes = append(f.Notes, "they share its network and move with it: "+list(names))
	}
	f.Notes = append(f.Notes, fmt.Sprintf("while it stands still, docker network rm and prune take %s for unused: without it the container does not start", m.to))
	return f
}

// target finds the network that the profile names.
func (m mover) target() (inventory.HostNetwork, []string) {
	name := plainName(m.to)
	var found []inventory.HostNetwork
	for _, n := range m.h.Networks {
		if n.Name == m.to {
			found = append(found, n)
		}
	}
	no := func(format string, args ...any) (inventory.HostNetwork, []string) {
		return inventory.HostNetwork{}, []string{fmt.Sprintf(format, args...)}
	}
	switch {
	case m.h.Networks == nil:
		return no("the engine's networks could not be read")
	case !m.userDefined():
		return no("the answer names %s, which is no user-defined network", name)
	case len(found) == 0:
		return no("there is no network %s: make it with docker network create %s, then plan again", name, name)
	case len(found) > 1:
		return no("there are %d networks called %s: remove all but one, then plan again", len(found), name)
	case found[0].Driver != "bridge" || found[0].Scope != "" && found[0].Scope != "local":
		return no("network %s has driver %s: name one with driver bridge", name, plainName(found[0].Driver))
	case found[0].Internal && len(m.c.Inspect.HostConfig.PortBindings) > 0:
		return no("network %s is internal, and it has published ports: nothing outside would reach them", name)
	}
	_, member := m.c.Inspect.NetworkSettings.Networks[m.to]
	for _, with := range slices.Sorted(maps.Keys(m.c.Inspect.NetworkSettings.Networks)) {
		if !member && overlap(found[0].Subnets, m.h.SubnetsOf(with)) {
			return no("the addresses of network %s overlap with those of %s", name, plainName(with))
		}
	}
	return found[0], nil
}

func overlap(a, b []string) bool {
	for _, x := range a {
		for _, y := range b {
			p, perr := netip.ParsePrefix(x)
			q, qerr := netip.ParsePrefix(y)
			if perr == nil && qerr == nil && p.Overlaps(q) {
				return true
			}
		}
	}
	return false
}

// blocks says why this container cannot be moved, wherever to.
func (m mover) blocks() []string {
	var out []string
	in := &m.c.Inspect
	if m.c.Owner.Kind == inventory.OwnedByCompose {
		project, service, _ := strings.Cut(m.c.Owner.Name, "/")
		out = append(out, fmt.Sprintf("docker compose up would put it back: in the file of Compose project %s take network_mode: bridge out of service %s, give it a network under networks, then docker compose up -d",
			plainName(project), plainName(service)))
	}
	if len(in.NetworkSettings.Networks) == 0 {
		out = append(out, "the engine does not say which networks it is on before it starts: start it, then plan again")
	}
	if in.State.Restarting || in.State.Status == "restarting" {
		out = append(out, "it is in a restart loop: repair it, then plan again")
	}
	if len(in.HostConfig.Links) > 0 {
		out = append(out, "it is linked to others (--link), and links work on the default bridge only: on a network of their own they find each other by name")
	}
	if names := m.linkers(); len(names) > 0 {
		out = append(out, fmt.Sprintf("others are linked to it (--link) and would lose it, and not start again: %s", list(names)))
	}
	return append(out, m.pinned()...)
}

// pinned are settings of a container that are about its place on the default bridge and do not move along.
func (m mover) pinned() []string {
	var is struct {
		Config     struct{ MacAddress string }
		HostConfig struct{ Sysctls map[string]string }
	}
	if len(m.c.Raw) > 0 && json.Unmarshal(m.c.Raw, &is) != nil {
		return []string{"the engine's answer for it cannot be read"}
	}
	var out []string
	// Since API 1.44 the engine shows there what it picked itself.
	if v, ok := control.ParseVersion(m.h.Engine.API); is.Config.MacAddress != "" && ok && v[0] == 1 && v[1] < 44 {
		out = append(out, "its MAC address was chosen (--mac-address), and it would get another one")
	}
	for _, key := range slices.Sorted(maps.Keys(is.HostConfig.Sysctls)) {
		if strings.Contains(key, ".eth0.") {
			out = append(out, "its setting "+plainName(key)+" is about the interface that goes away")
		}
	}
	return out
}

// linkers are the containers that are linked to this one.
func (m mover) linkers() []string {
	var out []string
	for i := range m.h.Containers {
		other := &m.h.Containers[i]
		for _, link := range other.Inspect.HostConfig.Links {
			if target, _, _ := strings.Cut(strings.TrimPrefix(link, "/"), ":"); target == m.c.Name && !control.Kept(other) {
				out = append(out, plainName(other.Name))
				break
			}
		}
	}
	return out
}

// sharers are the containers that use its network namespace.
func (m mover) sharers() []string {
	var out []string
	for i := range m.h.Containers {
		ref, shares := strings.CutPrefix(m.h.Containers[i].Inspect.HostConfig.NetworkMode, "container:")
		if shares && (ref == m.c.ID || ref == m.c.Name) {
			out = append(out, plainName(m.h.Containers[i].Name))
		}
	}
	return out
}

// others are the other containers on a network.
func (m mover) others(network string) []string {
	var out []string
	for i := range m.h.Containers {
		other := &m.h.Containers[i]
		if _, on := other.Inspect.NetworkSettings.Networks[network]; on && other.ID != m.c.ID && !control.Kept(other) {
			out = append(out, plainName(other.Name))
		}
	}
	return out
}

// candidates are the networks that could be named.
func (m mover) candidates() []string {
	var out []string
	for _, n := range m.h.Networks {
		at := m
		at.to = n.Name
		if _, why := at.target(); len(why) == 0 {
			out = append(out, n.Name)
		}
	}
	return out
}

// published are the ports whose host port is of a kind.
func (m mover) published(such func(hostPort string) bool) []string {
	var out []string
	for port, bindings := range m.c.Inspect.HostConfig.PortBindings {
		if slices.ContainsFunc(bindings, func(b inventory.Port) bool { return such(b.HostPort) }) {
			out = append(out, plainName(port))
		}
	}
	slices.Sort(out)
	return out
}

// movesAsAsked reports whether a change moves a container from the default bridge to the network that the profile
// names, and else leaves it where it is. Which networks that is now, and whether the named one is there, is not looked
// at: a plan for another state is stale and not edited, and says so later.
func movesAsAsked(h *inventory.Host, c *inventory.Container, p *profile.Profile, change plan.Change) bool {
	one := defaultBridge()
	params, on := p.ParamsFor(one.ID, c.Name, one.Params)
	m := mover{h, c, params.Text("network")}
	var from, to []string
	if !on || !m.userDefined() || len(m.pinned()) > 0 || json.Unmarshal(change.From, &from) != nil || json.Unmarshal(change.To, &to) != nil {
		return false
	}
	want := slices.DeleteFunc(slices.Clone(from), func(name string) bool { return name == inventory.DefaultBridge || name == m.to })
	want = append(want, m.to)
	slices.Sort(want)
	other := slices.ContainsFunc(h.Networks, func(n inventory.HostNetwork) bool { return n.Name == m.to && n.Driver != "bridge" })
	return !other && slices.Contains(from, inventory.DefaultBridge) && slices.Equal(want, to)
}

// userDefined reports whether the answer can be the name of a network that somebody made.
func (m mover) userDefined() bool {
	engines := []string{"", inventory.DefaultBridge, "default", "host", "none", "docker_gwbridge", "ingress"}
	return !slices.Contains(engines, m.to) && plainName(m.to) == m.to && !strings.Contains(m.to, ":")
}
