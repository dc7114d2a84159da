package docker

import (
	"encoding/json"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func experimental() control.Control {
	return control.Control{
		ID:    "docker/experimental",
		Title: "Experimental features of the engine are off",
		Why:   "Tampering and denial of service: experimental code in the engine runs as root and is neither finished nor supported with the same care.",
		Risk:  "What needs an experimental feature stops working: ip6tables on engine 20.10, checkpoint and restore.",
		Fix:   "experimental: false in daemon.json and an engine restart. Undone by the file's old bytes and a restart.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "2.16", "cis-docker-1.6.0": "2.18", "cis-docker-1.8.0": "2.19", "stride": "T,D",
		},
		Class:    control.Automatic,
		Verified: "GET /info (ExperimentalBuild), beside daemon.json and flags",
		Severity: plan.RiskLow,
		Host: func(h *inventory.Host, _ profile.Params) []plan.Finding {
			f := judgeKey(h, daemonKey{
				name: "experimental", absent: json.RawMessage("false"), want: json.RawMessage("false"),
				kind: plan.KindRestart, good: isBool(false),
				says: func(h *inventory.Host) answer {
					return info(!h.Engine.Experimental, "experimental is %s", onOff(h.Engine.Experimental))
				},
			})
			if string(h.Daemon.Keys["ip6tables"]) == "true" && len(f.Changes) > 0 {
				f.Risk = f.Risk.Raise(plan.RiskMedium, "ip6tables is on and needs experimental on engines before 27")
			}
			return []plan.Finding{f}
		},
	}
}
