package docker

import (
	"encoding/json"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func iptables() control.Control {
	return control.Control{
		ID:    "docker/iptables",
		Title: "The engine may write its own firewall rules",
		Why:   "Information disclosure and spoofing: without its rules nothing keeps the engine's networks apart, and restrictions such as icc are not in effect.",
		Risk:  "Who keeps the rules by hand has them twice from then on, and published ports become reachable that were not.",
		Fix:   "iptables: true in daemon.json and an engine restart. Undone by the file's old bytes and a restart.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "2.3", "cis-docker-1.6.0": "2.4", "cis-docker-1.8.0": "2.4", "stride": "I,S",
		},
		Class:    control.Answer,
		Verified: "daemon.json and flags, as the engine last read them",
		Severity: plan.RiskMedium,
		Params:   []profile.Param{acceptParam("let the engine write its rules although somebody turned that off")},
		Host: func(h *inventory.Host, p profile.Params) []plan.Finding {
			f := judgeKey(h, daemonKey{
				name: "iptables", absent: json.RawMessage("true"), want: json.RawMessage("true"),
				kind: plan.KindRestart, good: isBool(true),
			})
			if len(f.Changes) == 0 {
				return []plan.Finding{f}
			}
			if !p.Bool("accept") {
				return []plan.Finding{ask(f, "Who keeps the firewall rules of this host's containers? Somebody turned the engine's own off. If nobody does, they can be turned on; published ports are then open as they are published.",
					answerHost("docker/iptables", "accept: true"))}
			}
			f.Risk = f.Risk.Raise(plan.RiskHigh, "the engine's rules open published ports and stand beside rules kept by hand")
			return []plan.Finding{f}
		},
	}
}
