package docker

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

const (
	defaultBridgeID = "docker/default-bridge"
	sourceNetworks  = "NetworkSettings.Networks"
	sourceRoutes    = "/proc/PID/net/route"
)

func defaultBridge() control.Control {
	return control.Control{
		ID:    defaultBridgeID,
		Title: "The container is not on the default network",
		Why:   "Information disclosure and spoofing: on the default bridge every container reaches every other one, and none is known by a name.",
		Risk: "Its address changes and open connections end; published ports pause for less than a second, and those that the engine picks get other numbers. " +
			"Containers that stay on the default bridge no longer reach it, nor it them.",
		Fix: "With network, it is connected to that network and then disconnected from the default bridge, without a restart; the engine keeps that through restarts. " +
			"A container that is recreated anyway is made on that network. The network must exist. Undone by the same calls the other way round: the address on the default bridge may then be another one.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.29", "cis-docker-1.6.0": "5.30", "cis-docker-1.8.0": "5.30", "stride": "I,S",
		},
		Class:    control.Answer,
		Verified: "NetworkSettings.Networks of inspect, beside the routes of its network namespace (/proc/PID/net/route)",
		Severity: plan.RiskLow,
		Params: []profile.Param{{
			Name: "network", Type: profile.TypeText, Default: "",
			Doc: "the user-defined bridge network to move the container to; it must exist on the host",
		}},
		Container: judgeDefaultBridge,
	}
}

func judgeDefaultBridge(h *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	mode := c.Inspect.HostConfig.NetworkMode
	if strings.HasPrefix(mode, "container:") {
		return verdict(plan.NotApplicable, "it shares the network of another container")
	}
	networks := c.Inspect.NetworkSettings.Networks
	_, on := networks[inventory.DefaultBridge]
	// The engine lists the networks of a container before its first start too, but not every version does.
	on = on || !running(c) && len(networks) == 0 && (mode == "" || mode == "default" || mode == inventory.DefaultBridge)
	left := onBridgeInKernel(h, c)
	f := verdict(plan.Fail, "it is on the default network")
	f.Evidence = []plan.Evidence{evidence("networks", sourceNetworks, "%s", list(plainNames(slices.Sorted(maps.Keys(networks)))))}
	if c.Proc != nil && c.Proc.Subnets != nil {
		f.Evidence = append(f.Evidence, evidence("connected to", sourceRoutes, "%s", list(c.Proc.Subnets)))
	}
	switch {
	case !on && left != "":
		f.Message = "the engine shows it on other networks, and it is still connected to the default one (" + left + ")"
		f.Blocked = "the engine and the kernel do not agree: restart the container, then plan again"
		return f
	case !on:
		f.Status, f.Message = plan.Pass, "it is not on the default network"
		return f
	}
	m := mover{h, c, p.Text("network")}
	if m.to == "" {
		return m.ask(f)
	}
	return m.move(f)
}

// onBridgeInKernel is the subnet of the default bridge that the kernel still connects a container to; empty: none, or
// that could not be seen.
func onBridgeInKernel(h *inventory.Host, c *inventory.Container) string {
	if c.Proc == nil || slices.Contains([]string{"host", "none"}, c.Inspect.HostConfig.NetworkMode) {
		return ""
	}
	for _, subnet := range h.SubnetsOf(inventory.DefaultBridge) {
		if slices.Contains(c.Proc.Subnets, subnet) {
			return subnet
		}
	}
	return ""
}

// ask puts the question where to, or says why nothing can be moved anyway.
func (m mover) ask(f plan.Finding) plan.Finding {
	const question = "Which containers does it talk to? Give these a network of their own"
	if blocks := m.blocks(); len(blocks) > 0 {
		return ask(f, fmt.Sprintf("%s. It cannot be moved as it is: %s.", question, strings.Join(blocks, "; ")), answerException(m.c, defaultBridgeID))
	}
	have := "there is none yet"
	if names := m.candidates(); len(names) > 0 {
		have = "there are: " + list(plainNames(names))
	}
	return ask(f, fmt.Sprintf("%s (docker network create NAME; %s) and name it: the container is moved without a restart.", question, have),
		answerContainer(m.c, defaultBridgeID, "network: NAME"))
}

func plainNames(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = plainName(name)
	}
	return out
}
