package docker

import (
	"encoding/json"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func authorizationPlugin() control.Control {
	return control.Control{
		ID:    "docker/authorization-plugin",
		Title: "Requests to the engine are authorized one by one",
		Why:   "Elevation of privilege: without an authorization plugin everybody who reaches the engine's socket may do everything, which is as much as root.",
		Risk:  "Nothing is changed: a plugin that is missing or wrong locks everybody out of the engine.",
		Fix:   "By hand: choose a plugin, install it, name it in authorization-plugins and restart the engine; or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "2.11", "cis-docker-1.6.0": "2.12", "cis-docker-1.8.0": "2.13", "stride": "E",
		},
		Class:    control.Reported,
		Verified: "GET /info (Plugins.Authorization), beside daemon.json and flags",
		Severity: plan.RiskLow,
		Host: func(h *inventory.Host, _ profile.Params) []plan.Finding {
			f := judgeKey(h, daemonKey{
				name: "authorization-plugins", absent: json.RawMessage("[]"), kind: plan.KindRestart,
				good: func(v json.RawMessage) bool { return strings.Join(texts(v), "") != "" },
				says: func(h *inventory.Host) answer {
					if len(h.Engine.Authorization) == 0 {
						return info(false, "no plugin authorizes requests")
					}
					return info(true, "requests are authorized by %s", plainName(strings.Join(h.Engine.Authorization, ", ")))
				},
			})
			if len(f.Changes) > 0 {
				f = reported(f, plan.NeedsPolicy, "who may ask the engine for what is the organisation's to say; there is no plugin for everybody")
			}
			return []plan.Finding{f}
		},
	}
}
