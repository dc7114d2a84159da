package docker

import (
	"fmt"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// namespace is one namespace of the host that a container can share.
type namespace struct {
	control string
	kernel  string // as /proc/PID/ns has it: "net"
	words   string // "the host's network"
	option  string // "--network host"
	mode    func(c *inventory.Container) string
	ask     string // what has to be known before it can be taken away
	field   string // of HostConfig, that a new container can have as to; empty: it is not changed
	to      string
}

// judgeNamespace gives the verdict on one shared namespace. Nothing is changed without an answer: only
// who runs the service knows whether it is an agent that has to see the host.
func judgeNamespace(c *inventory.Container, n namespace, p profile.Params) plan.Finding {
	mode := n.mode(c)
	configured := mode == "host"
	if running(c) && c.Proc == nil && !configured {
		return unseen(c)
	}
	shared := c.Proc != nil && slices.Contains(c.Proc.SharedNamespaces, n.kernel)
	var f plan.Finding
	switch {
	case !configured && !shared && !running(c):
		return verdict(plan.Pass, "it does not share %s"+notRunning, n.words)
	case !configured && !shared:
		return verdict(plan.Pass, "it does not share %s", n.words)
	case configured && !running(c):
		f = verdict(plan.Manual, "it shares %s"+notRunning, n.words)
	case configured && c.Proc != nil && !shared:
		f = verdict(plan.Manual, "it is configured to share %s (%s), and that is not in effect", n.words, n.option)
	case configured:
		f = verdict(plan.Manual, "it shares %s", n.words)
	case strings.HasPrefix(mode, "container:"):
		f = verdict(plan.Manual, "it shares %s through %s", n.words, plainName(mode))
	default:
		f = verdict(plan.Manual, "it shares %s although it is not configured to", n.words)
	}
	f.Evidence = []plan.Evidence{evidence("mode", sourceInspect, "%s", plainName(mode))}
	f.Evidence = append(f.Evidence, sharedEvidence(c)...)
	switch {
	case n.field == "" || !configured:
		return ask(f, fmt.Sprintf("%s? If not, run it without %s; if so, accept the risk.", n.ask, n.option), answerException(c, n.control))
	case !p.Bool("accept"):
		return ask(f, fmt.Sprintf("%s? If not, a new container can have its own; if so, accept the risk with an exception.", n.ask), answerContainer(c, n.control, "accept: true"))
	}
	f.Status, f.Changes = plan.Fail, []plan.Change{recreateChange(n.field, "host", n.to)}
	f.Risk = f.Risk.Raise(plan.RiskMedium, "somebody gave it "+n.words+", maybe because the service needs it")
	return f
}

// ownNamespace is the answer to the question of a namespace.
func ownNamespace(words string) []profile.Param {
	return []profile.Param{acceptParam("give the container " + words + " of its own in place of the host's")}
}

// sharedEvidence is what the kernel shows of a container's namespaces.
func sharedEvidence(c *inventory.Container) []plan.Evidence {
	if c.Proc == nil {
		return nil
	}
	return []plan.Evidence{evidence("shared namespaces", "/proc/PID/ns", "%s", list(c.Proc.SharedNamespaces))}
}
