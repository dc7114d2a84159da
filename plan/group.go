package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// bonds is who is bound to whom.
type bonds struct {
	bound      map[Resource]*Bound
	dependents map[Resource][]Resource // by provider
}

func newBonds(all []Bound) *bonds {
	g := &bonds{bound: make(map[Resource]*Bound, len(all)), dependents: make(map[Resource][]Resource)}
	for i := range all {
		b := &all[i]
		g.bound[b.Resource] = b
		for _, bind := range b.Binds {
			g.dependents[bind.To] = append(g.dependents[bind.To], b.Resource)
		}
	}
	return g
}

// binds are those of one container to touched ones.
func (g *bonds) binds(r Resource, touched map[Resource]Action) []Bind {
	var out []Bind
	if b := g.bound[r]; b != nil {
		for _, bind := range b.Binds {
			if _, in := touched[bind.To]; in {
				out = append(out, bind)
			}
		}
	}
	return out
}

// touched follows the bonds from containers that are recreated to everything they take along.
func (g *bonds) touched(roots ...Resource) map[Resource]Action {
	actions := make(map[Resource]Action, len(roots))
	for _, r := range roots {
		actions[r] = ActionRecreate
	}
	for queue := slices.Clone(roots); len(queue) > 0; queue = queue[1:] {
		provider := queue[0]
		for _, r := range g.dependents[provider] {
			want := ActionRestart
			if actions[provider] == ActionRecreate && slices.ContainsFunc(g.bound[r].Binds, func(b Bind) bool { return b.To == provider && b.Remade }) {
				want = ActionRecreate
			}
			if have := actions[r]; have == "" || have == ActionRestart && want == ActionRecreate {
				actions[r] = want
				queue = append(queue, r)
			}
		}
	}
	return actions
}

// order sorts containers so that each comes after those it is bound to. ok is false for a circle.
func (g *bonds) order(touched map[Resource]Action) (out []Resource, ok bool) {
	left := slices.SortedFunc(maps.Keys(touched), byName)
	placed := make(map[Resource]bool, len(left))
	for len(left) > 0 {
		i := slices.IndexFunc(left, func(r Resource) bool {
			return !slices.ContainsFunc(g.binds(r, touched), func(b Bind) bool { return !placed[b.To] })
		})
		if i < 0 {
			return append(out, left...), false
		}
		out, placed[left[i]] = append(out, left[i]), true
		left = slices.Delete(left, i, i+1)
	}
	return out, true
}

func byName(a, b Resource) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
}

func (g *bonds) member(r Resource, actions map[Resource]Action) Member {
	m := Member{Resource: r, Action: actions[r], Binds: g.binds(r, actions), Reversibility: Exact}
	if b := g.bound[r]; b != nil && m.Action == ActionRecreate {
		m.Notes, m.ReverseNote = b.Notes, b.ReverseNote
		if b.Reversibility != "" {
			m.Reversibility = b.Reversibility
		}
	}
	return m
}

// grouper joins the recreates of containers that are bound to each other.
type grouper struct {
	*bonds
	in    *Input
	plan  *Plan
	steps map[Resource]*Step
	// after names the group that a live update has to wait for: until then its container is stopped and started.
	after map[Resource]string
}

// group joins recreates with the containers bound to them into one step each, and holds back those that
// cannot take all of them along.
func (g *grouper) group() error {
	if err := g.holdBack(); err != nil {
		return err
	}
	for _, part := range g.components() {
		if len(part) < 2 {
			continue
		}
		if err := g.join(part); err != nil {
			return err
		}
	}
	return nil
}

// roots are the containers that have a recreate of their own, by name.
func (g *grouper) roots() []Resource {
	var out []Resource
	for r, s := range g.steps {
		if s.Kind == KindRecreate {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, byName)
	return out
}

// holdBack takes out recreates that would touch what the selection leaves out, or that have no order.
func (g *grouper) holdBack() error {
	for _, root := range g.roots() {
		touched := g.touched(root)
		if len(touched) < 2 {
			continue
		}
		reason := ""
		if _, ok := g.order(touched); !ok {
			reason = "it and the containers bound to it are bound in a circle: there is no order to stop and start them in"
		}
		for _, r := range slices.SortedFunc(maps.Keys(touched), byName) {
			skipped, err := g.skipped(r)
			if err != nil {
				return err
			}
			if r != root && skipped && reason == "" {
				reason = fmt.Sprintf("%s is bound to it and left out by --skip: it would be left with the old container", r)
			}
		}
		if reason != "" {
			delete(g.steps, root)
			g.plan.Findings = slices.Clone(g.plan.Findings)
			hold(g.plan.Findings, root, reason)
		}
	}
	return nil
}

func (g *grouper) skipped(r Resource) (bool, error) {
	for _, pattern := range g.in.Select.Skip {
		if strings.HasPrefix(pattern, "control:") {
			continue
		}
		if ok, err := r.Match(pattern); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// components are the containers that recreates touch, as sets that have no bond between them, each in
// the order in which they are started.
func (g *grouper) components() [][]Resource {
	alone := func(r Resource) bool { return g.bound[r] == nil && len(g.dependents[r]) == 0 }
	actions := g.touched(slices.DeleteFunc(g.roots(), alone)...)
	order, _ := g.order(actions)
	set := make(map[Resource]int, len(order))
	var out [][]Resource
	for _, r := range order {
		set[r] = len(out)
		out = append(out, []Resource{r})
		for _, b := range g.binds(r, actions) {
			if from, to := set[b.To], set[r]; from != to {
				for _, moved := range out[from] {
					set[moved] = to
				}
				out[to], out[from] = append(out[from], out[to]...), nil
			}
		}
	}
	place := make(map[Resource]int, len(order))
	for i, r := range order {
		place[r] = i
	}
	for _, part := range out {
		slices.SortFunc(part, func(a, b Resource) int { return place[a] - place[b] })
	}
	return slices.DeleteFunc(out, func(part []Resource) bool { return part == nil })
}

// join makes one step of a component. Its first container is bound to no other, so it has a recreate of its own.
func (g *grouper) join(part []Resource) error {
	var roots []Resource
	for _, r := range part {
		if s := g.steps[r]; s != nil && s.Kind == KindRecreate {
			roots = append(roots, r)
		}
	}
	actions := g.touched(roots...)
	step := g.steps[part[0]]
	with := make([]string, 0, len(part)-1)
	for _, r := range part[1:] {
		m, err := g.take(step, r, actions)
		if err != nil {
			return err
		}
		step.Members = append(step.Members, m)
		with = append(with, r.Name)
	}
	step.Risk = step.Risk.Raise(RiskMedium, "it stops others too: "+strings.Join(with, ", "))
	step.Effect.Text = groupText(step)
	return nil
}

// take adds a container to a step: with the changes it would have had alone, or for its bonds only.
func (g *grouper) take(step *Step, r Resource, actions map[Resource]Action) (Member, error) {
	m := g.member(r, actions)
	own := g.steps[r]
	if own != nil && m.Action == ActionRecreate {
		g.fold(step, &m, own)
		return m, nil
	}
	if own != nil {
		g.after[r] = step.ID
	}
	b := g.bound[r]
	step.Effect.Downtime += b.Downtime
	if m.Action == ActionRecreate {
		m.Changes, m.WritableLayer = slices.Clone(b.Keeps), b.WritableLayer
		step.Risk = joinRisk(step.Risk, b.Risk, r.Name)
	}
	seen, ok := g.in.Basis(r)
	if !ok {
		return m, fmt.Errorf("internal error: %s is bound to %s but was not observed", r, step.ID)
	}
	m.Basis, m.Sees = seen, seen.Fingerprint()
	return m, nil
}

// fold makes a step of its own part of another one.
func (g *grouper) fold(step *Step, m *Member, own *Step) {
	delete(g.steps, m.Resource)
	m.Changes, m.Controls, m.Sees, m.Basis = own.Changes, own.Controls, own.Sees, own.Basis
	m.WritableLayer = own.WritableLayer
	step.Risk = joinRisk(step.Risk, own.Risk, m.Resource.Name)
	step.Effect.Downtime += own.Effect.Downtime
	if b := g.bound[m.Resource]; own.Kind != KindRecreate {
		for i := range m.Changes { // the old container has the old values
			m.Changes[i].Reversibility, m.Changes[i].ReverseNote = Exact, ""
		}
		m.Changes, m.WritableLayer = append(m.Changes, b.Keeps...), b.WritableLayer
		step.Risk = joinRisk(step.Risk, b.Risk, m.Resource.Name)
		step.Effect.Downtime += b.Downtime
	}
	for _, note := range own.Notes {
		if !slices.Contains(m.Notes, note) {
			m.Notes = append(slices.Clip(m.Notes), note)
		}
	}
}

func joinRisk(risk, more Risk, name string) Risk {
	for _, reason := range more.Reasons {
		if named := name + ": " + reason; !slices.Contains(risk.Reasons, named) {
			risk = risk.Raise(RiskLow, named)
		}
	}
	if more.Level.Rank() > risk.Level.Rank() {
		risk.Level = more.Level
	}
	return risk
}

func groupText(step *Step) string {
	made, stopped := 1, 0
	for _, m := range step.Members {
		if m.Action == ActionRestart {
			stopped++
		} else {
			made++
		}
	}
	text := fmt.Sprintf("recreate of %s", counted(made))
	if stopped > 0 {
		text += fmt.Sprintf(" and restart of %s", counted(stopped))
	}
	text += " as one"
	if step.Effect.Downtime > 0 {
		return text + fmt.Sprintf(", about %s downtime", seconds(step.Effect.Downtime))
	}
	return text + ", no downtime: none is running"
}

func counted(n int) string {
	if n == 1 {
		return "1 container"
	}
	return fmt.Sprintf("%d containers", n)
}
