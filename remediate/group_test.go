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

// newGroup is a rig whose container web takes side and job along, and in another step nothing else.
func newGroup(t *testing.T) (*rig, []plan.Bound) {
	t.Helper()
	g := newRig(t)
	g.host.values["container/side HostConfig.Memory"], g.host.values["container/job HostConfig.Memory"] = "0", "0"
	bound := []plan.Bound{
		{Resource: plan.Container("side", "s"), Binds: []plan.Bind{{To: plan.Container("web", "w"), By: "network", Remade: true}}},
		{Resource: plan.Container("job", "j"), Binds: []plan.Bind{{To: plan.Container("side", "s"), By: "depends_on"}}},
	}
	g.replan(t, bound, plan.Finding{Control: "docker/caps", Resource: plan.Container("web", "w"), Status: plan.Fail, Message: "bad", Changes: []plan.Change{{
		Path: "HostConfig.CapDrop", From: []byte("null"), To: []byte(`["NET_RAW"]`), Kind: plan.KindRecreate, Reversibility: plan.Exact,
	}}})
	return g, bound
}

func (g *rig) replan(t *testing.T, bound []plan.Bound, findings ...plan.Finding) {
	t.Helper()
	var err error
	g.plan, err = plan.Build(plan.Input{
		Findings: findings, Bound: bound, Host: plan.Host{Name: "h", MachineID: "m", EngineID: "e"}, Made: now,
		Basis: func(r plan.Resource) (plan.Basis, bool) { b, ok, _ := g.host.basis(t.Context(), r); return b, ok },
	})
	if err != nil {
		t.Fatal(err)
	}
	if g.bytes, g.sum, err = plan.Encode(g.plan); err != nil {
		t.Fatal(err)
	}
}

func (g *rig) groupRequest(bound ...plan.Bound) remediate.ApplyRequest {
	q := g.request()
	q.Bound = func(context.Context) ([]plan.Bound, error) { return bound, nil }
	return q
}

// A group is stale when one of its containers moved, vanished, or is bound in another way, and the
// error says which.
func TestGroupStale(t *testing.T) {
	spy := plan.Bound{Resource: plan.Container("spy", "y"), Binds: []plan.Bind{{To: plan.Container("web", "w"), By: "pid", Remade: true}}}
	for name, test := range map[string]struct {
		move func(g *rig, bound []plan.Bound) []plan.Bound
		want string // empty: it is not stale
	}{
		"as planned": {func(_ *rig, b []plan.Bound) []plan.Bound { return b }, ""},
		"a member changed": {func(g *rig, b []plan.Bound) []plan.Bound {
			g.host.values["container/side HostConfig.Memory"] = "5"
			return b
		}, "container/side HostConfig.Memory"},
		"a member is gone": {func(g *rig, b []plan.Bound) []plan.Bound {
			delete(g.host.values, "container/job HostConfig.Memory")
			return b[:1]
		}, "container/job, container/job bound"},
		"one more":    {func(_ *rig, b []plan.Bound) []plan.Bound { return append(b, spy) }, "container/spy bound"},
		"one less":    {func(_ *rig, b []plan.Bound) []plan.Bound { return b[:1] }, "container/job bound"},
		"another way": {func(_ *rig, b []plan.Bound) []plan.Bound { b[0].Binds[0].By = "pid"; return b }, "container/side bound"},
		"none at all": {func(*rig, []plan.Bound) []plan.Bound { return nil }, "container/side bound, container/job bound"},
	} {
		t.Run(name, func(t *testing.T) {
			g, bound := newGroup(t)
			_, err := g.Apply(t.Context(), g.groupRequest(test.move(g, bound)...))
			var stale *remediate.StaleError
			switch {
			case test.want == "" && err != nil:
				t.Fatal(err)
			case test.want == "":
				g.value(t, "container/web HostConfig.CapDrop", `["NET_RAW"]`)
				return
			case !errors.As(err, &stale) || len(stale.Steps) != 1 || stale.Steps[0].ID != "container/web":
				t.Fatalf("Apply: %v", err)
			}
			if got := strings.Join(stale.Steps[0].Moved, ", "); got != test.want {
				t.Errorf("moved %q, want %q", got, test.want)
			}
			if len(g.host.calls) > 0 {
				t.Errorf("touched something: %v", g.host.calls)
			}
		})
	}
}

func TestGroupStaleInWords(t *testing.T) {
	g, bound := newGroup(t)
	bound[1].Binds = append(bound[1].Binds, plan.Bind{To: plan.Container("web", "w"), By: "volumes-from"})
	_, err := g.Apply(t.Context(), g.groupRequest(bound...))
	var stale *remediate.StaleError
	if !errors.As(err, &stale) {
		t.Fatal(err)
	}
	s := stale.Steps[0]
	if from, to := s.From["container/job bound"], s.To["container/job bound"]; from != "restart: depends_on of container/side" ||
		to != "restart: depends_on of container/side, volumes-from of container/web" {
		t.Errorf("from %q to %q", from, to)
	}
	broken := g.request()
	broken.Bound = func(context.Context) ([]plan.Bound, error) { return nil, errors.New("no engine") }
	if _, err := g.Apply(t.Context(), broken); err == nil || !strings.Contains(err.Error(), "no engine") {
		t.Errorf("Apply without sight: %v", err)
	}
}

// Whoever names a member and not the step is told which one to name.
func TestGroupIsNamedByItsStep(t *testing.T) {
	g, bound := newGroup(t)
	for _, narrow := range []func(*remediate.ApplyRequest){
		func(q *remediate.ApplyRequest) { q.Targets = []string{"container/side"} },
		func(q *remediate.ApplyRequest) { q.Skip = []string{"container/job"} },
	} {
		q := g.groupRequest(bound...)
		narrow(&q)
		var target *plan.TargetError
		if _, err := g.Apply(t.Context(), q); !errors.As(err, &target) || !strings.Contains(err.Error(), "goes along with container/web") {
			t.Errorf("Apply: %v", err)
		}
	}
	q := g.groupRequest(bound...)
	q.Targets = []string{"container/*"}
	if _, err := g.Apply(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Rollback(t.Context(), remediate.RollbackRequest{Targets: []string{"container/side"}}); err == nil || !strings.Contains(err.Error(), "goes along with container/web") {
		t.Errorf("Rollback: %v", err)
	}
}

// A member that a rollback does not bring back fails it, except one that was never replaced.
func TestGroupRollbackIsProvenForEachMember(t *testing.T) {
	for name, want := range map[string]bool{"container/side": false, "container/job": true} {
		g, bound := newGroup(t)
		if _, err := g.Apply(t.Context(), g.groupRequest(bound...)); err != nil {
			t.Fatal(err)
		}
		g.host.values[name+" HostConfig.Memory"] = "7"
		_, err := g.Rollback(t.Context(), remediate.RollbackRequest{Basis: g.host.basis})
		if (err == nil) != want || err != nil && !strings.Contains(err.Error(), name+" is not as it was") {
			t.Errorf("%s moved, and Rollback says %v", name, err)
		}
	}
}

// A newer generation that recreated a member stands on the group; one that only stopped and started it,
// or set a limit of such a one, does not.
func TestGroupsOnEachOther(t *testing.T) {
	limit := func(name, id string, kind plan.Kind) plan.Finding {
		return plan.Finding{Control: "docker/memory", Resource: plan.Container(name, id), Status: plan.Fail, Message: "bad", Changes: []plan.Change{{
			Path: "HostConfig.Memory", From: []byte("0"), To: []byte("1"), Kind: kind, Reversibility: plan.Exact,
		}}}
	}
	for name, test := range map[string]struct {
		newer plan.Finding
		ok    bool
	}{
		"a member recreated":      {limit("side", "s", plan.KindRecreate), false},
		"a member updated":        {limit("side", "s", plan.KindUpdate), false},
		"a restarted one updated": {limit("job", "j", plan.KindUpdate), true},
		"a restarted one made":    {limit("job", "j", plan.KindRecreate), false},
	} {
		t.Run(name, func(t *testing.T) {
			g, bound := newGroup(t)
			if _, err := g.Apply(t.Context(), g.groupRequest(bound...)); err != nil {
				t.Fatal(err)
			}
			g.replan(t, nil, test.newer)
			g.apply(t)
			_, err := g.Rollback(t.Context(), remediate.RollbackRequest{Generation: 1})
			if (err == nil) != test.ok || err != nil && !errors.Is(err, remediate.ErrRefused) {
				t.Errorf("Rollback: %v", err)
			}
		})
	}
}

// A resumed apply looks again at who is bound to whom before it makes what was not begun.
func TestGroupResumed(t *testing.T) {
	g, bound := newGroup(t)
	ctx, cancel := context.WithCancel(t.Context())
	g.host.values["container/cache HostConfig.Memory"] = "0"
	g.replan(t, bound, plan.Finding{Control: "docker/memory", Resource: plan.Container("cache", "c"), Status: plan.Fail, Message: "bad", Changes: []plan.Change{{
		Path: "HostConfig.Memory", From: []byte("0"), To: []byte("1"), Kind: plan.KindUpdate, Reversibility: plan.Exact,
	}}}, g.plan.Findings[0])
	g.host.onDo = func(string) { cancel() }
	if _, err := g.Apply(ctx, g.groupRequest(bound...)); !errors.Is(err, remediate.ErrInterrupted) {
		t.Fatalf("Apply: %v", err)
	}
	_, err := g.Resume(t.Context(), remediate.ResumeRequest{
		Basis: g.host.basis, Bound: func(context.Context) ([]plan.Bound, error) { return bound[:1], nil },
	})
	if !errors.Is(err, plan.ErrStale) || !errors.Is(err, remediate.ErrRolledBack) {
		t.Errorf("Resume: %v", err)
	}
	g.state(t, 1, journal.StateRolledBack)
	if slices.Contains(g.host.calls, "do container/web") {
		t.Errorf("the stale group was made: %v", g.host.calls)
	}
}
