package remediate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"docker-harden/cmd/reliability/row"
	"docker-harden/remediate"
	"docker-harden/remediate/journal"
)

// alarm is a timer that only remembers what was asked of it.
type alarm struct {
	calls   []string
	failing map[string]error
	within  time.Duration
	// armed is what is on the host: half when Arm failed on its way.
	armed string
}

func (a *alarm) call(verb, what string) error {
	a.calls = append(a.calls, strings.TrimSpace(verb+" "+what))
	return a.failing[verb]
}

func (a *alarm) Plan(_ context.Context, gen *journal.Generation) (json.RawMessage, error) {
	return json.RawMessage(fmt.Sprintf(`"planned %d"`, gen.N)), a.call("plan", "")
}

func (a *alarm) Arm(_ context.Context, _ *journal.Generation, plan json.RawMessage, within time.Duration) (json.RawMessage, error) {
	a.armed, a.within = "half", within
	if err := a.call("arm", string(plan)); err != nil {
		return nil, err
	}
	a.armed = "whole"
	return json.RawMessage(`"armed"`), nil
}

func (a *alarm) Disarm(_ context.Context, timer json.RawMessage) error {
	if err := a.call("disarm", string(timer)); err != nil {
		return err
	}
	a.armed = ""
	return nil
}

// timed is a rig with a timer and with clocks that stand still until they are told.
type timed struct {
	*rig
	alarm *alarm
	now   journal.Instant
}

func newTimed(t *testing.T) *timed {
	t.Helper()
	g := &timed{rig: newRig(t), alarm: &alarm{failing: map[string]error{}}, now: journal.Instant{Wall: now, Boot: "b", Up: time.Hour}}
	g.Timer, g.Clock = g.alarm, func() (journal.Instant, error) { return g.now, nil }
	return g
}

func (g *timed) request() remediate.ApplyRequest {
	q := g.rig.request()
	q.Confirm = 5 * time.Minute
	return q
}

func (g *timed) applied(t *testing.T) {
	t.Helper()
	out, err := g.Apply(t.Context(), g.request())
	if err != nil || out.Deadline == nil || out.Deadline.Within != 5*time.Minute {
		t.Fatalf("%v %+v", err, out)
	}
	if g.alarm.armed != "whole" || g.alarm.within != 5*time.Minute {
		t.Fatalf("%+v", g.alarm)
	}
}

func (g *timed) original(t *testing.T) {
	t.Helper()
	g.value(t, "daemon log-level", `"debug"`)
	g.value(t, "container/cache HostConfig.Memory", "0")
	g.value(t, "container/web HostConfig.CapDrop", "null")
	g.state(t, 1, journal.StateRolledBack)
}

func (g *timed) kinds(t *testing.T) []journal.Kind {
	t.Helper()
	gen, err := g.Store.Load(1)
	if err != nil {
		t.Fatal(err)
	}
	var out []journal.Kind
	for _, r := range gen.Records {
		if r.Step == "" {
			out = append(out, r.Kind)
		}
	}
	return out
}

func (g *timed) expire(t *testing.T) (remediate.Outcome, error) {
	t.Helper()
	return g.Expire(t.Context(), remediate.ExpireRequest{Generation: 1, By: remediate.ByTimer, Basis: g.host.basis})
}

func TestConfirmInTime(t *testing.T) {
	g := newTimed(t)
	g.applied(t)
	if want := []journal.Kind{journal.KindBegin, journal.Awaiting, journal.Armed, journal.Verified, journal.Applied}; !slices.Equal(g.kinds(t), want) {
		t.Errorf("%v", g.kinds(t))
	}
	if g.host.calls[3] != "prepare daemon" || !slices.Equal(g.alarm.calls, []string{"plan", `arm "planned 1"`}) {
		t.Errorf("%v %v", g.host.calls, g.alarm.calls)
	}
	g.now.Wall, g.now.Up = g.now.Wall.AddDate(1, 0, 0), g.now.Up+5*time.Minute-1 // somebody set the clock
	out, err := g.Confirm(t.Context(), 0)
	if err != nil || out.Deadline != nil || g.alarm.armed != "" {
		t.Fatalf("%v %+v %+v", err, out, g.alarm)
	}
	g.state(t, 1, journal.StateConfirmed)
	// The timer fires all the same, because it was on its way.
	g.now.Up += time.Hour
	if out, err := g.expire(t); err != nil || len(out.Undone) > 0 {
		t.Errorf("%v %+v", err, out)
	}
	if _, err := g.Confirm(t.Context(), 1); err != nil {
		t.Errorf("a second confirm: %v", err)
	}
	g.value(t, "daemon log-level", `"info"`)
	if got := g.alarm.calls[2:]; !slices.Equal(got, []string{`disarm "armed"`}) {
		t.Errorf("%v", got)
	}
}

func TestExpiry(t *testing.T) {
	for _, test := range []struct {
		name string
		move func(*journal.Instant)
		why  journal.Lapse
	}{
		{"time", func(i *journal.Instant) { i.Up += 5 * time.Minute }, journal.TimeIsUp},
		{"time, clock set back", func(i *journal.Instant) { i.Up, i.Wall = i.Up+5*time.Minute, i.Wall.AddDate(-1, 0, 0) }, journal.TimeIsUp},
		{"reboot", func(i *journal.Instant) { i.Boot, i.Up = "c", time.Second }, journal.Rebooted},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newTimed(t)
			g.applied(t)
			if _, err := g.expire(t); !errors.Is(err, remediate.ErrPending) {
				t.Fatalf("before the deadline: %v", err)
			}
			g.value(t, "daemon log-level", `"info"`)
			test.move(&g.now)
			if _, err := g.Confirm(t.Context(), 0); !errors.Is(err, remediate.ErrExpired) || errors.Is(err, remediate.ErrRefused) {
				t.Errorf("a confirm that is late: %v", err)
			}
			if _, err := g.Apply(t.Context(), g.request()); !errors.Is(err, remediate.ErrPending) || !strings.Contains(err.Error(), "not rolled back yet") {
				t.Errorf("an apply after the deadline: %v", err)
			}
			if out, err := g.expire(t); err != nil || len(out.Undone) != 3 || g.alarm.armed != "" {
				t.Fatalf("%v %+v %+v", err, out, g.alarm)
			}
			g.original(t)
			gen, err := g.Store.Load(1)
			if e, ok := gen.Expiry(); err != nil || !ok || e.Why != test.why || e.By != remediate.ByTimer {
				t.Errorf("%v %+v", err, e)
			}
			if _, err := g.Confirm(t.Context(), 1); !errors.Is(err, remediate.ErrExpired) || !strings.Contains(err.Error(), "was rolled back at") || !strings.Contains(err.Error(), test.why.String()) {
				t.Errorf("a confirm after the rollback: %v", err)
			}
			if out, err := g.expire(t); err != nil || len(out.Undone) > 0 {
				t.Errorf("a second timer: %v %+v", err, out)
			}
		})
	}
}

// Nothing may be applied over what may go back at any moment.
func TestSecondPendingIsRefused(t *testing.T) {
	g := newTimed(t)
	g.applied(t)
	before := len(g.host.calls)
	for _, confirm := range []time.Duration{0, time.Hour} {
		q := g.request()
		q.Confirm = confirm
		if _, err := g.Apply(t.Context(), q); !errors.Is(err, remediate.ErrPending) || !strings.Contains(err.Error(), "rolled back in 5m0s") {
			t.Errorf("%v", err)
		}
		if _, err := g.Check(t.Context(), q); !errors.Is(err, remediate.ErrPending) {
			t.Errorf("dry run: %v", err)
		}
	}
	if _, err := g.Prune(t.Context(), 1); !errors.Is(err, remediate.ErrRefused) {
		t.Errorf("prune: %v", err)
	}
	if len(g.host.calls) != before || g.alarm.armed != "whole" {
		t.Errorf("%v %+v", g.host.calls[before:], g.alarm)
	}
}

func TestDryRunArmsNothing(t *testing.T) {
	g := newTimed(t)
	if steps, err := g.Check(t.Context(), g.request()); err != nil || len(steps) != 3 || len(g.alarm.calls) > 0 {
		t.Errorf("%v %v %v", err, steps, g.alarm.calls)
	}
}

func TestTimerThatCannotBeArmed(t *testing.T) {
	row.Record(t, row.Row{Table: row.Fault, ID: "confirm-not-armed", Case: "the timer of apply --confirm cannot be armed", Apply: "refused, nothing applied, nothing left"})
	boom := errors.New("boom")
	for _, what := range []string{"plan", "arm"} {
		g := newTimed(t)
		g.alarm.failing[what] = boom
		out, err := g.Apply(t.Context(), g.request())
		if !errors.Is(err, boom) || !strings.Contains(err.Error(), "nothing was applied") || len(out.Done) > 0 || g.alarm.armed != "" {
			t.Errorf("%s: %v %+v %+v", what, err, out, g.alarm)
		}
		g.original(t)
		if slices.Contains(g.host.calls, "do daemon") {
			t.Errorf("%v", g.host.calls)
		}
		g.alarm.failing = nil
		g.applied2(t, what)
	}
	g := newTimed(t)
	g.Clock = func() (journal.Instant, error) { return journal.Instant{}, boom }
	if _, err := g.Apply(t.Context(), g.request()); !errors.Is(err, boom) || len(g.alarm.calls) > 0 {
		t.Errorf("%v %v", err, g.alarm.calls)
	}
}

// applied2 applies again, as generation 2.
func (g *timed) applied2(t *testing.T, after string) {
	t.Helper()
	if out, err := g.Apply(t.Context(), g.request()); err != nil || out.Generation != 2 {
		t.Errorf("after %s: %v %+v", after, err, out)
	}
}

func TestFailedApplyDisarms(t *testing.T) {
	g := newTimed(t)
	g.host.failing["do container/web"] = errors.New("boom")
	if _, err := g.Apply(t.Context(), g.request()); !errors.Is(err, remediate.ErrRolledBack) || g.alarm.armed != "" {
		t.Errorf("%v %+v", err, g.alarm)
	}
	g.original(t)
	// What was done before stays, and still goes back unless it is confirmed.
	g = newTimed(t)
	g.host.failing["do container/web"] = errors.New("boom")
	q := g.request()
	q.OnFailure = remediate.StopOnFailure
	if out, err := g.Apply(t.Context(), q); !errors.Is(err, remediate.ErrStopped) || g.alarm.armed != "whole" || out.Deadline == nil {
		t.Fatalf("%v %+v", err, g.alarm)
	}
	g.now.Up += time.Hour
	if out, err := g.expire(t); err != nil || !slices.Equal(out.Undone, []string{"container/cache", "daemon"}) {
		t.Errorf("%v %+v", err, out)
	}
	g.original(t)
}

func TestRollbackByHandDisarms(t *testing.T) {
	g := newTimed(t)
	g.applied(t)
	if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{Targets: []string{"container/web"}}); err != nil || g.alarm.armed != "whole" {
		t.Fatalf("the rest still waits: %v %+v", err, g.alarm)
	}
	if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{}); err != nil || g.alarm.armed != "" {
		t.Fatalf("%v %+v", err, g.alarm)
	}
	g.original(t)
	if _, err := g.Confirm(t.Context(), 1); !errors.Is(err, remediate.ErrRefused) {
		t.Errorf("a confirm of what a person rolled back: %v", err)
	}
}

// An apply that is slower than its own deadline takes itself back; the timer waits for the lock meanwhile.
func TestApplyTakesLongerThanItsDeadline(t *testing.T) {
	row.Record(t, row.Row{Table: row.Fault, ID: "confirm-slow-apply", Case: "the deadline passes while the apply still works", Apply: "rolled back by the apply itself, exit 3"})
	for _, last := range []string{"daemon", "container/web"} {
		g := newTimed(t)
		g.host.onDo = func(step string) {
			if step == last {
				g.now.Up += 6 * time.Minute
			}
		}
		out, err := g.Apply(t.Context(), g.request())
		if !errors.Is(err, remediate.ErrRolledBack) || !errors.Is(err, remediate.ErrExpired) || g.alarm.armed != "" || out.Deadline != nil {
			t.Errorf("%v %+v %+v", err, out, g.alarm)
		}
		g.original(t)
		if gen, err := g.Store.Load(1); err != nil || !slices.Contains(g.kinds(t), journal.Expired) {
			t.Errorf("%v %v", gen, err)
		}
	}
}

// killed leaves the journal as a run that was killed after these many records leaves it.
func (g *timed) killed(t *testing.T, after string) {
	t.Helper()
	g.host.onDo = func(step string) {
		if step == after {
			panic("killed")
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("the apply was not killed")
		}
		g.host.onDo = nil
	}()
	_, _ = g.Apply(t.Context(), g.request())
}

func TestKilledApplyGoesBackAtTheDeadline(t *testing.T) {
	for _, step := range []string{"daemon", "container/cache", "container/web"} {
		g := newTimed(t)
		g.killed(t, step)
		g.state(t, 1, journal.StateApplying)
		if _, err := g.Apply(t.Context(), g.request()); !errors.Is(err, remediate.ErrUnfinished) {
			t.Errorf("%v", err)
		}
		g.now.Up += 5 * time.Minute
		if _, err := g.expire(t); err != nil || g.alarm.armed != "" {
			t.Errorf("%v %+v", err, g.alarm)
		}
		g.original(t)
	}
}

func TestResumeBeforeTheDeadlineKeepsIt(t *testing.T) {
	g := newTimed(t)
	g.killed(t, "container/cache")
	out, err := g.Resume(t.Context(), remediate.ResumeRequest{Basis: g.host.basis})
	if err != nil || out.Deadline == nil || g.alarm.armed != "whole" {
		t.Fatalf("%v %+v", err, out)
	}
	g.state(t, 1, journal.StateApplied)
	if _, err := g.Confirm(t.Context(), 0); err != nil || g.alarm.armed != "" {
		t.Errorf("%v %+v", err, g.alarm)
	}
	g = newTimed(t)
	g.killed(t, "container/cache")
	g.now.Up += time.Hour
	if _, err := g.Resume(t.Context(), remediate.ResumeRequest{Basis: g.host.basis}); !errors.Is(err, remediate.ErrExpired) || g.alarm.armed != "" {
		t.Errorf("%v %+v", err, g.alarm)
	}
	g.original(t)
}

// A rollback that cannot be done now keeps what acts at the next boot, and a person can finish it.
func TestExpiryThatIsStuck(t *testing.T) {
	g := newTimed(t)
	g.applied(t)
	g.now.Up += time.Hour
	g.host.failing["undo container/cache"] = errors.New("stuck")
	if _, err := g.expire(t); !errors.Is(err, remediate.ErrRollbackIncomplete) || g.alarm.armed != "whole" {
		t.Fatalf("%v %+v", err, g.alarm)
	}
	if _, err := g.Confirm(t.Context(), 1); !errors.Is(err, remediate.ErrExpired) || !strings.Contains(err.Error(), "rollback-incomplete") {
		t.Errorf("%v", err)
	}
	delete(g.host.failing, "undo container/cache")
	if out, err := g.expire(t); err != nil || !slices.Equal(out.Undone, []string{"container/cache"}) || g.alarm.armed != "" {
		t.Errorf("%v %+v", err, out)
	}
	g.original(t)
}

// A timer that cannot be taken away does no harm, and is taken away later.
func TestDisarmThatFails(t *testing.T) {
	g := newTimed(t)
	g.applied(t)
	g.alarm.failing["disarm"] = errors.New("busy")
	out, err := g.Confirm(t.Context(), 0)
	if err != nil || len(out.Remarks) != 1 || !strings.Contains(out.Remarks[0], "busy") {
		t.Fatalf("%v %+v", err, out)
	}
	g.now.Up += time.Hour
	delete(g.alarm.failing, "disarm")
	g.plan.Steps = g.plan.Steps[:1]
	g.plan.Steps[0].Basis["log-level"] = `"info"`
	q := g.request()
	q.Confirm = 0
	if _, err := g.Apply(t.Context(), q); err != nil || g.alarm.armed != "" {
		t.Errorf("%v %+v", err, g.alarm)
	}
	g.state(t, 1, journal.StateConfirmed)
}
