package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"docker-harden/remediate/internal/crash"
)

// bare is an engine that nobody supervises. Its methods may be called one after another, never at the same time.
type bare struct {
	service Service
	// logged is how long the log was before the newest start made here; valid when started is set.
	logged  int64
	started bool
}

const (
	poll = 20 * time.Millisecond
	// settle is how long a process that cannot start needs to find out: a wrong configuration ends
	// an engine within a few hundred milliseconds.
	settle = time.Second
)

// Status finds the engine: the process that was recorded, or the one that its pid file names.
func (b *bare) Status(context.Context) (Status, error) {
	b.find()
	s := b.service
	if !alive(s.PID, s.StartTicks) {
		return Status{SubState: "dead"}, nil
	}
	return Status{Active: true, PID: s.PID, StartTicks: s.StartTicks, Started: startTime(s.StartTicks), SubState: "running"}, nil
}

// find follows the engine to a process that somebody else started since, and takes over how that
// one was started: a restart keeps what is running, not what was once recorded.
func (b *bare) find() {
	if alive(b.service.PID, b.service.StartTicks) {
		return
	}
	text, err := os.ReadFile(b.service.PidFile)
	if err != nil {
		return
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return
	}
	now := b.service
	now.PID = pid
	if p, err := statOf("", pid); err != nil || p.ended() || now.observe("") != nil {
		return
	}
	if filepath.Base(now.Exe) == filepath.Base(b.service.Exe) {
		b.service, b.started = now, false
	}
}

// Reload sends SIGHUP.
func (b *bare) Reload(context.Context) error {
	b.find()
	return hangUp(b.service.PID, b.service.StartTicks)
}

func hangUp(pid int, ticks uint64) error {
	h, err := hold(pid, ticks)
	if errors.Is(err, errEnded) {
		return fmt.Errorf("cannot reload the engine: %w", ErrNotRunning)
	}
	if err == nil {
		defer h.close()
		crash.Point("before SIGHUP")
		err = h.signal(unix.SIGHUP)
		crash.Point("after SIGHUP")
	}
	if err != nil {
		return fmt.Errorf("cannot reload the engine: %w", err)
	}
	return nil
}

// Start starts the engine as it was started before.
func (b *bare) Start(ctx context.Context) error {
	b.find()
	if alive(b.service.PID, b.service.StartTicks) {
		return nil
	}
	if err := b.spawn(ctx); err != nil {
		return fmt.Errorf("cannot start the engine: %w", err)
	}
	return nil
}

// Restart ends the engine and starts it again. What a start needs is checked before the engine is ended.
func (b *bare) Restart(ctx context.Context) error {
	b.find()
	if err := b.service.startable(); err != nil {
		return fmt.Errorf("cannot restart the engine: %w; it was left as it is", err)
	}
	if err := b.stop(ctx); err != nil {
		return fmt.Errorf("cannot restart the engine: %w", err)
	}
	return b.Start(ctx)
}

// stop asks the engine to end and waits until it has.
func (b *bare) stop(ctx context.Context) error {
	h, err := hold(b.service.PID, b.service.StartTicks)
	if errors.Is(err, errEnded) {
		return nil
	}
	if err == nil {
		defer h.close()
		crash.Point("before SIGTERM")
		err = h.signal(unix.SIGTERM)
		crash.Point("after SIGTERM")
	}
	if err != nil {
		return fmt.Errorf("cannot end process %d: %w", b.service.PID, err)
	}
	for alive(b.service.PID, b.service.StartTicks) {
		if err := pause(ctx, poll); err != nil {
			return fmt.Errorf("%w: process %d did not end in time, and nothing else was started: %w", ErrStillRunning, b.service.PID, err)
		}
	}
	crash.Point("engine ended")
	return nil
}

// Logs are the last lines of the engine's standard error.
func (b *bare) Logs(_ context.Context, _ time.Time) (string, error) {
	name := b.service.log()
	if name == os.DevNull {
		return "", errors.New("cannot read the engine's log: it writes to " + os.DevNull)
	}
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("cannot read the engine's log: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("cannot read the engine's log: %w", err)
	}
	from := max(info.Size()-maxLog, 0)
	if b.started && b.logged <= info.Size() { // not rotated since
		from = max(from, b.logged)
	}
	data := make([]byte, info.Size()-from)
	n, err := f.ReadAt(data, from)
	if err != nil && n == 0 && len(data) > 0 {
		return "", fmt.Errorf("cannot read the engine's log: %w", err)
	}
	return lastLines(data[:n]), nil
}

const (
	maxLog   = 16 << 10
	maxLines = 20
)

// lastLines are the last lines of a log.
func lastLines(data []byte) string {
	all := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	all = slices.DeleteFunc(all[max(len(all)-maxLines, 0):], func(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 })
	return strings.ToValidUTF8(string(bytes.Join(all, []byte("\n"))), "?")
}
