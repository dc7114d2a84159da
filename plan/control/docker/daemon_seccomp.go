package docker

import (
	"encoding/json"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func daemonSeccomp() control.Control {
	return control.Control{
		ID:    "docker/daemon-seccomp",
		Title: "The engine filters the system calls of containers by default",
		Why:   "Elevation of privilege: with seccomp-profile unconfined no container has the filter that keeps it from the system calls most escapes need, unless it asks for one.",
		Risk:  "Containers made afterwards that need a filtered system call fail; those that exist keep what they were made with until they are started anew.",
		Fix:   "seccomp-profile: \"\" (the engine's own filter) in daemon.json and an engine restart. Undone by the file's old bytes and a restart.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "2.15", "cis-docker-1.6.0": "2.17", "cis-docker-1.8.0": "2.18", "stride": "E",
		},
		Class:    control.Automatic,
		Verified: "GET /info (SecurityOptions), beside daemon.json and flags",
		Severity: plan.RiskHigh,
		Host: func(h *inventory.Host, _ profile.Params) []plan.Finding {
			if !h.Engine.Seccomp {
				return []plan.Finding{daemonVerdict(plan.NotApplicable, "this engine or kernel has no seccomp")}
			}
			f := judgeKey(h, daemonKey{
				name: "seccomp-profile", absent: json.RawMessage(`""`), want: json.RawMessage(`""`),
				kind: plan.KindRestart, good: func(v json.RawMessage) bool { return string(v) != `"unconfined"` }, says: saySeccomp,
			})
			if len(f.Changes) > 0 {
				f.Risk = f.Risk.Raise(plan.RiskMedium, "somebody turned the filter off for all containers, maybe because a service needs a filtered system call")
			}
			return []plan.Finding{f}
		},
	}
}

// saySeccomp reads the engine's security options: "name=seccomp,profile=default" (builtin since 23).
func saySeccomp(h *inventory.Host) answer {
	for _, option := range h.Engine.SecurityOptions {
		if name, ok := strings.CutPrefix(option, "name=seccomp,profile="); ok {
			return info(name != "unconfined", "the profile is %s", name)
		}
	}
	return answer{}
}
