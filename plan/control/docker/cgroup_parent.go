package docker

import (
	"encoding/json"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func cgroupParent() control.Control {
	return control.Control{
		ID:    "docker/cgroup-parent",
		Title: "The engine puts containers below its own default control group",
		Why:   "Denial of service: below another parent containers share limits with what else is there, or escape the limits meant for all of them.",
		Risk:  "New containers get the limits of another group; a slice that somebody sized for containers is no longer used.",
		Fix:   "cgroup-parent: \"\" in daemon.json and an engine restart; only new containers are placed anew. Undone by the file's old bytes and a restart.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "2.9", "cis-docker-1.6.0": "2.10", "cis-docker-1.8.0": "2.11", "stride": "D",
		},
		Class:    control.Answer,
		Verified: "daemon.json and flags, as the engine last read them",
		Severity: plan.RiskLow,
		Params:   []profile.Param{acceptParam("use the default group although somebody chose another one")},
		Host: func(h *inventory.Host, p profile.Params) []plan.Finding {
			f := judgeKey(h, daemonKey{
				name: "cgroup-parent", absent: json.RawMessage(`""`), want: json.RawMessage(`""`),
				kind: plan.KindRestart, good: func(v json.RawMessage) bool { return string(v) == `""` },
			})
			if len(f.Changes) == 0 {
				return []plan.Finding{f}
			}
			if !p.Bool("accept") {
				return []plan.Finding{ask(f, "Are the limits of this group meant for containers? If so, accept the risk with an exception; if not, new containers can go below the default group again.",
					answerHost("docker/cgroup-parent", "accept: true"))}
			}
			f.Risk = f.Risk.Raise(plan.RiskMedium, "new containers no longer have the limits of the group that somebody chose")
			return []plan.Finding{f}
		},
	}
}
