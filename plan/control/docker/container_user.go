package docker

import (
	"fmt"
	"regexp"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// runAsUser is what a person can do about a container that runs as root.
const runAsUser = `build the image with a USER, or name one in the profile (docker/container-user, user: "UID:GID")`

func containerUser() control.Control {
	return control.Control{
		ID:    "docker/container-user",
		Title: "The container does not run as root",
		Why:   "Elevation of privilege: root in a container is root on the host for everything that gets past the container's walls.",
		Risk:  "Files of the image and of volumes belong to the user it runs as: one that may not read or write them fails, maybe only later. A start that needs root (ports below 1024 on old engines, giving files away) fails at once.",
		Fix:   "Best in the image: a USER. With user, a new container starts as that user and group; the old one is kept, and no file is given to anybody. Undone by the old container.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "4.1", "cis-docker-1.6.0": "4.1", "cis-docker-1.8.0": "4.1", "stride": "E",
		},
		Class:    control.Answer,
		Verified: "user id of every process in /proc/PID/status; GET /info for remapped users",
		Severity: plan.RiskMedium,
		Params: []profile.Param{{
			Name: "user", Type: profile.TypeText, Default: "", Doc: `user and group by their numbers ("1000:1000") that a container which starts as root gets`,
		}},
		Container: judgeUser,
	}
}

func judgeUser(h *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
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
		f = reported(verdict(plan.Fail, "it starts as root"+notRunning), plan.NeedsImageRebuild, runAsUser)
	case len(roots) == 0 && configured:
		f = reported(verdict(plan.Fail, "none of its %d processes runs as root now, but it is not configured so: it starts as root, and docker exec does", len(c.Proc.All)),
			plan.NeedsImageRebuild, runAsUser+", when its start needs no root")
	case len(roots) == 0:
		f = verdict(plan.Pass, "none of its %d processes runs as root", len(c.Proc.All))
	case configured:
		f = reported(verdict(plan.Fail, "it runs as root: %s", named(roots)), plan.NeedsImageRebuild, runAsUser)
	default:
		f = reported(verdict(plan.Fail, "it starts as user %s and has processes of root: %s", plainName(user), named(roots)), plan.NeedsImageRebuild, "a setuid program or docker exec --user root made them")
	}
	if to := p.Text("user"); f.Status == plan.Fail && configured && to != "" {
		return asUser(f, user, to)
	}
	return f
}

// userAndGroup are numbers, so that they mean the same without the image's files, and never root.
var userAndGroup = regexp.MustCompile(`^[1-9][0-9]{0,8}:(0|[1-9][0-9]{0,8})$`)

// asUser changes the user that a container starts as.
func asUser(f plan.Finding, from, to string) plan.Finding {
	f.Reason, f.Blocked = "", ""
	if !userAndGroup.MatchString(to) {
		f.Blocked = fmt.Sprintf("the profile's user %q is not UID:GID in numbers, or is root", to)
		return f
	}
	f.Changes = []plan.Change{{Path: "Config.User", From: raw(from), To: raw(to), Kind: plan.KindRecreate, Reversibility: plan.Exact}}
	f.Risk = f.Risk.Raise(plan.RiskHigh, "whether files of its image, of its volumes and of its writable layer let that user work was not looked at")
	return f
}
