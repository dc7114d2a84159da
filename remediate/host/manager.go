package host

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Manager starts, restarts and signals one service. Every method waits as long as its ctx lets it.
type Manager interface {
	// Start starts the service if it does not run. It returns when the manager calls it started;
	// an engine may answer later.
	Start(ctx context.Context) error
	// Restart ends the running process, waits until it has ended and starts another. A service that
	// does not run is started. When the old process does not end in time, it is left running and
	// nothing is started. When the new one fails, nothing runs and nothing goes on trying.
	Restart(ctx context.Context) error
	// Reload sends the main process SIGHUP. Whether it reloaded is for the caller to see.
	Reload(ctx context.Context) error
	// Status looks at the service now.
	Status(ctx context.Context) (Status, error)
	// Logs are the last lines that the newest start wrote, for error messages; none older than since
	// where the manager keeps times. They are not sanitised.
	Logs(ctx context.Context, since time.Time) (string, error)
}

// Status is a service at one instant.
type Status struct {
	Active     bool // it runs and the manager calls it started
	PID        int  // of the main process; 0 when there is none
	Started    time.Time
	StartTicks uint64 // clock ticks after boot; with PID it names a process for ever
	// The rest is systemd's own.
	InvocationID string
	SubState     string // "running", "auto-restart", "dead", "failed", …
	Result       string // of the last run: "success", "exit-code", "start-limit-hit", …
	// NeedDaemonReload says that unit files were edited and systemd has not read them yet.
	NeedDaemonReload bool
}

var (
	// ErrNotRunning says that there is no process to signal.
	ErrNotRunning = errors.New("the engine does not run")
	// ErrStillRunning says that the old process did not end in time. It was left alone.
	ErrStillRunning = errors.New("the engine was asked to stop and still runs")
)

// Open gives the manager of a service.
func Open(s Service) (Manager, error) {
	switch s.Manager {
	case Systemd:
		if s.Unit == "" {
			return nil, errors.New("cannot manage the engine: the name of its systemd unit is not known")
		}
		return &systemd{service: s, connect: connect}, nil
	case Bare:
		if s.Exe == "" || len(s.Argv) == 0 {
			return nil, errors.New("cannot manage the engine: how it was started is not known")
		}
		return &bare{service: s}, nil
	}
	return nil, fmt.Errorf("cannot manage the engine: it is started by a service manager that is not known (%q); restart it by hand", s.Manager)
}

// pause waits a little, or less if ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
