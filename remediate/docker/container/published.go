package container

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// portMap are published ports by the port inside: "80/tcp".
type portMap map[string][]plan.PortBinding

// leavesHost reports whether the container leaves the host's network in this step.
func (x *swap) leavesHost() bool {
	return x.old.HostConfig.NetworkMode == "host" && slices.ContainsFunc(x.changes, func(c plan.Change) bool { return c.Path == plan.NetworkModePath })
}

// asked are the ports that the new container was to publish.
func (c *state) asked() portMap {
	var is struct {
		HostConfig struct{ PortBindings portMap }
	}
	_ = json.Unmarshal(c.raw, &is) // it was read from the same text before
	return is.HostConfig.PortBindings
}

// boundTruth lists the ports which the engine did not publish as asked, of a container that left the host's network or
// whose ports the plan changes.
func (x *swap) boundTruth() []string {
	if !x.leavesHost() && !x.republishes() {
		return nil
	}
	wrong := x.openTruth()
	asked := x.new.asked()
	for _, inside := range slices.Sorted(maps.Keys(asked)) {
		for _, want := range asked[inside] {
			bound := false
			for _, have := range x.new.NetworkSettings.Ports[inside] {
				bound = bound || sameAddress(want.HostIP, have.HostIP) && samePort(want.HostPort, have.HostPort)
			}
			if !bound {
				wrong = append(wrong, fmt.Sprintf("port %s is not published on %s:%s", clean(inside, maxMessage), clean(want.HostIP, maxMessage), clean(want.HostPort, maxMessage)))
			}
		}
	}
	return wrong
}

// sameAddress: an address that was not chosen is every one.
func sameAddress(want, have string) bool {
	w, err := netip.ParseAddr(want)
	h, err2 := netip.ParseAddr(have)
	if want == "" || err == nil && w.IsUnspecified() {
		return have == "" || err2 == nil && h.IsUnspecified()
	}
	return want == have || err == nil && err2 == nil && w == h
}

// samePort: a port that was not chosen is any, and of a range it is one.
func samePort(want, have string) bool {
	port, err := strconv.Atoi(have)
	if err != nil || port == 0 {
		return false
	}
	first, last, many := strings.Cut(want, "-")
	low, err := strconv.Atoi(first)
	high, err2 := strconv.Atoi(last)
	switch {
	case want == "" || want == "0":
		return true
	case many:
		return err == nil && err2 == nil && low <= port && port <= high
	}
	return err == nil && low == port
}

// deaf names a published TCP port behind which nobody listens in the container's own network. What waits on 127.0.0.1
// there cannot be reached from outside.
func (x *swap) deaf() string {
	if !x.leavesHost() {
		return ""
	}
	listeners, err := inventory.ReadTCPListeners(x.r.Options.Root, x.new.State.PID)
	if err != nil {
		return "its sockets could not be read: " + clean(err.Error(), maxMessage)
	}
	for _, inside := range slices.Sorted(maps.Keys(x.new.asked())) {
		number, tcp := strings.CutSuffix(inside, "/tcp")
		heard := slices.ContainsFunc(listeners, func(at netip.AddrPort) bool {
			return strconv.Itoa(int(at.Port())) == number && !at.Addr().IsLoopback()
		})
		if tcp && !heard {
			return "does not listen on port " + clean(inside, maxMessage) + ", which is published"
		}
	}
	return ""
}
