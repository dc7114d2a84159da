package container

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// pollEvery is how often the gate looks.
	pollEvery = 100 * time.Millisecond
	// patience is how long a port may take to answer again; slow programs need a minute.
	patience = time.Minute
	// startTime is how long a program may take to become what it was: an entry script runs as root
	// first, and workers come after their master.
	startTime = 10 * time.Second
	// readTime is how long the kernel's answers may lag behind while processes come and go.
	readTime = 2 * time.Second
)

// doubt is something that is not as it should be yet, and how long it may stay so.
type doubt struct {
	what string
	wait time.Duration
}

// gate returns when the new container is seen to serve as the old one did, with the planned settings
// in the kernel. What cannot get better (an exit, a restart) fails at once, what may (a health check,
// a port) is waited for.
func (x *swap) gate(ctx context.Context) error {
	began := x.began
	var started, told string
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
		if err := x.refused(); err != nil {
			return err
		}
		if stable := time.Since(began) - x.r.Options.stable(); stable >= 0 || x.rec.Paused {
			d := x.doubt(ctx)
			switch {
			case d.what == "":
				return nil
			case stable > min(d.wait, x.r.Options.healthTimeout()):
				return x.failure(ctx, d.what)
			case d.what != told:
				x.say("waiting: " + d.what)
				told = d.what
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}

// wellFirst waits, where another container of the step depends on this one, until it is healthy if it
// was healthy before: that is what a dependent that was started by hand found too.
func (x *swap) wellFirst(ctx context.Context) error {
	awaited := slices.ContainsFunc(x.all, func(y *swap) bool {
		return slices.ContainsFunc(y.rec.Binds, func(b bind) bool { return b.By == "depends_on" && b.ID == x.rec.ID })
	})
	if !awaited || !x.before.healthy {
		return nil
	}
	for {
		if err := x.refresh(ctx, x.new.ID); err != nil {
			return err
		}
		switch broken := x.broken(x.new.State.StartedAt, x.began); {
		case broken != "":
			return x.failure(ctx, broken)
		case x.new.health() == healthy:
			return nil
		case time.Since(x.began) > x.healthTime():
			return x.failure(ctx, "is not healthy yet, and others wait for it: its health check says "+x.new.health())
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
	case x.mustBeWell() && x.new.health() == "unhealthy":
		return "became unhealthy " + after + x.checkSaid()
	case x.rec.Paused && !s.Paused:
		return "is not paused, as the old one was"
	}
	return ""
}

// doubt says what is not as it should be yet.
func (x *swap) doubt(ctx context.Context) doubt {
	p, err := x.r.proc(x.new)
	if err != nil {
		return doubt{"its processes could not be read: " + clean(err.Error(), maxMessage), readTime}
	}
	if wrong := slices.Concat(truth(x.old, x.new, x.before.proc, p, x.changes.paths()), x.placesTruth(), x.secretsTruth(), x.volumesTruth(ctx), x.boundTruth()); len(wrong) > 0 {
		return doubt{"is not as planned: " + strings.Join(wrong, "; "), readTime}
	}
	if apart := x.apart(); apart != "" {
		return doubt{apart, readTime}
	}
	if x.rec.Paused {
		return doubt{} // it stands still: nothing more can be seen of it
	}
	if name := risen(x.before.proc, p); name != "" {
		return doubt{name, startTime}
	}
	if name := missing(x.before.proc, p); name != "" && len(x.newComplaints(ctx)) > 0 {
		return doubt{"lost " + name + ", which ran before, and its log complains", startTime}
	}
	if x.mustBeWell() && x.new.health() != healthy {
		return doubt{"is not healthy yet: its health check says " + cmp.Or(x.new.health(), "nothing") + x.checkSaid(), x.healthTime()}
	}
	if deaf := x.deaf(); deaf != "" {
		return doubt{deaf, patience}
	}
	for _, port := range x.before.ports {
		if !x.unpublished(port) && !x.new.answers(ctx, port) {
			return doubt{"does not answer on port " + port + ", and did before", patience}
		}
	}
	return doubt{}
}

// blame finds the container whose failure is the reason why one that is bound to it did not start; nil:
// all of them are well. The engine may learn of the end of a process a little late.
func (x *swap) blame(ctx context.Context) error {
	for end := time.Now().Add(readTime); time.Now().Before(end); time.Sleep(pollEvery) {
		for _, b := range x.rec.Binds {
			p := x.provider(b)
			if p == nil || !p.rec.Running || p.refresh(ctx, p.new.ID) != nil {
				continue
			}
			if broken := p.broken(p.new.State.StartedAt, p.began); broken != "" {
				return cmp.Or(p.blame(ctx), p.failure(ctx, broken))
			}
		}
		if len(x.rec.Binds) == 0 {
			return nil
		}
	}
	return nil
}

// apart says which namespace of another container of the step is not shared.
func (x *swap) apart() string {
	for _, b := range x.rec.Binds {
		if p := x.provider(b); p != nil && !x.r.shares(x.new, p.new, b) {
			return fmt.Sprintf("does not share the %s namespace of container %s", b.namespace(), p.rec.Name)
		}
	}
	return ""
}

// shares reports whether a running container has the namespace of the provider that a bond is about.
func (r *Recreator) shares(c, provider *state, b bind) bool {
	ns := b.namespace()
	if ns == "" {
		return true
	}
	own, err := os.Readlink(r.Options.path("proc", strconv.Itoa(c.State.PID), "ns", ns))
	if err != nil {
		return false
	}
	theirs, err := os.Readlink(r.Options.path("proc", strconv.Itoa(provider.State.PID), "ns", ns))
	return err == nil && own == theirs
}

func (x *swap) newComplaints(ctx context.Context) []string {
	var fresh []string
	for _, line := range x.new.complaints(x.a.logTail(ctx, x.new, logLines)) {
		if !x.before.lines[line] {
			fresh = append(fresh, line)
		}
	}
	return fresh
}
