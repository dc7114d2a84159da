package docker

import (
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func appArmor() control.Control {
	return control.Control{
		ID:    "docker/apparmor",
		Title: "The container is confined by AppArmor",
		Why:   "Elevation of privilege: the engine's profile keeps a container from mounting, from most of /proc and /sys, and from tracing what it does not own.",
		Risk:  "Somebody turned the profile off, mostly because the service mounts something or traces processes; it fails then.",
		Fix:   "The option apparmor=unconfined is taken out of SecurityOpt of a new container, which then has the engine's profile; the old one is kept. Undone by the old container.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.1", "cis-docker-1.6.0": "5.2", "cis-docker-1.8.0": "5.2", "stride": "E",
		},
		Class:     control.Automatic,
		Verified:  "/proc/PID/attr/current of its first process; GET /info says whether the engine uses AppArmor",
		Severity:  plan.RiskMedium,
		Container: judgeAppArmor,
	}
}

func judgeAppArmor(h *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	opts := c.Inspect.HostConfig.SecurityOpt
	switch {
	case !h.Engine.AppArmor:
		return verdict(plan.NotApplicable, "the engine uses no AppArmor: the kernel or its tools are missing")
	case c.Inspect.HostConfig.Privileged:
		return verdict(plan.NotApplicable, "it is privileged, which turns the profile off: see docker/privileged")
	case running(c) && c.Proc == nil:
		return unseen(c)
	}
	unconfined := slices.ContainsFunc(opts, appArmorUnconfined)
	profile, mode := "", ""
	if c.Proc != nil {
		profile, mode, _ = strings.Cut(strings.TrimSuffix(c.Proc.AppArmor, ")"), " (")
	}
	var f plan.Finding
	switch {
	case unconfined:
		f = verdict(plan.Fail, "the profile is turned off (apparmor=unconfined)")
		f.Changes = []plan.Change{recreateChange("SecurityOpt", opts, slices.DeleteFunc(slices.Clone(opts), appArmorUnconfined))}
		f.Risk = plan.Risk{}.Raise(plan.RiskMedium, "somebody turned the profile off, maybe because the service mounts or traces")
	case !running(c):
		return verdict(plan.Pass, "the profile is not turned off"+notRunning)
	case profile == "" || profile == "unconfined":
		f = verdict(plan.Fail, "a profile is configured but not in effect for its first process")
		f.Blocked = "restart the container; if that does not help, look for the profile with aa-status"
	case mode == "complain":
		f = reported(verdict(plan.Fail, "profile %s only complains", plainName(profile)), plan.NeedsPolicy, "set the profile to enforce with aa-enforce when its complaints are understood")
	default:
		f = verdict(plan.Pass, "it is confined by profile %s", plainName(profile))
	}
	if c.Proc != nil {
		f.Evidence = []plan.Evidence{evidence("AppArmor", "/proc/PID/attr/current", "%s", plainName(c.Proc.AppArmor))}
	}
	return f
}

func appArmorUnconfined(opt string) bool {
	name, value, _ := control.CutOption(opt)
	return name == "apparmor" && value == "unconfined"
}
