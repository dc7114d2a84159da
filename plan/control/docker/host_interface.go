package docker

import (
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func hostInterface() control.Control {
	return control.Control{
		ID:    "docker/host-interface",
		Title: "Ports are published on one address of the host",
		Why:   "Information disclosure and spoofing: a port on all addresses is reachable from networks that were never meant to reach the service.",
		Risk:  "Nothing is changed: which address clients use is for who runs the service to say.",
		Fix:   "By hand: publish it as ADDRESS:PORT:PORT, or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.13", "cis-docker-1.6.0": "5.14", "cis-docker-1.8.0": "5.14", "stride": "I,S",
		},
		Class:     control.Reported,
		Verified:  "ports that are configured and ports that the engine has open now (inspect, NetworkSettings)",
		Severity:  plan.RiskMedium,
		Container: judgeHostInterface,
	}
}

func judgeHostInterface(_ *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	ports := publishedPorts(c)
	var wide []string
	for _, port := range ports {
		if port.ip == "" || port.ip == "0.0.0.0" || port.ip == "::" {
			wide = append(wide, port.inside)
		}
	}
	wide = slices.Compact(wide)
	switch {
	case len(ports) == 0:
		return verdict(plan.Pass, "no port is published")
	case len(wide) == 0:
		return verdict(plan.Pass, "every port is published on one address")
	}
	return ask(verdict(plan.Manual, "it publishes %s on all addresses of the host", strings.Join(wide, ", ")), "On which address do clients reach it? 127.0.0.1 is enough where a proxy of this host is in front.",
		answerException(c, "docker/host-interface"))
}
