package remediate_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/journal"
)

// raising is a rig whose engine is down; undoing the daemon's configuration brings it up.
func raising(t *testing.T, starts bool) *rig {
	g := newRig(t)
	g.apply(t)
	down := errors.New("no engine")
	g.host.failing["undo container/web"], g.host.failing["undo container/cache"] = down, down
	up := func() { clear(g.host.failing) }
	g.Raise = func(context.Context) error {
		g.host.calls = append(g.host.calls, "raise")
		if !starts {
			return errors.New("invalid configuration")
		}
		up()
		return nil
	}
	g.Handlers[plan.KindRestart] = upAfterUndo{g.host, up}
	g.host.calls = nil
	return g
}

// upAfterUndo starts the engine with the configuration it brings back.
type upAfterUndo struct {
	*settings
	up func()
}

func (h upAfterUndo) Undo(ctx context.Context, s plan.Step, r remediate.Record) (remediate.Restored, error) {
	restored, err := h.settings.Undo(ctx, s, r)
	h.up()
	return restored, err
}

func TestRollbackRaisesTheEngine(t *testing.T) {
	tests := map[string]struct {
		starts bool
		want   []string
	}{
		"starts":     {true, []string{"raise", "undo container/web", "undo container/cache", "undo daemon"}},
		"stays down": {false, []string{"raise", "undo daemon", "undo container/web", "undo container/cache"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g := raising(t, tt.starts)
			if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{}); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(g.host.calls, tt.want) {
				t.Errorf("calls %q, want %q", g.host.calls, tt.want)
			}
			g.state(t, 1, journal.StateRolledBack)
		})
	}
	t.Run("a target alone", func(t *testing.T) {
		g := raising(t, false)
		_, err := g.Rollback(t.Context(), remediate.RollbackRequest{Targets: []string{"container/web"}})
		if !errors.Is(err, remediate.ErrRollbackIncomplete) || slices.Contains(g.host.calls, "undo daemon") {
			t.Errorf("error %v, calls %q: a target that was not asked for was undone", err, g.host.calls)
		}
	})
}

// The engine is away while another run restarts it: nobody else may start it.
func TestRollbackRaisesNothingBesideAnotherRun(t *testing.T) {
	g := newRig(t)
	g.host.onDo = func(string) {
		raised := false
		other := *g.Runner
		other.Raise = func(context.Context) error { raised = true; return nil }
		_, rollback := other.Rollback(t.Context(), remediate.RollbackRequest{})
		_, resume := other.Resume(t.Context(), remediate.ResumeRequest{})
		for _, err := range []error{rollback, resume, other.Ready(t.Context())} {
			if !errors.Is(err, remediate.ErrLocked) {
				t.Errorf("got %v", err)
			}
		}
		if raised {
			t.Error("the engine was started beside the run that restarts it")
		}
	}
	g.apply(t)
	if err := g.Ready(t.Context()); err != nil {
		t.Errorf("ready after the apply: %v", err)
	}
}

// What others changed since, outside of what the step changed, is none of the rollback's business.
func TestRollbackLeavesOtherFieldsAlone(t *testing.T) {
	const field = "HostConfig.CpuShares"
	tests := map[string]struct {
		target, before, after string
		incomplete            bool
	}{
		"changed by somebody":         {"container/cache", "1024", "1024", false},
		"removed by somebody":         {"container/cache", "", "", false},
		"changed by the undo":         {"container/cache", "0", "1024", true},
		"under a container made anew": {"container/web", "1024", "1024", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			for i := range g.plan.Steps {
				g.plan.Steps[i].Basis[field] = "512"
			}
			q := g.request()
			q.Basis = func(ctx context.Context, r plan.Resource) (plan.Basis, bool, error) {
				b, ok, err := g.host.basis(ctx, r)
				b[field] = "512"
				return b, ok, err
			}
			if _, err := g.Apply(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			undone := func(id string) bool { return slices.Contains(g.host.calls, "undo "+id) }
			_, err := g.Rollback(t.Context(), remediate.RollbackRequest{
				Targets: []string{tt.target},
				Basis: func(ctx context.Context, r plan.Resource) (plan.Basis, bool, error) {
					b, ok, err := g.host.basis(ctx, r)
					b[field] = tt.before
					if undone(r.String()) {
						b[field] = tt.after
					}
					if b[field] == "" {
						delete(b, field)
					}
					return b, ok, err
				},
			})
			if got := errors.Is(err, remediate.ErrRollbackIncomplete); got != tt.incomplete || !got && err != nil {
				t.Errorf("got %v", err)
			}
		})
	}
}

// twice applies two generations that change the daemon; the first changes containers too.
func twice(t *testing.T) *rig {
	g := newRig(t)
	g.apply(t)
	g.plan.Steps = g.plan.Steps[:1]
	g.plan.Steps[0].Basis = plan.Basis{"log-level": `"info"`}
	g.apply(t)
	return g
}

func TestOlderGenerationOfAnotherTarget(t *testing.T) {
	g := twice(t)
	if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{Generation: 1, Targets: []string{"daemon"}}); !errors.Is(err, remediate.ErrRefused) {
		t.Errorf("under a newer change: %v", err)
	}
	if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{Generation: 1, Targets: []string{"container/web"}}); err != nil {
		t.Errorf("a target that nothing stands on: %v", err)
	}
	g.value(t, "container/web HostConfig.CapDrop", "null")
	g.value(t, "daemon log-level", `"info"`)
}

func TestOlderGenerationUnderABrokenOne(t *testing.T) {
	g := twice(t)
	gen, err := g.Store.Load(2)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(gen.Dir, journal.FileName), []byte("garbage\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = g.Rollback(t.Context(), remediate.RollbackRequest{Generation: 1})
	if !errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), "--force") {
		t.Errorf("got %v", err)
	}
	g.value(t, "daemon log-level", `"info"`)
	if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{Generation: 1, Force: true}); err != nil {
		t.Error(err)
	}
	g.value(t, "daemon log-level", `"debug"`)
}

// A rollback of one generation after the other gets stuck in the older: nothing is applied on top, and
// resume finds it.
func TestUnfinishedUnderAFinishedGeneration(t *testing.T) {
	g := twice(t)
	if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{}); err != nil {
		t.Fatal(err)
	}
	g.host.failing["undo container/cache"] = errors.New("stuck")
	if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{}); !errors.Is(err, remediate.ErrRollbackIncomplete) {
		t.Fatal(err)
	}
	if _, err := g.Apply(t.Context(), g.request()); !errors.Is(err, remediate.ErrUnfinished) || !strings.Contains(err.Error(), "generation 1") {
		t.Errorf("apply: %v", err)
	}
	clear(g.host.failing)
	if out, err := g.Resume(t.Context(), remediate.ResumeRequest{}); err != nil || out.Generation != 1 {
		t.Errorf("resume: %v %+v", err, out)
	}
	g.state(t, 1, journal.StateRolledBack)
	g.value(t, "container/cache HostConfig.Memory", "0")
}

// An apply that was cut off before its first step is what a rollback ends, and not the generation before it.
func TestRollbackOfWhatHadNotBegun(t *testing.T) {
	g := newRig(t)
	q := g.request()
	q.Targets = []string{"container/cache"}
	if _, err := g.Apply(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Confirm(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	before := maps.Clone(g.host.values)
	cut, stop := context.WithCancel(t.Context())
	stop()
	q.Targets = []string{"daemon"}
	if _, err := g.Apply(cut, q); !errors.Is(err, remediate.ErrInterrupted) {
		t.Fatalf("got %v", err)
	}
	g.state(t, 2, journal.StateApplying)
	out, err := g.Rollback(t.Context(), remediate.RollbackRequest{})
	if err != nil || out.Generation != 2 || len(out.Undone) > 0 {
		t.Errorf("rolled back: %+v %v", out, err)
	}
	g.state(t, 2, journal.StateRolledBack)
	g.state(t, 1, journal.StateConfirmed)
	if !maps.Equal(g.host.values, before) {
		t.Errorf("it changed %v, before %v", g.host.values, before)
	}
	if out, err := g.Rollback(t.Context(), remediate.RollbackRequest{}); err != nil || out.Generation != 1 {
		t.Errorf("the one before, when asked once more: %+v %v", out, err)
	}
}
