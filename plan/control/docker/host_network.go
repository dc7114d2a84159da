package docker

import (
	"slices"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

const hostNetworkID = "docker/host-network"

func hostNetwork() control.Control {
	return control.Control{
		ID:    hostNetworkID,
		Title: "The container has a network of its own",
		Why:   "Information disclosure and elevation of privilege: on the host's network a container reaches every service that listens on localhost, opens any port, and with NET_RAW sees the host's traffic.",
		Risk: "It is reached on the published ports only, and those pass rules of the host's firewall for incoming traffic. 127.0.0.1 is its own: services of the host that it uses there, also through --add-host, are gone, and " +
			"others of the host no longer find it there on a port that is not published. It may see other source addresses, and no multicast or broadcast of the host's network. Containers that use its network come along. " +
			"Inside, every port may be opened without a capability (net.ipv4.ip_unprivileged_port_start is 0).",
		Fix: "With network and ports, a new container is on that network, the default bridge or one that exists, and publishes these ports; the old one is kept. Ports on which it listens now and that the answer does not name leave the question open. " +
			"Each published TCP port must have a listener inside, or the old container comes back. Undone by the old container.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.9", "cis-docker-1.6.0": "5.10", "cis-docker-1.8.0": "5.10", "stride": "I,E",
		},
		Class:    control.Answer,
		Verified: "/proc/PID/ns/net against that of the host, beside inspect; the ports on which it listens from /proc/PID/net and /proc/PID/fd",
		Severity: plan.RiskHigh,
		Params: []profile.Param{
			{Name: "network", Type: profile.TypeText, Default: "", Doc: "the network that it gets in place of the host's: bridge, which is the default one, or a user-defined bridge network, which must exist"},
			{Name: "ports", Type: profile.TypeList, Default: []string{}, Doc: `the ports to publish, as docker run -p takes them ("127.0.0.1:8080:80/tcp"); none but these`},
			{Name: "unpublished", Type: profile.TypeList, Default: []string{}, Doc: "ports on which it listens and that nobody outside of its own network needs, as 9090/tcp"},
		},
		Container: judgeHostNetwork,
	}
}

func judgeHostNetwork(h *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	f := judgeNamespace(c, namespace{
		control: hostNetworkID, kernel: "net", words: "the host's network", option: "--network host",
		ask:  "Does it need the host's own addresses (an agent, multicast, the client's source address)",
		mode: func(c *inventory.Container) string { return c.Inspect.HostConfig.NetworkMode },
	}, nil)
	seenThere := c.Proc != nil && slices.Contains(c.Proc.SharedNamespaces, "net")
	if c.Inspect.HostConfig.NetworkMode != "host" || running(c) && !seenThere {
		return f // passes, shares it through another container, or nobody can tell where it listens
	}
	b := bridger{h: h, c: c, p: p, network: p.Text("network")}
	f.Evidence = append(f.Evidence, b.evidence()...)
	if b.network == "" {
		return b.ask(f, nil)
	}
	if problem := b.parse(); problem != "" {
		f.Status, f.Question, f.Blocked = plan.Fail, "", problem
		return f
	}
	if open := b.open(); len(open) > 0 {
		return b.ask(f, open)
	}
	return b.move(f)
}
