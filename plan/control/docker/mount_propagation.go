package docker

import (
	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func mountPropagation() control.Control {
	return control.Control{
		ID:    "docker/mount-propagation",
		Title: "Mounts made in the container do not reach the host",
		Why:   "Tampering and elevation of privilege: with shared propagation what a container mounts is mounted on the host too.",
		Risk:  "Nothing is changed: storage plugins and agents mount for the host on purpose.",
		Fix:   "By hand: mount it with rslave or rprivate, or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.19", "cis-docker-1.6.0": "5.20", "cis-docker-1.8.0": "5.20", "stride": "T,E",
		},
		Class:     control.Reported,
		Verified:  "mounts that the engine shows (inspect, Mounts)",
		Severity:  plan.RiskMedium,
		Container: judgePropagation,
	}
}

func judgePropagation(_ *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	var shared []string
	for _, m := range c.Inspect.Mounts {
		if m.Propagation == "shared" || m.Propagation == "rshared" {
			shared = append(shared, plainName(m.Destination)+" ("+m.Propagation+")")
		}
	}
	if len(shared) == 0 {
		return verdict(plan.Pass, "no mount is shared with the host")
	}
	return ask(verdict(plan.Manual, "mounts below %s reach the host", list(shared)), "Does it mount for the host? If it only has to see what the host mounts, rslave is enough.",
		answerException(c, "docker/mount-propagation"))
}
