package docker

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func openPorts() control.Control {
	return control.Control{
		ID:    "docker/open-ports",
		Title: "Only ports that are needed are published",
		Why:   "Information disclosure and elevation of privilege: each open port is one more way in, and a published port passes the firewall of the host.",
		Risk:  "Nothing is changed: only who runs the service knows who connects to it.",
		Fix:   "By hand: publish fewer ports, or list those that are needed in the profile (needed).",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.8", "cis-docker-1.6.0": "5.9", "cis-docker-1.8.0": "5.9", "stride": "I,E",
		},
		Class:    control.Reported,
		Verified: "ports that are configured and ports that the engine has open now (inspect, NetworkSettings)",
		Severity: plan.RiskMedium,
		Params: []profile.Param{{
			Name: "needed", Type: profile.TypeList, Default: []string(nil), Doc: "ports of the container that have to be published, as 443/tcp",
		}},
		Container: judgeOpenPorts,
	}
}

func judgeOpenPorts(_ *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	var open, all []string
	for _, port := range publishedPorts(c) {
		all = append(all, port.inside)
		if !slices.Contains(p.List("needed"), port.inside) {
			open = append(open, port.inside)
		}
	}
	slices.Sort(open)
	open, all = slices.Compact(open), slices.Compact(all)
	switch {
	case len(all) == 0:
		return verdict(plan.Pass, "no port is published")
	case len(open) == 0:
		return verdict(plan.Pass, "every published port is needed, says the profile")
	}
	return ask(verdict(plan.Manual, "it publishes %s", strings.Join(open, ", ")), "Which of these does anybody outside of this host need? Containers reach each other without.",
		answerContainer(c, "docker/open-ports", `needed: ["`+strings.Join(all, `", "`)+`"]`))
}

// publishedPort is one port of a container on the host.
type publishedPort struct {
	inside string // "80/tcp"
	ip     string // of the host; empty: all
	number int    // on the host; 0: the engine picks one
}

// publishedPorts are those that are configured, and those that are open now.
func publishedPorts(c *inventory.Container) []publishedPort {
	var out []publishedPort
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
