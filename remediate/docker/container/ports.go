package container

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// republishes reports whether single ports are published otherwise in this step.
func (x *swap) republishes() bool { return len(x.changes.ports()) > 0 }

// ports are the ports inside of which a change speaks.
func (l changeList) ports() []string {
	var out []string
	for _, c := range l {
		if p, _, ok := plan.PortOf(c.Path); ok && !slices.Contains(out, p.Inside) {
			out = append(out, p.Inside)
		}
	}
	return out
}

// unpublished reports whether the plan leaves a port of the old container unpublished.
func (x *swap) unpublished(inside string) bool {
	return slices.Contains(x.changes.ports(), inside) && len(x.new.asked()[inside]) == 0
}

// openTruth lists what the engine has open of the ports that this step changes and nobody asked for.
func (x *swap) openTruth() []string {
	var wrong []string
	asked := x.new.asked()
	for _, inside := range x.changes.ports() {
		for _, have := range x.new.NetworkSettings.Ports[inside] {
			if !slices.ContainsFunc(asked[inside], func(want plan.PortBinding) bool {
				return sameAddress(want.HostIP, have.HostIP) && samePort(want.HostPort, have.HostPort)
			}) {
				wrong = append(wrong, fmt.Sprintf("port %s is published on %s:%s too", clean(inside, maxMessage), clean(have.HostIP, maxMessage), clean(have.HostPort, maxMessage)))
			}
		}
	}
	return wrong
}

// hostPlace is a port of the host on an address, or on all.
type hostPlace struct {
	protocol string
	at       netip.AddrPort
}

func (p hostPlace) meets(q hostPlace) bool {
	a, b := p.at.Addr(), q.at.Addr()
	return p.protocol == q.protocol && p.at.Port() == q.at.Port() && (a == b || a.IsUnspecified() || b.IsUnspecified())
}

// like reports whether one is the other as the kernel may show it: of old engines one socket waits on all addresses of
// both kinds.
func (p hostPlace) like(q hostPlace) bool {
	return p == q || p.meets(q) && p.at.Addr().IsUnspecified() && q.at.Addr().IsUnspecified()
}

// placeOf is where a port is published; false: no port is chosen, or one of several.
func placeOf(inside string, b plan.PortBinding) (hostPlace, bool) {
	_, protocol, _ := strings.Cut(inside, "/")
	addr, err := netip.ParseAddr(b.HostIP)
	if b.HostIP == "" {
		addr, err = netip.IPv4Unspecified(), nil
	}
	port, err2 := strconv.ParseUint(b.HostPort, 10, 16)
	return hostPlace{protocol, netip.AddrPortFrom(addr.Unmap(), uint16(port))}, err == nil && err2 == nil && port > 0
}

// unoccupied refuses a container that would be published where something else is: the engine would say so only when
// the old one stands still.
func (r *Recreator) unoccupied(ctx context.Context, a *api, c *state, changes []plan.Change) error {
	if len(changeList(changes).ports()) == 0 {
		return nil
	}
	after, err := plan.Publish(c.asked(), changes)
	if err != nil {
		return stale("%s: %s", c.name(), err)
	}
	at, err := r.taken(ctx, a, c, after)
	if err != nil || at == "" {
		return err
	}
	return refused("%s would be published on %s, which something else of the host has: free it, or give the profile another port, and plan again", c.name(), at)
}

// unoccupied refuses a way back that would end what serves, and then find that the old container's port of the host is
// not free any more.
func (b *back) unoccupied(ctx context.Context) error {
	if b.force || b.new == nil || !b.new.State.Running || b.rec.Restart || !b.rec.Running {
		return nil
	}
	old := b.was()
	was := old.asked()
	if old.HostConfig.NetworkMode == "host" || maps.EqualFunc(was, b.new.asked(), slices.Equal) {
		return nil // on the host's network nothing was published
	}
	at, err := b.r.taken(ctx, b.a, b.new, was)
	if err != nil || at == "" {
		return err
	}
	return refused("%s was published on %s, which something else of the host has now: free it and roll back again", b.rec.Name, at)
}

// taken names a place, of those where a running container is not published yet, that is not free; empty: all are.
func (r *Recreator) taken(ctx context.Context, a *api, c *state, next portMap) (string, error) {
	others, err := r.occupied(ctx, a, c)
	if err != nil {
		return "", err
	}
	for _, inside := range slices.Sorted(maps.Keys(next)) {
		for _, b := range next[inside] {
			p, known := placeOf(inside, b)
			if known && !slices.Contains(c.asked()[inside], b) && slices.ContainsFunc(others, p.meets) {
				return p.at.String(), nil
			}
		}
	}
	return "", nil
}

// occupied are the places that others than the container have on the host.
func (r *Recreator) occupied(ctx context.Context, a *api, c *state) ([]hostPlace, error) {
	var out, own []hostPlace
	for inside, bindings := range c.NetworkSettings.Ports {
		for _, b := range bindings {
			if p, known := placeOf(inside, b); known {
				own = append(own, p)
			}
		}
	}
	var list []struct {
		ID    string `json:"Id"`
		Ports []struct {
			IP         string
			PublicPort int
			Type       string
		}
	}
	if err := a.call(ctx, http.MethodGet, "/containers/json", nil, &list); err != nil {
		return nil, fmt.Errorf("cannot list containers: %w", err)
	}
	for _, l := range list {
		for _, port := range l.Ports {
			p, known := placeOf("/"+port.Type, plan.PortBinding{HostIP: port.IP, HostPort: strconv.Itoa(port.PublicPort)})
			if known && l.ID != c.ID {
				out = append(out, p)
			}
		}
	}
	const init = 1 // of the host, in whose network the engine publishes
	for _, protocol := range []string{"tcp", "udp"} {
		listeners, err := inventory.ReadListeners(r.Options.Root, init, protocol)
		if err != nil {
			return nil, refused("which ports of the host are free could not be read: %w", err)
		}
		for _, at := range listeners {
			if p := (hostPlace{protocol, at}); !slices.ContainsFunc(own, p.like) {
				out = append(out, p)
			}
		}
	}
	return out, nil
}
