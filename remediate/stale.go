package remediate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"docker-harden/plan"
)

// sight is how the host is seen now.
type sight struct {
	basis func(context.Context, plan.Resource) (plan.Basis, bool, error)
	bound func(context.Context) ([]plan.Bound, error) // nil: not known
	// ours reports whether a step was begun before and undone by this generation; nil: none was.
	ours func(plan.Step) bool
}

// left reports whether a field may differ because an undo of this generation could not bring it back exactly:
// a live limit that was set once cannot be unset. The undo has made sure that nobody else changed it.
func (now sight) left(s plan.Step, field string) bool {
	return now.ours != nil && now.ours(s) && slices.ContainsFunc(s.Changes, func(c plan.Change) bool {
		return c.Path == field && c.Reversibility == plan.Functional
	})
}

// staleSteps finds the steps whose resources are not as they were when the plan was made, or are bound
// to each other in another way.
func staleSteps(ctx context.Context, steps []plan.Step, now sight) ([]StaleStep, error) {
	var bound []plan.Bound
	if now.bound != nil && slices.ContainsFunc(steps, func(s plan.Step) bool { return s.Kind == plan.KindRecreate }) {
		var err error
		if bound, err = now.bound(ctx); err != nil {
			return nil, fmt.Errorf("cannot look at which containers are bound to each other: %w", err)
		}
	}
	var stale []StaleStep
	for _, s := range steps {
		one := StaleStep{ID: s.ID, From: plan.Basis{}, To: plan.Basis{}}
		for i, part := range s.Parts() {
			if err := one.look(ctx, part, i > 0, now); err != nil {
				return nil, fmt.Errorf("cannot look at %s: %w", part.Resource, err)
			}
		}
		one.forget(func(field string) bool { return now.left(s, field) })
		if now.bound != nil && s.Kind == plan.KindRecreate {
			one.company(s, bound)
		}
		if one.Gone {
			one = StaleStep{ID: s.ID, Gone: true}
		}
		if one.Gone || len(one.Moved) > 0 {
			stale = append(stale, one)
		}
	}
	return stale, nil
}

// look compares one container or other resource of a step with what the plan saw.
func (t *StaleStep) look(ctx context.Context, part plan.Member, member bool, now sight) error {
	basis, ok, err := now.basis(ctx, part.Resource)
	if err != nil {
		return err
	}
	switch {
	case ok:
		for _, field := range part.Basis.Moved(basis) {
			name := field
			if member {
				name = part.Resource.String() + " " + field
			}
			t.move(name, pick(part.Basis, []string{field})[field], pick(basis, []string{field})[field])
		}
	case member:
		t.move(part.Resource.String(), "there", "gone")
	default:
		t.Gone = true
	}
	return nil
}

func (t *StaleStep) move(field, from, to string) {
	t.Moved = append(t.Moved, field)
	if from != "" {
		t.From[field] = from
	}
	if to != "" {
		t.To[field] = to
	}
}

// forget takes fields back.
func (t *StaleStep) forget(fits func(field string) bool) {
	t.Moved = slices.DeleteFunc(t.Moved, func(field string) bool {
		if !fits(field) {
			return false
		}
		delete(t.From, field)
		delete(t.To, field)
		return true
	})
}

// company compares which containers a step takes along, and why, with what a plan would say now.
func (t *StaleStep) company(s plan.Step, bound []plan.Bound) {
	var roots []plan.Resource
	was := make(map[string]string)
	for _, part := range s.Parts() {
		if part.Resource == s.Resource || part.Action == plan.ActionRecreate && len(part.Controls) > 0 {
			roots = append(roots, part.Resource)
		}
		was[part.Resource.String()] = along(part)
	}
	members, _ := plan.Company(roots, bound)
	is := make(map[string]string)
	for _, m := range members {
		is[m.Resource.String()] = along(m)
		if name := m.Resource.String(); was[name] != is[name] {
			t.move(name+" bound", was[name], is[name])
		}
	}
	for _, part := range s.Parts() {
		if name := part.Resource.String(); is[name] == "" {
			t.move(name+" bound", was[name], "")
		}
	}
}

// along says in one line how a container goes along.
func along(m plan.Member) string {
	how := make([]string, len(m.Binds))
	for i, b := range m.Binds {
		how[i] = b.By + " of " + b.To.String()
	}
	slices.Sort(how)
	return strings.TrimSuffix(string(m.Action)+": "+strings.Join(how, ", "), ": ")
}

// pick takes some fields of a basis.
func pick(b plan.Basis, fields []string) plan.Basis {
	out := plan.Basis{}
	for _, field := range fields {
		if value, ok := b[field]; ok {
			out[field] = value
		}
	}
	return out
}
