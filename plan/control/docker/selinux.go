package docker

import (
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func seLinux() control.Control {
	return control.Control{
		ID:    "docker/selinux",
		Title: "The container is labelled by SELinux",
		Why:   "Elevation of privilege: with its own label a container that breaks out can still touch nothing but its own files.",
		Risk:  "Nothing is changed: files that the container shares with the host need fitting labels first.",
		Fix:   "By hand: run it without label=disable and give shared files the label of containers (:z or :Z); or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.2", "cis-docker-1.6.0": "5.3", "cis-docker-1.8.0": "5.3", "stride": "E",
		},
		Class:     control.Reported,
		Verified:  "label of its first process (/proc/PID/attr/current), beside SecurityOpt; GET /info says whether the engine uses SELinux",
		Severity:  plan.RiskLow,
		Container: judgeSELinux,
	}
}

func judgeSELinux(h *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	switch {
	case !h.Engine.SELinux:
		return verdict(plan.NotApplicable, "the engine uses no SELinux")
	case c.Inspect.HostConfig.Privileged:
		return verdict(plan.NotApplicable, "it is privileged, which turns labels off: see docker/privileged")
	case running(c) && c.Proc == nil:
		return unseen(c)
	}
	off := slices.IndexFunc(c.Inspect.HostConfig.SecurityOpt, labelsOff)
	label := ""
	if c.Proc != nil {
		label = c.Proc.AppArmor // the file is that of any security module
	}
	var f plan.Finding
	switch {
	case off >= 0:
		f = verdict(plan.Manual, "labels are turned off (%s)", plainName(c.Inspect.HostConfig.SecurityOpt[off]))
		if label != "" && !unconfinedLabel(label) {
			f.Message += ", and its first process has one"
		}
		f = ask(f, "Which files of the host does it share, and can they have the label of containers? If so, run it without label=disable.",
			answerException(c, "docker/selinux"))
	case !running(c):
		return verdict(plan.Pass, "labels are not turned off"+notRunning)
	case label == "":
		return verdict(plan.Unknown, "labels are not turned off, and the label of its first process could not be read")
	case unconfinedLabel(label):
		f = verdict(plan.Fail, "labels are not turned off, and that is not in effect: its first process runs as %s", plainName(label))
		f.Blocked = "it runs since before the engine used SELinux, or with a runtime that ignores labels; restart the container, then plan again"
	default:
		f = verdict(plan.Pass, "it is labelled %s", plainName(label))
	}
	if label != "" {
		f.Evidence = []plan.Evidence{evidence("label", "/proc/PID/attr/current", "%s", plainName(label))}
	}
	return f
}

// labelsOff reports whether an entry of SecurityOpt takes the label of containers away.
func labelsOff(opt string) bool {
	name, value, _ := control.CutOption(opt)
	kind, ok := strings.CutPrefix(value, "type:")
	return name == "label" && (value == "disable" || ok && slices.Contains(unconfinedTypes, kind))
}

// unconfinedTypes are the types of SELinux that hold a process back in nothing, or in no more than the engine itself.
var unconfinedTypes = []string{
	"spc_t", "unconfined_t", "unconfined_service_t", "container_runtime_t", "docker_t", "init_t", "initrc_t", "kernel_t",
}

// unconfinedLabel reports whether a label (user:role:type:level) is none of containers.
func unconfinedLabel(label string) bool {
	parts := strings.Split(label, ":")
	const kind = 2
	return len(parts) <= kind || slices.Contains(unconfinedTypes, parts[kind])
}
