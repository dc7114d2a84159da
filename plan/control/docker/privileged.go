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

func privileged() control.Control {
	return control.Control{
		ID:    "docker/privileged",
		Title: "The container is not privileged",
		Why:   "Elevation of privilege: a privileged container has every capability, every device and no filter; who takes it over has the host.",
		Risk: "What the service needs has to be known: it loses every capability and device that the answer does not name, and the filter of system calls, " +
			"AppArmor, the masked and read-only parts of /proc and /sys, and a read-only control group come back.",
		Fix: "With accept, a new container has exactly the capabilities of caps and the devices of devices in place of --privileged; the old one is kept. Undone by the old container.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.4", "cis-docker-1.6.0": "5.5", "cis-docker-1.8.0": "5.5", "stride": "E",
		},
		Class:    control.Answer,
		Verified: "inspect (HostConfig.Privileged), which never changes, and CapEff in /proc/PID/status",
		Severity: plan.RiskHigh,
		Params: []profile.Param{
			acceptParam("take the privilege away and leave what caps and devices name"),
			{Name: "caps", Type: profile.TypeList, Default: []string{}, Choices: capNames, Doc: "capabilities that the container needs: these and no others"},
			{Name: "devices", Type: profile.TypeList, Default: []string{}, Doc: `devices of the host that it needs, as docker run --device takes them ("/dev/fuse", "/dev/sda:/dev/xvda:r")`},
			learntParam(),
		},
		Container: judgePrivileged,
	}
}

func judgePrivileged(h *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	hc := &c.Inspect.HostConfig
	if !hc.Privileged {
		return verdict(plan.Pass, "it is not privileged")
	}
	f := verdict(plan.Fail, "it is privileged")
	if seen(c) {
		f.Evidence = append(f.Evidence, evidence("CapEff", sourceStatus, "%016x", c.Proc.Init.CapEff))
	}
	if !p.Bool("accept") || outdated(c, p) {
		return askPrivileged(h, c, p, f)
	}
	devices := []inventory.Device{}
	for _, text := range p.List("devices") {
		d, problem := deviceOf(text)
		if problem != "" {
			f.Blocked = fmt.Sprintf("the profile's device %q %s", text, problem)
			return f
		}
		devices = append(devices, d)
	}
	caps := exactCaps(capList(p.List("caps")))
	if len(caps.Add) == 0 {
		caps.Add = emptied(hc.CapAdd)
	}
	if len(caps.Drop) == 0 {
		caps.Drop = emptied(hc.CapDrop)
	}
	f.Changes = differing(
		recreateChange("Privileged", true, false), recreateChange("CapAdd", hc.CapAdd, caps.Add), recreateChange("CapDrop", hc.CapDrop, caps.Drop),
	)
	if len(hc.Devices)+len(devices) > 0 {
		f.Changes = append(f.Changes, differing(recreateChange("Devices", hc.Devices, devices))...)
	}
	if p.Text("learnt") == "" {
		f.Risk = f.Risk.Raise(plan.RiskHigh, "what it uses of its privilege was not observed")
	} else {
		f.Risk = f.Risk.Raise(plan.RiskHigh, "which devices it uses of its privilege was not observed")
	}
	f.Notes = append(f.Notes, comesBack(h))
	if later := capsIn(p.List("caps"), levelOne); len(later) > 0 {
		f.Notes = append(f.Notes, fmt.Sprintf("docker/capabilities takes %s away in the next plan, unless its keep names it too", strings.Join(later, ", ")))
	}
	return f
}

// askPrivileged asks what it needs. The answer names what it was seen to use where a whole life of it was watched.
func askPrivileged(h *inventory.Host, c *inventory.Container, p profile.Params, f plan.Finding) plan.Finding {
	answer := fmt.Sprintf("accept: true, caps: [%s], devices: []", strings.Join(without(defaultCaps, levelOne), ", "))
	question := "Which capabilities and devices does it need? Name them in caps and devices, or accept the risk with an exception."
	if c.Learnt != nil {
		if a, _ := answerPrivileged(h, c, learntRule{Params: p}); a.Refused == "" {
			answer = a.text()
			question += " The capabilities of the answer are those it was seen to use; which devices it uses was not watched."
			f.Evidence = append(f.Evidence, a.evidence()...)
		}
	}
	if outdated(c, p) {
		question = outdatedText(c, p) + " " + question
	}
	return ask(f, question, answerContainer(c, "docker/privileged", answer))
}

// exactCaps are CapAdd and CapDrop that give exactly the wanted capabilities, with as little added as can be: some
// judges count every addition.
func exactCaps(wanted []string) capPlan {
	if len(wanted) == 0 {
		return capPlan{Drop: []string{allCaps}}
	}
	return capPlan{Add: without(wanted, defaultCaps), Drop: without(defaultCaps, wanted)}
}

func capsIn(list, of []string) []string {
	return slices.DeleteFunc(capList(list), func(s string) bool { return !slices.Contains(of, s) })
}

// comesBack says what the engine gives back to a container without privilege.
func comesBack(h *inventory.Host) string {
	back := []string{"masked and read-only parts of /proc and /sys", "no device but the usual ones and those named"}
	if h.Engine.Seccomp {
		back = append([]string{"the filter of system calls"}, back...)
	}
	if slices.ContainsFunc(h.Engine.SecurityOptions, func(s string) bool { return strings.HasPrefix(s, "name=apparmor") }) {
		back = append([]string{"AppArmor"}, back...)
	}
	return "comes back with it: " + strings.Join(back, ", ")
}
