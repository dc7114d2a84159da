package docker

import (
	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func hostNetwork() control.Control {
	return control.Control{
		ID:    "docker/host-network",
		Title: "The container has a network of its own",
		Why:   "Information disclosure and elevation of privilege: on the host's network a container reaches every service that listens on localhost, opens any port, and with NET_RAW sees the host's traffic.",
		Risk:  "Nothing is changed: ports, source addresses and multicast of the service have to be known first.",
		Fix:   "By hand: run it on a bridge network with published ports, or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.9", "cis-docker-1.6.0": "5.10", "cis-docker-1.8.0": "5.10", "stride": "I,E",
		},
		Class:    control.Reported,
		Verified: "/proc/PID/ns/net against that of the host, beside inspect",
		Severity: plan.RiskHigh,
		Container: func(_ *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
			return judgeNamespace(c, namespace{
				control: "docker/host-network", kernel: "net", words: "the host's network", option: "--network host",
				ask:  "Does it need the host's own addresses (an agent, multicast, the client's source address)",
				mode: func(c *inventory.Container) string { return c.Inspect.HostConfig.NetworkMode },
			}, nil)
		},
	}
}
