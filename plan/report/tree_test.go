package report

import (
	"strings"
	"testing"
	"time"

	"docker-harden/plan"
)

// groupPlan has one step with every way of going along: a chain, a diamond, a second root, own changes,
// and a name with an escape sequence.
func groupPlan(t *testing.T) *plan.Plan {
	t.Helper()
	id := func(name string) plan.Resource { return plan.Container(name, strings.Repeat(name[:1], 64)) }
	wants := func(name, control, path, to string, kind plan.Kind) plan.Finding {
		return plan.Finding{Control: control, Resource: id(name), Status: plan.Fail, Message: "it is not so", Downtime: 1.5, Changes: []plan.Change{{
			Path: path, From: raw("null"), To: raw(to), Kind: kind, Reversibility: plan.Exact,
		}}}
	}
	bind := func(to, by string, remade bool) plan.Bind { return plan.Bind{To: id(to), By: by, Remade: remade} }
	p, err := plan.Build(plan.Input{
		Findings: []plan.Finding{
			wants("aaa", "docker/capabilities", "HostConfig.CapDrop", `["NET_RAW"]`, plan.KindRecreate),
			wants("bbb", "docker/capabilities", "HostConfig.CapDrop", `["MKNOD"]`, plan.KindRecreate),
			wants("ddd", "docker/memory-limit", "HostConfig.Memory", "134217728", plan.KindUpdate),
		},
		Bound: []plan.Bound{
			{Resource: id("c\x1b[31mcc"), Downtime: 1.5, Binds: []plan.Bind{bind("aaa", "network", true)}, Notes: []string{"it is paused"}},
			{Resource: id("ddd"), Downtime: 1.5, Binds: []plan.Bind{bind("c\x1b[31mcc", "pid", true), bind("aaa", "link a", true), bind("bbb", "ipc", true)}, Reversibility: plan.Functional, ReverseNote: "another id"},
			{Resource: id("eee"), Downtime: 1.5, Binds: []plan.Bind{bind("ddd", "depends_on", false), bind("aaa", "volumes-from", false)}},
			{Resource: id("fff"), Downtime: 1.5, Binds: []plan.Bind{bind("aaa", "ipc", true)}},
		},
		Basis: func(r plan.Resource) (plan.Basis, bool) { return plan.Basis{"Name": "x"}, true },
		Rules: sampleRules(), Made: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), Tool: "0.1.0",
		Host:    plan.Host{Name: "web01", MachineID: "m", EngineID: "e", Engine: "20.10.24", API: "1.41", Summary: "rootful", Endpoint: "unix:///x"},
		Profile: plan.Profile{Name: "cis-level1", SHA256: strings.Repeat("0", 64)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTree(t *testing.T) {
	p := groupPlan(t)
	golden(t, "plan-group.txt", textOf(t, p, TextOptions{}))
	golden(t, "plan-group-verbose.txt", textOf(t, p, TextOptions{Verbose: true}))
	if err := validate(t, compile(t, "plan"), planJSON(t, p)); err != nil {
		t.Errorf("the JSON of a group does not fit its schema: %v", err)
	}
	if strings.Contains(textOf(t, p, TextOptions{}), "\x1b") {
		t.Error("an escape sequence reaches the terminal")
	}
}
