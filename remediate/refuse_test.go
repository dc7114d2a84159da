package remediate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"docker-harden/cmd/reliability/row"
	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/journal"
)

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
	row.Record(t, row.Row{Table: row.Daemon, ID: "52", Case: "two runs at once", Apply: "the second is refused", Rollback: "the second is refused"})
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

// A stale plan tells programs what moved, and nothing of the fields that did not.
func TestStaleStepsForPrograms(t *testing.T) {
	g := newRig(t)
	g.plan.Steps[2].Basis["Image"] = "sha256:aa"
	g.host.values["container/web HostConfig.CapDrop"] = "[]"
	g.host.values["container/web Image"] = "sha256:aa"
	out, err := g.Apply(t.Context(), g.request())
	if !errors.Is(err, plan.ErrStale) {
		t.Fatal(err)
	}
	got, err := json.Marshal(out.Stale)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"id":"container/web","moved":["HostConfig.CapDrop"],"from":{"HostConfig.CapDrop":"null"},"to":{"HostConfig.CapDrop":"[]"}}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestForeignNamesTheMachines(t *testing.T) {
	g := newRig(t)
	q := g.request()
	q.Host.MachineID = "another"
	if _, err := g.Apply(t.Context(), q); err == nil || !strings.Contains(err.Error(), "machine m,") || !strings.Contains(err.Error(), "machine another,") {
		t.Errorf("got %v", err)
	}
}

func TestPruneOfWhatIsRolledBack(t *testing.T) {
	g := newRig(t)
	g.apply(t)
	if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Prune(t.Context(), 1); !errors.Is(err, remediate.ErrRefused) || strings.Contains(err.Error(), "confirm") {
		t.Errorf("got %v: confirm would be refused too", err)
	}
}
