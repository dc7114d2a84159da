package report

import (
	"encoding/json"
	"strings"
	"time"

	"docker-harden/plan"
)

func raw(s string) json.RawMessage { return json.RawMessage(s) }

func sampleRules() map[string]plan.Rule {
	rule := func(id, title, old, now, stride string) plan.Rule {
		return plan.Rule{
			ID: id, Title: title, Why: "why " + id, Risk: "risk of " + id,
			Refs: map[string]string{"cis-docker-1.2.0": old, "cis-docker-1.6.0": now, "stride": stride},
		}
	}
	rules := map[string]plan.Rule{}
	for _, r := range []plan.Rule{
		rule("docker/log-level", "The engine logs at level info", "2.2", "2.3", "R"),
		rule("docker/live-restore", "Containers keep running while the engine restarts", "2.13", "2.15", "D"),
		rule("docker/icc", "Containers on the default bridge cannot reach each other unasked", "2.1", "2.2", "I,S"),
		rule("docker/daemon-json-mode", "daemon.json can be written by root alone", "3.18", "3.18", "T"),
		rule("docker/no-new-privileges", "No process of the container can gain privileges", "5.25", "5.26", "E"),
		rule("docker/seccomp", "The container has a seccomp filter", "5.21", "5.22", "E"),
		rule("docker/capabilities", "The container has no capability it does not need", "5.3", "5.4", "E,S"),
		rule("docker/memory-limit", "The container has a memory limit", "5.10", "5.11", "D"),
		rule("docker/privileged", "The container is not privileged", "5.4", "5.5", "E"),
	} {
		rules[r.ID] = r
	}
	return rules
}

// samplePlan has every kind of step, every verdict, and names with escape sequences.
func samplePlan() *plan.Plan {
	web, cache := plan.Container("web", strings.Repeat("a", 64)), plan.Container("cache", strings.Repeat("b", 64))
	build, evil := plan.Container("build", strings.Repeat("c", 64)), plan.Container("ev\x1b[31mil", strings.Repeat("d", 64))
	file := plan.File("/etc/docker/daemon.json")
	made := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	change := func(path, from, to string, kind plan.Kind, controls ...string) plan.Change {
		return plan.Change{Path: path, From: raw(from), To: raw(to), Kind: kind, Reversibility: plan.Exact, Controls: controls}
	}
	memory := change("HostConfig.Memory", "0", "268435456", plan.KindUpdate, "docker/memory-limit")
	memory.Reversibility, memory.ReverseNote = plan.Functional, "the limit cannot be unset through the API: the kernel is unlimited again, inspect shows the engine's maximum"
	live := change("live-restore", "null", "true", plan.KindReload, "docker/live-restore")
	live.Note = "reloaded first: containers keep running"
	step := func(r plan.Resource, kind plan.Kind, text string, changes ...plan.Change) plan.Step {
		s := plan.Step{ID: r.String(), Kind: kind, Resource: r, Changes: changes, Effect: plan.Effect{Text: text}, Risk: plan.Risk{Level: plan.RiskLow}}
		s.Basis = plan.Basis{"content": "x"}
		s.Sees = s.Basis.Fingerprint()
		for _, c := range changes {
			s.Controls = append(s.Controls, c.Controls...)
		}
		return s
	}
	daemon := step(plan.Daemon(), plan.KindRestart, "engine restart, containers keep running",
		change("log-level", `"debug"`, `"info"`, plan.KindRestart, "docker/log-level"), live)
	daemon.Basis["config path"] = "/etc/docker/daemon.json"
	daemon.Notes = []string{"6 other keys kept byte for byte"}
	update := step(cache, plan.KindUpdate, "live, no downtime", memory, change("HostConfig.MemorySwap", "0", "268435456", plan.KindUpdate, "docker/memory-limit"))
	update.After, update.Notes = []string{"daemon"}, []string{"256 MiB = max(working set 91 MiB × 2, 64 MiB), rounded up"}
	recreate := step(web, plan.KindRecreate, "recreate, about 2 s downtime",
		change("HostConfig.SecurityOpt", `["seccomp=unconfined"]`, `["no-new-privileges:true"]`, plan.KindRecreate, "docker/no-new-privileges", "docker/seccomp"),
		change("HostConfig.CapDrop", `null`, `["AUDIT_WRITE","MKNOD","NET_BIND_SERVICE","NET_RAW","SETFCAP","SYS_CHROOT"]`, plan.KindRecreate, "docker/capabilities"))
	recreate.After, recreate.Effect.Downtime = []string{"daemon"}, 1.5
	recreate.Risk = plan.Risk{Level: plan.RiskMedium, Reasons: []string{"2 files in the writable layer carried over: /etc/x, /tmp/\x1b[2J", "sshd is known to fail without AUDIT_WRITE"}}
	mode := step(file, plan.KindFile, "no service is touched", change("mode", `"0666"`, `"0644"`, plan.KindFile, "docker/daemon-json-mode"))
	return &plan.Plan{
		Format: plan.Format, Tool: "0.1.0", Made: made, Expires: made.Add(24 * time.Hour),
		Host: plan.Host{
			Name: "web01", MachineID: "m", EngineID: "e", Engine: "20.10.24", API: "1.41",
			Summary: "rootful, cgroup v1, live-restore off", Endpoint: "unix:///var/run/docker.sock",
		},
		Profile: plan.Profile{Name: "cis-level1", SHA256: "3f9c21" + strings.Repeat("0", 58)},
		Rules:   sampleRules(),
		Steps:   []plan.Step{daemon, update, recreate, mode},
		Findings: []plan.Finding{
			{Control: "docker/log-level", Resource: plan.Daemon(), Status: plan.Fail, Message: "log-level is debug", Changes: daemon.Changes[:1]},
			{Control: "docker/live-restore", Resource: plan.Daemon(), Status: plan.Fail, Message: "live-restore is off", Changes: daemon.Changes[1:]},
			{
				Control: "docker/icc", Resource: plan.Daemon(), Status: plan.Manual, Message: "icc is on",
				Question: "Can every container be stopped for a while? answer in the profile: controls: {docker/icc: {params: {accept: true}}}",
			},
			{Control: "docker/daemon-json-mode", Resource: file, Status: plan.Fail, Message: "mode is 0666", Changes: mode.Changes},
			{
				Control: "docker/privileged", Resource: build, Status: plan.Excepted, Message: "it is privileged",
				Exception: &plan.Exception{Reason: "builds images", Owner: "platform", Expires: time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)},
			},
			{Control: "docker/capabilities", Resource: build, Status: plan.NotApplicable, Message: "it is privileged, which ignores CapDrop"},
			{
				Control: "docker/memory-limit", Resource: cache, Status: plan.Fail, Message: "it has no memory limit", Changes: update.Changes,
				Evidence: []plan.Evidence{{Name: "working set", Value: "91 MiB", Source: "cgroup memory.stat"}},
			},
			{
				Control: "docker/no-new-privileges", Resource: cache, Status: plan.Pass, Message: "no process can gain privileges",
				Evidence: []plan.Evidence{{Name: "NoNewPrivs", Value: "1 in 1 of 1 processes", Source: "/proc/PID/status"}},
			},
			{
				Control: "docker/no-new-privileges", Resource: evil, Status: plan.Fail, Message: "no-new-privileges is not set",
				Blocked: "owned by Swarm service e\u202evil: use docker service update", Risk: plan.Risk{Level: plan.RiskLow},
				Wanted: recreate.Changes[:1],
			},
			{Control: "docker/seccomp", Resource: evil, Status: plan.Fail, Message: "another filter is in effect"},
			{Control: "docker/memory-limit", Resource: evil, Status: plan.Unknown, Message: "its cgroup could not be read: permission denied"},
			{Control: "docker/privileged", Resource: evil, Status: plan.Manual, Message: "it is privileged", Question: "What does it need?"},
			{
				Control: "docker/privileged", Resource: plan.Container("web2", strings.Repeat("e", 64)), Status: plan.Manual, Message: "it has devices",
				Question: `Which? Answer in the profile: containers: [{match: "web2"}] or exceptions: [{target: "container/web2"}]`,
			},
			{
				Control: "docker/privileged", Resource: plan.Container("web3", strings.Repeat("f", 64)), Status: plan.Manual, Message: "it has devices",
				Question: `Which? Answer in the profile: containers: [{match: "web3"}] or exceptions: [{target: "container/web3"}]`,
			},
			{
				Control: "docker/no-new-privileges", Resource: web, Status: plan.Fail, Message: "no-new-privileges is not set", Changes: recreate.Changes[:1], Downtime: 1.5,
				Risk: recreate.Risk, Notes: []string{"x"},
			},
			{Control: "docker/seccomp", Resource: web, Status: plan.Fail, Message: "seccomp is off", Changes: recreate.Changes[:1]},
			{Control: "docker/capabilities", Resource: web, Status: plan.Fail, Message: "it may use NET_RAW", Changes: recreate.Changes[1:]},
		},
		Advice: []plan.Advice{
			{
				Owner: "Compose project shop", Targets: []string{"container/web"}, File: "compose.harden.yaml",
				Text: []string{"compose.harden.yaml keeps this hardening when docker compose makes its containers again."},
				Copy: []string{"docker compose -p shop -f /srv/shop/compose.yaml -f compose.harden.yaml up -d"},
			},
			{
				Owner: "Swarm service e\u202evil", Targets: []string{"container/ev\x1b[31mil"},
				Text: []string{"Swarm would make the tasks again as the service says."},
				Copy: []string{"docker service update --cap-drop NET_RAW $'e\u202evil'", "# no flag sets no-new-privileges"},
			},
		},
		Problems: []plan.Problem{{Subject: "container/ev\x1b[31mil", Reason: "cgroup: permission denied"}},
	}
}
