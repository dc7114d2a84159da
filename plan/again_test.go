package plan_test

import (
	"strings"
	"testing"
	"time"

	"docker-harden/plan"
)

func againOf(f plan.Finding, bound []plan.Bound) (*plan.Plan, error) {
	return plan.Again(plan.Input{
		Findings: []plan.Finding{f}, Bound: bound, Made: time.Unix(1000, 0),
		Basis: func(r plan.Resource) (plan.Basis, bool) { return plan.Basis{"Image": r.Name}, true },
	})
}

// A container is recreated with those that are bound to it, without a change and without a control.
func TestAgain(t *testing.T) {
	keep := change("HostConfig.Init", "null", "false", plan.KindRecreate)
	for name, test := range map[string]struct {
		finding plan.Finding
		bound   []plan.Bound
		want    string
	}{
		"alone":                     {plan.Finding{Resource: named("web"), Downtime: 1.5}, nil, "-/+ container/web\n"},
		"with one that shares":      {plan.Finding{Resource: named("vpn")}, bound("guest network vpn"), "-/+ container/vpn\n  -/+ container/guest (network of container/vpn)\n"},
		"kept from a default":       {plan.Finding{Resource: named("web"), Changes: []plan.Change{keep}}, nil, "-/+ container/web: HostConfig.Init null -> false\n"},
		"another that is not bound": {plan.Finding{Resource: named("web")}, bound("guest network vpn"), "-/+ container/web\n"},
	} {
		p, err := againOf(test.finding, test.bound)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.ReplaceAll(p.String(), ": \n", "\n"); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
		s := p.Steps[0]
		if s.Kind != plan.KindRecreate || len(s.Controls) > 0 || len(p.Findings) > 0 || s.Sees == "" || !strings.Contains(s.Effect.Text, "recreate") {
			t.Errorf("%s: %+v", name, p)
		}
		if how, _ := s.Reversibility(); how != plan.Exact {
			t.Errorf("%s: it is %s to undo", name, how)
		}
		data, _, err := plan.Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := plan.Decode(data); err != nil {
			t.Errorf("%s: it cannot be read again: %v", name, err)
		}
	}
}

func TestAgainRefuses(t *testing.T) {
	for want, test := range map[string]struct {
		finding plan.Finding
		bound   []plan.Bound
	}{
		"container/web cannot be recreated: it is dead": {plan.Finding{Resource: named("web"), Blocked: "it is dead"}, nil},
		"bound in a circle":                             {plan.Finding{Resource: named("a")}, bound("a ~depends_on b", "b ~depends_on a")},
		"internal error":                                {plan.Finding{Resource: plan.Daemon()}, nil},
	} {
		if p, err := againOf(test.finding, test.bound); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v, want %q", p, err, want)
		}
	}
	errored, err := plan.Again(plan.Input{
		Findings: []plan.Finding{{Resource: named("web")}}, Made: time.Now(), Problems: []plan.Problem{{Subject: "daemon", Reason: "far away", Fatal: true}},
		Basis: func(plan.Resource) (plan.Basis, bool) { return plan.Basis{}, true },
	})
	if err != nil || errored.Applicable(time.Now()) == nil {
		t.Errorf("a plan of what could not be seen: %v", err)
	}
}
