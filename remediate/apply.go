package remediate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"docker-harden/plan"
	"docker-harden/remediate/journal"
)

// OnFailure says what an apply does when a step fails.
type OnFailure string

// What to do when a step fails.
const (
	RollbackOnFailure OnFailure = "rollback" // undo everything; the default
	StopOnFailure     OnFailure = "stop"     // undo the failed step only, keep what was done before
)

// ApplyRequest is a reviewed plan and how to apply it.
type ApplyRequest struct {
	Plan      *plan.Plan
	PlanBytes []byte // the plan file, kept with the generation
	SHA256    string
	// Host is the host as it is now; the plan must have been made for it.
	Host plan.Host
	// Basis observes a resource now; false: it no longer exists.
	Basis func(context.Context, plan.Resource) (plan.Basis, bool, error)
	// Bound, when set, observes which containers are bound to others now: a recreate that would take
	// others along than the plan says is stale.
	Bound func(context.Context) ([]plan.Bound, error)
	// Targets and Skip narrow the plan by target, as in plan.Resource.Match.
	Targets, Skip []string
	// SkipStale leaves stale steps out instead of refusing the plan.
	SkipStale bool
	OnFailure OnFailure
	MaxRisk   plan.RiskLevel // empty: no limit
	// AllowUnrevertable names the targets whose changes may be made although they cannot be undone.
	AllowUnrevertable []string
	Message           string
	// Ran are the containers of the plan's steps that run now; a resume is told of them.
	Ran []plan.Ran
	// Confirm, when set, is the time in which somebody must confirm: else the apply is rolled back.
	Confirm time.Duration
}

// Apply does exactly the plan, or refuses it before anything is touched, or undoes what it did.
// The error is nil only when every step was made and every control of the plan was seen to hold.
func (r *Runner) Apply(ctx context.Context, q ApplyRequest) (Outcome, error) {
	unlock, err := r.lock(ctx)
	if err != nil {
		return Outcome{}, err
	}
	defer unlock()
	if err := r.noneUnfinished(); err != nil {
		return Outcome{}, err
	}
	if err := r.noneWaiting(ctx); err != nil {
		return Outcome{}, err
	}
	steps, stale, err := r.admit(ctx, q)
	if err != nil {
		return Outcome{Stale: stale}, err
	}
	if len(steps) == 0 {
		return Outcome{Stale: stale}, nil
	}
	if err := r.rehearse(ctx, steps); err != nil {
		return Outcome{Stale: stale}, err
	}
	j, err := r.Store.Create(journal.Begin{
		Plan: q.PlanBytes, PlanSHA256: q.SHA256, Profile: q.Plan.Profile, Host: q.Host,
		Tool: r.Tool, Message: q.Message, Steps: steps, Ran: q.Ran,
	})
	if err != nil {
		return Outcome{Stale: stale}, err
	}
	x := r.begin(j.Generation(), j, len(steps))
	x.out.Stale = stale
	if q.Confirm > 0 {
		err = x.arm(ctx, q.Confirm)
	}
	if err == nil {
		err = x.oversee(ctx, x.forward(ctx, steps, q.OnFailure), q.OnFailure)
	}
	x.settle(ctx)
	x.close()
	return *x.out, err
}

// Ready says whether a plan could be applied now: it fails when another run is at work on the host or
// an earlier one is unfinished.
func (r *Runner) Ready(ctx context.Context) error {
	unlock, err := r.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return r.noneUnfinished()
}

func (r *Runner) noneUnfinished() error {
	gen, _, err := unfinished(r.Store)
	if err != nil || gen == nil {
		return err
	}
	return fmt.Errorf("%w: generation %d is %s; run docker-harden resume, or docker-harden rollback %d",
		ErrUnfinished, gen.N, gen.State(), gen.N)
}

// unfinished finds the newest generation that is unfinished, and those that are newer; nil is none. A
// rollback that went through the newest generation can be stuck in one before it. It fails when the
// newest cannot be read.
func unfinished(store *journal.Store) (*journal.Generation, []*journal.Generation, error) {
	all, err := store.List()
	if err != nil || len(all) == 0 {
		return nil, nil, err
	}
	slices.Reverse(all)
	if all[0].Err != nil {
		return nil, nil, all[0].Err
	}
	for i, gen := range all {
		if gen.Err == nil && gen.Unfinished() {
			return gen, all[:i], nil
		}
	}
	return nil, nil, nil
}

// admit checks everything that can refuse a plan without touching the host.
func (r *Runner) admit(ctx context.Context, q ApplyRequest) ([]plan.Step, []StaleStep, error) {
	if err := q.Plan.Applicable(r.Now()); err != nil {
		return nil, nil, err
	}
	if err := sameHost(q.Plan.Host, q.Host); err != nil {
		return nil, nil, err
	}
	steps, err := narrow(q.Plan.Steps, q.Targets, q.Skip)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range steps {
		if err := allowed(s, q); err != nil {
			return nil, nil, err
		}
	}
	stale, err := staleSteps(ctx, steps, sight{basis: q.Basis, bound: q.Bound})
	if err != nil {
		return nil, nil, err
	}
	if len(stale) == 0 {
		return steps, nil, nil
	}
	steps = slices.DeleteFunc(slices.Clone(steps), func(s plan.Step) bool {
		return slices.ContainsFunc(stale, func(t StaleStep) bool { return t.ID == s.ID })
	})
	if !q.SkipStale || len(steps) == 0 {
		return nil, stale, &StaleError{Steps: stale}
	}
	return steps, stale, nil
}

func sameHost(made, now plan.Host) error {
	if made.MachineID != now.MachineID || made.EngineID != now.EngineID {
		return fmt.Errorf("%w: it was made for %s (machine %.12s, engine %s), this is %s (machine %.12s, engine %s)",
			plan.ErrForeign, made.Name, made.MachineID, made.EngineID, now.Name, now.MachineID, now.EngineID)
	}
	return nil
}

// rehearse prepares every step once before anything is written, so that a step that cannot be made
// refuses the plan as a whole.
func (r *Runner) rehearse(ctx context.Context, steps []plan.Step) error {
	for _, s := range steps {
		h, err := r.handler(s)
		if err != nil {
			return err
		}
		if _, err := h.Prepare(ctx, s); err != nil {
			return &StepError{Step: s.ID, During: "prepare", Err: err}
		}
	}
	return nil
}

// forward makes steps in order and then proves the whole generation, also what an earlier run made of it. A step is never interrupted: a cancelled ctx is seen between steps.
func (x *run) forward(ctx context.Context, steps []plan.Step, onFailure OnFailure) error {
	all := x.gen.Begin.Steps
	for _, s := range steps {
		x.index = len(x.out.Done) + 1
		if ctx.Err() != nil {
			return x.interrupted(ctx)
		}
		if err := x.inTime(); err != nil {
			return x.goBack(context.WithoutCancel(ctx), s, err, RollbackOnFailure)
		}
		if err := x.do(context.WithoutCancel(ctx), s); err != nil {
			x.out.Failed = append(x.out.Failed, s.ID)
			return x.goBack(context.WithoutCancel(ctx), s, err, onFailure)
		}
		x.out.Done = append(x.out.Done, s.ID)
	}
	err := x.verify(context.WithoutCancel(ctx), all)
	if late := x.inTime(); late != nil {
		return x.goBack(context.WithoutCancel(ctx), all[len(all)-1], errors.Join(late, err), RollbackOnFailure)
	}
	return err
}

// interrupted is the end of a run that the caller stopped.
func (x *run) interrupted(ctx context.Context) error {
	return fmt.Errorf("%w after %d of %d steps: run docker-harden resume to finish, or docker-harden rollback %d to undo: %w",
		ErrInterrupted, len(x.out.Done), len(x.gen.Begin.Steps), x.gen.N, context.Cause(ctx))
}

func (x *run) do(ctx context.Context, s plan.Step) error {
	h, err := x.handler(s)
	if err != nil {
		return err
	}
	start := time.Now()
	x.emit(s, PhasePrepare, "", start, nil)
	undo, err := h.Prepare(ctx, s)
	if err != nil {
		return x.failed(s, start, &StepError{Step: s.ID, During: "prepare", Err: err})
	}
	if err := x.journal.Write(journal.Prepared, s.ID, undo); err != nil {
		return x.failed(s, start, &StepError{Step: s.ID, During: "prepare", Err: err})
	}
	x.emit(s, PhaseDo, "", start, nil)
	if err := h.Do(ctx, s, undo, stepLog{x: x, step: s, phase: PhaseDo}); err != nil {
		return x.failed(s, start, &StepError{Step: s.ID, During: "do", Err: err})
	}
	if err := x.journal.Write(journal.Done, s.ID, nil); err != nil {
		return x.failed(s, start, &StepError{Step: s.ID, During: "do", Err: err})
	}
	x.emit(s, PhaseDone, "", start, nil)
	return nil
}

// failed tells the person and the journal. A journal that cannot be written any more does not hide
// the step's own error: rollback needs only what was written before.
func (x *run) failed(s plan.Step, start time.Time, err error) error {
	x.emit(s, PhaseFailed, "", start, err)
	if werr := x.journal.WriteError(journal.Failed, s.ID, err); werr != nil {
		return errors.Join(err, werr)
	}
	return err
}

// goBack undoes after a failed step.
func (x *run) goBack(ctx context.Context, s plan.Step, cause error, onFailure OnFailure) error {
	only := []string(nil)
	if onFailure == StopOnFailure {
		only = []string{s.ID}
	}
	if err := x.undo(ctx, only, RollbackRequest{unattended: true}); err != nil {
		return fmt.Errorf("%w: %w: %w", ErrRollbackIncomplete, cause, err)
	}
	if onFailure == StopOnFailure {
		if err := x.journal.Write(journal.Applied, "", map[string]any{"stopped_at": s.ID}); err != nil {
			return errors.Join(cause, err)
		}
		return fmt.Errorf("%w: %w", ErrStopped, cause)
	}
	return fmt.Errorf("%w: %w", ErrRolledBack, cause)
}

// verify proves the whole apply on a fresh look at the host.
func (x *run) verify(ctx context.Context, steps []plan.Step) error {
	start := time.Now()
	x.emit(plan.Step{}, PhaseVerify, "", start, nil)
	still, err := x.Verify(ctx, steps)
	if err != nil {
		return errors.Join(fmt.Errorf("%w: cannot look again: %w", ErrStillFails, err), x.journal.Write(journal.Applied, "", nil))
	}
	x.out.StillFailing = still
	raw, err := json.Marshal(map[string]any{"still_failing": names(still)})
	if err != nil {
		return fmt.Errorf("internal error: cannot encode the verification: %w", err)
	}
	if err := x.journal.Write(journal.Verified, "", json.RawMessage(raw)); err != nil {
		return err
	}
	if err := x.journal.Write(journal.Applied, "", nil); err != nil {
		return err
	}
	if len(still) > 0 {
		return fmt.Errorf("%w: %s", ErrStillFails, names(still))
	}
	return nil
}

func names(findings []plan.Finding) []string {
	out := []string{}
	for _, f := range findings {
		out = append(out, f.Control+" on "+f.Resource.String())
	}
	return out
}
