package remediate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"docker-harden/remediate/journal"
)

// Timer undoes an apply that nobody confirms, although the process that applied is gone by then. It
// runs a copy of the program, which calls [Runner.Expire].
type Timer interface {
	// Plan describes everything that Arm will leave on the host, and leaves nothing itself.
	Plan(ctx context.Context, gen *journal.Generation) (json.RawMessage, error)
	// Arm starts the timer; within is the time until the deadline. The result describes it.
	Arm(ctx context.Context, gen *journal.Generation, plan json.RawMessage, within time.Duration) (json.RawMessage, error)
	// Disarm takes a timer away, from either description: one that runs, has fired, was armed half or
	// not at all. A timer that calls it from within takes away everything but its own process.
	Disarm(ctx context.Context, timer json.RawMessage) error
}

// Who acts on a deadline that passed.
const (
	ByTimer   = "timer"   // the timer, at the deadline or at the boot after it
	ByApply   = "apply"   // the apply itself, which took longer
	ByCommand = "command" // another command, which came before the timer or found it gone
)

// arm writes down the deadline and starts the timer. When it cannot, the generation ends: nothing of
// it was done, and nothing is left.
func (x *run) arm(ctx context.Context, within time.Duration) error {
	err := x.tryArm(ctx, within)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("cannot arm the timer, so nothing was applied: %w", err)
	return errors.Join(err, x.journal.Write(journal.RolledBack, "", nil))
}

func (x *run) tryArm(ctx context.Context, within time.Duration) error {
	if x.Timer == nil || x.Clock == nil {
		return errors.New("internal error: there is no timer")
	}
	from, err := x.Clock()
	if err != nil {
		return err
	}
	timer, err := x.Timer.Plan(ctx, x.gen)
	if err != nil {
		return err
	}
	d := journal.Deadline{From: from, Within: within, Timer: timer}
	if err := x.journal.Write(journal.Awaiting, "", d); err != nil {
		return err
	}
	x.deadline = &d
	armed, err := x.Timer.Arm(ctx, x.gen, timer, within)
	if err != nil {
		return err
	}
	return x.journal.Write(journal.Armed, "", armed)
}

// inTime fails when the deadline has passed while the apply still works.
func (x *run) inTime() error {
	if x.deadline == nil {
		return nil
	}
	now, err := x.Clock()
	if err != nil {
		return err
	}
	if lapse := x.deadline.Lapsed(now); lapse != journal.NotLapsed {
		return x.expired(lapse, ByApply)
	}
	return nil
}

// expired writes down that the deadline passed. The error says so.
func (x *run) expired(why journal.Lapse, by string) error {
	err := fmt.Errorf("%w: %s were allowed, the apply included", ErrExpired, x.deadline.Within)
	if why == journal.Rebooted {
		err = fmt.Errorf("%w: %s", ErrExpired, why)
	}
	// A disk that takes no more records does not keep the host from being brought back.
	_ = x.journal.Write(journal.Expired, "", journal.Expiry{Why: why, By: by})
	return err
}

// settle takes the timer away once the fate of the generation is decided. That it cannot is a remark,
// no failure: the timer finds out by itself that there is nothing to do, and the next run tries again.
func (x *run) settle(ctx context.Context) {
	if _, had := x.gen.Timer(); x.Timer == nil || !had && x.deadline == nil {
		return
	}
	gen, err := x.Store.Load(x.gen.N)
	if err != nil {
		return // whoever reads it next says so
	}
	timer, left := gen.Timer()
	if !left || gen.Pending() {
		return
	}
	if err := x.Timer.Disarm(context.WithoutCancel(ctx), timer); err != nil {
		x.out.Remarks = append(x.out.Remarks, fmt.Sprintf("the timer of generation %d could not be taken away, and finds that there is nothing to do: %v", gen.N, err))
		return
	}
	_ = x.journal.Write(journal.Disarmed, "", nil) // without it, the next run takes nothing away once more
}

// noneWaiting fails while the newest generation waits for its confirm: only the newest can. What a
// timer left whose end was cut short is taken away.
func (r *Runner) noneWaiting(ctx context.Context) error {
	gen, err := r.Store.Latest()
	if errors.Is(err, journal.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	if gen.Pending() {
		return r.waiting(gen)
	}
	if _, left := gen.Timer(); !left || r.Timer == nil {
		return nil
	}
	j, err := r.Store.Reopen(gen.N)
	if err != nil {
		return err
	}
	x := r.begin(gen, j, 0)
	x.settle(ctx)
	x.close()
	return nil
}

// waiting says that a generation waits for its confirm, and how long.
func (r *Runner) waiting(gen *journal.Generation) error {
	d, _ := gen.Deadline()
	now, err := r.now()
	if err != nil {
		return fmt.Errorf("%w: generation %d: %w", ErrPending, gen.N, err)
	}
	if lapse := d.Lapsed(now); lapse != journal.NotLapsed {
		return fmt.Errorf("%w: generation %d is not rolled back yet, although %s: docker-harden rollback %d", ErrPending, gen.N, lapse, gen.N)
	}
	return fmt.Errorf("%w: generation %d is rolled back in %s unless it is confirmed: docker-harden confirm, or docker-harden rollback",
		ErrPending, gen.N, d.Left(now).Round(time.Second))
}

// now is the present by the clocks that a deadline is measured with.
func (r *Runner) now() (journal.Instant, error) {
	if r.Clock == nil {
		return journal.Instant{}, errors.New("internal error: there is no clock")
	}
	return r.Clock()
}

// stillInTime says whether a generation may be confirmed. One without a deadline always may.
func (r *Runner) stillInTime(gen *journal.Generation) error {
	if e, ok := gen.Expiry(); ok {
		if gen.State() == journal.StateRolledBack {
			return fmt.Errorf("%w: generation %d was rolled back at %s, because %s", ErrExpired, gen.N, e.At.Local().Format(time.DateTime), e.Why)
		}
		return fmt.Errorf("%w: %s, and generation %d is %s; see docker-harden rollback %d", ErrExpired, e.Why, gen.N, gen.State(), gen.N)
	}
	d, ok := gen.Deadline()
	if !ok || !gen.Pending() {
		return nil
	}
	now, err := r.now()
	if err != nil {
		return err
	}
	if lapse := d.Lapsed(now); lapse != journal.NotLapsed {
		return fmt.Errorf("%w: %s; generation %d is rolled back by its timer, or by hand: docker-harden rollback %d", ErrExpired, lapse, gen.N, gen.N)
	}
	return nil
}

// ExpireRequest says which deadline to act on.
type ExpireRequest struct {
	Generation int
	By         string // ByTimer or ByCommand
	Basis      basisFunc
}

// Expire rolls a generation back whose deadline passed without a confirm. When it was confirmed or
// rolled back meanwhile, it only takes away what its timer left. Before the deadline it fails with
// ErrPending.
func (r *Runner) Expire(ctx context.Context, q ExpireRequest) (Outcome, error) {
	return r.reopened(ctx, q.Generation, func(x *run) error {
		if !x.gen.Pending() {
			return nil
		}
		d, _ := x.gen.Deadline()
		now, err := x.now()
		if err != nil {
			return err
		}
		lapse := d.Lapsed(now)
		if lapse == journal.NotLapsed {
			return r.waiting(x.gen)
		}
		x.deadline = &d
		if _, again := x.gen.Expiry(); !again {
			_ = x.expired(lapse, q.By)
		}
		x.raise(context.WithoutCancel(ctx))
		err = x.undo(ctx, nil, RollbackRequest{Basis: q.Basis, unattended: true})
		if err != nil && !errors.Is(err, ErrInterrupted) {
			err = fmt.Errorf("%w: %w", ErrRollbackIncomplete, err)
		}
		return err
	})
}
