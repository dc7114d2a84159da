package docker

import (
	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func containerUser() control.Control {
	return control.Control{
		ID:    "docker/container-user",
		Title: "The container does not run as root",
		Why:   "Elevation of privilege: root in a container is root on the host for everything that gets past the container's walls.",
		Risk:  "Nothing is changed: files of the image and of volumes belong to the user it runs as.",
		Fix:   "By hand: build the image with a USER, or run it with --user when its files allow that; or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "4.1", "cis-docker-1.6.0": "4.1", "cis-docker-1.8.0": "4.1", "stride": "E",
		},
		Class:     control.Reported,
		Verified:  "user id of every process in /proc/PID/status; GET /info for remapped users",
		Severity:  plan.RiskMedium,
		Container: judgeUser,
	}
}

func judgeUser(h *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	user := c.Inspect.Config.User
	configured := rootUser(user)
	if running(c) && !seen(c) {
		return unseen(c)
	}
	if h.Engine.UsernsRemap && c.Inspect.HostConfig.UsernsMode != "host" || h.Engine.Rootless {
		return verdict(plan.Pass, "its root is not root on the host")
	}
	var roots []inventory.Process
	if seen(c) {
		roots = which(c, func(p inventory.Process) bool { return p.UID == 0 })
	}
	var f plan.Finding
	switch {
	case !running(c) && !configured:
		f = verdict(plan.Pass, "it starts as user %s"+notRunning, plainName(user))
	case !running(c):
		f = reported(verdict(plan.Fail, "it starts as root"+notRunning), plan.NeedsImageRebuild, "build the image with a USER, or run it with --user")
	case len(roots) == 0 && configured:
		f = reported(verdict(plan.Fail, "none of its %d processes runs as root now, but it is not configured so: it starts as root, and docker exec does", len(c.Proc.All)),
			plan.NeedsImageRebuild, "build the image with a USER, or run it with --user, when its start needs no root")
	case len(roots) == 0:
		f = verdict(plan.Pass, "none of its %d processes runs as root", len(c.Proc.All))
	case configured:
		f = reported(verdict(plan.Fail, "it runs as root: %s", named(roots)), plan.NeedsImageRebuild, "build the image with a USER, or run it with --user")
	default:
		f = reported(verdict(plan.Fail, "it starts as user %s and has processes of root: %s", plainName(user), named(roots)), plan.NeedsImageRebuild, "a setuid program or docker exec --user root made them")
	}
	return f
}
