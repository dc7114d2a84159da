package docker

import (
	"encoding/json"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func liveRestore() control.Control {
	return control.Control{
		ID:    "docker/live-restore",
		Title: "Containers keep running while the engine is down",
		Why: "Denial of service: without live-restore every crash, upgrade or restart of the engine stops every container. " +
			"It also makes the other changes of the engine harmless to running services, because it is reloaded before the engine restarts.",
		Risk: "Not possible in a swarm. While containers live through a restart, new settings of the default bridge wait until none of them runs. " +
			"A container that writes much to its log waits when the engine is down for long, and can lose the lines that the engine had read and not stored when it stopped. Engines before 24.0.8 kill containers started with --rm at such a restart.",
		Fix: "live-restore: true in daemon.json and a reload (SIGHUP); nothing restarts. Undone by an explicit false and a reload, then the file's old bytes.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "2.13", "cis-docker-1.6.0": "2.15", "cis-docker-1.8.0": "2.16", "stride": "D",
		},
		Class:    control.Automatic,
		Verified: "GET /info (LiveRestoreEnabled), beside daemon.json and flags",
		Severity: plan.RiskMedium,
		Host:     judgeLiveRestore,
	}
}

func judgeLiveRestore(h *inventory.Host, _ profile.Params) []plan.Finding {
	key := daemonKey{
		name: "live-restore", absent: json.RawMessage("false"), want: json.RawMessage("true"),
		kind: plan.KindReload, good: isBool(true), note: "reloaded first: containers keep running",
		says: func(h *inventory.Host) answer {
			return info(h.Engine.LiveRestore, "live-restore is %s", onOff(h.Engine.LiveRestore))
		},
	}
	if !control.SwarmActive(h) || h.Engine.Product == "podman" {
		return []plan.Finding{judgeKey(h, key)}
	}
	if h.Engine.LiveRestore || string(key.configured(h).value) == "true" {
		f := verdict(plan.Fail, "live-restore is on although the host is in a swarm: the engine will refuse to start next time")
		f.Resource, f.Blocked = plan.Daemon(), "remove live-restore from daemon.json or the command line before the engine is started again"
		return []plan.Finding{f}
	}
	f := verdict(plan.NotApplicable, "the host is in a swarm (%s), and live-restore does not work there: a task of a stopped engine is started on another node", h.Engine.Swarm)
	f.Resource = plan.Daemon()
	return []plan.Finding{f}
}
