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
		Risk:  "The limits of the other group no longer hold for it, and what counts the use of that group does not see it.",
		Fix:   "With accept, a new container is in the engine's own group; the old one is kept. Undone by the old container.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.24", "cis-docker-1.6.0": "5.25", "cis-docker-1.8.0": "5.25", "stride": "D,E",
		},
		Class:     control.Answer,
		Verified:  "inspect (HostConfig.CgroupParent)",
		Severity:  plan.RiskLow,
		Params:    []profile.Param{acceptParam("put the container into the control group of the engine's containers")},
		Container: judgeContainerCgroup,
	}
}

func judgeContainerCgroup(_ *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	parent := c.Inspect.HostConfig.CgroupParent
	if parent == "" {
		return verdict(plan.Pass, "it has no control group of its own choice")
	}
	f := verdict(plan.Fail, "it is below control group %s", plainName(parent))
	if !p.Bool("accept") {
		return ask(f, "Are the limits of this group meant for it? If so, accept the risk with an exception.", answerContainer(c, "docker/container-cgroup", "accept: true"))
	}
	f.Changes = []plan.Change{recreateChange("CgroupParent", parent, "")}
	f.Risk = f.Risk.Raise(plan.RiskMedium, "somebody chose the group, maybe for its limits")
	return f
}
