package remediate

import "errors"

// Sentinels that commands map to exit statuses.
var (
	// ErrDrifted: the resource is neither as before nor as after the step; somebody else changed it.
	ErrDrifted = errors.New("changed since the apply")
	// ErrRefused: policy or the handler will not do this; nothing was changed.
	ErrRefused = errors.New("refused")
	// ErrLocked: another docker-harden works on this host.
	ErrLocked = errors.New("another docker-harden is at work on this host")
	// ErrInterrupted: a generation is unfinished; resume or rollback first.
	ErrInterrupted = errors.New("an earlier apply was interrupted")
)
