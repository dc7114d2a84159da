package remediate

import (
	"errors"
	"fmt"
	"strings"

	"docker-harden/plan"
)

// Sentinels that commands map to exit statuses. Test with errors.Is.
var (
	// ErrDrifted: the resource is neither as before nor as after the step; somebody else changed it.
	ErrDrifted = errors.New("changed since the apply")
	// ErrRefused: policy or the handler will not do this; nothing was changed.
	ErrRefused = errors.New("refused")
	// ErrForeign: the rollback file was made on another machine; nothing was changed.
	ErrForeign = errors.New("the rollback file is of another host")
	// ErrLocked: another docker-harden works on this host.
	ErrLocked = errors.New("another docker-harden is at work on this host")
	// ErrUnfinished: an earlier generation is half done; resume or rollback first.
	ErrUnfinished = errors.New("an earlier apply is unfinished")
	// ErrPending: an earlier generation waits for its confirm.
	ErrPending = errors.New("an earlier apply waits for its confirm")
	// ErrExpired: the time to confirm is over; the generation is or will be rolled back.
	ErrExpired = errors.New("the time to confirm is over")
	// ErrRolledBack: the apply failed, and everything it had done was undone and proven.
	ErrRolledBack = errors.New("rolled back")
	// ErrRollbackIncomplete: something could not be undone; the host needs a person.
	ErrRollbackIncomplete = errors.New("rollback is incomplete")
	// ErrStillFails: applied, but the re-check says a control does not hold.
	ErrStillFails = errors.New("a control still fails after the apply")
	// ErrInterrupted: stopped between two steps because the caller asked for it.
	ErrInterrupted = errors.New("interrupted at a safe point")
	// ErrStopped: the apply failed and, as asked, what was done before was left in place.
	ErrStopped = errors.New("stopped at the failed step")
)

// StaleStep is a step whose resource is not as it was when the plan was made.
type StaleStep struct {
	ID string `json:"id"`
	// Moved are the fields that differ; empty with Gone when the resource no longer exists.
	Moved []string `json:"moved,omitempty"`
	Gone  bool     `json:"gone,omitempty"`
	// From and To are the moved fields alone: values where they are no secret ("Image"), else salted hashes.
	From plan.Basis `json:"from,omitempty"`
	To   plan.Basis `json:"to,omitempty"`
}

// StaleError is a plan refused because resources moved. It matches plan.ErrStale.
type StaleError struct{ Steps []StaleStep }

// Error names every stale step and what moved.
func (e *StaleError) Error() string {
	var lines []string
	for _, s := range e.Steps {
		if s.Gone {
			lines = append(lines, s.ID+" no longer exists")
			continue
		}
		lines = append(lines, s.ID+": "+strings.Join(s.Moved, ", ")+" changed")
	}
	return fmt.Sprintf("%v for %d of its steps: %s", plan.ErrStale, len(e.Steps), strings.Join(lines, "; "))
}

// Unwrap makes errors.Is(err, plan.ErrStale) true.
func (e *StaleError) Unwrap() error { return plan.ErrStale }

// StepError is the failure of one step.
type StepError struct {
	Step string
	// During is "prepare", "do", "watch" or "undo".
	During string
	Err    error
}

// Error names the step and the reason.
func (e *StepError) Error() string { return fmt.Sprintf("cannot %s %s: %v", e.verb(), e.Step, e.Err) }

// Unwrap gives the handler's own error.
func (e *StepError) Unwrap() error { return e.Err }

func (e *StepError) verb() string {
	switch e.During {
	case "do":
		return "apply"
	case "watch":
		return "keep"
	case "undo":
		return "roll back"
	}
	return "prepare"
}
