package control

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// Evaluate judges a host by the controls a profile turns on. It is pure: the same input gives the
// same findings in the same order, by resource and then in the order of controls. Several
// containers are judged at once.
//
// A change that cannot be made on this host, whatever its control, is taken out of the finding and
// the reason put into Blocked (see the files recreate.go, owner.go and engine.go).
// A container that is recreated keeps what no finding speaks of, against the engine's defaults
// (privileges.go), or the finding says what it takes from them (defaults.go).
func Evaluate(h *inventory.Host, p *profile.Profile, controls []Control, now time.Time) []plan.Finding {
	s := newSettings(p, controls)
	findings := hostVerdicts(h, s, now)
	inOrder(findings) // these few alone: containers come in order, and moving all findings takes long
	// Findings are large and many: each is written once, at its place.
	ends := make([]int, len(h.Containers))
	end := len(findings)
	for i := range h.Containers {
		end += s.count(h.Containers[i].Name)
		ends[i] = end
	}
	findings = append(make([]plan.Finding, 0, end), findings...)[:end]
	inParallel(len(h.Containers), func(i int) {
		c := &h.Containers[i]
		containerVerdicts(findings[ends[i]-s.count(c.Name):ends[i]], h, c, s, now)
	})
	inOrder(findings)
	guardContainers(h, p, findings)
	guardEngine(h, findings)
	keepPrivileges(h, findings)
	sayDefaults(h, findings)
	return findings
}

// inOrder sorts findings by resource. Those of one resource are in the order of controls already,
// and nearly always all are in order.
func inOrder(findings []plan.Finding) {
	compare := func(a, b *plan.Resource) int {
		return cmp.Or(cmp.Compare(resourceRank(a.Kind), resourceRank(b.Kind)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	}
	for i := 1; i < len(findings); i++ {
		if compare(&findings[i-1].Resource, &findings[i].Resource) > 0 {
			slices.SortStableFunc(findings, func(a, b plan.Finding) int { return compare(&a.Resource, &b.Resource) })
			return
		}
	}
}

// resourceRank orders kinds of resources; one that is not known comes first.
func resourceRank(k plan.ResourceKind) int {
	switch k {
	case plan.ResourceDaemon:
		return 0
	case plan.ResourceSwarm:
		return 1
	case plan.ResourceFile:
		return 2
	case plan.ResourceContainer:
		return 3
	}
	return -1
}

// inParallel calls do for every number below n, on as many goroutines as there are processors.
func inParallel(n int, do func(int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	group.Wait()
}

// hostVerdicts runs the controls of the host, and says of the others when there are no containers.
func hostVerdicts(h *inventory.Host, s settings, now time.Time) []plan.Finding {
	var out []plan.Finding
	for i := range s.controls {
		c, one := &s.controls[i], s.same[i]
		var list []plan.Finding
		switch {
		case !one.on:
		case c.Host != nil:
			list = safely(c, plan.Daemon(), func() []plan.Finding { return c.Host(h, one.params) })
		case len(h.Containers) == 0:
			list = []plan.Finding{noContainers(h)}
		}
		for _, f := range list {
			f.Control = c.ID
			out = append(out, except(f, s.profile, now))
		}
	}
	return out
}

// containerVerdicts runs every control on one container. out has room for as many as are on.
func containerVerdicts(out []plan.Finding, h *inventory.Host, ctr *inventory.Container, s settings, now time.Time) {
	kept := Kept(ctr)
	for i := range s.controls {
		c := &s.controls[i]
		params, on := s.of(i, ctr.Name)
		if !on {
			continue
		}
		var f plan.Finding
		switch {
		case kept:
			f = plan.Finding{Status: plan.NotApplicable, Message: "it is kept for a rollback; prune drops it"}
		case ctr.Problem != "":
			f = plan.Finding{Status: plan.Unknown, Message: "it could not be inspected: " + ctr.Problem}
		default:
			f = c.judge(h, ctr, params)
		}
		f.Resource, f.Control = ctr.Resource(), c.ID
		out[0], out = except(f, s.profile, now), out[1:]
	}
}

// judge is the verdict of a control on one container.
func (c *Control) judge(h *inventory.Host, ctr *inventory.Container, params profile.Params) (f plan.Finding) {
	defer func() {
		if what := panicText(recover()); what != "" {
			f = bug(c, what)
		}
	}()
	return c.Container(h, ctr, params)
}

// settings are what a profile says of controls. Where it says the same of every container, that is
// worked out once.
type settings struct {
	profile  *profile.Profile
	controls []Control
	same     []setting // by control
}

type setting struct {
	params profile.Params
	on     bool
	varies bool // with the container
}

func newSettings(p *profile.Profile, controls []Control) settings {
	s := settings{p, controls, make([]setting, len(controls))}
	for i, c := range controls {
		one := &s.same[i]
		one.params, one.on = p.ParamsFor(c.ID, "", c.Params)
		one.varies = slices.ContainsFunc(p.Overrides, func(o profile.Override) bool {
			_, named := o.Controls[c.ID]
			return named
		})
	}
	return s
}

// NeedsHistory reports whether a profile turns on a control that asks how images were built.
func NeedsHistory(p *profile.Profile, controls []Control) bool {
	return turnsOn(p, controls, func(c *Control) bool { return c.History })
}

// NeedsPrograms reports whether a profile turns on a control that asks for the programs in images.
func NeedsPrograms(p *profile.Profile, controls []Control) bool {
	return turnsOn(p, controls, func(c *Control) bool { return c.Programs })
}

// turnsOn reports whether a profile turns on one of the controls that ask for something.
func turnsOn(p *profile.Profile, controls []Control, asks func(*Control) bool) bool {
	return slices.ContainsFunc(controls, func(c Control) bool {
		_, on := p.Controls[c.ID]
		return asks(&c) && (on || slices.ContainsFunc(p.Overrides, func(o profile.Override) bool {
			_, named := o.Controls[c.ID]
			return named
		}))
	})
}

// count is how many controls judge a container.
func (s settings) count(container string) int {
	n := 0
	for i := range s.controls {
		if _, on := s.of(i, container); on {
			n++
		}
	}
	return n
}

// of gives the parameters of a control for one container, and whether it is judged there.
func (s settings) of(i int, container string) (params profile.Params, on bool) {
	if s.controls[i].Host != nil {
		return nil, false
	}
	if one := s.same[i]; !one.varies {
		return one.params, one.on
	}
	return s.profile.ParamsFor(s.controls[i].ID, container, s.controls[i].Params)
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
func safely(c *Control, r plan.Resource, check func() []plan.Finding) (out []plan.Finding) {
	defer func() {
		what := panicText(recover())
		if what == "" && len(out) == 0 {
			what = "it gave no verdict"
		}
		if what != "" {
			f := bug(c, what)
			f.Resource = r
			out = []plan.Finding{f}
		}
	}()
	return check()
}

// panicText says what a recovered panic was; empty: there was none.
func panicText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case runtime.Error:
		return v.Error()
	}
	return "it stopped"
}

func bug(c *Control, what string) plan.Finding {
	return plan.Finding{Status: plan.Unknown, Message: fmt.Sprintf("internal error in control %s: %s", c.ID, what)}
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
		over := fmt.Sprintf("the exception by %s expired on %s", e.Owner, e.Expires.Format(time.DateOnly))
		f.Message += "; " + over
		if len(f.Changes) > 0 { // whoever reviews the step sees that it was once unwanted
			f.Notes = append(slices.Clone(f.Notes), fmt.Sprintf("%s: %s (%s)", f.Control, over, e.Reason))
		}
		return f
	}
	f.Status = plan.Excepted
	f.Exception = &plan.Exception{Reason: e.Reason, Owner: e.Owner, Expires: e.Expires}
	f.Question, f.Blocked, f.Changes, f.Wanted, f.Risk, f.Notes, f.Downtime = "", "", nil, nil, plan.Risk{}, nil, 0
	return f
}

// block takes a finding's changes out and says why. Several reasons are joined.
func block(f *plan.Finding, reason string) {
	if f.Blocked != "" {
		reason = f.Blocked + "; " + reason
	}
	f.Blocked, f.Changes, f.Risk, f.Notes, f.Downtime, f.WritableLayer = reason, nil, plan.Risk{}, nil, 0, ""
}

// changes reports whether a finding would change something in one of the given ways; without a
// kind, in any way.
func changes(f *plan.Finding, kinds ...plan.Kind) bool {
	return f.Status == plan.Fail && slices.ContainsFunc(f.Changes, func(c plan.Change) bool {
		return len(kinds) == 0 || slices.Contains(kinds, c.Kind)
	})
}
