package docker

import (
	"path"
	"slices"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func noSSHD() control.Control {
	return control.Control{
		ID:    "docker/sshd",
		Title: "No SSH server runs in the container",
		Why:   "Elevation of privilege and repudiation: a second way in has its own keys and passwords, and leaves its traces in the container, if at all.",
		Risk:  "Nothing is changed: the program is part of the image.",
		Fix:   "By hand: build the image without an SSH server and use docker exec; or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.6", "cis-docker-1.6.0": "5.7", "cis-docker-1.8.0": "5.7", "stride": "E,R",
		},
		Class:     control.Reported,
		Verified:  "name and executable of every process in /proc/PID",
		Severity:  plan.RiskMedium,
		Container: judgeSSHD,
	}
}

func judgeSSHD(_ *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	switch {
	case !running(c):
		return verdict(plan.NotApplicable, "it does not run, so there is no process to look at")
	case !seen(c):
		return unseen(c)
	}
	found := which(c, func(p inventory.Process) bool {
		return slices.Contains([]string{"sshd", "dropbear"}, p.Name) || slices.Contains([]string{"sshd", "dropbear"}, path.Base(p.Exe))
	})
	if len(found) == 0 {
		return verdict(plan.Pass, "none of its %d processes is an SSH server", len(c.Proc.All))
	}
	return reported(verdict(plan.Fail, "an SSH server runs: %s", named(found)), plan.NeedsImageRebuild, "build the image without it and use docker exec")
}
