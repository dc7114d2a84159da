package remediate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"docker-harden/plan"
)

// oversee watches what was made, when that is asked for. What the watching finds goes back as a failed step does. By
// then the generation is applied: a process that is killed while it watches leaves a whole apply, and one that is
// interrupted keeps it.
func (x *run) oversee(ctx context.Context, applied error, onFailure OnFailure) error {
	stands := applied == nil || errors.Is(applied, ErrStillFails)
	if x.Watch == nil || !stands || x.deadline != nil {
		return applied
	}
	start := time.Now()
	x.emit(plan.Step{}, PhaseWatch, "", start, nil)
	trouble := x.Watch(ctx, x.gen.Begin.Steps)
	var failed *StepError
	switch {
	case trouble == nil && ctx.Err() != nil:
		x.out.Remarks = append(x.out.Remarks, "the watching was ended early; what was applied stays")
		return applied
	case trouble == nil:
		return applied
	case !errors.As(trouble, &failed):
		x.out.Remarks = append(x.out.Remarks, fmt.Sprintf("what was applied could not be watched to the end, and stays: %v", trouble))
		return applied
	}
	i := slices.IndexFunc(x.gen.Begin.Steps, func(s plan.Step) bool { return s.ID == failed.Step })
	if i < 0 {
		return errors.Join(applied, fmt.Errorf("internal error: there is no step %s to go back from: %w", failed.Step, trouble))
	}
	s := x.gen.Begin.Steps[i]
	x.index = i + 1
	x.out.Failed = append(x.out.Failed, s.ID)
	x.out.Done = slices.DeleteFunc(x.out.Done, func(id string) bool { return id == s.ID })
	return x.goBack(context.WithoutCancel(ctx), s, x.failed(s, start, trouble), onFailure)
}
