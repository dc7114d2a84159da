package docker

import (
	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func swarmOff() control.Control {
	return control.Control{
		ID:    "docker/swarm-off",
		Title: "The host is in no swarm that is not needed",
		Why:   "Information disclosure and elevation of privilege: a swarm opens three ports to the network, and its managers decide what this host runs.",
		Risk:  "Nothing is changed: services may run in the swarm.",
		Fix:   "By hand: docker swarm leave, when no service needs the swarm; or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "7.1", "cis-docker-1.6.0": "5.1", "cis-docker-1.8.0": "5.1", "stride": "I,E",
		},
		Class:    control.Reported,
		Verified: "GET /info (Swarm)",
		Severity: plan.RiskLow,
		Host:     judgeSwarm,
	}
}

func judgeSwarm(h *inventory.Host, _ profile.Params) []plan.Finding {
	if !control.SwarmActive(h) {
		return []plan.Finding{daemonVerdict(plan.Pass, "the host is in no swarm")}
	}
	f := daemonVerdict(plan.Fail, "the host is in a swarm (%s)", plainName(h.Engine.Swarm))
	return []plan.Finding{reported(f, plan.NeedsPolicy, "leave it when no service needs it")}
}
