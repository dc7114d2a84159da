package docker

import (
	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func rootless() control.Control {
	return control.Control{
		ID:    "docker/rootless",
		Title: "The engine itself runs without root",
		Why:   "Elevation of privilege: whoever breaks out of a container, or out of the engine, is then an ordinary user of the host and not root.",
		Risk:  "Nothing is changed: a rootless engine has other data, other networking (ports below 1024, source addresses) and no AppArmor.",
		Fix:   "By hand: set up a rootless engine beside this one and move the services; or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.6.0": "2.1", "cis-docker-1.8.0": "2.1", "stride": "E",
		},
		Class:    control.Reported,
		Verified: "GET /info (SecurityOptions)",
		Severity: plan.RiskLow,
		Host: func(h *inventory.Host, _ profile.Params) []plan.Finding {
			if other, ok := otherProduct(h); ok {
				return []plan.Finding{other}
			}
			if h.Engine.Rootless {
				return []plan.Finding{daemonVerdict(plan.Pass, "the engine is rootless")}
			}
			f := daemonVerdict(plan.Fail, "the engine runs as root")
			f.Evidence = []plan.Evidence{evidence("rootless", sourceInfo, "no")}
			return []plan.Finding{reported(f, plan.NeedsReplatform, "a rootless engine is another installation, to which services have to move")}
		},
	}
}
