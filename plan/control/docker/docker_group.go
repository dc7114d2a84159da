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

const dockerGroupID = "docker/docker-group"

func dockerGroup() control.Control {
	return control.Control{
		ID:    dockerGroupID,
		Title: "Only trusted users may use the engine's socket",
		Why:   "Elevation of privilege: a member of the socket's group starts a privileged container and is root on the host, without a password.",
		Risk:  "People and pipelines that are taken out of the group cannot use the engine any more. A session that is open keeps the group until it ends.",
		Fix: "With remove, these users are taken out of the group in /etc/group and /etc/gshadow; nothing else of the files is touched. " +
			"Who has it as the own group (passwd), or by another group with its number, has to be given another one by hand. Undone by putting the same list back.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "1.2.2", "cis-docker-1.6.0": "1.1.2", "cis-docker-1.8.0": "1.1.2", "stride": "E",
		},
		Class:    control.Answer,
		Verified: "members in /etc/group and /etc/passwd of the group that owns the engine's socket; what LDAP and the like add, and sessions that are open, are not seen",
		Severity: plan.RiskHigh,
		Params: []profile.Param{
			{Name: "trusted", Type: profile.TypeList, Default: []string(nil), Doc: "users who may be in the group of the engine's socket"},
			{Name: "remove", Type: profile.TypeList, Default: []string(nil), Doc: "users who are taken out of it"},
		},
		Host: func(h *inventory.Host, p profile.Params) []plan.Finding { return []plan.Finding{judgeGroup(h, p)} },
	}
}

func judgeGroup(h *inventory.Host, p profile.Params) plan.Finding {
	g := h.Group
	switch {
	case !h.Engine.Local:
		return daemonVerdict(plan.Unknown, "its group is on another machine: run docker-harden there")
	case g.Problem != "":
		return daemonVerdict(plan.Unknown, "group %s could not be read: %s", plainName(g.Name), g.Problem)
	case g.Name == "":
		return daemonVerdict(plan.Unknown, "the group of the engine's socket was not looked at")
	case !g.Exists:
		return daemonVerdict(plan.NotApplicable, "there is no group %s on this host", plainName(g.Name))
	}
	f := verdict(plan.Pass, "group %s has no member that the profile does not trust", plainName(g.Name))
	f.Resource = plan.File(inventory.GroupFile)
	strangers := slices.DeleteFunc(slices.Clone(g.Members), func(m string) bool { return slices.Contains(p.List("trusted"), m) })
	if len(strangers) == 0 {
		return f
	}
	names := plainNames(strangers)
	f.Status, f.Message = plan.Fail, fmt.Sprintf("as good as root through group %s: %s", plainName(g.Name), list(names))
	f.Evidence = []plan.Evidence{evidence("members", "/etc/group, /etc/passwd", "%s", list(names))}
	gone := func(m string) bool { return slices.Contains(p.List("remove"), m) }
	if !slices.ContainsFunc(strangers, func(m string) bool { return !gone(m) }) {
		return takenOut(f, g, strangers)
	}
	var stay, leave []string
	for _, name := range g.Members {
		if quoted := fmt.Sprintf("%q", name); gone(name) {
			leave = append(leave, quoted)
		} else {
			stay = append(stay, quoted)
		}
	}
	return ask(f, "Who of these has to be root on this host anyway? Those whom remove names are taken out of the group.",
		answerHost(dockerGroupID, fmt.Sprintf("trusted: [%s], remove: [%s]", strings.Join(stay, ", "), strings.Join(leave, ", "))))
}

// takenOut makes the change that takes users out of a group, or says why there is none.
func takenOut(f plan.Finding, g inventory.Group, users []string) plan.Finding {
	still := slices.DeleteFunc(slices.Clone(users), func(u string) bool { return !slices.Contains(g.Otherwise, u) })
	switch {
	case len(still) > 0:
		f.Blocked = fmt.Sprintf("%s would still have %s, as the own group or by another group with its number: take that from them first (usermod -g)", list(plainNames(still)), plainName(g.Name))
		return f
	case slices.ContainsFunc(users, func(u string) bool { return !slices.Contains(g.Listed, u) }):
		f.Blocked = "the snapshot does not say where they are listed; make it again"
		return f
	case plainName(g.Name) != g.Name || slices.ContainsFunc(g.Listed, func(u string) bool { return plainName(u) != u }):
		f.Blocked = "a name in the group's entry is none that a user can have: mend /etc/group first"
		return f
	}
	left := slices.DeleteFunc(slices.Concat([]string{}, g.Listed), func(u string) bool { return slices.Contains(users, u) })
	f.Changes = []plan.Change{{
		Path: plan.MembersPath(g.Name), From: raw(slices.Concat([]string{}, g.Listed)), To: raw(left), Kind: plan.KindGroup, Reversibility: plan.Exact,
	}}
	f.Risk = f.Risk.Raise(plan.RiskHigh, fmt.Sprintf("%s cannot use the engine any more, and nor can what runs as them (pipelines, monitoring, backups)", list(users)))
	f.Notes = []string{"sessions that are open keep the group until they end; /etc/gshadow, where it is, goes along"}
	return f
}

// ChangesGroup reports whether a change of the group's members is the one that the profile asks for.
func ChangesGroup(h *inventory.Host, p *profile.Profile, change plan.Change) bool {
	c := dockerGroup()
	params, on := p.ParamsFor(c.ID, "", c.Params)
	return on && slices.ContainsFunc(judgeGroup(h, params).Changes, func(asked plan.Change) bool {
		return asked.Path == change.Path && sameValue(asked.To, change.To)
	})
}
