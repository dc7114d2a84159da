package docker

import (
	"fmt"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// reported is a failure that is never changed here: why by its code, and what a person can do.
func reported(f plan.Finding, code plan.Reason, todo string, args ...any) plan.Finding {
	f.Status, f.Changes, f.Reason = plan.Fail, nil, code
	f.Blocked = fmt.Sprintf(todo, args...)
	return f
}

// daemonVerdict is a verdict on the engine.
func daemonVerdict(s plan.Status, format string, args ...any) plan.Finding {
	f := verdict(s, format, args...)
	f.Resource = plan.Daemon()
	return f
}

// attested makes a control of a question that nothing on the host answers: a person says in the profile how it
// is seen to. spared says which fact makes the question needless; nil: none.
func attested(c control.Control, question string, spared func(*inventory.Host) string) control.Control {
	c.Params = []profile.Param{{
		Name: "attested", Type: profile.TypeText, Default: "",
		Doc: "how this is seen to and by whom, in a person's words; nothing on the host shows it",
	}}
	c.Host = func(h *inventory.Host, p profile.Params) []plan.Finding {
		if spared != nil {
			if fact := spared(h); fact != "" {
				return []plan.Finding{daemonVerdict(plan.NotApplicable, "%s", fact)}
			}
		}
		if words := p.Text("attested"); words != "" {
			return []plan.Finding{daemonVerdict(plan.Pass, "attested in the profile: %s", words)}
		}
		f := daemonVerdict(plan.Manual, "nothing on the host shows it")
		f.Reason = plan.NeedsAttestation
		return []plan.Finding{ask(f, question, answerHost(c.ID, `attested: "…"`))}
	}
	return c
}

// noSwarm spares the questions about a swarm.
func noSwarm(h *inventory.Host) string {
	if control.SwarmActive(h) {
		return ""
	}
	return "the host is not in a swarm"
}
