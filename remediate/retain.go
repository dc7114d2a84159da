package remediate

import (
	"context"
	"fmt"

	"github.com/hashicorp/go-multierror"

	"docker-harden/remediate/journal"
)

// Confirm keeps an applied generation: prune may then drop what it holds for an exact rollback.
// n is a generation, or 0 for the newest.
func (r *Runner) Confirm(ctx context.Context, n int) (Outcome, error) {
	return r.reopened(ctx, n, func(x *run) error {
		if err := r.stillInTime(x.gen); err != nil {
			return err
		}
		switch x.gen.State() {
		case journal.StateConfirmed, journal.StatePruned:
			return nil
		case journal.StateApplied:
			return x.journal.Write(journal.Confirmed, "", nil)
		}
		return fmt.Errorf("%w: generation %d is %s; only an applied one can be confirmed", ErrRefused, x.gen.N, x.gen.State())
	})
}

// Prune drops what a confirmed generation kept for rollback (old containers). After it, rollback
// restores from the rollback file alone: configuration comes back, writable layers do not.
func (r *Runner) Prune(ctx context.Context, n int) (Outcome, error) {
	return r.reopened(ctx, n, func(x *run) error {
		state := x.gen.State()
		switch state {
		case journal.StateConfirmed, journal.StatePruned:
		case journal.StateRolledBack:
			return fmt.Errorf("%w: generation %d is %s, and keeps nothing any more", ErrRefused, x.gen.N, state)
		default:
			return fmt.Errorf("%w: generation %d is %s; confirm it first: docker-harden confirm %d", ErrRefused, x.gen.N, state, x.gen.N)
		}
		var failures *multierror.Error
		for _, s := range x.gen.UndoOrder() {
			state := x.gen.Step(s.ID)
			if state.Phase == journal.StepPruned {
				continue
			}
			h, err := x.handler(s)
			if err == nil {
				err = h.Commit(ctx, s, Record{Undo: state.Undo, Notes: state.Notes})
			}
			if err == nil {
				err = x.journal.Write(journal.Pruned, s.ID, nil)
			}
			if err != nil {
				failures = multierror.Append(failures, fmt.Errorf("cannot prune %s: %w", s.ID, err))
				continue
			}
			x.out.Done = append(x.out.Done, s.ID)
		}
		return failures.ErrorOrNil()
	})
}

func (r *Runner) reopened(ctx context.Context, n int, work func(*run) error) (Outcome, error) {
	unlock, err := r.lock(ctx)
	if err != nil {
		return Outcome{}, err
	}
	defer unlock()
	gen, err := r.load(n)
	if err == nil {
		err = r.ours(gen)
	}
	if err != nil {
		return Outcome{}, err
	}
	j, err := r.Store.Reopen(gen.N)
	if err != nil {
		return Outcome{Generation: gen.N}, err
	}
	x := r.begin(gen, j, len(gen.Begin.Steps))
	err = work(x)
	x.settle(ctx)
	x.close()
	return *x.out, err
}

func (r *Runner) load(n int) (*journal.Generation, error) {
	if n == 0 {
		return r.Store.Latest()
	}
	return r.Store.Load(n)
}
