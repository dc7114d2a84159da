package docker

import (
	"slices"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func hostUserns() control.Control {
	return control.Control{
		ID:    "docker/host-userns",
		Title: "The container does not opt out of remapped users",
		Why:   "Elevation of privilege: where the engine maps root of containers to another user of the host, a container with --userns host is the one whose root is root of the host.",
		Risk:  "Nothing is changed: files on its volumes belong to other users after the change.",
		Fix:   "By hand: run it without --userns host and give its files to the mapped users, or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.30", "cis-docker-1.6.0": "5.31", "cis-docker-1.8.0": "5.31", "stride": "E",
		},
		Class:     control.Reported,
		Verified:  "/proc/PID/ns/user against that of the host, beside inspect (HostConfig.UsernsMode); GET /info for remapped users",
		Severity:  plan.RiskMedium,
		Container: judgeHostUserns,
	}
}

func judgeHostUserns(h *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	out := c.Inspect.HostConfig.UsernsMode == "host"
	if h.Engine.UsernsRemap && !out && running(c) && c.Proc == nil {
		return unseen(c)
	}
	var f plan.Finding
	shared := c.Proc != nil && slices.Contains(c.Proc.SharedNamespaces, "user")
	switch {
	case !out && h.Engine.UsernsRemap && shared:
		f = verdict(plan.Fail, "it does not opt out of remapped users, and that is not in effect: its users are those of the host")
		f.Blocked = "it runs since before users were remapped, or with a runtime that ignores the setting; restart the container, then plan again"
		f.Evidence = sharedEvidence(c)
		return f
	case !out:
		return verdict(plan.Pass, "it does not opt out of remapped users")
	case !h.Engine.UsernsRemap:
		f = verdict(plan.Manual, "it opts out of remapped users (--userns host), which has no effect while the engine remaps none")
	case c.Proc != nil && !shared:
		f = verdict(plan.Manual, "it opts out of the engine's remapped users (--userns host), and that is not in effect")
	default:
		f = verdict(plan.Manual, "it opts out of the engine's remapped users (--userns host)")
	}
	f.Evidence = append([]plan.Evidence{evidence("mode", sourceInspect, "host")}, sharedEvidence(c)...)
	return ask(f, "Does it need the host's user ids? If not, run it without --userns host; if so, accept the risk.",
		answerException(c, "docker/host-userns"))
}
