package remediate

import (
	"fmt"
	"slices"

	"docker-harden/plan"
)

func narrow(steps []plan.Step, targets, skip []string) ([]plan.Step, error) {
	var out []plan.Step
	used := make(map[string]bool)
	for _, s := range steps {
		in, err := matches(s, targets, used)
		if err != nil {
			return nil, err
		}
		left, err := matches(s, skip, used)
		if err != nil {
			return nil, err
		}
		if (in || len(targets) == 0) && !left {
			out = append(out, s)
		}
	}
	for _, t := range slices.Concat(targets, skip) {
		if used[t] {
			continue
		}
		hint := "the plan has no step for it"
		if group := memberOf(steps, t); group != "" {
			hint = "it goes along with " + group + ", to which it is bound; name that one"
		}
		return nil, &plan.TargetError{What: "target", Name: t, Hint: hint}
	}
	return out, nil
}

// matches reports whether one of the patterns names a step, and remembers which did.
func matches(s plan.Step, patterns []string, used map[string]bool) (bool, error) {
	found := false
	for _, t := range patterns {
		ok, err := s.Resource.Match(t)
		if err != nil {
			return false, err
		}
		found, used[t] = found || ok, used[t] || ok
	}
	return found, nil
}

// memberOf is the step that takes a target along; empty: none does.
func memberOf(steps []plan.Step, target string) string {
	for _, s := range steps {
		for _, m := range s.Members {
			if ok, err := m.Resource.Match(target); err == nil && ok {
				return s.ID
			}
		}
	}
	return ""
}

// allowed applies policy to a step.
func allowed(s plan.Step, q ApplyRequest) error {
	if q.MaxRisk != "" && s.Risk.Level.Rank() > q.MaxRisk.Rank() {
		return fmt.Errorf("%w: %s has risk %s, the limit is %s", ErrRefused, s.ID, s.Risk.Level, q.MaxRisk)
	}
	if how, notes := s.Reversibility(); how == plan.None {
		for _, t := range q.AllowUnrevertable {
			if ok, err := s.Resource.Match(t); err == nil && ok {
				return nil
			}
		}
		return fmt.Errorf("%w: %s cannot be undone (%v); allow it by name with --allow-unrevertable %s", ErrRefused, s.ID, notes, s.ID)
	}
	return nil
}
