package docker

import (
	"encoding/json"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func seccomp() control.Control {
	return control.Control{
		ID:    "docker/seccomp",
		Title: "System calls are filtered",
		Why:   "Elevation of privilege: the engine's filter keeps containers from about 50 system calls that most escapes through the kernel need.",
		Risk:  "Programs that need a filtered system call fail: debuggers and tracers on old engines, some profilers, io_uring, nested container engines.",
		Fix:   "The option seccomp=unconfined is taken out of SecurityOpt of a new container, which then has the engine's filter; the old one is kept. Undone by the old container.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.21", "cis-docker-1.6.0": "5.22", "cis-docker-1.8.0": "5.22", "stride": "E",
		},
		Class:     control.Automatic,
		Verified:  "Seccomp of every process in /proc/PID/status, beside SecurityOpt",
		Severity:  plan.RiskHigh,
		Container: judgeSeccomp,
	}
}

func judgeSeccomp(h *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	opts := c.Inspect.HostConfig.SecurityOpt
	switch {
	case c.Inspect.HostConfig.Privileged:
		return verdict(plan.NotApplicable, "it is privileged, which turns the filter off: see docker/privileged")
	case !h.Engine.Seccomp:
		return verdict(plan.NotApplicable, "this engine or kernel has no seccomp")
	case running(c) && !seen(c):
		return unseen(c)
	}
	unconfined := slices.ContainsFunc(opts, seccompUnconfined)
	change := recreateChange("SecurityOpt", opts, slices.DeleteFunc(slices.Clone(opts), seccompUnconfined))
	f := plan.Finding{}
	if !running(c) {
		f = verdict(plan.Pass, "the filter is not turned off"+notRunning)
		if unconfined {
			f = verdict(plan.Fail, "the filter is turned off (seccomp=unconfined)"+notRunning)
			f.Changes, f.Risk = []plan.Change{change}, seccompRisk()
		}
		return f
	}
	const filtered = 2
	open := which(c, func(p inventory.Process) bool { return p.Seccomp != filtered })
	switch {
	case !unconfined && len(open) == 0 && lets(opts):
		f = ask(verdict(plan.Fail, "its own filter lets every system call through that it does not name"), "Was that meant so?", answerException(c, "docker/seccomp"))
	case !unconfined && len(open) == 0:
		f = verdict(plan.Pass, "system calls of every process are filtered")
	case unconfined:
		f = verdict(plan.Fail, "the filter is turned off (seccomp=unconfined)")
		if len(open) == 0 {
			f.Message += "; the filter its processes have is not the container's own"
		}
		f.Changes, f.Risk = []plan.Change{change}, seccompRisk()
	case unconfinedDefault(h):
		f = verdict(plan.Fail, "the filter is turned off for every container by seccomp-profile of the engine")
		f.Blocked = "take seccomp-profile out of daemon.json or the engine's command line and restart the engine, then the containers"
	default:
		f = verdict(plan.Fail, "the filter is configured but not in effect for %s", named(open))
		f.Blocked = "a process that came in from outside (docker exec --privileged, nsenter) or a runtime without the filter; end it or recreate the container yourself"
	}
	f.Evidence = []plan.Evidence{evidence("Seccomp", sourceStatus, "2 in %d of %d processes", len(c.Proc.All)-len(open), len(c.Proc.All))}
	return f
}

// lets reports whether a filter of the container's own (seccomp=JSON) only forbids what it names.
func lets(opts []string) bool {
	return slices.ContainsFunc(opts, func(opt string) bool {
		key, value, _ := strings.Cut(opt, "=")
		if key != "seccomp" {
			key, value, _ = strings.Cut(opt, ":") // as old engines wrote it
		}
		var filter struct {
			DefaultAction string `json:"defaultAction"`
		}
		if key != "seccomp" || json.Unmarshal([]byte(value), &filter) != nil {
			return false
		}
		return slices.Contains([]string{"SCMP_ACT_ALLOW", "SCMP_ACT_LOG"}, filter.DefaultAction)
	})
}

func seccompRisk() plan.Risk {
	return plan.Risk{}.Raise(plan.RiskMedium, "somebody turned the filter off, maybe because the service needs a filtered system call")
}

// unconfinedDefault reports whether the engine's own default is to filter nothing.
func unconfinedDefault(h *inventory.Host) bool {
	return slices.ContainsFunc(h.Engine.SecurityOptions, func(s string) bool { return s == "name=seccomp,profile=unconfined" }) ||
		string(h.Daemon.Keys["seccomp-profile"]) == `"unconfined"`
}
