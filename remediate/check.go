package remediate

import (
	"context"

	"docker-harden/plan"
)

// Check is a dry run of Apply: it refuses what Apply would refuse and returns the steps that Apply
// would make. It changes nothing and takes no lock.
func (r *Runner) Check(ctx context.Context, q ApplyRequest) ([]plan.Step, error) {
	if err := r.noneUnfinished(); err != nil {
		return nil, err
	}
	if gen, err := r.Store.Latest(); err == nil && gen.Pending() {
		return nil, r.waiting(gen)
	}
	steps, _, err := r.admit(ctx, q)
	if err != nil {
		return nil, err
	}
	return steps, r.rehearse(ctx, steps)
}
