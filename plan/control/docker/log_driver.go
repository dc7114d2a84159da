package docker

import (
	"encoding/json"
	"fmt"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// fileDrivers keep logs on the host itself, beside the container, or nowhere.
var fileDrivers = map[string]string{"json-file": "in a file beside each container", "local": "in a file beside each container", "none": "nowhere"}

func logDriver() control.Control {
	return control.Control{
		ID:    "docker/log-driver",
		Title: "Logs of containers are kept apart from the containers",
		Why:   "Repudiation: logs that lie beside a container are gone with it, and whoever takes the host over can change them.",
		Risk: "Shippers that read the json files find no new ones. New containers do not start when the driver is not reachable or does not know an option in log-opts. " +
			"docker logs shows less with some drivers.",
		Fix: "log-driver in daemon.json as the profile says, and an engine restart; containers made before keep theirs. Undone by the file's old bytes and a restart.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "2.12", "cis-docker-1.6.0": "2.13", "cis-docker-1.8.0": "2.14", "stride": "R",
		},
		Class:    control.Answer,
		Verified: "GET /info (LoggingDriver), beside daemon.json and flags",
		Severity: plan.RiskLow,
		Params: []profile.Param{{
			Name: "driver", Type: profile.TypeChoice, Default: "ask", Choices: []string{"ask", "journald", "syslog"},
			Doc: "the driver for new containers; others need options of their own, in daemon.json",
		}},
		Host: judgeLogDriver,
	}
}

func judgeLogDriver(h *inventory.Host, p profile.Params) []plan.Finding {
	want := p.Text("driver")
	f := judgeKey(h, daemonKey{
		name: "log-driver", absent: json.RawMessage(`"json-file"`), want: raw(want), kind: plan.KindRestart, note: "new containers only",
		good: func(v json.RawMessage) bool {
			var name string
			return json.Unmarshal(v, &name) == nil && fileDrivers[name] == ""
		},
		says: func(h *inventory.Host) answer {
			driver := h.Engine.LoggingDriver
			if driver == "" {
				return answer{}
			}
			where, file := fileDrivers[driver]
			if !file {
				where = "apart from the containers"
			}
			return info(!file, "the driver is %s: logs are kept %s", driver, where)
		},
	})
	if len(f.Changes) == 0 {
		return []plan.Finding{f}
	}
	if want == "ask" {
		return []plan.Finding{ask(f, "Where do logs of containers go, and who reads the files beside them today? journald and syslog of this host can be chosen here; other drivers are set in daemon.json with their options.",
			answerHost("docker/log-driver", "driver: journald"))}
	}
	if opts := string(h.Daemon.Keys["log-opts"]); opts != "" && opts != "null" && opts != "{}" {
		f.Changes, f.Blocked = nil, fmt.Sprintf("log-opts in daemon.json are those of the driver in use; take out what %s does not know, then plan again", want)
		return []plan.Finding{f}
	}
	f.Risk = f.Risk.Raise(plan.RiskMedium, "what reads the json files beside containers finds no new ones")
	return []plan.Finding{f}
}
