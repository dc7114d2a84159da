package docker

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

const hostInterfaceID = "docker/host-interface"

func hostInterface() control.Control {
	return control.Control{
		ID:    hostInterfaceID,
		Title: "Ports are published on one address of the host",
		Why:   "Information disclosure and spoofing: a port on all addresses is reachable from networks that were never meant to reach the service.",
		Risk: "It is reached on that address only: clients that use another one of the host, IPv6 for IPv4, or from another container an address of a bridge, no longer reach it. " +
			"On 127.0.0.1 only this host does. An address that the host gets later than the engine starts keeps the container from starting at boot.",
		Fix: "With address or ports, a new container publishes there what was published on all addresses, as the same ports of the host; the old one is kept. The engine must show them so, and what answered before must answer there, " +
			"or the old container comes back. Undone by the old container.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.13", "cis-docker-1.6.0": "5.14", "cis-docker-1.8.0": "5.14", "stride": "I,S",
		},
		Class:    control.Answer,
		Verified: "ports that are configured and ports that the engine has open now (inspect, NetworkSettings)",
		Severity: plan.RiskMedium,
		Params: []profile.Param{
			{Name: "address", Type: profile.TypeText, Default: "", Doc: "the address of the host, 127.0.0.1 or one of its interfaces', for every port that is published on all"},
			{Name: "ports", Type: profile.TypeList, Default: []string{}, Doc: `addresses for single ports of the container, in place of address ("443/tcp=192.0.2.10")`},
		},
		Container: judgeHostInterface,
	}
}

func judgeHostInterface(h *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	ports := publishedPorts(c)
	wide := widePorts(c)
	switch {
	case len(ports) == 0:
		return verdict(plan.Pass, "no port is published")
	case len(wide) == 0:
		return verdict(plan.Pass, "every port is published on one address")
	}
	f := verdict(plan.Manual, "it publishes %s on all addresses of the host", strings.Join(wide, ", "))
	w := addressWish(c, p)
	if w.problem == "" && len(w.open) > 0 {
		return askAddress(c, f, p, w.open)
	}
	w.blocked = append(w.blocked, strangeAddresses(h, w.changes)...)
	f = republished(h, c, f, w)
	if len(f.Changes) > 0 {
		f.Risk = f.Risk.Raise(plan.RiskMedium, "clients that use another address of this host no longer reach it: "+list(wide))
	}
	return f
}

// widePorts are the ports of a container that are on all addresses, configured or open now.
func widePorts(c *inventory.Container) []string {
	var wide []string
	for _, port := range publishedPorts(c) {
		if port.wide() {
			wide = append(wide, port.inside)
		}
	}
	return slices.Compact(wide)
}

// askAddress puts the question, with an answer for every port that has none.
func askAddress(c *inventory.Container, f plan.Finding, p profile.Params, open []string) plan.Finding {
	const question = "On which address do clients reach it? 127.0.0.1 is enough where a proxy of this host is in front; it may be another one for each port (ports). If they need all, accept the risk with an exception."
	given := p.List("ports")
	if len(given) == 0 {
		return ask(f, question, answerContainer(c, hostInterfaceID, `address: "127.0.0.1"`))
	}
	answer := slices.Clone(given)
	for _, inside := range open {
		answer = append(answer, inside+"=127.0.0.1")
	}
	return ask(f, question+" The answer is not enough: it gives no address to "+list(open)+".", answerContainer(c, hostInterfaceID, "ports: ["+quotedList(answer)+"]"))
}

// addressWish is what the answer makes of ports that are on all addresses.
func addressWish(c *inventory.Container, p profile.Params) (w portWish) {
	by := map[string]string{}
	for _, text := range p.List("ports") {
		inside, addr, ok := strings.Cut(text, "=")
		if !ok || !isInside(inside) || by[inside] != "" {
			w.problem = fmt.Sprintf("port %q is none, or stands twice: write it as 443/tcp=192.0.2.10", text)
			return w
		}
		by[inside] = addr
	}
	for _, inside := range widePorts(c) {
		if by[inside] == "" {
			by[inside] = p.Text("address")
		}
		addr, err := netip.ParseAddr(by[inside])
		switch {
		case by[inside] == "":
			w.open = append(w.open, inside)
			continue
		case err != nil || addr.IsUnspecified() || addr.IsMulticast() || addr.Zone() != "" || addr.Is4In6() || addr.String() != by[inside]:
			w.problem = fmt.Sprintf("address %q is not one address of the host: write 127.0.0.1, or that of an interface", by[inside])
			return w
		}
		for _, at := range configuredPorts(c) {
			if at.Inside == inside && wideAddress(at.HostIP) {
				w.changes = append(w.changes, portChange(at, plan.PortAddress, at.HostIP, by[inside]))
			}
		}
	}
	if picked := pickedByEngine(c, widePorts(c), func(p plan.Port) bool { return wideAddress(p.HostIP) }); len(picked) > 0 && len(w.open) == 0 {
		w.blocked = append(w.blocked, fmt.Sprintf("the engine publishes %s without being told a port of the host (--publish-all): run it with --publish, which can name an address", list(picked)))
	}
	return w
}

// strangeAddresses says which addresses of an answer the host does not have.
func strangeAddresses(h *inventory.Host, changes []plan.Change) []string {
	var out []string
	for _, change := range changes {
		addr, err := netip.ParseAddr(strings.Trim(string(change.To), `"`))
		switch {
		case err != nil || addr.Is4() && addr.IsLoopback():
		case h.Reachable == nil:
			out = append(out, fmt.Sprintf("whether the host has the address %s could not be read", addr))
		case !h.Reachable.Has(addr):
			out = append(out, fmt.Sprintf("the host has no address %s, so the container would not start", addr))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// isInside reports whether a text names a port of a container: 443/tcp.
func isInside(text string) bool {
	_, _, err := (&bridger{}).unpublished(text)
	return err == nil && strings.Contains(text, "/")
}
