package remediate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/journal"
)

func TestWatch(t *testing.T) {
	trouble := &remediate.StepError{Step: "container/web", During: "watch", Err: errors.New("container web restarted")}
	for name, tt := range map[string]struct {
		found  error
		still  []plan.Finding
		how    remediate.OnFailure
		want   error
		state  journal.State
		undone []string
		web    string
		remark string
	}{
		"nothing":             {nil, nil, "", nil, journal.StateApplied, nil, `["NET_RAW"]`, ""},
		"trouble":             {trouble, nil, remediate.RollbackOnFailure, remediate.ErrRolledBack, journal.StateRolledBack, []string{"container/web", "container/cache", "daemon"}, "null", ""},
		"trouble, only that":  {trouble, nil, remediate.StopOnFailure, remediate.ErrStopped, journal.StateApplied, []string{"container/web"}, "null", ""},
		"no sight":            {errors.New("the engine is gone"), nil, "", nil, journal.StateApplied, nil, `["NET_RAW"]`, "the engine is gone"},
		"a control fails too": {nil, []plan.Finding{{Control: "docker/x"}}, "", remediate.ErrStillFails, journal.StateApplied, nil, `["NET_RAW"]`, ""},
		"both":                {trouble, []plan.Finding{{Control: "docker/x"}}, "", remediate.ErrRolledBack, journal.StateRolledBack, []string{"container/web", "container/cache", "daemon"}, "null", ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			g.still = tt.still
			watched := 0
			g.Watch = func(_ context.Context, steps []plan.Step) error {
				watched += len(steps)
				g.state(t, 1, journal.StateApplied) // a kill now leaves a whole apply
				return tt.found
			}
			q := g.request()
			q.OnFailure = tt.how
			out, err := g.Apply(t.Context(), q)
			if !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Fatalf("%v, want %v", err, tt.want)
			}
			if tt.undone != nil && !strings.Contains(err.Error(), "cannot keep container/web: container web restarted") {
				t.Errorf("it does not say why: %v", err)
			}
			if watched != 3 || !slices.Equal(out.Undone, tt.undone) || out.State != string(tt.state) {
				t.Errorf("watched %d steps, undone %q, %s", watched, out.Undone, out.State)
			}
			g.value(t, "container/web HostConfig.CapDrop", tt.web)
			if got := strings.Join(out.Remarks, "; "); !strings.Contains(got, tt.remark) || (tt.remark == "") != (got == "") {
				t.Errorf("remarks %q", got)
			}
		})
	}
}

// Who interrupts the watching keeps what was applied.
func TestWatchInterrupted(t *testing.T) {
	g := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	g.Watch = func(ctx context.Context, _ []plan.Step) error {
		cancel()
		<-ctx.Done()
		return nil
	}
	out, err := g.Apply(ctx, g.request())
	if err != nil || len(out.Undone) > 0 || len(out.Remarks) != 1 {
		t.Errorf("%v, %+v", err, out)
	}
	g.state(t, 1, journal.StateApplied)
}

// Nothing is watched of an apply that failed, nor of one that waits for its confirm: that one needs the lock.
func TestWatchNot(t *testing.T) {
	g := newRig(t)
	g.host.failing["do container/web"] = errors.New("no")
	g.Watch = func(context.Context, []plan.Step) error {
		t.Error("it was watched")
		return nil
	}
	if _, err := g.Apply(t.Context(), g.request()); !errors.Is(err, remediate.ErrRolledBack) {
		t.Error(err)
	}
}

// A rollback after the watching that is cut short is finished by resume.
func TestWatchRollbackFails(t *testing.T) {
	g := newRig(t)
	g.host.failing["undo container/web"] = errors.New("not now")
	g.Watch = func(context.Context, []plan.Step) error {
		return &remediate.StepError{Step: "container/web", During: "watch", Err: errors.New("trouble")}
	}
	if _, err := g.Apply(t.Context(), g.request()); !errors.Is(err, remediate.ErrRollbackIncomplete) {
		t.Fatal(err)
	}
	delete(g.host.failing, "undo container/web")
	out, err := g.Resume(t.Context(), remediate.ResumeRequest{Basis: g.host.basis})
	if err != nil || out.State != string(journal.StateRolledBack) {
		t.Errorf("%v, %s", err, out.State)
	}
	g.value(t, "container/web HostConfig.CapDrop", "null")
}
