package docker

import (
	"encoding/json"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func daemonNoNewPrivileges() control.Control {
	return control.Control{
		ID:    "docker/daemon-no-new-privileges",
		Title: "New containers may not gain privileges unless they ask for it",
		Why: "Elevation of privilege: a setuid program or one with file capabilities gives an attacker inside a container more than the service had. " +
			"The engine's default covers every container made from now on, whoever makes it.",
		Risk: "Containers made later in which sudo, su, ping or another setuid program is used fail; they can ask for no-new-privileges:false. " +
			"Containers that exist keep what they were made with, also through restarts: docker/no-new-privileges judges them. " +
			"With the snap package of Docker every container fails to start, so it is not changed there.",
		Fix: "no-new-privileges: true in daemon.json and an engine restart. Undone by the file's old bytes and a restart; containers made meanwhile keep the option.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "2.17", "cis-docker-1.6.0": "2.14", "cis-docker-1.8.0": "2.15", "stride": "E",
		},
		Class:    control.Automatic,
		Verified: "GET /info (SecurityOptions, engine 24 and later), beside daemon.json and flags as the engine last read them",
		Severity: plan.RiskMedium,
		Host:     judgeDaemonNoNewPrivileges,
	}
}

func judgeDaemonNoNewPrivileges(h *inventory.Host, _ profile.Params) []plan.Finding {
	f := judgeKey(h, daemonKey{
		name: optNoNewPrivileges, absent: json.RawMessage("false"), want: json.RawMessage("true"),
		kind: plan.KindRestart, good: isBool(true), note: "new containers only", says: sayNoNewPrivileges,
	})
	if len(f.Changes) > 0 && strings.HasPrefix(h.Daemon.Exe, "/snap/") {
		f.Changes, f.Blocked = nil, "the engine is the snap package, where the option keeps every container from starting"
	}
	return []plan.Finding{f}
}

// sayNoNewPrivileges reads /info, which lists the option since engine 24.0.
func sayNoNewPrivileges(h *inventory.Host) answer {
	v, ok := control.ParseVersion(h.Engine.Version)
	on := slices.ContainsFunc(h.Engine.SecurityOptions, func(s string) bool {
		return s == optNoNewPrivileges || s == "name="+optNoNewPrivileges
	})
	if !on && (!ok || v[0] < 24) {
		return answer{}
	}
	return info(on, "no-new-privileges is %s", onOff(on))
}
