package docker

import (
	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func privileged() control.Control {
	return control.Control{
		ID:    "docker/privileged",
		Title: "The container is not privileged",
		Why:   "Elevation of privilege: a privileged container has every capability, every device and no filter; who takes it over has the host.",
		Risk:  "Nothing is changed: which capabilities and devices the service really needs has to be found out first.",
		Fix:   "By hand: run it with --cap-add and --device for what it needs instead of --privileged, or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.4", "cis-docker-1.6.0": "5.5", "cis-docker-1.8.0": "5.5", "stride": "E",
		},
		Class:    control.Reported,
		Verified: "inspect (HostConfig.Privileged), which never changes, and CapEff in /proc/PID/status",
		Severity: plan.RiskHigh,
		Container: func(_ *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
			if !c.Inspect.HostConfig.Privileged {
				return verdict(plan.Pass, "it is not privileged")
			}
			f := verdict(plan.Manual, "it is privileged")
			if seen(c) {
				f.Evidence = append(f.Evidence, evidence("CapEff", sourceStatus, "%016x", c.Proc.Init.CapEff))
			}
			return ask(f, "Which capabilities and devices does it need? Run it with --cap-add and --device instead of --privileged, or accept the risk.",
				answerException(c, "docker/privileged"))
		},
	}
}
