package docker

import (
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
		Class:    control.Reported,
		Verified: "inspect (HostConfig.UsernsMode); GET /info for remapped users",
		Severity: plan.RiskMedium,
		Container: func(h *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
			if c.Inspect.HostConfig.UsernsMode != "host" {
				return verdict(plan.Pass, "it does not opt out of remapped users")
			}
			f := verdict(plan.Manual, "it opts out of the engine's remapped users (--userns host)")
			if !h.Engine.UsernsRemap {
				f.Message = "it opts out of remapped users (--userns host), which has no effect while the engine remaps none"
			}
			f.Evidence = []plan.Evidence{evidence("mode", sourceInspect, "host")}
			return ask(f, "Does it need the host's user ids? If not, run it without --userns host; if so, accept the risk.",
				answerException(c, "docker/host-userns"))
		},
	}
}
