package remediate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/go-multierror"

	"docker-harden/plan"
	"docker-harden/remediate/journal"
)

// RollbackRequest says what to undo and how.
type RollbackRequest struct {
	Generation int // 0: the newest that has something to undo
	// Targets narrow the rollback, as in plan.Resource.Match.
	Targets []string
	// Exact asks for exact undos where the usual one is functional.
	Exact bool
	// Force undoes resources although they were changed since.
	Force bool
	// Basis, when set, observes a resource after its exact undo: a second proof, against the plan's own record.
	Basis func(context.Context, plan.Resource) (plan.Basis, bool, error)
	// unattended: no person asked for it.
	unattended bool
}

// Rollback undoes a generation, newest step first, and goes on past a step that cannot be undone.
// The error is nil only when every step was undone and proven; it then is as far back as
// Outcome.Restored says for each step.
func (r *Runner) Rollback(ctx context.Context, q RollbackRequest) (Outcome, error) {
	unlock, err := r.lock(ctx)
	if err != nil {
		return Outcome{}, err
	}
	defer unlock()
	gen, newer, err := r.revertible(q)
	if err != nil {
		return Outcome{}, err
	}
	only, err := chosen(gen, q.Targets)
	if err == nil && !q.Force {
		err = errors.Join(r.ours(gen), standsAlone(gen, only, newer))
	}
	if err != nil {
		return Outcome{Generation: gen.N}, err
	}
	j, err := r.Store.Reopen(gen.N)
	if err != nil {
		return Outcome{Generation: gen.N}, err
	}
	x := r.begin(gen, j, 0)
	x.raise(context.WithoutCancel(ctx))
	err = x.undo(ctx, only, q)
	x.settle(ctx)
	x.close()
	if err != nil && !errors.Is(err, ErrInterrupted) {
		err = fmt.Errorf("%w: %w", ErrRollbackIncomplete, err)
	}
	return *x.out, err
}

// revertible finds the generation to undo, and those that are newer.
func (r *Runner) revertible(q RollbackRequest) (gen *journal.Generation, newer []*journal.Generation, err error) {
	all, err := r.Store.List()
	if err != nil {
		return nil, nil, err
	}
	slices.Reverse(all)
	for i, gen := range all {
		if gen.Err != nil && (q.Generation == 0 || q.Generation == gen.N) {
			return nil, nil, gen.Err
		}
		if q.Generation == gen.N || q.Generation == 0 && gen.Revertible() {
			return gen, all[:i], nil
		}
	}
	if q.Generation == 0 {
		return nil, nil, fmt.Errorf("%w: nothing was applied that is not rolled back already", journal.ErrNone)
	}
	return nil, nil, fmt.Errorf("%w: there is no generation %d; docker-harden history lists them", journal.ErrNone, q.Generation)
}

// standsAlone refuses steps that a newer generation stands on, or may stand on; only limits it to these ids.
func standsAlone(gen *journal.Generation, only []string, newer []*journal.Generation) error {
	for _, n := range newer {
		if n.Err != nil {
			return fmt.Errorf("%w: generation %d is newer and cannot be read, so what it changed is not known; --force rolls back %d all the same: %w",
				ErrRefused, n.N, gen.N, n.Err)
		}
		for _, s := range n.UndoOrder() {
			for _, mine := range gen.UndoOrder() {
				if touch(s, mine) && (only == nil || slices.Contains(only, mine.ID)) {
					return fmt.Errorf("%w: generation %d changed %s after generation %d; roll back %d first", ErrRefused, n.N, mine.ID, gen.N, n.N)
				}
			}
		}
	}
	return nil
}

// touch reports whether two steps changed the same thing, by name: a recreate gives it another id. That
// a container was only stopped and started is no change.
func touch(a, b plan.Step) bool {
	return slices.ContainsFunc(a.Parts(), func(m plan.Member) bool {
		return slices.ContainsFunc(b.Parts(), func(n plan.Member) bool {
			restart := m.Action == plan.ActionRestart || n.Action == plan.ActionRestart
			return m.Resource.String() == n.Resource.String() && (!restart || m.Action == plan.ActionRecreate || n.Action == plan.ActionRecreate)
		})
	})
}

func chosen(gen *journal.Generation, targets []string) ([]string, error) {
	if len(targets) == 0 {
		return nil, nil
	}
	steps, err := narrow(gen.Begin.Steps, targets, nil)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, s := range steps {
		ids = append(ids, s.ID)
	}
	return ids, nil
}

// undo undoes the steps that may have changed something, newest first; only limits it to these ids. A step
// is never interrupted: a cancelled ctx is seen between steps. After a failure the rest is still tried.
func (x *run) undo(ctx context.Context, only []string, q RollbackRequest) error {
	gen, err := x.Store.Load(x.gen.N)
	if err != nil {
		return err
	}
	steps := gen.UndoOrder()
	if only != nil {
		steps = slices.DeleteFunc(steps, func(s plan.Step) bool { return !slices.Contains(only, s.ID) })
	}
	if x.down { // its own configuration may be why
		slices.SortStableFunc(steps, func(a, b plan.Step) int { return engineFirst(a) - engineFirst(b) })
	}
	x.total = len(steps)
	var failures *multierror.Error
	if only == nil {
		if err := x.journal.Write(journal.RollingBack, "", nil); err != nil {
			failures = multierror.Append(failures, err)
		}
	}
	for i, s := range steps {
		x.index = i + 1
		if ctx.Err() != nil && failures.ErrorOrNil() == nil {
			return fmt.Errorf("%w after %d of %d steps back: run docker-harden rollback %d to go on: %w",
				ErrInterrupted, i, len(steps), gen.N, context.Cause(ctx))
		}
		if err := x.undoStep(context.WithoutCancel(ctx), gen, s, q); err != nil {
			x.out.Incomplete = append(x.out.Incomplete, s.ID)
			failures = multierror.Append(failures, err)
			continue
		}
		x.out.Undone = append(x.out.Undone, s.ID)
	}
	if failures.ErrorOrNil() != nil {
		return multierror.Append(failures, x.journal.WriteError(journal.RollbackIncomplete, "", failures)).ErrorOrNil()
	}
	if only == nil {
		return x.journal.Write(journal.RolledBack, "", nil)
	}
	return nil
}

func engineFirst(s plan.Step) int {
	if s.Resource.Kind == plan.ResourceDaemon {
		return 0
	}
	return 1
}

func (x *run) undoStep(ctx context.Context, gen *journal.Generation, s plan.Step, q RollbackRequest) error {
	h, err := x.handler(s)
	if err != nil {
		return err
	}
	start := time.Now()
	x.emit(s, PhaseUndo, "", start, nil)
	// A disk that takes no more records does not keep the host from being brought back: what Undo
	// needs was written before the change, and undoing twice is as good as once.
	unrecorded := x.journal.Write(journal.Undoing, s.ID, nil)
	state := gen.Step(s.ID)
	before := lookBefore(ctx, s, q)
	restored, err := h.Undo(ctx, s, Record{Undo: state.Undo, Notes: state.Notes, Exact: q.Exact, Force: q.Force, Unattended: q.unattended})
	if err == nil && restored.How == plan.Exact {
		err = proveBasis(ctx, s, q, before)
	}
	if err != nil {
		return x.undoFailed(s, start, err)
	}
	x.out.Restored[s.ID] = restored
	if unrecorded == nil {
		unrecorded = x.journal.Write(journal.Undone, s.ID, restored)
	}
	if unrecorded != nil {
		return x.undoFailed(s, start, fmt.Errorf("it is undone, but that could not be recorded: %w", unrecorded))
	}
	x.emit(s, PhaseUndone, string(restored.How), start, nil)
	return nil
}

func (x *run) undoFailed(s plan.Step, start time.Time, cause error) error {
	err := &StepError{Step: s.ID, During: "undo", Err: cause}
	x.emit(s, PhaseUndoFailed, "", start, err)
	return errors.Join(err, x.journal.WriteError(journal.UndoFailed, s.ID, cause))
}

// lookBefore observes a resource before its undo, where the undo leaves alone what others changed since.
// Nil is "not known", which excuses nothing.
func lookBefore(ctx context.Context, s plan.Step, q RollbackRequest) plan.Basis {
	if q.Basis == nil || q.Force || !slices.Contains([]plan.Kind{plan.KindUpdate, plan.KindNetwork, plan.KindFile, plan.KindSocket, plan.KindAudit, plan.KindGroup, plan.KindSwarm}, s.Kind) {
		return nil
	}
	before, ok, err := q.Basis(ctx, s.Resource)
	if err != nil || !ok {
		return nil
	}
	return before
}

// proveBasis compares the resource with what the plan saw before the step. A field that the step never
// touched and that differed before the undo too is somebody else's, and stays.
func proveBasis(ctx context.Context, s plan.Step, q RollbackRequest, before plan.Basis) error {
	if q.Basis == nil || q.Force {
		return nil
	}
	for _, part := range s.Parts() {
		if part.Action == plan.ActionRestart {
			continue // nothing of it was changed
		}
		now, ok, err := q.Basis(ctx, part.Resource)
		if err != nil {
			return fmt.Errorf("cannot look at %s after its rollback: %w", part.Resource, err)
		}
		if !ok {
			return fmt.Errorf("%s does not exist after its rollback", part.Resource)
		}
		moved := slices.DeleteFunc(part.Basis.Moved(now), func(field string) bool {
			return before != nil && before[field] == now[field] && !touches(s, field)
		})
		if len(moved) > 0 {
			return fmt.Errorf("%s is not as it was: %v differ from before the apply", part.Resource, moved)
		}
	}
	return nil
}

// touches says whether a step changes a field of its resource's basis.
func touches(s plan.Step, field string) bool {
	return slices.ContainsFunc(s.Changes, func(c plan.Change) bool { return c.Moves(field) })
}
