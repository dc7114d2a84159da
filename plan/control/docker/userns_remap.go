package docker

import (
	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func usernsRemap() control.Control {
	return control.Control{
		ID:    "docker/userns-remap",
		Title: "Root in a container is not root on the host",
		Why:   "Elevation of privilege: with userns-remap the user 0 of a container is an ordinary user of the host, so what breaks out has no rights there.",
		Risk: "Nothing is changed: the engine then uses another data directory, in which no image, container or volume is, files in bind mounts belong to the wrong users, " +
			"and privileged containers and those on the host's network or pid namespace no longer start.",
		Fix: "By hand: set userns-remap, restart the engine, pull images and move volumes; or use a rootless engine; or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "2.8", "cis-docker-1.6.0": "2.9", "cis-docker-1.8.0": "2.10", "stride": "E",
		},
		Class:    control.Reported,
		Verified: "GET /info (SecurityOptions)",
		Severity: plan.RiskMedium,
		Host:     judgeUsernsRemap,
	}
}

func judgeUsernsRemap(h *inventory.Host, _ profile.Params) []plan.Finding {
	if other, ok := otherProduct(h); ok {
		return []plan.Finding{other}
	}
	switch {
	case h.Engine.Rootless:
		return []plan.Finding{daemonVerdict(plan.Pass, "the engine is rootless: root in its containers is not root on the host")}
	case h.Engine.UsernsRemap:
		return []plan.Finding{daemonVerdict(plan.Pass, "user namespaces are remapped")}
	}
	f := daemonVerdict(plan.Fail, "user namespaces are not remapped")
	f.Evidence = []plan.Evidence{evidence("userns", sourceInfo, "not among the security options")}
	var against []string
	for i := range h.Containers {
		c := &h.Containers[i]
		host := &c.Inspect.HostConfig
		if !control.Kept(c) && host.UsernsMode != "host" && (host.Privileged || host.NetworkMode == "host" || host.PidMode == "host") {
			against = append(against, c.Name)
		}
	}
	if len(against) > 0 {
		f.Evidence = append(f.Evidence, evidence("would not start without --userns host", sourceInspect, "%s", list(against)))
	}
	return []plan.Finding{reported(f, plan.NeedsReplatform, "images, containers and volumes are not in the data directory of a remapped engine")}
}
