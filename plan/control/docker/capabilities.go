package docker

import (
	"fmt"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// levelOne are the capabilities that few services use and attackers like.
var levelOne = []string{"NET_RAW", "MKNOD", "AUDIT_WRITE", "SETFCAP"}

func capabilities() control.Control {
	return control.Control{
		ID:    "docker/capabilities",
		Title: "The container has no capability it does not need",
		Why: "Elevation of privilege and spoofing: with NET_RAW a container forges packets (ARP, DNS) on its network; MKNOD makes device files; " +
			"SETFCAP plants programs that give capabilities away; AUDIT_WRITE forges lines of the host's audit log.",
		Risk: "Without NET_RAW: ping of old images, traceroute, tcpdump, arping, DHCP clients and servers, keepalived. " +
			"Without MKNOD: mknod of devices, some package managers, builds of images in the container. " +
			"Without AUDIT_WRITE: sshd, login, su, sudo and cron with PAM, which end the session when they cannot write an audit line. " +
			"Without SETFCAP: setcap, package installation and image builds with file capabilities. " +
			"Everything is dropped only where every process is seen to hold none.",
		Fix: "CapDrop of a new container, with an empty CapAdd where possible; the old one is kept. keep leaves single capabilities. Undone by the old container.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.3", "cis-docker-1.6.0": "5.4", "cis-docker-1.8.0": "5.4", "stride": "E,S",
		},
		Class:    control.Automatic,
		Verified: "CapBnd and CapEff of every process in /proc/PID/status, beside CapAdd and CapDrop",
		Severity: plan.RiskHigh,
		Params: []profile.Param{
			{Name: "drop", Type: profile.TypeList, Default: levelOne, Choices: append(capNames, allCaps), Doc: "capabilities to take away; ALL for everything but keep"},
			{Name: "keep", Type: profile.TypeList, Default: []string{}, Choices: capNames, Doc: "capabilities to leave, also those beyond the engine's default that were added on purpose"},
			{
				Name: "form", Type: profile.TypeChoice, Default: formLess, Choices: []string{formLess, formAll},
				Doc: "how it is written: default-less is the engine's default less what goes, without CapAdd where that is possible; all-but is CapDrop ALL, and CapAdd with what stays",
			},
			learntParam(),
			{Name: "drop_unused", Type: profile.TypeBool, Default: true, Doc: "drop everything where every process is seen without any capability and cannot gain one"},
		},
		Container: judgeCapabilities,
	}
}

// The two ways to write a set of capabilities.
const (
	formLess = "default-less"
	formAll  = "all-but"
)

// capView is what a container is allowed, by configuration and by the kernel.
type capView struct {
	conf   []string // the bounding set that CapAdd and CapDrop give
	wanted []string // the part of conf that stays
	bnd    uint64   // every bounding set of its processes together; 0 when it does not run
	unused bool     // everything goes because nothing is used
	used   []string // what it was seen to use while it was watched
	learnt bool     // the profile's answer was learnt of it as it is
}

func judgeCapabilities(_ *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	hc := &c.Inspect.HostConfig
	if hc.Privileged {
		return verdict(plan.NotApplicable, "it is privileged, which ignores CapDrop: see docker/privileged")
	}
	if running(c) && !seen(c) {
		return unseen(c)
	}
	v := viewCaps(c, p)
	f := plan.Finding{Evidence: capEvidence(c, v)}
	excess := without(v.conf, v.wanted)
	held := capsOf(v.bnd &^ capMask(v.wanted))
	if asked, more := askLearnt(c, v, p, f); more {
		return asked
	}
	switch {
	case outdated(c, p):
		return askStale(c, p, f)
	case len(without(excess, v.used)) < len(excess):
		return askUsed(c, p, f, excess)
	case len(given(c, excess)) > 0:
		return askGiven(c, p, f, excess)
	case len(excess) > 0:
		f.Status, f.Message = plan.Fail, "it may use "+capText(excess)
		if running(c) && len(held) == 0 {
			f.Message = "no process may use them now, but its configuration gives " + capText(excess)
		}
		if v.unused {
			f.Message = "no process uses a capability, and it may use " + capText(excess)
		}
		to := writeCaps(hc.CapAdd, hc.CapDrop, v.wanted)
		if p.Text("form") == formAll {
			to = writeAllBut(hc.CapAdd, hc.CapDrop, v.wanted)
		}
		f.Changes = differing(recreateChange("CapDrop", hc.CapDrop, to.Drop), recreateChange("CapAdd", hc.CapAdd, to.Add))
		f.Risk = capRisk(c, excess, v)
	case len(held) > 0:
		f.Status, f.Message = plan.Fail, fmt.Sprintf("it is configured without, but %s may use %s", named(holders(c, v)), capText(held))
		f.Blocked = "a process that was given more (docker exec --privileged, nsenter) or a runtime that ignores the setting; end it or recreate the container yourself"
	default:
		f.Status, f.Message = plan.Pass, "it has no capability to drop"
	}
	if !running(c) {
		f.Message += notRunning
	}
	return askCapabilities(c, v, p, f)
}

// given are those of some capabilities that a process holds although it is not root: a program's file capabilities, or
// whoever started it, gave it them by name. Root has them all without a reason.
func given(c *inventory.Container, names []string) []string {
	if !seen(c) {
		return nil
	}
	var held uint64
	for _, p := range c.Proc.All {
		if p.UID != 0 && !runtimes(p) {
			held |= p.CapEff | p.CapPrm
		}
	}
	return capsOf(held & capMask(names))
}

// askGiven asks about capabilities that were given to a process by name.
func askGiven(c *inventory.Container, p profile.Params, f plan.Finding, excess []string) plan.Finding {
	names := given(c, excess)
	holders := which(c, func(q inventory.Process) bool {
		return q.UID != 0 && !runtimes(q) && (q.CapEff|q.CapPrm)&capMask(names) != 0
	})
	f.Status, f.Message = plan.Fail, "it may use "+capText(excess)
	keep := fmt.Sprintf("keep: [%s]", strings.Join(union(capList(p.List("keep")), names), ", "))
	return ask(f, fmt.Sprintf("It was given %s although %s is not root. Does it need that?", list(names), named(holders)), answerContainer(c, "docker/capabilities", keep))
}

// capText names capabilities; the usual sets have a name of their own.
func capText(names []string) string {
	switch {
	case len(without(capNames, names)) == 0:
		return "every capability"
	case len(names) == len(defaultCaps) && len(without(defaultCaps, names)) == 0:
		return "the engine's default, " + strings.Join(names, ", ")
	case len(names) > len(defaultCaps):
		return fmt.Sprintf("%d capabilities, among them %s", len(names), strings.Join(names[:len(defaultCaps)], ", "))
	}
	return strings.Join(names, ", ")
}

func viewCaps(c *inventory.Container, p profile.Params) capView {
	hc := &c.Inspect.HostConfig
	v := capView{conf: configuredCaps(hc.CapAdd, hc.CapDrop)}
	drop, keep := capList(p.List("drop")), capList(p.List("keep"))
	v.used, v.learnt = usedCaps(c), p.Text("learnt") != "" && !outdated(c, p)
	v.unused = p.Bool("drop_unused") && len(v.used) == 0 && usesNone(c)
	for _, name := range v.conf {
		if slices.Contains(keep, name) || !v.unused && !slices.Contains(drop, name) && !slices.Contains(drop, allCaps) {
			v.wanted = append(v.wanted, name)
		}
	}
	if seen(c) {
		for _, process := range c.Proc.All {
			v.bnd |= process.CapBnd
		}
	}
	return v
}

// usesNone reports whether a container surely runs without any capability: it starts as another
// user than root, no process holds one in any set, and no executable could give one, nor could the one
// it starts with, which may have run another since. What could not be looked at counts as a no.
func usesNone(c *inventory.Container) bool {
	if rootUser(c.Inspect.Config.User) || !running(c) || !seen(c) || entryGives(c) != "" || entryUnseen(c) != "" {
		return false
	}
	return len(which(c, func(p inventory.Process) bool {
		return !runtimes(p) && (p.CapEff|p.CapPrm|p.CapInh|p.CapAmb != 0 || p.Setuid || p.FileCaps || p.ExeProblem != "")
	})) == 0
}

// runtimes reports whether a process is the runtime's, about to become one of the container: a health check and docker
// exec begin so. One that only calls itself so loses what it hides.
func runtimes(p inventory.Process) bool { return strings.HasPrefix(p.Name, "runc:[") }

func holders(c *inventory.Container, v capView) []inventory.Process {
	return which(c, func(p inventory.Process) bool { return p.CapBnd&^capMask(v.wanted) != 0 })
}

func capEvidence(c *inventory.Container, v capView) []plan.Evidence {
	hc := &c.Inspect.HostConfig
	out := []plan.Evidence{evidence("configured", sourceInspect, "CapAdd %s CapDrop %s", raw(hc.CapAdd), raw(hc.CapDrop))}
	out = append(out, usedEvidence(c, v)...)
	if !seen(c) {
		return out
	}
	var eff uint64
	for _, p := range c.Proc.All {
		eff |= p.CapEff
	}
	out = append(out, evidence("CapBnd", sourceStatus, "%016x", v.bnd), evidence("CapEff", sourceStatus, "%016x", eff))
	if gives := entryGives(c); gives != "" {
		out = append(out, evidence("entry", sourceEntry, "%s", gives))
	}
	return out
}

// capRisk is medium for more than level 1 drops and for what rests on having looked once, and high where a program is seen that is known to need one.
func capRisk(c *inventory.Container, dropped []string, v capView) plan.Risk {
	risk := plan.Risk{Level: plan.RiskLow}
	more := without(dropped, levelOne)
	switch {
	case v.unused:
		return risk.Raise(plan.RiskMedium, "a setuid helper that runs only now and then was maybe not seen")
	case len(more) > 0 && v.learnt:
		risk = risk.Raise(plan.RiskMedium, "they were not used when it was watched: "+strings.Join(more, ", "))
	case len(more) > 0:
		risk = risk.Raise(plan.RiskMedium, "what the service needs of these was not observed: "+strings.Join(more, ", "))
	}
	if !seen(c) {
		return risk
	}
	if e := c.Proc.Entry; e != nil && e.FileCaps {
		risk = risk.Raise(plan.RiskHigh, fmt.Sprintf("%s has file capabilities: it does not start any more if one of those is dropped", plainName(e.Path)))
	}
	for _, program := range programs(c) {
		for _, name := range capUsers[program] {
			if slices.Contains(dropped, name) {
				risk = risk.Raise(plan.RiskHigh, fmt.Sprintf("%s is known to fail without %s: keep it with %s", program, name,
					answerContainer(c, "docker/capabilities", fmt.Sprintf("keep: [%s]", name))))
			}
		}
	}
	return risk
}

// askCapabilities asks about what was added beyond the engine's default and neither kept nor dropped
// by the profile. Where something else is dropped, that is done first, and the question is a note.
func askCapabilities(c *inventory.Container, v capView, p profile.Params, f plan.Finding) plan.Finding {
	added := without(without(v.wanted, defaultCaps), capList(p.List("keep")))
	if len(added) == 0 || f.Blocked != "" {
		return f
	}
	if slices.Contains(capList(c.Inspect.HostConfig.CapAdd), allCaps) {
		added = []string{allCaps}
	}
	var allows []string
	for _, name := range added {
		text := capAllows[name]
		if text == "" {
			text = "what it allows is not in this version's table"
		}
		allows = append(allows, fmt.Sprintf("%s (%s)", name, text))
		f.Evidence = append(f.Evidence, evidence("added", sourceInspect, "%s: %s", name, text))
	}
	question := "Does it need what was added to the engine's default: " + strings.Join(allows, ", ")
	if len(f.Changes) > 0 {
		f.Notes = append(f.Notes, question+"? It is left for now, and asked about in the next plan")
		return f
	}
	f.Message = "it was given more than the engine's default: " + strings.Join(added, ", ")
	return ask(f, question+"? List in keep what it needs and in drop what it does not.", answerContainer(c, "docker/capabilities", keepAnswer(c, v, p)))
}

// keepAnswer is the answer that leaves everything as it is: what the person does not want is struck out.
func keepAnswer(c *inventory.Container, v capView, p profile.Params) string {
	keep := union(capList(p.List("keep")), without(v.wanted, defaultCaps))
	return fmt.Sprintf("keep: [%s]", strings.Join(keep, ", "))
}
