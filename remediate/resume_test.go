package remediate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/journal"
)

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
	var proven []string
	g.Verify = func(_ context.Context, steps []plan.Step) ([]plan.Finding, error) {
		for _, s := range steps {
			proven = append(proven, s.ID)
		}
		return nil, nil
	}
	g.events = nil
	out, err := g.Resume(t.Context(), remediate.ResumeRequest{Basis: g.host.basis})
	whole := []string{"daemon", "container/cache", "container/web"}
	if err != nil || !slices.Equal(out.Done, whole) {
		t.Errorf("resume: %v %+v", err, out)
	}
	if !slices.Equal(proven, whole) {
		t.Errorf("proven %q: what was made before the interruption counts too", proven)
	}
	if e := g.events[0]; e.Index != 2 || e.Total != 3 {
		t.Errorf("the first step of the rest is told as %d/%d", e.Index, e.Total)
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

// A crash in the middle of a step, and crashes of the resume that undoes what is half done: it is undone, then
// made whole.
func TestResumeRedoesAHalfDoneStep(t *testing.T) {
	changed := map[string]int{"changed": 0}
	for _, tt := range []struct {
		name  string
		after []journal.Kind // records after the preparation
	}{
		{"nothing changed yet", nil},
		{"changed", []journal.Kind{journal.Note}},
		{"killed again in its undo", []journal.Kind{journal.Note, journal.Resumed, journal.Undoing}},
		{"killed a third time in its undo", []journal.Kind{journal.Note, journal.Resumed, journal.Undoing, journal.Resumed, journal.Undoing}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newRig(t)
			j, err := g.Store.Create(journal.Begin{Plan: g.bytes, PlanSHA256: g.sum, Host: g.plan.Host, Steps: g.plan.Steps})
			if err != nil {
				t.Fatal(err)
			}
			undo, _ := g.host.Prepare(t.Context(), g.plan.Steps[0])
			if err := j.Write(journal.Prepared, "daemon", undo); err != nil {
				t.Fatal(err)
			}
			for _, kind := range tt.after {
				g.host.values["daemon log-level"] = `"info"`
				step, data := "daemon", any(nil)
				if kind == journal.Resumed {
					step = ""
				}
				if kind == journal.Note {
					data = changed
				}
				if err := j.Write(kind, step, data); err != nil {
					t.Fatal(err)
				}
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := g.Apply(t.Context(), g.request()); !errors.Is(err, remediate.ErrUnfinished) {
				t.Errorf("apply over a crash: %v", err)
			}
			g.host.calls = nil
			if _, err := g.Resume(t.Context(), remediate.ResumeRequest{Basis: g.host.basis}); err != nil {
				t.Fatal(err)
			}
			if want := []string{"undo daemon", "prepare daemon", "do daemon"}; !slices.Equal(g.host.calls[:3], want) {
				t.Errorf("resume began with %q, want %q", g.host.calls, want)
			}
			g.value(t, "daemon log-level", `"info"`)
			g.value(t, "container/web HostConfig.CapDrop", `["NET_RAW"]`)
			if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{Basis: g.host.basis}); err != nil {
				t.Fatal(err)
			}
			g.value(t, "daemon log-level", `"debug"`)
		})
	}
}

// A crash behind a live update whose undo cannot bring the old value back: what the undo leaves is not taken for
// somebody else's change, and what somebody else changed still is.
func TestResumeOverWhatItsOwnUndoLeaves(t *testing.T) {
	const memory, other = "container/cache HostConfig.Memory", "container/cache Config.User"
	for _, tt := range []struct {
		name       string
		functional bool
		other      string
		killed     []journal.Kind // records of an earlier resume
		want       error
	}{
		{"functional", true, "", nil, nil},
		{"functional, killed again before the second try", true, "", []journal.Kind{journal.Resumed, journal.Undoing, journal.Undone}, nil},
		{"said to be exact", false, "", nil, remediate.ErrRolledBack},
		{"functional, and another field moved", true, "root", nil, remediate.ErrRolledBack},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newRig(t)
			if tt.functional {
				g.plan.Steps[1].Changes[0].Reversibility = plan.Functional
			}
			g.host.residue = map[string]string{memory: "max"}
			j, err := g.Store.Create(journal.Begin{Plan: g.bytes, PlanSHA256: g.sum, Host: g.plan.Host, Steps: g.plan.Steps})
			if err != nil {
				t.Fatal(err)
			}
			undo, _ := g.host.Prepare(t.Context(), g.plan.Steps[1])
			err = errors.Join(
				j.Write(journal.Prepared, "daemon", json.RawMessage(`{"Was":{"log-level":"\"debug\""}}`)), j.Write(journal.Done, "daemon", nil),
				j.Write(journal.Prepared, "container/cache", undo), j.Write(journal.Note, "container/cache", map[string]int{"changed": 0}),
			)
			g.host.values["daemon log-level"], g.host.values[memory] = `"info"`, "1"
			for _, kind := range tt.killed {
				step := "container/cache"
				if kind == journal.Resumed {
					step = ""
				}
				if kind == journal.Undone {
					g.host.values[memory] = "max"
				}
				err = errors.Join(err, j.Write(kind, step, nil))
			}
			if err = errors.Join(err, j.Close()); err != nil {
				t.Fatal(err)
			}
			if tt.other != "" {
				g.host.values[other] = tt.other
			}
			if _, err := g.Resume(t.Context(), remediate.ResumeRequest{Basis: g.host.basis}); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if tt.want == nil {
				g.value(t, memory, "1")
				g.state(t, 1, journal.StateApplied)
			} else {
				g.value(t, memory, "max")
				g.value(t, "daemon log-level", `"debug"`)
			}
		})
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

// Ctrl-C while a resume looks at the host stops it: what was done before stays.
func TestResumeInterruptedWhileItLooks(t *testing.T) {
	g := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	g.host.onDo = func(string) { cancel() }
	if _, err := g.Apply(ctx, g.request()); !errors.Is(err, remediate.ErrInterrupted) {
		t.Fatalf("got %v", err)
	}
	g.host.onDo = nil
	again, stop := context.WithCancel(t.Context())
	looks := func(ctx context.Context, r plan.Resource) (plan.Basis, bool, error) {
		stop()
		return nil, false, again.Err()
	}
	if _, err := g.Resume(again, remediate.ResumeRequest{Basis: looks}); !errors.Is(err, remediate.ErrInterrupted) {
		t.Errorf("resume: %v", err)
	}
	g.value(t, "daemon log-level", `"info"`)
	g.state(t, 1, journal.StateApplying)
	if out, err := g.Resume(t.Context(), remediate.ResumeRequest{Basis: g.host.basis}); err != nil || len(out.Done) != 3 {
		t.Errorf("resumed again: %v %+v", err, out)
	}
}
