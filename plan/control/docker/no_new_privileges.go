package docker

import (
	"fmt"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func noNewPrivileges() control.Control {
	return control.Control{
		ID:    "docker/no-new-privileges",
		Title: "No process of the container can gain privileges",
		Why: "Elevation of privilege: with a setuid program or file capabilities in the image, who takes over the service becomes root of the container. " +
			"The engine's default covers only containers made after it was set, so the option is wanted on the container itself.",
		Risk: "Setuid programs (sudo, su, ping, mount) and programs with file capabilities run without what they would gain, and fail. " +
			"Programs that only give privileges up (gosu, su-exec, setpriv, nginx, postgres) keep working.",
		Fix: "no-new-privileges:true in SecurityOpt of a new container made from the same image and settings; the old one is kept. Undone by the old container.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.25", "cis-docker-1.6.0": "5.26", "cis-docker-1.8.0": "5.26", "stride": "E",
		},
		Class:    control.Automatic,
		Verified: "NoNewPrivs of every process in /proc/PID/status, beside SecurityOpt",
		Severity: plan.RiskHigh,
		Params: []profile.Param{
			acceptParam("set the option although the container was seen to use, or to be meant to use, what it takes away"), learntParam(),
		},
		Container: judgeNoNewPrivileges,
	}
}

func judgeNoNewPrivileges(_ *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	opts := c.Inspect.HostConfig.SecurityOpt
	conf := control.ParseNoNewPrivs(opts)
	if running(c) && !seen(c) {
		return unseen(c)
	}
	change := recreateChange("SecurityOpt", opts, withNoNewPrivs(conf))
	if !running(c) {
		if conf.On {
			return verdict(plan.Pass, "no-new-privileges is set"+notRunning)
		}
		f := verdict(plan.Fail, "no-new-privileges is not set"+notRunning)
		f.Changes = []plan.Change{change}
		return guardNoNewPrivileges(c, conf, p, f)
	}
	open := which(c, func(p inventory.Process) bool { return !p.NoNewPrivs })
	proof := evidence("NoNewPrivs", sourceStatus, "1 in %d of %d processes", len(c.Proc.All)-len(open), len(c.Proc.All))
	var f plan.Finding
	switch {
	case conf.On && len(open) == 0:
		f = verdict(plan.Pass, "no process can gain privileges")
	case conf.On:
		f = verdict(plan.Fail, "no-new-privileges is set but not in effect for %s", named(open))
		f.Blocked = "a process that came in from outside (nsenter) or a runtime that ignores the option; end it or recreate the container yourself"
	case len(open) == 0:
		f = verdict(plan.Fail, "in effect by the default of the engine when it was made, but not set on the container: a new one could be without")
		f.Changes = []plan.Change{change}
	default:
		f = verdict(plan.Fail, "no-new-privileges is not set")
		f.Changes = []plan.Change{change}
	}
	f.Evidence = append(f.Evidence, proof)
	if len(f.Changes) == 0 || len(open) == 0 {
		return f // nothing runs without it now, so nothing is lost
	}
	return guardNoNewPrivileges(c, conf, p, f)
}

// guardNoNewPrivileges asks before the option is set where something was seen that needs privileges.
func guardNoNewPrivileges(c *inventory.Container, conf control.NoNewPrivs, p profile.Params, f plan.Finding) plan.Finding {
	var why []string
	needs := func(source, format string, args ...any) {
		why = append(why, fmt.Sprintf(format, args...))
		f.Evidence = append(f.Evidence, evidence("needs privileges", source, format, args...))
	}
	if conf.Off {
		needs(sourceInspect, "no-new-privileges:false is set on it")
	}
	if c.Learnt != nil {
		for _, e := range c.Learnt.Gained() {
			needs(sourceLearnt, "%s", gainedText(e))
		}
	}
	lived := c.Learnt != nil && len(why) == 0 && len(c.Learnt.Gaps()) == 0
	if lived {
		f.Evidence = append(f.Evidence, evidence("gained nothing", sourceLearnt, "%s", noGainText(c.Learnt, c)))
	}
	if seen(c) {
		if gives := entryGives(c); gives != "" {
			needs(sourceEntry, "%s", gives)
		} else if unseen := entryUnseen(c); unseen != "" {
			f.Risk = f.Risk.Raise(plan.RiskMedium, unseen)
		}
		if list := elevating(c); len(list) > 0 {
			needs(sourceExe, "the executable of %s is setuid or has file capabilities", named(list))
		}
		if list := gained(c); len(list) > 0 {
			needs(sourceStatus, "%s holds privileges although the container starts as %s", named(list), plainName(c.Inspect.Config.User))
		}
		if list := opaque(c); len(list) > 0 {
			f.Risk = f.Risk.Raise(plan.RiskMedium, fmt.Sprintf("whether the executable of %s is setuid could not be seen: %s", named(list), list[0].ExeProblem))
		}
	}
	if !rootUser(c.Inspect.Config.User) && len(why) == 0 && !lived {
		f.Risk = f.Risk.Raise(plan.RiskMedium, "a setuid helper that runs only now and then was maybe not seen")
	}
	switch {
	case len(why) == 0:
	case outdated(c, p):
		return ask(f, outdatedText(c, p)+" Does it work without gaining privileges ("+strings.Join(why, "; ")+")?",
			answerContainer(c, "docker/no-new-privileges", fmt.Sprintf("accept: true, learnt: %q", c.Work().ID())))
	case !p.Bool("accept"):
		return ask(f, fmt.Sprintf("Does it work without gaining privileges (%s)?", strings.Join(why, "; ")), answerContainer(c, "docker/no-new-privileges", "accept: true"))
	default:
		for _, reason := range why {
			f.Risk = f.Risk.Raise(plan.RiskHigh, reason)
		}
	}
	return f
}
