package docker

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// portWish is what an answer makes of the published ports of a container, whatever else is on the host.
type portWish struct {
	changes []plan.Change
	open    []string // ports that the answer says nothing of
	blocked []string // ports of which it says something, and that cannot be changed by themselves
	problem string   // what is wrong with the answer
}

// configuredPorts are the ports that a container is told to publish, in order. On the host's network none is.
func configuredPorts(c *inventory.Container) []plan.Port {
	var out []plan.Port
	if c.Inspect.HostConfig.NetworkMode == "host" {
		return nil
	}
	for _, inside := range slices.Sorted(maps.Keys(c.Inspect.HostConfig.PortBindings)) {
		for _, at := range c.Inspect.HostConfig.PortBindings[inside] {
			if p := (plan.Port{Inside: inside, PortBinding: at}); !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

// portChange changes one setting of one published port.
func portChange(p plan.Port, setting string, from, to any) plan.Change {
	return plan.Change{Path: plan.PortPath(p, setting), From: raw(from), To: raw(to), Kind: plan.KindRecreate, Reversibility: plan.Exact}
}

// republished makes the changes of an answer that leaves nothing open, or says what stands in the way.
func republished(h *inventory.Host, c *inventory.Container, f plan.Finding, w portWish) plan.Finding {
	f.Status, f.Question = plan.Fail, ""
	if w.problem != "" {
		f.Blocked = "the profile's " + w.problem
		return f
	}
	if why := append(w.blocked, taken(h, c, w.changes)...); len(why) > 0 {
		f.Blocked = strings.Join(why, "; ")
		return f
	}
	f.Changes = w.changes
	if !running(c) {
		f.Notes = append(f.Notes, "it does not run: whether the engine can publish its ports so is not tried")
	}
	return f
}

// pickedByEngine are the ports among some that are published without being configured one by one.
func pickedByEngine(c *inventory.Container, insides []string, such func(plan.Port) bool) []string {
	var out []string
	for _, inside := range insides {
		if !slices.ContainsFunc(configuredPorts(c), func(p plan.Port) bool { return p.Inside == inside && such(p) }) {
			out = append(out, inside)
		}
	}
	return out
}

// hostPlace is where something waits on the host.
type hostPlace struct {
	protocol string
	addr     netip.Addr
	port     int
	who      string
	new      bool
}

// placeOf is where a port is published; false: on no port that is known before.
func placeOf(inside string, at inventory.Port) (hostPlace, bool) {
	_, protocol, _ := strings.Cut(inside, "/")
	addr, err := netip.ParseAddr(at.HostIP)
	if at.HostIP == "" {
		addr, err = netip.IPv4Unspecified(), nil
	}
	port, err2 := strconv.Atoi(at.HostPort)
	return hostPlace{protocol: protocol, addr: addr.Unmap(), port: port}, err == nil && err2 == nil && port > 0
}

// meets reports whether two cannot be on one host. One that waits on all addresses of one kind may do so on those of
// the other too.
func (p hostPlace) meets(q hostPlace) bool {
	return p.protocol == q.protocol && p.port == q.port && (p.addr == q.addr || p.addr.IsUnspecified() || q.addr.IsUnspecified())
}

func (p hostPlace) String() string { return netip.AddrPortFrom(p.addr, uint16(p.port)).String() }

// taken says which of the places that changes lead to are not free: two ports of the container would have one, or
// another container or anybody else of the host has it.
func taken(h *inventory.Host, c *inventory.Container, changes []plan.Change) []string {
	after, err := plan.Publish(c.Inspect.HostConfig.PortBindings, changes)
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	var have []hostPlace
	for _, inside := range slices.Sorted(maps.Keys(after)) {
		for _, at := range after[inside] {
			if p, known := placeOf(inside, at); known {
				p.who, p.new = inside, !slices.Contains(c.Inspect.HostConfig.PortBindings[inside], at)
				have = append(have, p)
			}
		}
	}
	others := occupied(h, c)
	for i, p := range have {
		for _, q := range have[:i] {
			if (p.new || q.new) && p.meets(q) {
				out = append(out, fmt.Sprintf("%s and %s of it would both be on %s", q.who, p.who, p))
			}
		}
		if i := slices.IndexFunc(others, p.meets); p.new && i >= 0 {
			out = append(out, fmt.Sprintf("%s of the host is taken by %s", p, others[i].who))
		}
	}
	return out
}

// occupied are the places that others than the container have, or want when they start.
func occupied(h *inventory.Host, c *inventory.Container) []hostPlace {
	var out, own []hostPlace
	for i := range h.Containers {
		other := &h.Containers[i]
		ports := other.Inspect.NetworkSettings.Ports
		if !running(other) {
			ports = other.Inspect.HostConfig.PortBindings
		}
		if control.Kept(other) || other.Inspect.HostConfig.NetworkMode == "host" {
			continue
		}
		for _, inside := range slices.Sorted(maps.Keys(ports)) {
			for _, at := range ports[inside] {
				p, known := placeOf(inside, at)
				switch p.who = "container " + plainName(other.Name); {
				case !known:
				case other.ID == c.ID:
					own = append(own, p)
				default:
					out = append(out, p)
				}
			}
		}
	}
	if h.Reachable == nil {
		return out
	}
	for _, l := range h.Reachable.Listeners {
		addr, err := netip.ParseAddr(l.Address)
		p := hostPlace{protocol: strings.TrimSuffix(l.Protocol, "6"), addr: addr.Unmap(), port: l.Port, who: "something that waits there"}
		its := slices.ContainsFunc(own, func(q hostPlace) bool { // of old engines one socket waits on all addresses of both kinds
			return q.protocol == p.protocol && q.port == p.port && (q.addr == p.addr || q.addr.IsUnspecified() && p.addr.IsUnspecified())
		})
		if err == nil && !its {
			out = append(out, p)
		}
	}
	return out
}

// portAnswers are what answers make of published ports, by the setting that they change.
func portAnswers(setting string) (control.Control, func(*inventory.Container, profile.Params) portWish) {
	switch setting {
	case plan.PortAddress:
		return hostInterface(), addressWish
	case plan.PortNumber:
		return privilegedPorts(), moveWish
	}
	return openPorts(), unpublishWish
}

// publishesAsAsked reports whether a change of a published port is one that the profile's answer makes. What has
// the new place by now is not looked at: that decided the plan, and the apply looks again.
func publishesAsAsked(c *inventory.Container, p *profile.Profile, change plan.Change) bool {
	_, setting, _ := plan.PortOf(change.Path)
	one, wish := portAnswers(setting)
	params, on := p.ParamsFor(one.ID, c.Name, one.Params)
	w := wish(c, params)
	return on && w.problem == "" && slices.ContainsFunc(w.changes, func(asked plan.Change) bool {
		return asked.Path == change.Path && sameValue(asked.To, change.To)
	})
}

// publishedPort is one port of a container on the host.
type publishedPort struct {
	inside string // "80/tcp"
	ip     string // of the host; empty: all
	number int    // on the host; 0: the engine picks one
}

func (p publishedPort) wide() bool { return wideAddress(p.ip) }

// wideAddress reports whether an address stands for all of the host's.
func wideAddress(text string) bool {
	addr, err := netip.ParseAddr(text)
	return text == "" || err == nil && addr.IsUnspecified()
}

// publishedPorts are those that are configured, and those that are open now. On the host's network none is.
func publishedPorts(c *inventory.Container) []publishedPort {
	var out []publishedPort
	if c.Inspect.HostConfig.NetworkMode == "host" {
		return nil
	}
	for _, table := range []map[string][]inventory.Port{c.Inspect.HostConfig.PortBindings, c.Inspect.NetworkSettings.Ports} {
		for inside, bindings := range table {
			for _, b := range bindings {
				number, err := strconv.Atoi(b.HostPort)
				if err != nil {
					number = 0
				}
				if port := (publishedPort{inside: inside, ip: b.HostIP, number: number}); !slices.Contains(out, port) {
					out = append(out, port)
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b publishedPort) int {
		return cmp.Or(cmp.Compare(a.inside, b.inside), cmp.Compare(a.ip, b.ip), cmp.Compare(a.number, b.number))
	})
	return out
}
