package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"syscall"

	"docker-harden/plan"
	"docker-harden/remediate"
)

// The exit statuses. Scripts rely on them: a number is never reused for something else.
const (
	exitOK         = 0
	exitError      = 1  // an error before or without changes
	exitFindings   = 2  // changes or findings exist: check, status, --detailed-exitcode
	exitRolledBack = 3  // apply failed, rolled back and verified
	exitIncomplete = 4  // apply failed and something is left changed: act now
	exitPlan       = 5  // plan stale, expired, edited, of another host; rollback file of another host
	exitDeclined   = 6  // declined, or nobody there to ask
	exitLocked     = 7  // another run works on this host, an earlier one is unfinished, or waits for its confirm
	exitPolicy     = 8  // refused by policy
	exitStillFails = 9  // applied, but a control still fails
	exitUsage      = 64 // EX_USAGE
	exitSignal     = 128
)

// usageError is a command line that cannot be understood. Help is the command whose help to read.
type usageError struct {
	text string
	help string
}

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{text: fmt.Sprintf(format, args...)} }

// statusError ends a command with a status; what there was to say has been said.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// errDeclined: a person said no, or there is none to ask.
var errDeclined = errors.New("nothing was changed")

// exitCode maps an error to a status. The order matters: a failed apply wraps both how it ended and
// why it failed, and how it ended decides.
func exitCode(ctx context.Context, err error) int {
	var usage *usageError
	var target *plan.TargetError
	var status statusError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &status):
		return int(status)
	case errors.Is(err, remediate.ErrRollbackIncomplete), errors.Is(err, remediate.ErrStopped):
		return exitIncomplete
	case errors.Is(err, remediate.ErrRolledBack):
		return exitRolledBack
	case errors.Is(err, remediate.ErrStillFails):
		return exitStillFails
	case errors.Is(err, remediate.ErrInterrupted), ctx.Err() != nil && errors.Is(err, context.Canceled):
		return interrupted(ctx)
	case errors.As(err, &usage), errors.As(err, &target), errors.Is(err, path.ErrBadPattern):
		return exitUsage
	case errors.Is(err, errDeclined):
		return exitDeclined
	case errors.Is(err, remediate.ErrLocked), errors.Is(err, remediate.ErrUnfinished), errors.Is(err, remediate.ErrPending):
		return exitLocked
	case errors.Is(err, plan.ErrStale), errors.Is(err, plan.ErrExpired), errors.Is(err, plan.ErrEdited),
		errors.Is(err, plan.ErrForeign), errors.Is(err, plan.ErrIncomplete), errors.Is(err, remediate.ErrForeign):
		return exitPlan
	case errors.Is(err, remediate.ErrRefused):
		return exitPolicy
	case ctx.Err() != nil: // whatever failed then, failed because the run was told to stop
		return interrupted(ctx)
	}
	return exitError
}

func interrupted(ctx context.Context) int {
	var sig signalError
	if errors.As(context.Cause(ctx), &sig) {
		return exitSignal + int(sig.signal)
	}
	return exitSignal + int(syscall.SIGINT)
}
