package docker

import (
	"slices"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func seLinux() control.Control {
	return control.Control{
		ID:    "docker/selinux",
		Title: "The container is labelled by SELinux",
		Why:   "Elevation of privilege: with its own label a container that breaks out can still touch nothing but its own files.",
		Risk:  "Nothing is changed: files that the container shares with the host need fitting labels first.",
		Fix:   "By hand: run it without label=disable and give shared files the label of containers (:z or :Z); or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.2", "cis-docker-1.6.0": "5.3", "cis-docker-1.8.0": "5.3", "stride": "E",
		},
		Class:     control.Reported,
		Verified:  "GET /info (SecurityOptions), and SecurityOpt of the container",
		Severity:  plan.RiskLow,
		Container: judgeSELinux,
	}
}

func judgeSELinux(h *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	switch {
	case !h.Engine.SELinux:
		return verdict(plan.NotApplicable, "the engine uses no SELinux")
	case c.Inspect.HostConfig.Privileged:
		return verdict(plan.NotApplicable, "it is privileged, which turns labels off: see docker/privileged")
	}
	disabled := slices.ContainsFunc(c.Inspect.HostConfig.SecurityOpt, func(opt string) bool {
		name, value, _ := control.CutOption(opt)
		return name == "label" && value == "disable"
	})
	if !disabled {
		return verdict(plan.Pass, "labels are not turned off (configured)")
	}
	return ask(verdict(plan.Manual, "labels are turned off (label=disable)"), "Which files of the host does it share, and can they have the label of containers? If so, run it without label=disable.",
		answerException(c, "docker/selinux"))
}
