package docker

import (
	"encoding/json"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func logLevel() control.Control {
	return control.Control{
		ID:    "docker/log-level",
		Title: "The engine logs at level info",
		Why: "Repudiation: below info the engine does not record what was started, stopped or refused, so an attack leaves no trace in its log. " +
			"At level debug it records request bodies and other detail that should not be kept, and fills the disk.",
		Risk: "Nothing in containers. The log gets larger when it was warn or error before, and loses debug lines when it was debug.",
		Fix: "log-level in daemon.json and an engine restart; debug: true, which overrides log-level, becomes false by a reload. " +
			"Undone by the file's old bytes and a restart or reload.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "2.2", "cis-docker-1.6.0": "2.3", "cis-docker-1.8.0": "2.3", "stride": "R",
		},
		Class:    control.Automatic,
		Verified: "daemon.json and flags, as the engine last read them; GET /info (Debug) for debug, which overrides it",
		Severity: plan.RiskLow,
		Params: []profile.Param{{
			Name: "explicit", Type: profile.TypeBool, Default: true,
			Doc: "daemon.json has to say it: info is also the engine's default, but an auditor cannot tell a default from a forgotten setting",
		}},
		Host: judgeLogLevel,
	}
}

func judgeLogLevel(h *inventory.Host, p profile.Params) []plan.Finding {
	f := judgeKey(h, daemonKey{
		name: "log-level", absent: json.RawMessage(`"info"`), want: json.RawMessage(`"info"`),
		kind: plan.KindRestart, good: isInfo,
	})
	if f.Status == plan.NotApplicable {
		return []plan.Finding{f}
	}
	if p.Bool("explicit") {
		f = writtenDown(h, f)
	}
	debug := judgeKey(h, debugKey())
	if debug.Status != plan.Fail {
		return []plan.Finding{f}
	}
	f.Evidence = append(f.Evidence, debug.Evidence...)
	switch {
	case f.Status == plan.Fail:
		f.Message += ", and debug overrides it: " + debug.Message
		f.Changes = append(f.Changes, debug.Changes...)
	default:
		f.Status, f.Changes = plan.Fail, debug.Changes
		f.Message = "log-level is not in effect because debug overrides it: " + debug.Message
	}
	if f.Blocked == "" {
		f.Blocked = debug.Blocked
	}
	if f.Blocked != "" {
		f.Changes = nil
	}
	return []plan.Finding{f}
}

// writtenDown asks for the default to be written into the file. It is in effect already, so a reload
// is enough: the engine reads the file again and nothing changes.
func writtenDown(h *inventory.Host, f plan.Finding) plan.Finding {
	if _, written := h.Daemon.Keys["log-level"]; f.Status != plan.Pass || written || len(h.Daemon.Flags["log-level"]) > 0 {
		return f
	}
	f.Status, f.Message = plan.Fail, "log-level is info by default, and daemon.json does not say so"
	f.Changes = []plan.Change{{
		Path: "log-level", From: json.RawMessage("null"), To: json.RawMessage(`"info"`), Kind: plan.KindReload,
		Reversibility: plan.Exact, Note: "in effect already, now written down",
	}}
	return f
}

// isInfo takes the engine's spellings: any case, and empty for the default.
func isInfo(value json.RawMessage) bool {
	var level string
	return json.Unmarshal(value, &level) == nil && (level == "" || strings.EqualFold(level, "info"))
}

func debugKey() daemonKey {
	return daemonKey{
		name: "debug", absent: json.RawMessage("false"), want: json.RawMessage("false"),
		kind: plan.KindReload, good: isBool(false),
		says: func(h *inventory.Host) answer { return info(!h.Engine.Debug, "debug is %s", onOff(h.Engine.Debug)) },
	}
}
