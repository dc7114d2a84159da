package docker

import (
	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func hostPID() control.Control {
	return control.Control{
		ID:    "docker/host-pid",
		Title: "The container sees only its own processes",
		Why:   "Information disclosure and elevation of privilege: with the host's process ids a container reads arguments and environments of other services and, as root, can signal or trace them.",
		Risk:  "Monitoring agents and debuggers no longer see the host's processes. A container that only ran with them by habit loses nothing.",
		Fix:   "With accept, a new container has process ids of its own; the old one is kept. Undone by the old container.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.15", "cis-docker-1.6.0": "5.16", "cis-docker-1.8.0": "5.16", "stride": "I,E",
		},
		Class:    control.Answer,
		Verified: "/proc/PID/ns/pid against that of the host, beside inspect",
		Severity: plan.RiskHigh,
		Params:   ownNamespace("process ids"),
		Container: func(_ *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
			return judgeNamespace(c, namespace{
				control: "docker/host-pid", kernel: "pid", words: "the host's processes", option: "--pid host",
				ask:   "Is it an agent that has to see every process of the host",
				mode:  func(c *inventory.Container) string { return c.Inspect.HostConfig.PidMode },
				field: "PidMode", to: "",
			}, p)
		},
	}
}
