package control

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// Evaluate judges a host by the controls a profile turns on. It is pure: the same input gives the
// same findings in the same order, by resource and then in the order of controls.
//
// A change that cannot be made on this host, whatever its control, is taken out of the finding and
// the reason put into Blocked (see the files recreate.go, owner.go and engine.go).
// A container that is recreated keeps what no finding speaks of, against the engine's defaults
// (privileges.go).
func Evaluate(h *inventory.Host, p *profile.Profile, controls []Control, now time.Time) []plan.Finding {
	var all []judged
	for i, c := range controls {
		for _, f := range verdicts(h, p, c) {
			f.Control = c.ID
			all = append(all, judged{except(f, p, now), i})
		}
	}
	slices.SortStableFunc(all, func(a, b judged) int {
		x, y := a.Resource, b.Resource
		return cmp.Or(cmp.Compare(resourceRank(x), resourceRank(y)), cmp.Compare(x.Name, y.Name),
			cmp.Compare(x.ID, y.ID), cmp.Compare(a.control, b.control))
	})
	findings := make([]plan.Finding, len(all))
	for i, f := range all {
		findings[i] = f.Finding
	}
	guardContainers(h, findings)
	guardEngine(h, findings)
	keepPrivileges(h, findings)
	return findings
}

// judged is a finding and the place of its control in the list.
type judged struct {
	plan.Finding
	control int
}

func resourceRank(r plan.Resource) int {
	return slices.Index([]plan.ResourceKind{plan.ResourceDaemon, plan.ResourceFile, plan.ResourceContainer}, r.Kind)
}

// verdicts runs one control on everything it judges.
func verdicts(h *inventory.Host, p *profile.Profile, c Control) []plan.Finding {
	params, on := p.ParamsFor(c.ID, "", c.Params)
	if c.Host != nil {
		if !on {
			return nil
		}
		return safely(c, plan.Daemon(), func() []plan.Finding { return c.Host(h, params) })
	}
	if len(h.Containers) == 0 && on {
		return []plan.Finding{noContainers(h)}
	}
	var out []plan.Finding
	for i := range h.Containers {
		ctr := &h.Containers[i]
		params, on := p.ParamsFor(c.ID, ctr.Name, c.Params)
		switch {
		case !on:
		case Kept(ctr):
			out = append(out, plan.Finding{Resource: ctr.Resource(), Status: plan.NotApplicable, Message: "it is kept for a rollback; prune drops it"})
		case ctr.Problem != "":
			out = append(out, plan.Finding{Resource: ctr.Resource(), Status: plan.Unknown, Message: "it could not be inspected: " + ctr.Problem})
		default:
			out = append(out, safely(c, ctr.Resource(), func() []plan.Finding {
				f := c.Container(h, ctr, params)
				f.Resource = ctr.Resource()
				return []plan.Finding{f}
			})...)
		}
	}
	return out
}

// noContainers is the verdict of a container control on a host that shows none.
func noContainers(h *inventory.Host) plan.Finding {
	for _, problem := range h.Problems {
		if problem.Fatal {
			return plan.Finding{Resource: plan.Daemon(), Status: plan.Unknown, Message: "no container could be seen: " + problem.Subject + ": " + problem.Reason}
		}
	}
	return plan.Finding{Resource: plan.Daemon(), Status: plan.NotApplicable, Message: "there are no containers"}
}

// safely turns a panic of a check, or a check without a verdict, into an unknown finding: one wrong
// control must not hide the others. The value of the panic is printed only when it is the
// runtime's own, because any other could hold what a container keeps secret.
func safely(c Control, r plan.Resource, check func() []plan.Finding) (out []plan.Finding) {
	bug := func(what string) []plan.Finding {
		return []plan.Finding{{Resource: r, Status: plan.Unknown, Message: fmt.Sprintf("internal error in control %s: %s", c.ID, what)}}
	}
	defer func() {
		switch v := recover().(type) {
		case nil:
			if len(out) == 0 {
				out = bug("it gave no verdict")
			}
		case runtime.Error:
			out = bug(v.Error())
		default:
			out = bug("it stopped")
		}
	}()
	return check()
}

// except applies the profile's accepted risks.
func except(f plan.Finding, p *profile.Profile, now time.Time) plan.Finding {
	if f.Status != plan.Fail && f.Status != plan.Manual {
		return f
	}
	e, expired := p.ExceptionFor(f.Control, f.Resource, now)
	switch {
	case e == nil:
		return f
	case expired:
		f.Message += fmt.Sprintf("; the exception by %s expired on %s", e.Owner, e.Expires.Format(time.DateOnly))
		return f
	}
	f.Status = plan.Excepted
	f.Exception = &plan.Exception{Reason: e.Reason, Owner: e.Owner, Expires: e.Expires}
	f.Question, f.Blocked, f.Changes, f.Risk, f.Notes, f.Downtime = "", "", nil, plan.Risk{}, nil, 0
	return f
}

// block takes a finding's changes out and says why. Several reasons are joined.
func block(f *plan.Finding, reason string) {
	if f.Blocked != "" {
		reason = f.Blocked + "; " + reason
	}
	f.Blocked, f.Changes, f.Risk, f.Notes, f.Downtime = reason, nil, plan.Risk{}, nil, 0
}

// changes reports whether a finding would change something in one of the given ways; without a
// kind, in any way.
func changes(f *plan.Finding, kinds ...plan.Kind) bool {
	return f.Status == plan.Fail && slices.ContainsFunc(f.Changes, func(c plan.Change) bool {
		return len(kinds) == 0 || slices.Contains(kinds, c.Kind)
	})
}
