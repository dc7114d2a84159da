package docker

import (
	"fmt"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

const openPortsID = "docker/open-ports"

func openPorts() control.Control {
	return control.Control{
		ID:    openPortsID,
		Title: "Only ports that are needed are published",
		Why:   "Information disclosure and elevation of privilege: each open port is one more way in, and a published port passes the firewall of the host.",
		Risk:  "Who reaches a port that is not published any more through the host, also from this host and from containers that use an address of the host, no longer does. Containers on the same network do.",
		Fix: "List the ports that are needed in the profile (needed). With unpublished, a new container does not publish these; the old one is kept. The engine must show none of them, and what answered before on others must answer, " +
			"or the old container comes back. Undone by the old container.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.8", "cis-docker-1.6.0": "5.9", "cis-docker-1.8.0": "5.9", "stride": "I,E",
		},
		Class:    control.Answer,
		Verified: "ports that are configured and ports that the engine has open now (inspect, NetworkSettings)",
		Severity: plan.RiskMedium,
		Params: []profile.Param{
			{Name: "needed", Type: profile.TypeList, Default: []string(nil), Doc: "ports of the container that have to be published, as 443/tcp"},
			{Name: "unpublished", Type: profile.TypeList, Default: []string{}, Doc: "ports of the container that are published and that nobody outside needs, as 9090/tcp"},
		},
		Container: judgeOpenPorts,
	}
}

func judgeOpenPorts(h *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	all, open := insidePorts(c), unneededPorts(c, p)
	switch {
	case len(all) == 0:
		return verdict(plan.Pass, "no port is published")
	case len(open) == 0:
		return verdict(plan.Pass, "every published port is needed, says the profile")
	}
	f := verdict(plan.Manual, "it publishes %s", strings.Join(open, ", "))
	w := unpublishWish(c, p)
	if w.problem == "" && len(w.open) > 0 {
		return askNeeded(c, f, p, all)
	}
	f = republished(h, c, f, w)
	if len(f.Changes) > 0 {
		f.Risk = f.Risk.Raise(plan.RiskMedium, "nobody reaches it through the host any more on "+list(open))
	}
	return f
}

func insidePorts(c *inventory.Container) []string {
	var all []string
	for _, port := range publishedPorts(c) {
		all = append(all, port.inside)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// unneededPorts are the published ports that the profile does not call needed.
func unneededPorts(c *inventory.Container, p profile.Params) []string {
	return slices.DeleteFunc(insidePorts(c), func(inside string) bool { return slices.Contains(p.List("needed"), inside) })
}

// askNeeded puts the question, with an answer that needs all but what it does not publish any more.
func askNeeded(c *inventory.Container, f plan.Finding, p profile.Params, all []string) plan.Finding {
	gone := p.List("unpublished")
	needed := slices.DeleteFunc(slices.Clone(all), func(inside string) bool { return slices.Contains(gone, inside) })
	answer := "needed: [" + quotedList(needed) + "]"
	if len(gone) > 0 {
		answer += ", unpublished: [" + quotedList(gone) + "]"
	}
	return ask(f, "Which of these does anybody outside of this host need? Containers reach each other without. Those that nobody needs go to unpublished.", answerContainer(c, openPortsID, answer))
}

// unpublishWish is what the answer makes of ports that are published.
func unpublishWish(c *inventory.Container, p profile.Params) (w portWish) {
	gone := p.List("unpublished")
	for _, text := range gone {
		if !isInside(text) || slices.Contains(p.List("needed"), text) {
			w.problem = fmt.Sprintf("unpublished port %q is none, or is needed too: write it as 9090/tcp", text)
			return w
		}
	}
	var ours []string
	for _, inside := range unneededPorts(c, p) {
		if !slices.Contains(gone, inside) {
			w.open = append(w.open, inside)
			continue
		}
		ours = append(ours, inside)
		for _, at := range configuredPorts(c) {
			if at.Inside == inside {
				w.changes = append(w.changes, portChange(at, plan.PortPublished, true, false))
			}
		}
	}
	if picked := pickedByEngine(c, ours, func(plan.Port) bool { return true }); len(picked) > 0 || c.Inspect.HostConfig.PublishAllPorts && len(ours) > 0 {
		w.blocked = append(w.blocked, "the engine publishes all ports that it exposes (--publish-all): run it without, and with --publish for those that are needed")
	}
	return w
}
