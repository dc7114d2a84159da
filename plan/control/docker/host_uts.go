package docker

import (
	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func hostUTS() control.Control {
	return control.Control{
		ID:    "docker/host-uts",
		Title: "The container has a host name of its own",
		Why:   "Spoofing and tampering: with the host's names a container that may administer them changes the host's name, by which logs, certificates and licences know it.",
		Risk:  "It no longer has the host's name, and cannot set it.",
		Fix:   "With accept, a new container has a host name of its own; the old one is kept. Undone by the old container.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.20", "cis-docker-1.6.0": "5.21", "cis-docker-1.8.0": "5.21", "stride": "S,T",
		},
		Class:    control.Answer,
		Verified: "/proc/PID/ns/uts against that of the host, beside inspect",
		Severity: plan.RiskLow,
		Params:   ownNamespace("a host name"),
		Container: func(_ *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
			return judgeNamespace(c, namespace{
				control: "docker/host-uts", kernel: "uts", words: "the host's name", option: "--uts host",
				ask:   "Does it have to see the host's name as it changes",
				mode:  func(c *inventory.Container) string { return c.Inspect.HostConfig.UTSMode },
				field: "UTSMode", to: "",
			}, p)
		},
	}
}
