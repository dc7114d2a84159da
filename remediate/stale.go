package remediate

import (
	"context"
	"fmt"

	"docker-harden/plan"
)

// staleSteps finds the steps whose resources are not as they were when the plan was made.
func staleSteps(ctx context.Context, steps []plan.Step, basis func(context.Context, plan.Resource) (plan.Basis, bool, error)) ([]StaleStep, error) {
	var stale []StaleStep
	for _, s := range steps {
		now, ok, err := basis(ctx, s.Resource)
		if err != nil {
			return nil, fmt.Errorf("cannot look at %s: %w", s.ID, err)
		}
		if !ok {
			stale = append(stale, StaleStep{ID: s.ID, Gone: true})
			continue
		}
		if moved := s.Basis.Moved(now); len(moved) > 0 {
			stale = append(stale, StaleStep{ID: s.ID, Moved: moved, From: pick(s.Basis, moved), To: pick(now, moved)})
		}
	}
	return stale, nil
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
