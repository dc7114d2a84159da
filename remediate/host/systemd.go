package host

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"

	"docker-harden/remediate/internal/crash"
)

// units is what is needed of systemd's D-Bus interface.
type units interface {
	GetAllPropertiesContext(ctx context.Context, unit string) (map[string]any, error)
	ResetFailedUnitContext(ctx context.Context, unit string) error
	StartUnitContext(ctx context.Context, unit, mode string, done chan<- string) (int, error)
	RestartUnitContext(ctx context.Context, unit, mode string, done chan<- string) (int, error)
	StopUnitContext(ctx context.Context, unit, mode string, done chan<- string) (int, error)
	Close()
}

// connect reaches systemd directly, which needs root and no bus, or else through the system bus.
func connect(ctx context.Context) (units, error) {
	conn, err := reach(ctx)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

func reach(ctx context.Context) (*dbus.Conn, error) {
	direct, err := dbus.NewSystemdConnectionContext(ctx)
	if err == nil {
		return direct, nil
	}
	bus, busErr := dbus.NewSystemConnectionContext(ctx)
	if busErr != nil {
		return nil, fmt.Errorf("cannot reach systemd: %w", errors.Join(err, busErr))
	}
	if err := bus.Subscribe(); err != nil { // without it the bus does not tell when a job ends
		bus.Close()
		return nil, fmt.Errorf("cannot reach systemd: %w", err)
	}
	return bus, nil
}

// systemd manages a unit. It connects anew for each call: systemd may be restarted between two.
type systemd struct {
	service Service
	connect func(context.Context) (units, error)
}

const (
	// lost is how long a job may be gone without a word of how it ended.
	lost = 2 * time.Second
	// look is how often a running job is looked at, in case its end is not told.
	look = 500 * time.Millisecond
	// brake is the time for stopping a unit that restarts itself again and again.
	brake = 30 * time.Second
)

// dial connects. The connection outlives ctx, so that an end of the caller's patience can still be explained.
func (s *systemd) dial(ctx context.Context) (units, func(), error) {
	live, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, end)
	conn, err := s.connect(live)
	if err != nil {
		end()
		return nil, nil, err
	}
	stop()
	return conn, func() { conn.Close(); end() }, nil
}

// Status asks systemd.
func (s *systemd) Status(ctx context.Context) (Status, error) {
	conn, hangUp, err := s.dial(ctx)
	if err != nil {
		return Status{}, err
	}
	defer hangUp()
	props, err := s.properties(ctx, conn)
	return props.Status, err
}

// properties are the unit's status and whether a job of it is queued or runs.
type properties struct {
	Status
	active string
	job    bool
}

func (s *systemd) properties(ctx context.Context, conn units) (properties, error) {
	all, err := conn.GetAllPropertiesContext(ctx, s.service.Unit)
	if err != nil {
		return properties{}, fmt.Errorf("cannot look at %s: %w", s.service.Unit, err)
	}
	if all["LoadState"] == "not-found" {
		return properties{}, fmt.Errorf("cannot look at %s: systemd has no such unit", s.service.Unit)
	}
	var p properties
	p.active, _ = all["ActiveState"].(string)
	p.Active = p.active == "active"
	p.SubState, _ = all["SubState"].(string)
	p.Result, _ = all["Result"].(string)
	p.NeedDaemonReload, _ = all["NeedDaemonReload"].(bool)
	if id, ok := all["InvocationID"].([]byte); ok {
		p.InvocationID = hex.EncodeToString(id)
	}
	if pid, ok := all["MainPID"].(uint32); ok {
		p.PID = int(pid)
	}
	if stat, err := statOf("", p.PID); p.PID != 0 && err == nil {
		p.StartTicks, p.Started = stat.ticks, startTime(stat.ticks)
	}
	if job, ok := all["Job"].([]any); ok && len(job) > 0 {
		id, _ := job[0].(uint32)
		p.job = id != 0
	}
	return p, nil
}

// Reload signals the main process itself: a reload job of systemd says nothing of its success either,
// and some units have none.
func (s *systemd) Reload(ctx context.Context) error {
	now, err := s.Status(ctx)
	if err != nil {
		return err
	}
	if !now.Active || now.PID == 0 {
		// A signal before the engine is ready would end it.
		return fmt.Errorf("cannot reload the engine: %w: %s is %s", ErrNotRunning, s.service.Unit, now.SubState)
	}
	return hangUp(now.PID, now.StartTicks)
}

// Start starts the unit.
func (s *systemd) Start(ctx context.Context) error {
	return s.run(ctx, "start", func(conn units) job { return conn.StartUnitContext })
}

// Restart restarts the unit as one job: between a stop and a start of their own, any client that
// connects to the unit's socket would start it.
func (s *systemd) Restart(ctx context.Context) error {
	return s.run(ctx, "restart", func(conn units) job { return conn.RestartUnitContext })
}

// job queues a job and tells its result.
type job func(ctx context.Context, unit, mode string, done chan<- string) (int, error)

func (s *systemd) run(ctx context.Context, verb string, pick func(units) job) error {
	conn, hangUp, err := s.dial(ctx)
	if err != nil {
		return fmt.Errorf("cannot %s %s: %w", verb, s.service.Unit, err)
	}
	defer hangUp()
	before, err := s.properties(ctx, conn)
	if err != nil {
		return fmt.Errorf("cannot %s %s: %w", verb, s.service.Unit, err)
	}
	if err := s.resetFailed(ctx, conn); err != nil {
		return fmt.Errorf("cannot %s %s: %w", verb, s.service.Unit, err)
	}
	result, err := s.await(ctx, conn, pick(conn))
	if err != nil {
		return fmt.Errorf("cannot %s %s: %w", verb, s.service.Unit, err)
	}
	return s.proven(ctx, conn, verb, result, before.Status)
}

// proven looks at what a job made of the unit. A unit that failed is left at rest: it would otherwise
// try again and again, and start in the middle of whatever the caller does next.
func (s *systemd) proven(ctx context.Context, conn units, verb, result string, before Status) error {
	now, err := s.properties(ctx, conn)
	if err == nil && result == "done" && now.Active && now.PID != 0 {
		if verb == "start" && before.Active || now.InvocationID != before.InvocationID {
			return nil
		}
		return fmt.Errorf("cannot %s %s: systemd says it did, and process %d is still the one before", verb, s.service.Unit, now.PID)
	}
	failure := fmt.Errorf("cannot %s %s: the job's result is %q, the unit is %s (%s)", verb, s.service.Unit, result, now.SubState, now.Result)
	if err != nil {
		failure = fmt.Errorf("cannot %s %s: %w", verb, s.service.Unit, err)
	}
	return errors.Join(failure, s.rest(ctx, conn))
}

// rest stops a unit that restarts itself. A unit that runs after all is left alone.
func (s *systemd) rest(ctx context.Context, conn units) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), brake)
	defer cancel()
	now, err := s.properties(ctx, conn)
	if err == nil && (now.active == "failed" || now.active == "inactive" || now.Active) {
		return nil
	}
	if err == nil {
		_, err = s.await(ctx, conn, conn.StopUnitContext)
	}
	if err != nil {
		return fmt.Errorf("it may still try to restart: %w", err)
	}
	return nil
}

// resetFailed forgets earlier starts of the unit and its socket: systemd counts them, successful ones
// too, and refuses the fourth within a minute.
func (s *systemd) resetFailed(ctx context.Context, conn units) error {
	for _, unit := range []string{s.service.Unit, s.service.Socket} {
		if unit == "" {
			continue
		}
		crash.Point("before reset-failed of", unit)
		err := conn.ResetFailedUnitContext(ctx, unit)
		var call godbus.Error
		if errors.As(err, &call) && call.Name == "org.freedesktop.systemd1.NoSuchUnit" {
			continue // not loaded: there is nothing to forget
		}
		if err != nil {
			return fmt.Errorf("cannot reset the start count of %s: %w", unit, err)
		}
	}
	return nil
}

// await queues a job and waits for its result. Should the word of it be lost, it is told from the unit.
func (s *systemd) await(ctx context.Context, conn units, queue job) (string, error) {
	done := make(chan string, 1)
	crash.Point("before job of", s.service.Unit)
	if _, err := queue(ctx, s.service.Unit, "replace", done); err != nil {
		return "", err
	}
	crash.Point("after queueing the job of", s.service.Unit)
	var quiet time.Time // since when there is no job any more
	for {
		select {
		case result := <-done:
			crash.Point("job done of", s.service.Unit)
			return result, nil
		case <-ctx.Done():
			return "", s.late(ctx, conn)
		case <-time.After(look):
		}
		now, err := s.properties(ctx, conn)
		switch {
		case err != nil || now.job:
			quiet = time.Time{}
		case quiet.IsZero():
			quiet = time.Now()
		case time.Since(quiet) > lost && now.Active:
			return "done", nil
		case time.Since(quiet) > lost:
			return "failed", nil
		}
	}
}

// late explains a job that did not end in time. The job goes on.
func (s *systemd) late(ctx context.Context, conn units) error {
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), lost)
	defer cancel()
	state := "unknown"
	if now, err := s.properties(look, conn); err == nil {
		state = now.SubState
	}
	return fmt.Errorf("it is not done in time, its state is %s, and systemd goes on with it: %w", state, context.Cause(ctx))
}

// Logs are the last lines in the journal of the unit's newest start that said anything.
func (s *systemd) Logs(ctx context.Context, since time.Time) (string, error) {
	now, err := s.Status(ctx)
	if err != nil {
		return "", err
	}
	_ = exec.CommandContext(ctx, "journalctl", "--sync").Run() // older ones cannot; the last lines may then be missing
	unit := "--unit=" + s.service.Unit
	newest := unit
	if now.InvocationID != "" && strings.Trim(now.InvocationID, "0") != "" {
		newest = "_SYSTEMD_INVOCATION_ID=" + now.InvocationID
	}
	out, err := s.journal(ctx, newest, since)
	if err == nil && len(out) == 0 && !now.Active && newest != unit {
		// systemd's own try to start it again was ended before it said anything: the start before that did.
		out, err = s.journal(ctx, unit, since)
	}
	if err != nil {
		return "", fmt.Errorf("cannot read the journal of %s: %w", s.service.Unit, err)
	}
	return lastLines(out[max(len(out)-maxLog, 0):]), nil
}

// journal is what the journal holds of some starts.
func (s *systemd) journal(ctx context.Context, match string, since time.Time) ([]byte, error) {
	args := []string{"--no-pager", "--quiet", "--output=cat", fmt.Sprintf("--lines=%d", maxLines), match}
	if !since.IsZero() {
		args = append(args, fmt.Sprintf("--since=@%d", since.Unix()))
	}
	return exec.CommandContext(ctx, "journalctl", args...).Output()
}
