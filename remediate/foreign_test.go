package remediate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"docker-harden/remediate"
	"docker-harden/remediate/journal"
)

// A generation made on another machine is left alone by everything that would touch this one, and the
// message says whose it is.
func TestGenerationOfAnotherMachine(t *testing.T) {
	g := newRig(t)
	g.apply(t) // on machine m
	g.Machine = "another"
	g.host.calls = nil
	raised := false
	g.Raise = func(context.Context) error { raised = true; return nil }
	for name, do := range map[string]func() (remediate.Outcome, error){
		"rollback": func() (remediate.Outcome, error) { return g.Rollback(t.Context(), remediate.RollbackRequest{}) },
		"confirm":  func() (remediate.Outcome, error) { return g.Confirm(t.Context(), 0) },
		"prune":    func() (remediate.Outcome, error) { return g.Prune(t.Context(), 0) },
	} {
		_, err := do()
		if !errors.Is(err, remediate.ErrForeign) || !strings.Contains(err.Error(), "was made on h (machine m)") || !strings.Contains(err.Error(), "--force") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(g.host.calls) > 0 || raised {
		t.Errorf("calls %q, engine raised %v", g.host.calls, raised)
	}
	g.state(t, 1, journal.StateApplied)
	if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{Force: true}); err != nil {
		t.Errorf("forced: %v", err)
	}
	g.state(t, 1, journal.StateRolledBack)
}

func TestResumeOfAnotherMachine(t *testing.T) {
	g := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	g.host.onDo = func(string) { cancel() }
	if _, err := g.Apply(ctx, g.request()); !errors.Is(err, remediate.ErrInterrupted) {
		t.Fatal(err)
	}
	g.host.calls, g.Machine = nil, "another"
	if _, err := g.Resume(t.Context(), remediate.ResumeRequest{Basis: g.host.basis}); !errors.Is(err, remediate.ErrForeign) || len(g.host.calls) > 0 {
		t.Errorf("%v, calls %q", err, g.host.calls)
	}
	g.Machine = "m"
	if _, err := g.Resume(t.Context(), remediate.ResumeRequest{Basis: g.host.basis}); err != nil {
		t.Error(err)
	}
}

// A rollback that is asked to stop finishes the step in hand; both ways to go on bring the rest back, each
// step once.
func TestRollbackInterrupted(t *testing.T) {
	for name, finish := range map[string]func(*rig) (remediate.Outcome, error){
		"rollback": func(g *rig) (remediate.Outcome, error) { return g.Rollback(t.Context(), remediate.RollbackRequest{}) },
		"resume": func(g *rig) (remediate.Outcome, error) {
			return g.Resume(t.Context(), remediate.ResumeRequest{Basis: g.host.basis})
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			g.apply(t)
			ctx, cancel := context.WithCancel(t.Context())
			g.Events = func(e remediate.Event) {
				if e.Phase == remediate.PhaseUndo && e.Step == "container/web" {
					cancel()
				}
			}
			g.host.calls = nil
			out, err := g.Rollback(ctx, remediate.RollbackRequest{})
			if !errors.Is(err, remediate.ErrInterrupted) || errors.Is(err, remediate.ErrRollbackIncomplete) ||
				!strings.Contains(err.Error(), "after 1 of 3 steps back") || !strings.Contains(err.Error(), "docker-harden rollback 1") {
				t.Errorf("got %v", err)
			}
			if !slices.Equal(out.Undone, []string{"container/web"}) || out.State != string(journal.StateRollingBack) {
				t.Errorf("%+v", out)
			}
			if _, err := finish(g); err != nil {
				t.Fatal(err)
			}
			if want := []string{"undo container/web", "undo container/cache", "undo daemon"}; !slices.Equal(g.host.calls, want) {
				t.Errorf("calls %q", g.host.calls)
			}
			g.state(t, 1, journal.StateRolledBack)
		})
	}
}

// The rollback of a failed apply is not interrupted: the apply's answer is how it ended.
func TestAutomaticRollbackIsNotInterrupted(t *testing.T) {
	g := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	g.host.failing["do container/web"] = errors.New("broken")
	g.Events = func(e remediate.Event) {
		if e.Phase == remediate.PhaseUndo {
			cancel()
		}
	}
	if _, err := g.Apply(ctx, g.request()); !errors.Is(err, remediate.ErrRolledBack) {
		t.Errorf("got %v", err)
	}
	g.state(t, 1, journal.StateRolledBack)
}
