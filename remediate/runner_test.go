package remediate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/journal"
)

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
