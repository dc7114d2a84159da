package docker

import (
	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func containerCgroup() control.Control {
	return control.Control{
		ID:    "docker/container-cgroup",
		Title: "The container is in the control group of containers",
		Why:   "Denial of service: in another group it shares limits with something else, or has none.",
		Risk:  "Nothing is changed: somebody chose the group.",
		Fix:   "By hand: run it without --cgroup-parent, or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.24", "cis-docker-1.6.0": "5.25", "cis-docker-1.8.0": "5.25", "stride": "D,E",
		},
		Class:     control.Reported,
		Verified:  "inspect (HostConfig.CgroupParent)",
		Severity:  plan.RiskLow,
		Container: judgeContainerCgroup,
	}
}

func judgeContainerCgroup(_ *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	parent := c.Inspect.HostConfig.CgroupParent
	if parent == "" {
		return verdict(plan.Pass, "it has no control group of its own choice")
	}
	return ask(verdict(plan.Manual, "it is below control group %s", plainName(parent)), "Are the limits of this group meant for it?", answerException(c, "docker/container-cgroup"))
}
