package docker

import (
	"encoding/json"
	"fmt"

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
		Verified: "GET /info (SecurityOptions), beside daemon.json and flags",
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
		return []plan.Finding{remapped(h)}
	}
	f := daemonVerdict(plan.Fail, "user namespaces are not remapped")
	if conf := remapKey().configured(h); unreadable(h) == "" && string(conf.value) != noRemap {
		f.Message = fmt.Sprintf("userns-remap is %s (%s) and that is not in effect: user namespaces are not remapped", conf.value, conf.from)
	}
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

// noRemap is the value of the key that remaps nothing.
const noRemap = `""`

func remapKey() daemonKey { return daemonKey{name: "userns-remap", absent: json.RawMessage(noRemap)} }

// remapped judges an engine that remaps users: it has to do so after its next start too.
func remapped(h *inventory.Host) plan.Finding {
	f := daemonVerdict(plan.Pass, "user namespaces are remapped")
	f.Evidence = []plan.Evidence{evidence("userns", sourceInfo, "among the security options")}
	if problem := unreadable(h); problem != "" {
		f.Status, f.Message = plan.Unknown, f.Message+", but whether that is configured could not be seen: "+problem
		return f
	}
	conf := remapKey().configured(h)
	f.Evidence = append(f.Evidence, evidence("userns-remap", conf.from, "%s", conf.value))
	if string(conf.value) == noRemap {
		f.Message = fmt.Sprintf("in effect now, but userns-remap is %s (%s): it is lost when the engine starts again", conf.value, conf.from)
		return reported(f, plan.NeedsReplatform, "set userns-remap again before the engine starts: without it the engine has another data directory, and root in containers is root on the host")
	}
	return f
}
