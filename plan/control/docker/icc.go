package docker

import (
	"encoding/json"
	"fmt"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

const optICC = "com.docker.network.bridge.enable_icc"

func icc() control.Control {
	return control.Control{
		ID:    "docker/icc",
		Title: "Containers on the default bridge cannot reach each other unasked",
		Why:   "Information disclosure and spoofing: every container on the default bridge can talk to every port of every other one there, so one that is taken over reaches the databases of the rest.",
		Risk: "Containers on the default bridge that talk to each other without a link stop reaching each other. " +
			"The engine ignores the setting while any container runs: written then, it would strike at some later restart or reboot.",
		Fix: "icc: false in daemon.json and an engine restart while no container runs. Undone by the file's old bytes and a restart.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "2.1", "cis-docker-1.6.0": "2.2", "cis-docker-1.8.0": "2.2", "stride": "I,S",
		},
		Class:    control.Automatic,
		Verified: "option enable_icc of the default bridge (GET /networks), beside daemon.json and flags",
		Severity: plan.RiskMedium,
		Params:   []profile.Param{acceptParam("restrict the default bridge although stopped containers are attached to it; running ones must be stopped in any case")},
		Host:     judgeICC,
	}
}

func judgeICC(h *inventory.Host, p profile.Params) []plan.Finding {
	if string(h.Daemon.Keys["bridge"]) == `"none"` {
		f := verdict(plan.NotApplicable, "there is no default bridge (bridge is \"none\" in daemon.json)")
		f.Resource = plan.Daemon()
		return []plan.Finding{f}
	}
	f := judgeKey(h, daemonKey{
		name: "icc", absent: json.RawMessage("true"), want: json.RawMessage("false"),
		kind: plan.KindRestart, good: isBool(false), says: sayICC,
	})
	active, attached := bridgeUsers(h)
	if f.Status == plan.Fail && f.Blocked != "" && len(active) > 0 && !h.Daemon.Pending {
		f.Blocked = fmt.Sprintf("the engine ignores bridge settings while containers run; stop them (%s), restart the engine and start them again", list(active))
	}
	if len(f.Changes) == 0 {
		return []plan.Finding{f}
	}
	iptables := daemonKey{name: "iptables", absent: json.RawMessage("true")}.configured(h)
	if string(iptables.value) == "false" {
		f.Changes, f.Blocked = nil, "the engine does not start with icc and iptables both off; iptables is off ("+iptables.from+"); turn it on first"
		return []plan.Finding{f}
	}
	answer := answerHost("docker/icc", "accept: true")
	switch {
	case len(active) > 0:
		return []plan.Finding{ask(f, fmt.Sprintf("Can every container be stopped for a while? The engine ignores the setting while any runs (%s), so it is not written now. "+
			"Stop them, plan and apply, and start them again. Those on the default bridge (%s) then no longer reach each other; they can be moved to a network of their own.", list(active), list(attached)), answer)}
	case len(attached) > 0 && !p.Bool("accept"):
		return []plan.Finding{ask(f, fmt.Sprintf("Do the containers on the default bridge (%s) do without reaching each other? They can be moved to a network of their own.", list(attached)), answer)}
	case len(attached) > 0:
		f.Risk = f.Risk.Raise(plan.RiskMedium, "containers on the default bridge no longer reach each other: "+list(attached))
	}
	return []plan.Finding{f}
}

// sayICC reads the default bridge itself.
func sayICC(h *inventory.Host) answer {
	value, ok := h.Engine.Bridge[optICC]
	if !ok {
		return answer{}
	}
	return answer{known: true, good: value == "false", text: optICC + " is " + value, source: "network bridge"}
}

// bridgeUsers are the containers that run, and those that are attached to the default bridge.
func bridgeUsers(h *inventory.Host) (active, attached []string) {
	for i := range h.Containers {
		c := &h.Containers[i]
		if c.Running() {
			active = append(active, c.Name)
		}
		_, on := c.Inspect.NetworkSettings.Networks["bridge"]
		if mode := c.Inspect.HostConfig.NetworkMode; !control.Kept(c) && (on || mode == "default" || mode == "bridge") {
			attached = append(attached, c.Name)
		}
	}
	return active, attached
}

// list names a few things, and says how many more there are.
func list(names []string) string {
	const most = 8
	if len(names) == 0 {
		return "none"
	}
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
