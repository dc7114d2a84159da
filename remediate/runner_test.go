package remediate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/journal"
)

var now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// settings is a handler over a map: enough of a host to see order, records and undo.
type settings struct {
	t      *testing.T
	values map[string]string
	calls  []string
	// failing says which call fails: "do daemon", "undo container/web", "prepare …".
	failing map[string]error
	// onDo runs after a successful Do.
	onDo func(step string)
}

type undoValue struct{ Was map[string]string }

func (h *settings) call(verb string, s plan.Step) error {
	h.calls = append(h.calls, verb+" "+s.ID)
	return h.failing[verb+" "+s.ID]
}

func key(s plan.Step, c plan.Change) string { return s.ID + " " + c.Path }

func (h *settings) Prepare(_ context.Context, s plan.Step) (json.RawMessage, error) {
	if err := h.call("prepare", s); err != nil {
		return nil, err
	}
	u := undoValue{Was: map[string]string{}}
	for _, c := range s.Changes {
		u.Was[c.Path] = h.values[key(s, c)]
	}
	return json.Marshal(u)
}

func (h *settings) Do(_ context.Context, s plan.Step, undo json.RawMessage, log remediate.Log) error {
	var u undoValue
	if err := json.Unmarshal(undo, &u); err != nil {
		h.t.Errorf("undo record of %s is not what Prepare returned: %v", s.ID, err)
	}
	for i, c := range s.Changes {
		h.values[key(s, c)] = string(c.To)
		if err := log.Note(map[string]int{"changed": i}); err != nil {
			return err
		}
	}
	log.Progress("working")
	if err := h.call("do", s); err != nil {
		return err
	}
	if h.onDo != nil {
		h.onDo(s.ID)
	}
	return nil
}

func (h *settings) Undo(_ context.Context, s plan.Step, r remediate.Record) (remediate.Restored, error) {
	if err := h.call("undo", s); err != nil {
		return remediate.Restored{}, err
	}
	var u undoValue
	if err := json.Unmarshal(r.Undo, &u); err != nil {
		return remediate.Restored{}, err
	}
	for path, was := range u.Was {
		h.values[s.ID+" "+path] = was
	}
	return remediate.Restored{How: plan.Exact, Nothing: len(r.Notes) == 0}, nil
}

func (h *settings) Commit(_ context.Context, s plan.Step, _ remediate.Record) error {
	return h.call("commit", s)
}

func (h *settings) basis(_ context.Context, r plan.Resource) (plan.Basis, bool, error) {
	b := plan.Basis{}
	for k, v := range h.values {
		if name, path, _ := strings.Cut(k, " "); name == r.String() {
			b[path] = v
		}
	}
	return b, len(b) > 0, nil
}

type rig struct {
	*remediate.Runner
	host   *settings
	plan   *plan.Plan
	bytes  []byte
	sum    string
	events []remediate.Event
	still  []plan.Finding
}

func newRig(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	store, err := journal.Open(filepath.Join(dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	g := &rig{host: &settings{t: t, failing: map[string]error{}, values: map[string]string{
		"daemon log-level": `"debug"`, "container/cache HostConfig.Memory": "0", "container/web HostConfig.CapDrop": "null",
	}}}
	g.Runner = &remediate.Runner{
		Store: store, Lock: filepath.Join(dir, "lock"), Tool: "test", Now: func() time.Time { return now },
		Handlers: map[plan.Kind]remediate.Handler{plan.KindRestart: g.host, plan.KindUpdate: g.host, plan.KindRecreate: g.host},
		Events:   func(e remediate.Event) { g.events = append(g.events, e) },
		Verify:   func(context.Context, []plan.Step) ([]plan.Finding, error) { return g.still, nil },
	}
	finding := func(r plan.Resource, path, from, to string, kind plan.Kind) plan.Finding {
		return plan.Finding{Control: "docker/" + path, Resource: r, Status: plan.Fail, Message: "bad", Changes: []plan.Change{{
			Path: path, From: json.RawMessage(from), To: json.RawMessage(to), Kind: kind, Reversibility: plan.Exact,
		}}}
	}
	g.plan, err = plan.Build(plan.Input{
		Findings: []plan.Finding{
			finding(plan.Daemon(), "log-level", `"debug"`, `"info"`, plan.KindRestart),
			finding(plan.Container("cache", "c"), "HostConfig.Memory", "0", "1", plan.KindUpdate),
			finding(plan.Container("web", "w"), "HostConfig.CapDrop", "null", `["NET_RAW"]`, plan.KindRecreate),
		},
		Basis: func(r plan.Resource) (plan.Basis, bool) { b, ok, _ := g.host.basis(t.Context(), r); return b, ok },
		Host:  plan.Host{Name: "h", MachineID: "m", EngineID: "e"}, Made: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	if g.bytes, g.sum, err = plan.Encode(g.plan); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *rig) request() remediate.ApplyRequest {
	return remediate.ApplyRequest{Plan: g.plan, PlanBytes: g.bytes, SHA256: g.sum, Host: g.plan.Host, Basis: g.host.basis}
}

func (g *rig) apply(t *testing.T) remediate.Outcome {
	t.Helper()
	out, err := g.Apply(t.Context(), g.request())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (g *rig) value(t *testing.T, key, want string) {
	t.Helper()
	if got := g.host.values[key]; got != want {
		t.Errorf("%s is %s, want %s", key, got, want)
	}
}

func (g *rig) state(t *testing.T, n int, want journal.State) {
	t.Helper()
	gen, err := g.Store.Load(n)
	if err != nil {
		t.Fatal(err)
	}
	if gen.State() != want {
		t.Errorf("generation %d is %s, want %s", n, gen.State(), want)
	}
}

func TestApplyThenRollback(t *testing.T) {
	g := newRig(t)
	out := g.apply(t)
	if want := []string{"daemon", "container/cache", "container/web"}; !slices.Equal(out.Done, want) || out.Generation != 1 {
		t.Errorf("outcome %+v", out)
	}
	g.value(t, "daemon log-level", `"info"`)
	g.state(t, 1, journal.StateApplied)
	if !slices.Equal(g.host.calls[:3], []string{"prepare daemon", "prepare container/cache", "prepare container/web"}) {
		t.Errorf("every step is prepared before the first is made: %v", g.host.calls)
	}
	g.host.calls = nil
	back, err := g.Rollback(t.Context(), remediate.RollbackRequest{Basis: g.host.basis})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"undo container/web", "undo container/cache", "undo daemon"}; !slices.Equal(g.host.calls, want) {
		t.Errorf("undo order %v", g.host.calls)
	}
	if len(back.Restored) != 3 || back.Restored["daemon"].How != plan.Exact {
		t.Errorf("restored %+v", back.Restored)
	}
	g.value(t, "daemon log-level", `"debug"`)
	g.value(t, "container/web HostConfig.CapDrop", "null")
	g.state(t, 1, journal.StateRolledBack)
	if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{}); !errors.Is(err, journal.ErrNone) {
		t.Errorf("a second rollback: %v", err)
	}
}

func TestApplyFailureUndoesEverything(t *testing.T) {
	for _, failing := range []string{"prepare", "do"} {
		for i, step := range []string{"daemon", "container/cache", "container/web"} {
			t.Run(failing+" "+step, func(t *testing.T) {
				g := newRig(t)
				boom := errors.New("boom")
				if failing == "prepare" {
					// The rehearsal passes, the real Prepare fails.
					g.host.onDo = func(string) { g.host.failing["prepare "+step] = boom }
					if i == 0 {
						g.host.failing["prepare "+step] = boom
					}
				} else {
					g.host.failing["do "+step] = boom
				}
				_, err := g.Apply(t.Context(), g.request())
				if !errors.Is(err, boom) {
					t.Fatalf("got %v", err)
				}
				if failing == "prepare" && i == 0 {
					if errors.Is(err, remediate.ErrRolledBack) {
						t.Error("nothing was done, nothing was rolled back")
					}
				} else if !errors.Is(err, remediate.ErrRolledBack) {
					t.Errorf("not marked as rolled back: %v", err)
				} else {
					g.state(t, 1, journal.StateRolledBack)
				}
				var stepErr *remediate.StepError
				if !errors.As(err, &stepErr) || stepErr.Step != step {
					t.Errorf("the error does not name the step: %v", err)
				}
				g.value(t, "daemon log-level", `"debug"`)
				g.value(t, "container/cache HostConfig.Memory", "0")
				g.value(t, "container/web HostConfig.CapDrop", "null")
			})
		}
	}
}

func TestStopOnFailureKeepsWhatWasDone(t *testing.T) {
	g := newRig(t)
	g.host.failing["do container/web"] = errors.New("boom")
	q := g.request()
	q.OnFailure = remediate.StopOnFailure
	if _, err := g.Apply(t.Context(), q); !errors.Is(err, remediate.ErrStopped) {
		t.Fatal(err)
	}
	g.value(t, "daemon log-level", `"info"`)
	g.value(t, "container/web HostConfig.CapDrop", "null")
	if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{}); err != nil {
		t.Fatal(err)
	}
	g.value(t, "daemon log-level", `"debug"`)
}

func TestIncompleteRollbackGoesOnAndCanBeRepeated(t *testing.T) {
	g := newRig(t)
	g.apply(t)
	g.host.failing["undo container/cache"] = errors.New("stuck")
	out, err := g.Rollback(t.Context(), remediate.RollbackRequest{})
	if !errors.Is(err, remediate.ErrRollbackIncomplete) || !slices.Equal(out.Incomplete, []string{"container/cache"}) {
		t.Fatalf("%v %+v", err, out)
	}
	g.value(t, "daemon log-level", `"debug"`)
	g.state(t, 1, journal.StateRollbackIncomplete)
	if _, err := g.Apply(t.Context(), g.request()); !errors.Is(err, remediate.ErrUnfinished) {
		t.Errorf("an apply on an unfinished generation: %v", err)
	}
	delete(g.host.failing, "undo container/cache")
	g.host.calls = nil
	if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(g.host.calls, []string{"undo container/cache"}) {
		t.Errorf("the second rollback repeats only what failed: %v", g.host.calls)
	}
	g.state(t, 1, journal.StateRolledBack)
}

// A disk that fails under the run: no record can be written any more, and the host is brought back all the same.
func TestUndoWithoutAJournal(t *testing.T) {
	g := newRig(t)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	restore := func() { _ = unix.Setrlimit(unix.RLIMIT_FSIZE, &limit) }
	defer restore()
	g.host.onDo = func(step string) {
		if step == "container/cache" {
			_ = unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1, Max: limit.Max})
		}
	}
	_, err := g.Apply(t.Context(), g.request())
	restore()
	if !errors.Is(err, remediate.ErrRollbackIncomplete) || !strings.Contains(err.Error(), "could not be recorded") {
		t.Errorf("got %v", err)
	}
	g.value(t, "daemon log-level", `"debug"`)
	g.value(t, "container/cache HostConfig.Memory", "0")
	g.host.onDo = nil
	if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{Basis: g.host.basis}); err != nil {
		t.Errorf("the rollback that records it: %v", err)
	}
	g.state(t, 1, journal.StateRolledBack)
}

func TestRollbackProvesItselfAgainstThePlan(t *testing.T) {
	g := newRig(t)
	g.apply(t)
	q := remediate.RollbackRequest{Basis: func(ctx context.Context, r plan.Resource) (plan.Basis, bool, error) {
		b, ok, err := g.host.basis(ctx, r)
		if r.Name == "web" {
			b["HostConfig.Privileged"] = "true"
		}
		return b, ok, err
	}}
	out, err := g.Rollback(t.Context(), q)
	if !errors.Is(err, remediate.ErrRollbackIncomplete) || !slices.Equal(out.Incomplete, []string{"container/web"}) || !strings.Contains(err.Error(), "HostConfig.Privileged") {
		t.Errorf("%v %+v", err, out)
	}
}

func TestRollbackOfOneTarget(t *testing.T) {
	g := newRig(t)
	g.apply(t)
	if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{Targets: []string{"container/nope"}}); err == nil {
		t.Error("an unknown target was accepted")
	}
	if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{Targets: []string{"container/w*"}}); err != nil {
		t.Fatal(err)
	}
	g.value(t, "container/web HostConfig.CapDrop", "null")
	g.value(t, "daemon log-level", `"info"`)
	g.state(t, 1, journal.StateApplied)
	if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{}); err != nil {
		t.Fatal(err)
	}
	g.value(t, "daemon log-level", `"debug"`)
	g.state(t, 1, journal.StateRolledBack)
}

func TestOlderGenerationWaitsForNewer(t *testing.T) {
	g := newRig(t)
	g.apply(t)
	g.plan.Steps = g.plan.Steps[:1]
	g.plan.Steps[0].Basis = plan.Basis{"log-level": `"info"`}
	g.apply(t)
	if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{Generation: 1}); !errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), "roll back 2 first") {
		t.Errorf("got %v", err)
	}
	for range 2 {
		if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	g.value(t, "daemon log-level", `"debug"`)
}

func TestRefusalsTouchNothing(t *testing.T) {
	for _, test := range []struct {
		name string
		edit func(*rig, *remediate.ApplyRequest)
		want error
	}{
		{"expired", func(g *rig, _ *remediate.ApplyRequest) { g.plan.Expires = now.Add(-time.Second) }, plan.ErrExpired},
		{"incomplete", func(g *rig, _ *remediate.ApplyRequest) { g.plan.Errored = true }, plan.ErrIncomplete},
		{"other machine", func(_ *rig, q *remediate.ApplyRequest) { q.Host.MachineID = "x" }, plan.ErrForeign},
		{"other engine", func(_ *rig, q *remediate.ApplyRequest) { q.Host.EngineID = "x" }, plan.ErrForeign},
		{"stale", func(g *rig, _ *remediate.ApplyRequest) { g.host.values["container/web HostConfig.CapDrop"] = "[]" }, plan.ErrStale},
		{"gone", func(g *rig, _ *remediate.ApplyRequest) { delete(g.host.values, "container/web HostConfig.CapDrop") }, plan.ErrStale},
		{"risk", func(g *rig, q *remediate.ApplyRequest) {
			g.plan.Steps[1].Risk.Level, q.MaxRisk = plan.RiskHigh, plan.RiskMedium
		}, remediate.ErrRefused},
		{"unrevertable", func(g *rig, _ *remediate.ApplyRequest) { g.plan.Steps[1].Changes[0].Reversibility = plan.None }, remediate.ErrRefused},
		{"no handler", func(g *rig, _ *remediate.ApplyRequest) { delete(g.Handlers, plan.KindRecreate) }, remediate.ErrRefused},
		{"prepare", func(g *rig, _ *remediate.ApplyRequest) {
			g.host.failing["prepare container/web"] = remediate.ErrRefused
		}, remediate.ErrRefused},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newRig(t)
			q := g.request()
			test.edit(g, &q)
			before := fmt.Sprint(g.host.values)
			if _, err := g.Apply(t.Context(), q); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if got := fmt.Sprint(g.host.values); got != before {
				t.Errorf("something was touched: %s", got)
			}
			if _, err := g.Store.Latest(); !errors.Is(err, journal.ErrNone) {
				t.Errorf("a generation was begun: %v", err)
			}
		})
	}
}

func TestAllowances(t *testing.T) {
	g := newRig(t)
	g.plan.Steps[1].Changes[0].Reversibility = plan.None
	q := g.request()
	q.AllowUnrevertable = []string{"container/cache"}
	if _, err := g.Apply(t.Context(), q); err != nil {
		t.Error(err)
	}
	g = newRig(t)
	g.host.values["container/web HostConfig.CapDrop"] = "[]"
	q = g.request()
	q.SkipStale = true
	out, err := g.Apply(t.Context(), q)
	if err != nil || len(out.Done) != 2 || len(out.Stale) != 1 || out.Stale[0].Moved[0] != "HostConfig.CapDrop" {
		t.Errorf("%v %+v", err, out)
	}
	g = newRig(t)
	q = g.request()
	q.Targets, q.Skip = []string{"container/*"}, []string{"container/web"}
	if out, err := g.Apply(t.Context(), q); err != nil || !slices.Equal(out.Done, []string{"container/cache"}) {
		t.Errorf("%v %+v", err, out)
	}
}

func TestStillFailing(t *testing.T) {
	g := newRig(t)
	g.still = []plan.Finding{{Control: "docker/log-level", Resource: plan.Daemon()}}
	out, err := g.Apply(t.Context(), g.request())
	if !errors.Is(err, remediate.ErrStillFails) || len(out.StillFailing) != 1 {
		t.Errorf("%v %+v", err, out)
	}
	g.state(t, 1, journal.StateApplied)
}

func TestSecondRunIsLockedOut(t *testing.T) {
	g := newRig(t)
	other := newRig(t)
	other.Lock = g.Lock
	g.host.onDo = func(string) {
		if _, err := other.Apply(t.Context(), other.request()); !errors.Is(err, remediate.ErrLocked) {
			t.Errorf("two applies at once: %v", err)
		}
	}
	g.apply(t)
}

func TestInterruptThenResumeOrRollback(t *testing.T) {
	interrupted := func(t *testing.T) *rig {
		g := newRig(t)
		ctx, cancel := context.WithCancel(t.Context())
		g.host.onDo = func(string) { cancel() }
		if _, err := g.Apply(ctx, g.request()); !errors.Is(err, remediate.ErrInterrupted) {
			t.Fatalf("got %v", err)
		}
		g.value(t, "daemon log-level", `"info"`)
		g.value(t, "container/cache HostConfig.Memory", "0")
		g.host.onDo = nil
		return g
	}
	g := interrupted(t)
	out, err := g.Resume(t.Context(), remediate.ResumeRequest{Basis: g.host.basis})
	if err != nil || !slices.Equal(out.Done, []string{"daemon", "container/cache", "container/web"}) {
		t.Errorf("resume: %v %+v", err, out)
	}
	g.state(t, 1, journal.StateApplied)
	if _, err := g.Resume(t.Context(), remediate.ResumeRequest{Basis: g.host.basis}); !errors.Is(err, journal.ErrNone) {
		t.Errorf("a second resume: %v", err)
	}

	g = interrupted(t)
	if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{}); err != nil {
		t.Error(err)
	}
	g.value(t, "daemon log-level", `"debug"`)

	g = interrupted(t)
	g.host.values["container/web HostConfig.CapDrop"] = "[]"
	if _, err := g.Resume(t.Context(), remediate.ResumeRequest{Basis: g.host.basis}); !errors.Is(err, remediate.ErrRolledBack) || !errors.Is(err, plan.ErrStale) {
		t.Errorf("resume over a moved container: %v", err)
	}
	g.value(t, "daemon log-level", `"debug"`)
}

func TestResumeFinishesARollback(t *testing.T) {
	for name, targets := range map[string][]string{"whole": nil, "one target": {"container/cache"}} {
		g := newRig(t)
		g.apply(t)
		g.host.failing["undo container/cache"] = errors.New("stuck")
		if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{Targets: targets}); !errors.Is(err, remediate.ErrRollbackIncomplete) {
			t.Fatalf("%s: %v", name, err)
		}
		delete(g.host.failing, "undo container/cache")
		if _, err := g.Resume(t.Context(), remediate.ResumeRequest{Basis: g.host.basis}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		g.value(t, "container/cache HostConfig.Memory", "0")
		if targets == nil {
			g.state(t, 1, journal.StateRolledBack)
		} else {
			g.state(t, 1, journal.StateApplied)
			g.value(t, "daemon log-level", `"info"`)
		}
	}
}

// A crash in the middle of a step: the journal holds the preparation and nothing else.
func TestResumeRedoesAHalfDoneStep(t *testing.T) {
	for _, notes := range []int{0, 1} {
		g := newRig(t)
		j, err := g.Store.Create(journal.Begin{Plan: g.bytes, PlanSHA256: g.sum, Host: g.plan.Host, Steps: g.plan.Steps})
		if err != nil {
			t.Fatal(err)
		}
		undo, _ := g.host.Prepare(t.Context(), g.plan.Steps[0])
		if err := j.Write(journal.Prepared, "daemon", undo); err != nil {
			t.Fatal(err)
		}
		if notes == 1 {
			g.host.values["daemon log-level"] = `"info"`
			if err := j.Write(journal.Note, "daemon", map[string]int{"changed": 0}); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := g.Apply(t.Context(), g.request()); !errors.Is(err, remediate.ErrUnfinished) {
			t.Errorf("apply over a crash: %v", err)
		}
		if _, err := g.Resume(t.Context(), remediate.ResumeRequest{Basis: g.host.basis}); err != nil {
			t.Fatal(err)
		}
		g.value(t, "daemon log-level", `"info"`)
		g.value(t, "container/web HostConfig.CapDrop", `["NET_RAW"]`)
		if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{Basis: g.host.basis}); err != nil {
			t.Fatal(err)
		}
		g.value(t, "daemon log-level", `"debug"`)
	}
}

func TestConfirmAndPrune(t *testing.T) {
	g := newRig(t)
	g.apply(t)
	if _, err := g.Prune(t.Context(), 1); !errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), "confirm it first") {
		t.Errorf("prune before confirm: %v", err)
	}
	for range 2 {
		if _, err := g.Confirm(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	g.state(t, 1, journal.StateConfirmed)
	g.host.failing["commit container/cache"] = errors.New("busy")
	if _, err := g.Prune(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "container/cache") {
		t.Errorf("got %v", err)
	}
	delete(g.host.failing, "commit container/cache")
	g.host.calls = nil
	if _, err := g.Prune(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(g.host.calls, []string{"commit container/cache"}) {
		t.Errorf("prune again does only what is left: %v", g.host.calls)
	}
	if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{}); err != nil {
		t.Errorf("rollback of a pruned generation: %v", err)
	}
	g.value(t, "daemon log-level", `"debug"`)
}

func TestEventsTellEveryStep(t *testing.T) {
	g := newRig(t)
	g.host.failing["do container/web"] = errors.New("boom")
	_, _ = g.Apply(t.Context(), g.request())
	var got []string
	for _, e := range g.events {
		if e.Phase == remediate.PhaseDone || e.Phase == remediate.PhaseFailed || e.Phase == remediate.PhaseUndone {
			got = append(got, fmt.Sprintf("%d/%d %s %s", e.Index, e.Total, e.Phase, e.Step))
		}
	}
	want := []string{
		"1/3 done daemon", "2/3 done container/cache", "3/3 failed container/web",
		"1/3 undone container/web", "2/3 undone container/cache", "3/3 undone daemon",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
