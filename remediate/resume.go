package remediate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"docker-harden/plan"
	"docker-harden/remediate/journal"
)

// ResumeRequest says how to finish.
type ResumeRequest struct {
	OnFailure OnFailure
	// Basis observes the steps that were not begun: a stale one is not made, and all is undone.
	Basis func(context.Context, plan.Resource) (plan.Basis, bool, error)
	// Bound, when set, observes which containers are bound to others now.
	Bound func(context.Context) ([]plan.Bound, error)
}

// Resume finishes the newest unfinished generation: an apply that was interrupted goes on
// forward, one that had begun to roll back goes on back. It says which in Outcome.State.
// With nothing unfinished it does nothing and returns journal.ErrNone.
func (r *Runner) Resume(ctx context.Context, q ResumeRequest) (Outcome, error) {
	unlock, err := r.lock(ctx)
	if err != nil {
		return Outcome{}, err
	}
	defer unlock()
	gen, newer, err := unfinished(r.Store)
	if err != nil {
		return Outcome{}, err
	}
	if gen == nil {
		return Outcome{}, fmt.Errorf("%w: no apply is unfinished; there is nothing to resume", journal.ErrNone)
	}
	if err := errors.Join(r.ours(gen), standsAlone(gen, nil, newer)); err != nil {
		return Outcome{Generation: gen.N}, err
	}
	j, err := r.Store.Reopen(gen.N)
	if err != nil {
		return Outcome{Generation: gen.N}, err
	}
	x := r.begin(gen, j, len(gen.Begin.Steps))
	if d, ok := gen.Deadline(); ok && gen.Pending() {
		x.deadline = &d
	}
	err = x.resume(ctx, q)
	x.settle(ctx)
	x.close()
	return *x.out, err
}

func (x *run) resume(ctx context.Context, q ResumeRequest) error {
	if err := x.journal.Write(journal.Resumed, "", nil); err != nil {
		return err
	}
	x.raise(context.WithoutCancel(ctx))
	if x.gen.GoingBack() {
		_, expired := x.gen.Expiry()
		err := x.undo(ctx, x.gen.GoingBackOnly(), RollbackRequest{Basis: q.Basis, unattended: expired})
		if err != nil && !errors.Is(err, ErrInterrupted) {
			return fmt.Errorf("%w: %w", ErrRollbackIncomplete, err)
		}
		return err
	}
	var rest []plan.Step
	done := func(s plan.Step) bool { return x.gen.Step(s.ID).Phase == journal.StepDone }
	for _, s := range x.gen.Begin.Steps {
		if done(s) {
			x.out.Done = append(x.out.Done, s.ID)
		} else {
			rest = append(rest, s)
		}
	}
	// A half-done step, and one whose undo an earlier resume had begun, is undone first and then made whole: one
	// way through each handler, not two.
	for i, s := range slices.DeleteFunc(x.gen.UndoOrder(), done) {
		x.index = i + 1
		if err := x.undoStep(context.WithoutCancel(ctx), x.gen, s, RollbackRequest{Basis: q.Basis}); err != nil {
			return x.goBack(context.WithoutCancel(ctx), s, err, RollbackOnFailure)
		}
	}
	if ctx.Err() != nil {
		return x.interrupted(ctx)
	}
	begun := func(s plan.Step) bool { return x.gen.Step(s.ID).Undo != nil }
	stale, err := staleSteps(ctx, rest, sight{basis: q.Basis, bound: q.Bound, ours: begun})
	if err != nil && ctx.Err() != nil {
		return x.interrupted(ctx)
	}
	if err == nil && len(stale) > 0 {
		err = &StaleError{Steps: stale}
	}
	if err != nil {
		return x.goBack(context.WithoutCancel(ctx), rest[0], err, RollbackOnFailure)
	}
	return x.forward(ctx, rest, q.OnFailure)
}
