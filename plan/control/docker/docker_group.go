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

func dockerGroup() control.Control {
	return control.Control{
		ID:    "docker/docker-group",
		Title: "Only trusted users may use the engine's socket",
		Why:   "Elevation of privilege: a member of the socket's group starts a privileged container and is root on the host, without a password.",
		Risk:  "Nothing is changed: people and pipelines that use the engine would be locked out of it.",
		Fix:   "By hand: gpasswd -d USER GROUP for those who need not be in it; list those who do in the profile (trusted).",
		Refs: map[string]string{
			"cis-docker-1.2.0": "1.2.2", "cis-docker-1.6.0": "1.1.2", "cis-docker-1.8.0": "1.1.2", "stride": "E",
		},
		Class:    control.Reported,
		Verified: "members in /etc/group and /etc/passwd of the group that owns the engine's socket",
		Severity: plan.RiskHigh,
		Params: []profile.Param{{
			Name: "trusted", Type: profile.TypeList, Default: []string(nil), Doc: "users who may be in the group of the engine's socket",
		}},
		Host: judgeGroup,
	}
}

func judgeGroup(h *inventory.Host, p profile.Params) []plan.Finding {
	g := h.Group
	switch {
	case !h.Engine.Local:
		return []plan.Finding{daemonVerdict(plan.Unknown, "its group is on another machine: run docker-harden there")}
	case g.Problem != "":
		return []plan.Finding{daemonVerdict(plan.Unknown, "group %s could not be read: %s", plainName(g.Name), g.Problem)}
	case g.Name == "":
		return []plan.Finding{daemonVerdict(plan.Unknown, "the group of the engine's socket was not looked at")}
	case !g.Exists:
		return []plan.Finding{daemonVerdict(plan.NotApplicable, "there is no group %s on this host", plainName(g.Name))}
	}
	strangers := slices.DeleteFunc(slices.Clone(g.Members), func(m string) bool { return slices.Contains(p.List("trusted"), m) })
	if len(strangers) == 0 {
		return []plan.Finding{daemonVerdict(plan.Pass, "group %s has no member that the profile does not trust", plainName(g.Name))}
	}
	for i, name := range strangers {
		strangers[i] = plainName(name)
	}
	f := daemonVerdict(plan.Manual, "as good as root through group %s: %s", plainName(g.Name), list(strangers))
	f.Evidence = []plan.Evidence{evidence("members", "/etc/group, /etc/passwd", "%s", list(strangers))}
	quoted := make([]string, len(g.Members))
	for i, name := range g.Members {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	return []plan.Finding{ask(f, "Who of these has to be root on this host anyway? Take the others out of the group.",
		answerHost("docker/docker-group", "trusted: ["+strings.Join(quoted, ", ")+"]"))}
}
