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
	"docker-harden/plan/inventory"
)

// firstPicked is from where on the kernel takes ports for who asks for none: a client's UDP socket there looks like
// one that waits.
const firstPicked = 32768

const sourceSockets = "/proc/PID/net and fd"

// ownPort is a port on which a container on the host's network listens.
type ownPort struct {
	number   int
	protocol string
	by       []string // processes
	// An address of the host itself is not there in another network; one of 127.0.0.1 cannot be reached by publishing.
	everywhere, local bool
	foreign           []string
}

func (o ownPort) String() string { return fmt.Sprintf("%d/%s", o.number, o.protocol) }

// where says on which addresses it listens.
func (o ownPort) where() string {
	var out []string
	if o.everywhere {
		out = append(out, "all addresses")
	}
	if o.local {
		out = append(out, "127.0.0.1 only")
		if o.everywhere || len(o.foreign) > 0 {
			out[len(out)-1] = "127.0.0.1"
		}
	}
	return strings.Join(append(out, o.foreign...), ", ")
}

// openPorts are the ports on which the container and those that use its network listen. unseen says of which that is
// not known.
func (b *bridger) openPorts() (ports []ownPort, unseen []string) {
	found := map[string]*ownPort{}
	for _, c := range b.sharing() {
		who := "it"
		if c != b.c {
			who = plainName(c.Name)
		}
		switch {
		case !running(c):
			continue
		case c.Proc == nil:
			unseen = append(unseen, fmt.Sprintf("on which ports %s listens could not be seen", who))
			continue
		case c.Proc.ListenersProblem != "":
			unseen = append(unseen, fmt.Sprintf("on which ports %s listens could not be seen: %s", who, c.Proc.ListenersProblem))
		}
		for _, l := range c.Proc.Listeners {
			protocol := strings.TrimSuffix(l.Protocol, "6")
			addr, err := netip.ParseAddr(l.Address)
			if err != nil || protocol == "udp" && l.Port >= firstPicked {
				continue
			}
			key := fmt.Sprintf("%d/%s", l.Port, protocol)
			o := found[key]
			if o == nil {
				o = &ownPort{number: l.Port, protocol: protocol}
				found[key] = o
			}
			o.add(addr, plainName(l.Process))
		}
	}
	for _, o := range slices.SortedFunc(maps.Values(found), func(x, y *ownPort) int {
		return cmp.Or(cmp.Compare(x.number, y.number), cmp.Compare(x.protocol, y.protocol))
	}) {
		ports = append(ports, *o)
	}
	return ports, unseen
}

func (o *ownPort) add(addr netip.Addr, process string) {
	switch addr = addr.Unmap(); {
	case addr.IsUnspecified():
		o.everywhere = true
	case addr.IsLoopback():
		o.local = true
	case !slices.Contains(o.foreign, addr.String()):
		o.foreign = append(o.foreign, addr.String())
	}
	if !slices.Contains(o.by, process) {
		o.by = append(o.by, process)
	}
}

// evidence is where it listens now.
func (b *bridger) evidence() []plan.Evidence {
	ports, _ := b.openPorts()
	var out []plan.Evidence
	for _, o := range ports {
		out = append(out, evidence("listens", sourceSockets, "%s on %s (%s)", o, o.where(), strings.Join(o.by, ", ")))
	}
	return out
}

// open says what the answer leaves open: ports that would be lost, and ports behind which nobody would be.
func (b *bridger) open() []string {
	ports, out := b.openPorts()
	known := map[string]ownPort{}
	for _, o := range ports {
		known[o.String()] = o
		_, published := b.ports[o.String()]
		switch {
		case len(o.foreign) > 0:
			out = append(out, fmt.Sprintf("%s is on %s, an address of the host that is not there in another network: let it listen on all addresses, then plan again", o, list(o.foreign)))
		case published && !o.everywhere:
			out = append(out, fmt.Sprintf("%s is on 127.0.0.1 only, which cannot be reached by publishing: let it listen on all addresses, then plan again, or name it in unpublished", o))
		case !published && !b.named(o):
			out = append(out, fmt.Sprintf("it listens on %s, which the answer neither publishes nor names in unpublished", o))
		}
	}
	for _, inside := range slices.Sorted(maps.Keys(b.ports)) {
		if _, listens := known[inside]; running(b.c) && !listens && strings.HasSuffix(inside, "/tcp") {
			out = append(out, fmt.Sprintf("the answer publishes %s, on which nothing of it listens", inside))
		}
	}
	return out
}

// named reports whether the answer says that a port need not be published.
func (b *bridger) named(o ownPort) bool {
	return slices.ContainsFunc(b.p.List("unpublished"), func(text string) bool {
		port, protocol, err := b.unpublished(text)
		return err == nil && port == strconv.Itoa(o.number) && protocol == o.protocol
	})
}

// ask puts the question, with an answer that names every port on which it listens now. Where no answer could do, the
// risk can only be accepted.
func (b *bridger) ask(f plan.Finding, open []string) plan.Finding {
	const question = "Does it need the host's own addresses (an agent, multicast, the client's source address)? If not, name the network that it gets and the ports to publish"
	why := ""
	if len(open) > 0 {
		why = " The answer is not enough: " + strings.Join(open, "; ") + "."
	}
	ports, unseen := b.openPorts()
	var foreign []string
	for _, o := range ports {
		if len(o.foreign) > 0 {
			foreign = append(foreign, fmt.Sprintf("%s is on %s, an address of the host that is not there in another network", o, list(o.foreign)))
		}
	}
	if stops := append(unseen, foreign...); len(stops) > 0 {
		if why == "" {
			why = " It cannot be given one as it is: " + strings.Join(stops, "; ") + "."
		}
		return ask(f, question+"; if so, accept the risk."+why, answerException(b.c, hostNetworkID))
	}
	publish, kept, local := b.suggested(ports)
	if len(local) > 0 {
		why += fmt.Sprintf(" On 127.0.0.1 only, where others of the host will not find it any more: %s.", strings.Join(local, ", "))
	}
	network := cmp.Or(b.network, inventory.DefaultBridge)
	answer := fmt.Sprintf("network: %q, ports: [%s], unpublished: [%s]", network, quotedList(publish), quotedList(kept))
	return ask(f, question+"; if so, accept the risk with an exception."+why, answerContainer(b.c, hostNetworkID, answer))
}

// suggested are the ports of an answer that leaves nothing open: what the profile has already, as far as somebody
// listens there, and the rest published as it is open now.
func (b *bridger) suggested(ports []ownPort) (publish, kept, local []string) {
	kept = slices.Clone(b.p.List("unpublished"))
	for _, inside := range slices.Sorted(maps.Keys(b.ports)) {
		if !strings.HasSuffix(inside, "/tcp") && !slices.ContainsFunc(ports, func(o ownPort) bool { return o.String() == inside }) {
			for _, at := range b.ports[inside] {
				publish = append(publish, spec(at, inside))
			}
		}
	}
	for _, o := range ports {
		switch {
		case !o.everywhere:
			local = append(local, o.String())
			if !b.named(o) {
				kept = append(kept, o.String())
			}
		case b.ports[o.String()] != nil:
			for _, at := range b.ports[o.String()] {
				publish = append(publish, spec(at, o.String()))
			}
		case !b.named(o):
			publish = append(publish, fmt.Sprintf("%d:%s", o.number, o))
		}
	}
	return publish, kept, local
}

// spec is a published port as docker run -p takes it.
func spec(at inventory.Port, inside string) string {
	if strings.Contains(at.HostIP, ":") {
		at.HostIP = "[" + at.HostIP + "]"
	}
	if at.HostIP != "" {
		return at.HostIP + ":" + at.HostPort + ":" + inside
	}
	if at.HostPort != "" {
		return at.HostPort + ":" + inside
	}
	return inside
}

func quotedList(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = strconv.Quote(w)
	}
	return strings.Join(out, ", ")
}
