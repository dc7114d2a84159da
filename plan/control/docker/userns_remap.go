package docker

import (
	"encoding/json"
	"fmt"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// The parameters of userns-remap, and what may be left behind.
const (
	paramRemap  = "remap"
	paramLeave  = "leave"
	leaveNone   = "nothing"
	leaveImages = "images"
)

func usernsRemap() control.Control {
	return control.Control{
		ID:    "docker/userns-remap",
		Title: "Root in a container is not root on the host",
		Why:   "Elevation of privilege: with userns-remap the user 0 of a container is an ordinary user of the host, so what breaks out has no rights there.",
		Risk: "The engine then uses another data directory, in which no image, container, volume or network is: so it is changed only where none is lost sight of, but images where the answer says so. " +
			"Files in bind mounts belong to other users than those in containers, and privileged containers and those on the host's network or pid namespace need --userns host.",
		Fix: "With the profile's answer, on an engine that has nothing to lose sight of: userns-remap in daemon.json and an engine restart. Else by hand: move volumes, pull images, or use a rootless engine. " +
			"Undone by the file's old bytes and a restart, where nothing was made since: the old data directory is in use again; that of the remapped engine stays, and with default the user dockremap and its ids.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "2.8", "cis-docker-1.6.0": "2.9", "cis-docker-1.8.0": "2.10", "stride": "E",
		},
		Class:    control.Answer,
		Verified: "GET /info (SecurityOptions), beside daemon.json and flags",
		Severity: plan.RiskMedium,
		Params: []profile.Param{
			{Name: paramRemap, Type: profile.TypeText, Default: "", Doc: "default, for which the engine makes the user dockremap, or USER or USER:GROUP that have lines in /etc/subuid and /etc/subgid; empty: nothing is changed"},
			{Name: paramLeave, Type: profile.TypeChoice, Default: leaveNone, Choices: []string{leaveNone, leaveImages}, Doc: "what may be left behind in the old data directory: images that are pulled or built again, or nothing"},
		},
		Host: judgeUsernsRemap,
	}
}

// GivenRemap is the user namespace that a profile means to give the engine, for the inventory to look at.
func GivenRemap(p *profile.Profile) string {
	one := usernsRemap()
	params, on := p.ParamsFor(one.ID, "", one.Params)
	if !on {
		return ""
	}
	return params.Text(paramRemap)
}

func judgeUsernsRemap(h *inventory.Host, p profile.Params) []plan.Finding {
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
	conf, pending := remapKey().configured(h), false
	if unreadable(h) == "" && string(conf.value) != noRemap {
		f.Message = fmt.Sprintf("userns-remap is %s (%s) and that is not in effect: user namespaces are not remapped", conf.value, conf.from)
		pending = true
	}
	f.Evidence = []plan.Evidence{evidence("userns", sourceInfo, "not among the security options")}
	if against := needsHostUserns(h); len(against) > 0 {
		f.Evidence = append(f.Evidence, evidence("would not start without --userns host", sourceInspect, "%s", list(against)))
	}
	const lost = "images, containers and volumes are not in the data directory of a remapped engine"
	switch {
	case pending:
		return []plan.Finding{reported(f, plan.NeedsReplatform, lost)}
	case p.Text(paramRemap) == "":
		return []plan.Finding{reported(f, plan.NeedsReplatform, lost+". On an engine that has none yet, it can be turned on.%s%s", answerMark, answerHost("docker/userns-remap", paramRemap+": "+inventory.DefaultRemap))}
	}
	return []plan.Finding{remap(h, f, p)}
}

// needsHostUserns are the containers that do not start remapped.
func needsHostUserns(h *inventory.Host) []string {
	var against []string
	for i := range h.Containers {
		c := &h.Containers[i]
		host := &c.Inspect.HostConfig
		if !control.Kept(c) && host.UsernsMode != "host" && (host.Privileged || host.NetworkMode == "host" || host.PidMode == "host") {
			against = append(against, c.Name)
		}
	}
	return against
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
