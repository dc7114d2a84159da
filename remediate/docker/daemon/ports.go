package daemon

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
)

// published is a TCP port of a container and the address under which the host offers it.
type published struct {
	direct, public string
}

const (
	// mostPorts bounds how many are looked at: what breaks the ports of 200 containers breaks all.
	mostPorts = 200
	// dialTime is how long one may take to accept a connection, on this very host.
	dialTime = 2 * time.Second
	// portsTime is how long a port may be away once the engine answers again.
	portsTime = 20 * time.Second
	// dialers look at ports side by side.
	dialers = 16
)

// portsOf are the ports of a container that the host offers over IPv4.
func portsOf(c container.InspectResponse) []published {
	if c.NetworkSettings == nil {
		return nil
	}
	var inside string
	for _, n := range c.NetworkSettings.Networks {
		if n != nil && n.IPAddress != "" && (inside == "" || n.IPAddress < inside) {
			inside = n.IPAddress
		}
	}
	var out []published
	for port, bindings := range c.NetworkSettings.Ports {
		if port.Proto() != "tcp" || inside == "" {
			continue
		}
		for _, b := range bindings {
			address, err := netip.ParseAddr(b.HostIP)
			switch {
			case b.HostIP == "" || err == nil && address.Is4() && address.IsUnspecified():
				address = netip.AddrFrom4([4]byte{127, 0, 0, 1})
			case err != nil || !address.Is4():
				continue // IPv6 is served by docker-proxy alone, and goes with it
			}
			out = append(out, published{net.JoinHostPort(inside, port.Port()), net.JoinHostPort(address.String(), b.HostPort)})
		}
	}
	slices.SortFunc(out, func(a, b published) int { return strings.Compare(a.public, b.public) })
	return out
}

// serving are the ports that accept connections, in the container as well as on the host.
func serving(ctx context.Context, containers []running) []published {
	var all []published
	for _, r := range containers {
		all = append(all, r.ports...)
	}
	all = all[:min(len(all), mostPorts)]
	open := make([]bool, len(all))
	turns := make(chan struct{}, dialers)
	var wait sync.WaitGroup
	for i, p := range all {
		wait.Go(func() {
			turns <- struct{}{}
			open[i] = accepts(ctx, p.direct) && accepts(ctx, p.public)
			<-turns
		})
	}
	wait.Wait()
	var out []published
	for i, p := range all {
		if open[i] {
			out = append(out, p)
		}
	}
	return out
}

// accepts connects and hangs up.
func accepts(ctx context.Context, address string) bool {
	conn, err := (&net.Dialer{Timeout: dialTime}).DialContext(ctx, "tcp4", address)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// portsServe insists that ports serve again which did before. The engine lists a port also when nothing leads
// to it any more. One whose container does not accept connections itself says nothing.
func portsServe(ctx context.Context, before []published) error {
	asking := context.WithoutCancel(ctx) // an answer that is cut short would look like a dead port
	ctx, cancel := context.WithTimeout(ctx, portsTime)
	defer cancel()
	for {
		var dead []string
		for _, p := range before {
			if !accepts(asking, p.public) && accepts(asking, p.direct) {
				dead = append(dead, p.public)
			}
		}
		if len(dead) == 0 {
			return nil
		}
		if pause(ctx) != nil {
			return fmt.Errorf("published ports are dead although their containers serve: %s", strings.Join(dead, ", "))
		}
	}
}
