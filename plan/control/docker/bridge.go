package docker

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/docker/go-connections/nat"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// bridger gives one container a network of its own in place of the host's.
type bridger struct {
	h       *inventory.Host
	c       *inventory.Container
	p       profile.Params
	network string
	ports   map[string][]inventory.Port // to publish, by the port inside: "80/tcp"
}

// parse reads the answer, or says what is wrong with it.
func (b *bridger) parse() (problem string) {
	b.ports = map[string][]inventory.Port{}
	for _, text := range b.p.List("ports") {
		list, err := nat.ParsePortSpec(text)
		if err != nil || plainName(text) != text {
			return fmt.Sprintf("the profile's port %q is none that docker run -p takes", text)
		}
		for _, m := range list {
			inside := m.Port.Port() + "/" + strings.ToLower(m.Port.Proto())
			b.ports[inside] = append(b.ports[inside], inventory.Port{HostIP: m.Binding.HostIP, HostPort: m.Binding.HostPort})
		}
	}
	for _, list := range b.ports {
		slices.SortFunc(list, func(x, y inventory.Port) int {
			return cmp.Or(cmp.Compare(x.HostIP, y.HostIP), cmp.Compare(x.HostPort, y.HostPort))
		})
	}
	for _, text := range b.p.List("unpublished") {
		if _, _, err := b.unpublished(text); err != nil {
			return fmt.Sprintf("the profile's unpublished port %q is none: write it as 9090/tcp", text)
		}
	}
	return ""
}

func (b *bridger) unpublished(text string) (port, protocol string, err error) {
	protocol, port = nat.SplitProtoPort(text)
	_, err = nat.NewPort(protocol, port)
	if port == "" || !slices.Contains([]string{"tcp", "udp", "sctp"}, protocol) {
		err = fmt.Errorf("no port")
	}
	return port, protocol, err
}

// target says why the answer's network cannot be taken.
func (b *bridger) target() (target inventory.HostNetwork, why []string) {
	if b.network == inventory.DefaultBridge {
		i := slices.IndexFunc(b.h.Networks, func(n inventory.HostNetwork) bool { return n.Name == inventory.DefaultBridge })
		if i < 0 {
			return target, []string{"the engine has no default bridge, or its networks could not be read: name a network of its own, made with docker network create"}
		}
		return b.h.Networks[i], nil
	}
	target, why = mover{b.h, b.c, b.network}.target()
	if len(why) == 0 && target.Internal && len(b.ports) > 0 {
		why = []string{fmt.Sprintf("network %s is internal: nothing outside would reach the ports of the answer", plainName(b.network))}
	}
	return target, why
}

// changes are what the answer makes of the container, whatever it listens on.
func (b *bridger) changes() []plan.Change {
	hc := &b.c.Inspect.HostConfig
	list := []plan.Change{recreateChange("NetworkMode", hc.NetworkMode, b.network)}
	if len(b.ports)+len(hc.PortBindings) > 0 {
		list = append(list, recreateChange("PortBindings", hc.PortBindings, b.ports))
	}
	list = append(list, recreateChange("PublishAllPorts", hc.PublishAllPorts, false))
	was := b.said().Config.ExposedPorts
	exposed := maps.Clone(was)
	if exposed == nil {
		exposed = map[string]struct{}{}
	}
	for port := range b.ports {
		exposed[port] = struct{}{}
	}
	if len(exposed) > len(was) {
		list = append(list, plan.Change{Path: "Config.ExposedPorts", From: raw(was), To: raw(exposed), Kind: plan.KindRecreate, Reversibility: plan.Exact})
	}
	return differing(list...)
}

// saidOf is the part of a container's answer that nobody else looks at.
type saidOf struct {
	Config     struct{ ExposedPorts map[string]struct{} }
	HostConfig struct{ ExtraHosts []string }
}

func (b *bridger) said() saidOf {
	var is saidOf
	_ = json.Unmarshal(b.c.Raw, &is) // it was read from the same text before
	return is
}

// move makes the change, or says why there is none.
func (b *bridger) move(f plan.Finding) plan.Finding {
	f.Status, f.Question = plan.Fail, ""
	target, why := b.target()
	if len(why) > 0 {
		f.Blocked = strings.Join(why, "; ")
		return f
	}
	f.Changes = b.changes()
	f.Risk = f.Risk.Raise(plan.RiskHigh, "what it uses of the host at 127.0.0.1 is not seen, and is not there in a network of its own")
	for _, host := range b.said().HostConfig.ExtraHosts {
		if name, addr, ok := strings.Cut(host, ":"); ok && isLoopback(addr) {
			f.Risk = f.Risk.Raise(plan.RiskHigh, fmt.Sprintf("it calls %s by --add-host %s: that will be itself", plainName(addr), plainName(name)))
		}
	}
	if target.Internal {
		f.Risk = f.Risk.Raise(plan.RiskHigh, "network "+plainName(b.network)+" is internal: it reaches nothing outside any more")
	}
	if !running(b.c) {
		f.Risk = f.Risk.Raise(plan.RiskHigh, "it does not run: on which ports it listens could not be seen, and is not tried")
	}
	var picked, wide []string
	for _, inside := range slices.Sorted(maps.Keys(b.ports)) {
		for _, at := range b.ports[inside] {
			if at.HostPort == "" || at.HostPort == "0" || strings.Contains(at.HostPort, "-") {
				picked = append(picked, inside)
			}
			if addr, err := netip.ParseAddr(at.HostIP); at.HostIP == "" || err == nil && addr.IsUnspecified() {
				wide = append(wide, inside)
			}
		}
	}
	if len(picked) > 0 {
		f.Risk = f.Risk.Raise(plan.RiskMedium, "published on host ports that the engine picks: "+list(slices.Compact(picked)))
	}
	if len(wide) > 0 {
		f.Notes = append(f.Notes, "published on all addresses of the host, past its firewall's rules for incoming traffic: "+list(slices.Compact(wide)))
	}
	if names := (mover{b.h, b.c, b.network}).sharers(); len(names) > 0 {
		f.Notes = append(f.Notes, "they use its network and come along: "+list(names))
	}
	if b.network == inventory.DefaultBridge {
		f.Notes = append(f.Notes, defaultBridgeID+" asks in the next plan whether it may stay there")
	}
	return f
}

func isLoopback(text string) bool {
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}

// bridgesAsAsked reports whether a change is one that the profile's answer makes of a container on the host's network.
// Where it listens now is not looked at: that decided the plan, and may be another process's by now.
func bridgesAsAsked(h *inventory.Host, c *inventory.Container, p *profile.Profile, change plan.Change) bool {
	params, on := p.ParamsFor(hostNetworkID, c.Name, hostNetwork().Params)
	b := bridger{h: h, c: c, p: params, network: params.Text("network")}
	if !on || b.network == "" || b.c.Inspect.HostConfig.NetworkMode != "host" || b.parse() != "" {
		return false
	}
	named := b.network == inventory.DefaultBridge || mover{h, c, b.network}.userDefined()
	return named && slices.ContainsFunc(b.changes(), func(asked plan.Change) bool {
		return asked.Path == change.Path && sameValue(asked.To, change.To)
	})
}

// sharing are the containers whose processes listen on its network: itself and those that use it.
func (b *bridger) sharing() []*inventory.Container {
	out := []*inventory.Container{b.c}
	for i := range b.h.Containers {
		other := &b.h.Containers[i]
		ref, shares := strings.CutPrefix(other.Inspect.HostConfig.NetworkMode, "container:")
		if shares && (ref == b.c.ID || ref == b.c.Name) && !control.Kept(other) {
			out = append(out, other)
		}
	}
	return out
}
