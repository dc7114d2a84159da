package plan_test

import (
	"strings"
	"testing"

	"docker-harden/plan"
)

func named(name string) plan.Resource { return plan.Container(name, name) }

// bound reads "guest network vpn": guest has to be made again with vpn; "app ~depends_on vpn" is only
// stopped and started.
func bound(lines ...string) []plan.Bound {
	var out []plan.Bound
	for _, line := range lines {
		words := strings.Fields(line)
		b := plan.Bound{Resource: named(words[0]), Downtime: 1.5}
		for i := 1; i+1 < len(words); i += 2 {
			by, restart := strings.CutPrefix(words[i], "~")
			b.Binds = append(b.Binds, plan.Bind{To: named(words[i+1]), By: by, Remade: !restart})
		}
		out = append(out, b)
	}
	return out
}

// drops is a finding that wants a recreate, limits one that wants a live update.
func drops(name string) plan.Finding {
	f := fail("caps", named(name), change("CapDrop", "null", `["X"]`, plan.KindRecreate))
	f.Downtime = 1.5
	return f
}

func limits(name string) plan.Finding {
	return fail("mem", named(name), change("Memory", "0", "1", plan.KindUpdate))
}

const dropping = `: CapDrop null -> ["X"]` + "\n"

func TestGroups(t *testing.T) {
	for _, test := range []struct {
		name     string
		findings []plan.Finding
		bound    []plan.Bound
		want     string
	}{
		{
			"nobody is recreated",
			[]plan.Finding{limits("vpn")},
			bound("guest network vpn"),
			"~ container/vpn: Memory 0 -> 1\n",
		},
		{
			"a compliant dependent",
			[]plan.Finding{drops("vpn")},
			bound("guest network vpn"),
			"-/+ container/vpn" + dropping + "  -/+ container/guest (network of container/vpn)\n",
		},
		{
			"the dependent alone",
			[]plan.Finding{drops("guest")},
			bound("guest network vpn"),
			"-/+ container/guest" + dropping,
		},
		{
			"a chain, and its kinds",
			[]plan.Finding{drops("a")},
			bound("d network c", "c ~depends_on b", "b network a"),
			"-/+ container/a" + dropping + "  -/+ container/b (network of container/a)\n" +
				"  <> container/c (depends_on of container/b)\n  <> container/d (network of container/c)\n",
		},
		{
			"a diamond",
			[]plan.Finding{drops("a")},
			bound("d network b ~depends_on c", "b pid a", "c ~volumes-from a"),
			"-/+ container/a" + dropping + "  -/+ container/b (pid of container/a)\n  <> container/c (volumes-from of container/a)\n" +
				"  -/+ container/d (network of container/b, depends_on of container/c)\n",
		},
		{
			"two roots with one dependent",
			[]plan.Finding{drops("a"), drops("b")},
			bound("z network a link b"),
			"-/+ container/a" + dropping + "  -/+ container/b" + dropping + "  -/+ container/z (network of container/a, link of container/b)\n",
		},
		{
			"dependent with its own recreate and live update",
			[]plan.Finding{drops("a"), drops("b"), limits("b"), limits("c")},
			bound("b network a", "c ipc a"),
			"-/+ container/a" + dropping + "  -/+ container/b (network of container/a): CapDrop null -> [\"X\"], Memory 0 -> 1\n" +
				"  -/+ container/c (ipc of container/a): Memory 0 -> 1\n",
		},
		{
			"a live update waits for the group that stops its container",
			[]plan.Finding{drops("b"), limits("a"), limits("c")},
			bound("a ~depends_on b"),
			"~ container/c: Memory 0 -> 1\n-/+ container/b" + dropping + "  <> container/a (depends_on of container/b)\n" +
				"~ container/a after container/b: Memory 0 -> 1\n",
		},
		{
			"groups that have nothing in common",
			[]plan.Finding{drops("a"), drops("b"), drops("c")},
			bound("z network b", "y network a"),
			"-/+ container/a" + dropping + "  -/+ container/y (network of container/a)\n" +
				"-/+ container/b" + dropping + "  -/+ container/z (network of container/b)\n-/+ container/c" + dropping,
		},
		{
			"a circle has no order",
			[]plan.Finding{drops("a"), drops("c")},
			bound("a ~volumes-from b", "b network a"),
			"-/+ container/c" + dropping,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := input(test.findings...)
			in.Bound = test.bound
			p, err := plan.Build(in)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.String(); got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
		})
	}
}

func TestGroupHolds(t *testing.T) {
	for _, test := range []struct {
		name   string
		narrow plan.Selection
		bound  []plan.Bound
		held   string // why container/a is not recreated
		want   string
	}{
		{"a member is skipped", plan.Selection{Skip: []string{"container/far"}}, bound("guest network a", "far ~depends_on guest"), "container/far is bound to it and left out by --skip", ""},
		{"a control is skipped", plan.Selection{Skip: []string{"control:mem"}}, bound("guest network a"), "", "-/+ container/a" + dropping + "  -/+ container/guest (network of container/a)" + dropping},
		{"the root alone is a target", plan.Selection{Targets: []string{"container/a"}}, bound("guest network a"), "", "-/+ container/a" + dropping + "  -/+ container/guest (network of container/a)\n"},
		{"a member alone is a target", plan.Selection{Targets: []string{"container/guest"}}, bound("guest network a"), "", "-/+ container/guest" + dropping},
		{"too much risk", plan.Selection{MaxRisk: plan.RiskLow}, bound("guest network a"), "risk medium is above the allowed low", ""},
		{"a circle", plan.Selection{Only: []string{"caps"}}, bound("guest network a", "a ~depends_on guest"), "bound in a circle", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := input(drops("a"), drops("guest"), fail("other", named("far")))
			in.Rules["mem"], in.Rules["caps"] = plan.Rule{ID: "mem"}, plan.Rule{ID: "caps"}
			in.Select, in.Bound = test.narrow, test.bound
			p, err := plan.Build(in)
			if err != nil {
				t.Fatal(err)
			}
			got := p.String()
			if test.held != "" {
				got = strings.ReplaceAll(got, "-/+ container/guest"+dropping, "") // may be made alone
			}
			if got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
			blocked := ""
			for _, f := range p.Findings {
				if f.Resource.Name == "a" {
					blocked = f.Blocked
				}
			}
			if !strings.Contains(blocked, test.held) || (blocked == "") != (test.held == "") {
				t.Errorf("held because %q, want %q", blocked, test.held)
			}
			if in.Findings[0].Blocked != "" {
				t.Error("Build changed its input")
			}
		})
	}
}

// What a group costs is what all of it costs.
func TestGroupPrice(t *testing.T) {
	f := drops("b")
	f.Risk = plan.Risk{Level: plan.RiskHigh, Reasons: []string{"it is old"}}
	in := input(drops("a"), f)
	in.Bound = bound("b network a", "c ~depends_on b", "d network b")
	in.Bound[2].Risk, in.Bound[2].Notes = plan.Risk{Level: plan.RiskMedium, Reasons: []string{"files"}}, []string{"port"}
	in.Bound[2].Reversibility, in.Bound[2].ReverseNote = plan.Functional, "another id"
	in.Bound[2].Keeps = []plan.Change{change("SecurityOpt", "null", `["x"]`, plan.KindRecreate)}
	p, err := plan.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	s := p.Steps[0]
	if s.Effect.Text != "recreate of 3 containers and restart of 1 container as one, about 6 s downtime" {
		t.Error(s.Effect.Text)
	}
	if s.Risk.Level != plan.RiskHigh || strings.Join(s.Risk.Reasons, "|") != "b: it is old|d: files|it stops others too: b, c, d" {
		t.Errorf("%+v", s.Risk)
	}
	if how, notes := s.Reversibility(); how != plan.Functional || strings.Join(notes, "|") != "d: another id" {
		t.Errorf("%s %v", how, notes)
	}
	d := s.Members[2]
	if d.Resource.Name != "d" || len(d.Changes) != 1 || len(d.Notes) != 1 || d.Sees != d.Basis.Fingerprint() || len(d.Basis) == 0 {
		t.Errorf("%+v", d)
	}
	if other, ok := p.MemberOf("container/d"); !ok || other.ID != "container/a" || !s.Has(named("c")) || s.Has(named("x")) {
		t.Error("its members are not found")
	}
	if _, ok := p.MemberOf("container/a"); ok {
		t.Error("a step is a member of itself")
	}
}

func TestGroupOfWhatWasNotSeen(t *testing.T) {
	in := input(drops("a"))
	in.Bound = bound("b network a")
	in.Basis = func(r plan.Resource) (plan.Basis, bool) { return plan.Basis{}, r.Name == "a" }
	if _, err := plan.Build(in); err == nil {
		t.Error("Build plans to touch a container that was not observed")
	}
}

// A profile that does not want files carried over means containers that are taken along as well: the files
// may come after the plan.
func TestMembersKeepTheRuleOfTheirLayer(t *testing.T) {
	for name, findings := range map[string][]plan.Finding{
		"compliant": {drops("vpn")}, "with a live change of its own": {drops("vpn"), limits("guest")},
	} {
		t.Run(name, func(t *testing.T) {
			along := bound("guest network vpn", "app ~depends_on vpn")
			along[0].WritableLayer, along[1].WritableLayer = plan.LayerRefuse, plan.LayerRefuse
			in := input(findings...)
			in.Bound = along
			p, err := plan.Build(in)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range p.Steps[0].Members {
				want := ""
				if m.Resource.Name == "guest" {
					want = plan.LayerRefuse
				}
				if m.WritableLayer != want {
					t.Errorf("%s: %q, want %q", m.Resource, m.WritableLayer, want)
				}
			}
		})
	}
}
