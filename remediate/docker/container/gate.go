package container

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const (
	// pollEvery is how often the gate looks.
	pollEvery = 100 * time.Millisecond
	// patience is how long a port may take to answer again; slow programs need a minute.
	patience = time.Minute
)

// gate returns when the new container is seen to serve as the old one did, with the planned settings
// in the kernel. What cannot get better (an exit, a restart) fails at once, what may (a health check,
// a port) is waited for.
func (x *swap) gate(ctx context.Context) error {
	began := time.Now()
	limit := x.r.Options.stable() + min(patience, x.r.Options.healthTimeout())
	if x.before.healthy {
		limit = max(limit, x.r.Options.stable()+x.healthTime())
	}
	var started string
	told := ""
	for {
		if err := x.refresh(ctx, x.new.ID); err != nil {
			return err
		}
		if started == "" {
			started = x.new.State.StartedAt
		}
		if broken := x.broken(started, began); broken != "" {
			return x.failure(ctx, broken)
		}
		pending := ""
		if time.Since(began) >= x.r.Options.stable() || x.rec.Paused {
			var err error
			if pending, err = x.pending(ctx); err != nil {
				return err
			}
			if pending == "" {
				return nil
			}
			if time.Since(began) > limit {
				return x.failure(ctx, pending)
			}
		}
		if pending != told && pending != "" {
			x.log.Progress("waiting: " + pending)
			told = pending
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}

// healthTime is how long a health check may take to say healthy for the first time.
func (x *swap) healthTime() time.Duration {
	check := x.new.Config.Healthcheck
	if check == nil {
		return 0
	}
	const usualInterval, usualRetries = 30 * time.Second, 3
	interval, timeout, retries := check.Interval, check.Timeout, check.Retries
	if interval == 0 {
		interval = usualInterval
	}
	if timeout == 0 {
		timeout = usualInterval
	}
	if retries == 0 {
		retries = usualRetries
	}
	return min(check.StartPeriod+time.Duration(retries+1)*(interval+timeout), x.r.Options.healthTimeout())
}

// broken says what cannot get better.
func (x *swap) broken(started string, began time.Time) string {
	s := x.new.State
	after := fmt.Sprintf("after %.1f s", time.Since(began).Seconds())
	switch {
	case s.OOMKilled:
		return "was killed for lack of memory " + after
	case !s.Running && s.Error != "":
		return "did not start: " + clean(s.Error, maxMessage)
	case !s.Running:
		return fmt.Sprintf("exited with code %d %s", s.ExitCode, after)
	case s.Restarting || x.new.RestartCount > 0 || s.StartedAt != started:
		return "restarted " + after
	case x.before.healthy && x.new.health() == "unhealthy":
		return "became unhealthy " + after
	case x.rec.Paused && !s.Paused:
		return "is not paused, as the old one was"
	}
	return ""
}

// pending says what is not as it should be yet.
func (x *swap) pending(ctx context.Context) (string, error) {
	p, err := x.r.proc(x.new)
	if err != nil {
		return "its processes could not be read: " + err.Error(), nil
	}
	if wrong := truth(x.old, x.new, x.before.proc, p, x.rec.New.Changed); len(wrong) > 0 {
		return strings.Join(wrong, "; "), nil
	}
	if x.rec.Paused {
		return "", nil // it stands still: nothing more can be seen of it
	}
	if name := risen(x.before.proc, p); name != "" {
		return name, nil
	}
	if name := missing(x.before.proc, p); name != "" && len(x.newComplaints(ctx)) > 0 {
		return name + " is not running any more, and the log complains", nil
	}
	if x.before.healthy && x.new.health() != healthy {
		return "its health check says " + x.new.health(), nil
	}
	for _, port := range x.before.ports {
		if !x.new.answers(ctx, port) {
			return "port " + port + " does not answer, and did before", nil
		}
	}
	return "", nil
}

func (x *swap) newComplaints(ctx context.Context) []string {
	var fresh []string
	for _, line := range complaints(x.a.logTail(ctx, x.new, logLines)) {
		if !x.before.lines[line] {
			fresh = append(fresh, line)
		}
	}
	return fresh
}
