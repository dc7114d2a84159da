package docker

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/docker/go-units"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func defaultUlimits() control.Control {
	return control.Control{
		ID:    "docker/default-ulimits",
		Title: "New containers get limits on files and processes",
		Why:   "Denial of service: without limits of its own a container takes those of the engine, which are none, and one that opens files without end takes them from the rest.",
		Risk:  "A database or a virtual machine that needs more open files than it gets fails at the next recreate, maybe months later. The numbers of the benchmark's example (100 files) break most services.",
		Fix:   "default-ulimits in daemon.json with the profile's values, and an engine restart; only new containers get them. Undone by the file's old bytes and a restart.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "2.7", "cis-docker-1.6.0": "2.8", "cis-docker-1.8.0": "2.9", "stride": "D",
		},
		Class:    control.Answer,
		Verified: "daemon.json and flags, as the engine last read them",
		Severity: plan.RiskLow,
		Params: []profile.Param{{
			Name: "limits", Type: profile.TypeList, Default: []string(nil),
			Doc: "limits of new containers, each NAME=SOFT:HARD as for docker run --ulimit; none: they are asked for",
		}},
		Host: judgeDefaultUlimits,
	}
}

func judgeDefaultUlimits(h *inventory.Host, p profile.Params) []plan.Finding {
	limits, problem := parseLimits(p.List("limits"))
	f := judgeKey(h, daemonKey{
		name: "default-ulimits", absent: json.RawMessage("{}"), want: raw(limits), kind: plan.KindRestart, note: "new containers only",
		good: func(v json.RawMessage) bool { return string(v) != "{}" && string(v) != "[]" },
	})
	switch {
	case len(f.Changes) == 0:
	case problem != "":
		f.Changes, f.Blocked = nil, problem
	case len(limits) == 0:
		f = ask(f, "How many open files and processes does a container of this host need at most? Take more than any is seen to use.",
			answerHost("docker/default-ulimits", `limits: ["nofile=65536:65536"]`))
	default:
		f.Risk = f.Risk.Raise(plan.RiskMedium, "containers made from now on that need more fail")
	}
	return []plan.Finding{f}
}

// parseLimits is the form of the limits in daemon.json, or what is wrong with them.
func parseLimits(list []string) (map[string]*units.Ulimit, string) {
	limits := map[string]*units.Ulimit{}
	for _, text := range list {
		limit, err := units.ParseUlimit(text)
		switch {
		case err != nil:
			return nil, fmt.Sprintf("limits of the profile: %q is no limit: %s", text, strings.ToLower(err.Error()))
		case limits[limit.Name] != nil:
			return nil, "limits of the profile: " + limit.Name + " is there twice"
		}
		limits[limit.Name] = limit
	}
	return limits, ""
}
