package plan_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"docker-harden/plan"
)

var made = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func raw(s string) json.RawMessage { return json.RawMessage(s) }

func change(path, from, to string, kind plan.Kind) plan.Change {
	return plan.Change{Path: path, From: raw(from), To: raw(to), Kind: kind, Reversibility: plan.Exact}
}

func fail(control string, r plan.Resource, changes ...plan.Change) plan.Finding {
	return plan.Finding{Control: control, Resource: r, Status: plan.Fail, Message: "is not so", Changes: changes}
}

func input(findings ...plan.Finding) plan.Input {
	return plan.Input{
		Findings: findings,
		Basis:    func(r plan.Resource) (plan.Basis, bool) { return plan.Basis{"resource": r.String()}, true },
		Host:     plan.Host{Name: "web01", MachineID: "m", EngineID: "e"},
		Made:     made,
		Rules: map[string]plan.Rule{
			"docker/log-level":         {ID: "docker/log-level", Refs: map[string]string{"cis-docker-1.2.0": "2.2", "stride": "R"}},
			"docker/no-new-privileges": {ID: "docker/no-new-privileges", Refs: map[string]string{"cis-docker-1.2.0": "5.25"}},
		},
	}
}

var (
	web   = plan.Container("web", strings.Repeat("a", 64))
	cache = plan.Container("cache", strings.Repeat("b", 64))
)

func TestBuildMergesAndOrders(t *testing.T) {
	for _, test := range []struct {
		name     string
		findings []plan.Finding
		want     string
	}{
		{"nothing fails", []plan.Finding{{Control: "x", Resource: web, Status: plan.Pass}}, ""},
		{
			"a manual finding makes no step",
			[]plan.Finding{{Control: "x", Resource: web, Status: plan.Manual, Changes: []plan.Change{change("a", "1", "2", plan.KindUpdate)}}},
			"",
		},
		{
			"limits are set in the step of a move",
			[]plan.Finding{
				fail("mem", web, change("HostConfig.Memory", "0", "268435456", plan.KindUpdate)),
				fail("net", web, change(plan.NetworksPath, `["bridge"]`, `["shop"]`, plan.KindNetwork)),
				fail("mem", cache, change("HostConfig.Memory", "0", "268435456", plan.KindUpdate)),
			},
			"~ container/cache: HostConfig.Memory 0 -> 268435456\n" +
				"N container/web: HostConfig.Memory 0 -> 268435456, NetworkSettings.Networks [\"bridge\"] -> [\"shop\"]\n",
		},
		{
			"a move is part of a recreate",
			[]plan.Finding{
				fail("net", web, change(plan.NetworksPath, `["bridge"]`, `["shop"]`, plan.KindNetwork)),
				fail("nnp", web, change("HostConfig.SecurityOpt", "null", `["no-new-privileges:true"]`, plan.KindRecreate)),
			},
			"-/+ container/web: NetworkSettings.Networks [\"bridge\"] -> [\"shop\"], HostConfig.SecurityOpt null -> [\"no-new-privileges:true\"]\n",
		},
		{
			"one step a container, the costliest kind wins",
			[]plan.Finding{
				fail("mem", web, change("HostConfig.Memory", "0", "268435456", plan.KindUpdate)),
				fail("nnp", web, change("HostConfig.SecurityOpt", "null", `["no-new-privileges:true"]`, plan.KindRecreate)),
			},
			"-/+ container/web: HostConfig.Memory 0 -> 268435456, HostConfig.SecurityOpt null -> [\"no-new-privileges:true\"]\n",
		},
		{
			"a live update stays live",
			[]plan.Finding{fail("mem", cache, change("HostConfig.Memory", "0", "1", plan.KindUpdate))},
			"~ container/cache: HostConfig.Memory 0 -> 1\n",
		},
		{
			"engine first, live updates before recreates, modes last",
			[]plan.Finding{
				fail("mode", plan.File("/etc/docker/daemon.json"), change("mode", `"0666"`, `"0644"`, plan.KindFile)),
				fail("nnp", web, change("HostConfig.CapDrop", "null", `["NET_RAW"]`, plan.KindRecreate)),
				fail("mem", cache, change("HostConfig.Memory", "0", "1", plan.KindUpdate)),
				fail("log", plan.Daemon(), change("log-level", `"debug"`, `"info"`, plan.KindRestart)),
				fail("live", plan.Daemon(), change("live-restore", "null", "true", plan.KindReload)),
			},
			"! daemon: log-level \"debug\" -> \"info\", live-restore null -> true\n" +
				"~ container/cache after daemon: HostConfig.Memory 0 -> 1\n" +
				"-/+ container/web after daemon: HostConfig.CapDrop null -> [\"NET_RAW\"]\n" +
				"F host/etc/docker/daemon.json after daemon: mode \"0666\" -> \"0644\"\n",
		},
		{
			"two wishes for one list are merged by element",
			[]plan.Finding{
				fail("nnp", web, change("HostConfig.SecurityOpt", `["seccomp=unconfined","label=user:u"]`, `["seccomp=unconfined","label=user:u","no-new-privileges:true"]`, plan.KindRecreate)),
				fail("seccomp", web, change("HostConfig.SecurityOpt", `["seccomp=unconfined","label=user:u"]`, `["label=user:u"]`, plan.KindRecreate)),
			},
			"-/+ container/web: HostConfig.SecurityOpt [\"seccomp=unconfined\",\"label=user:u\"] -> [\"label=user:u\",\"no-new-privileges:true\"]\n",
		},
		{
			"the same wish twice is one change",
			[]plan.Finding{
				fail("a", plan.Daemon(), change("debug", "true", "false", plan.KindReload)),
				fail("b", plan.Daemon(), change("debug", " true ", "false", plan.KindRestart)),
			},
			"! daemon: debug true -> false\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := plan.Build(input(test.findings...))
			if err != nil {
				t.Fatal(err)
			}
			if got := p.String(); got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
		})
	}
}

func TestBuildIsDeterministic(t *testing.T) {
	findings := []plan.Finding{}
	for _, name := range []string{"c", "a", "e", "b", "d"} {
		findings = append(findings, fail("mem", plan.Container(name, name), change("HostConfig.Memory", "0", "1", plan.KindUpdate)))
	}
	first, err := plan.Build(input(findings...))
	if err != nil {
		t.Fatal(err)
	}
	want, sum, err := plan.Encode(first)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, _ := plan.Build(input(findings...))
		if got, s, _ := plan.Encode(again); s != sum || string(got) != string(want) {
			t.Fatal("the same input gave another plan")
		}
	}
}

func TestBuildRefusesContradictions(t *testing.T) {
	for name, findings := range map[string][]plan.Finding{
		"disagree": {
			fail("a", web, change("HostConfig.Memory", "0", "1", plan.KindUpdate)),
			fail("b", web, change("HostConfig.Memory", "0", "2", plan.KindUpdate)),
		},
		"different values": {
			fail("a", web, change("HostConfig.Memory", "0", "2", plan.KindUpdate)),
			fail("b", web, change("HostConfig.Memory", "1", "2", plan.KindUpdate)),
		},
		"unknown kind":    {fail("a", web, change("x", "0", "1", "magic"))},
		"changes nothing": {fail("a", web, change("x", "1", " 1", plan.KindUpdate))},
	} {
		if _, err := plan.Build(input(findings...)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestBuildKeepsWhatPeopleMustKnow(t *testing.T) {
	f := fail("nnp", web, change("HostConfig.CapDrop", "null", `["NET_RAW"]`, plan.KindRecreate))
	f.Risk = plan.Risk{}.Raise(plan.RiskMedium, "1 file is carried over")
	f.Notes, f.Downtime = []string{"note"}, 2
	g := fail("mem", web, plan.Change{Path: "HostConfig.Memory", From: raw("0"), To: raw("1"), Kind: plan.KindUpdate, Reversibility: plan.Functional, ReverseNote: "n"})
	p, err := plan.Build(input(g, f))
	if err != nil {
		t.Fatal(err)
	}
	s := p.Steps[0]
	if s.Risk.Level != plan.RiskMedium || len(s.Risk.Reasons) != 1 || s.Notes[0] != "note" || s.Effect.Downtime != 2 {
		t.Errorf("lost something: %+v", s)
	}
	if how, notes := s.Reversibility(); how != plan.Exact || notes != nil {
		t.Errorf("a recreate is exact, got %s %v", how, notes)
	}
	f.Changes[0].Reversibility, f.Changes[0].ReverseNote = plan.Functional, "another id"
	if p, err = plan.Build(input(f)); err != nil {
		t.Fatal(err)
	}
	if how, _ := p.Steps[0].Reversibility(); how != plan.Functional {
		t.Errorf("a recreate that keeps no old container is %s", how)
	}
	live, err := plan.Build(input(g))
	if err != nil {
		t.Fatal(err)
	}
	if how, notes := live.Steps[0].Reversibility(); how != plan.Functional || notes[0] != "HostConfig.Memory: n" {
		t.Errorf("a live memory limit is functional, got %s %v", how, notes)
	}
}

func TestSelection(t *testing.T) {
	findings := []plan.Finding{
		fail("docker/log-level", plan.Daemon(), change("log-level", "null", `"info"`, plan.KindRestart)),
		fail("docker/no-new-privileges", web, change("HostConfig.SecurityOpt", "null", `["no-new-privileges:true"]`, plan.KindRecreate)),
	}
	findings[1].Risk = plan.Risk{Level: plan.RiskHigh}
	for _, test := range []struct {
		name   string
		sel    plan.Selection
		steps  int
		errHas string
	}{
		{"all", plan.Selection{}, 2, ""},
		{"one target", plan.Selection{Targets: []string{"daemon"}}, 1, ""},
		{"glob", plan.Selection{Targets: []string{"container/w*"}}, 1, ""},
		{"skip", plan.Selection{Skip: []string{"container/web"}}, 1, ""},
		{"by number", plan.Selection{Targets: []string{"control:5.25"}}, 1, ""},
		{"only short id", plan.Selection{Only: []string{"log-level"}}, 1, ""},
		{"skip control", plan.Selection{SkipControls: []string{"cis-docker-1.2.0:2.2"}}, 1, ""},
		{"host has nothing to change", plan.Selection{Targets: []string{"host"}}, 0, ""},
		{"risk", plan.Selection{MaxRisk: plan.RiskMedium}, 1, ""},
		{"unknown container", plan.Selection{Targets: []string{"container/wbe"}}, 0, "this host has container/web, daemon"},
		{"unknown control", plan.Selection{Only: []string{"R"}}, 0, "unknown control"},
		{"bad glob", plan.Selection{Targets: []string{"container/[a"}}, 0, "cannot read target"},
		{"not a target", plan.Selection{Skip: []string{"web"}}, 0, "unknown target"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := input(findings...)
			in.Select = test.sel
			p, err := plan.Build(in)
			if test.errHas != "" {
				if err == nil || !strings.Contains(err.Error(), test.errHas) {
					t.Fatalf("got error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Steps) != test.steps {
				t.Errorf("got %d steps:\n%s", len(p.Steps), p)
			}
		})
	}
	in := input(findings...)
	in.Select = plan.Selection{MaxRisk: plan.RiskLow}
	p, _ := plan.Build(in)
	if f := p.Findings[1]; f.Blocked == "" || f.Changes != nil {
		t.Errorf("a step left out for its risk must say so: %+v", f)
	}
	if findings[1].Blocked != "" {
		t.Error("Build changed its input")
	}
}

func TestApplicable(t *testing.T) {
	p, err := plan.Build(input())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		now  time.Time
		edit func(*plan.Plan)
		want error
	}{
		{"fresh", made.Add(time.Hour), nil, nil},
		{"expired", made.Add(25 * time.Hour), nil, plan.ErrExpired},
		{"a clock a little behind", made.Add(-time.Minute), nil, nil},
		{"from the future", made.Add(-time.Hour), nil, plan.ErrExpired},
		{"incomplete", made, func(p *plan.Plan) {
			p.Errored = true
			p.Problems = []plan.Problem{{Subject: "daemon", Reason: "no", Fatal: true}}
		}, plan.ErrIncomplete},
		{"snapshot", made, func(p *plan.Plan) { p.FromSnapshot = true }, plan.ErrIncomplete},
	} {
		copied := *p
		if test.edit != nil {
			test.edit(&copied)
		}
		if err := copied.Applicable(test.now); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
	}
}

func TestFileRoundTripAndEdits(t *testing.T) {
	p, err := plan.Build(input(fail("docker/log-level", plan.Daemon(), change("log-level", "null", `"info"`, plan.KindRestart))))
	if err != nil {
		t.Fatal(err)
	}
	data, sum, err := plan.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	back, gotSum, err := plan.Decode(data)
	if err != nil || gotSum != sum || back.String() != p.String() || !back.Expires.Equal(p.Expires) {
		t.Fatalf("round trip: %v\n%s", err, back)
	}
	for name, test := range map[string]struct {
		data string
		want error
	}{
		"edited value":   {strings.Replace(string(data), `"info"`, `"warn"`, 1), plan.ErrEdited},
		"edited digest":  {strings.Replace(string(data), sum[:8], "00000000", 1), plan.ErrEdited},
		"other version":  {strings.Replace(string(data), "plan/v1", "plan/v9", 1), plan.ErrFormat},
		"empty":          {"", plan.ErrFormat},
		"not json":       {"#!/bin/sh", plan.ErrFormat},
		"array":          {"[]", plan.ErrFormat},
		"no plan":        {"{}", plan.ErrFormat},
		"trailing":       {string(data) + "{}", plan.ErrFormat},
		"unknown member": {strings.Replace(string(data), `"sha256"`, `"x":1,"sha256"`, 1), plan.ErrFormat},
		"truncated":      {string(data[:len(data)/2]), plan.ErrFormat},
	} {
		if _, _, err := plan.Decode([]byte(test.data)); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	p, _ := plan.Build(input(fail("docker/log-level", plan.Daemon(), change("log-level", "null", `"info"`, plan.KindRestart))))
	data, _, _ := plan.Encode(p)
	f.Add(data)
	f.Add([]byte(`{"sha256":"","plan":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, sum, err := plan.Decode(data)
		if err == nil && (p == nil || sum == "" || p.Format != plan.Format) {
			t.Errorf("accepted %q", data)
		}
	})
}

func TestResourceMatch(t *testing.T) {
	for _, test := range []struct {
		r       plan.Resource
		pattern string
		want    bool
	}{
		{plan.Daemon(), "daemon", true},
		{plan.Daemon(), "host", false},
		{web, "container/web", true},
		{web, "container/*", true},
		{web, "web", false},
		{web, "daemon", false},
		{plan.File("/etc/docker/daemon.json"), "host", true},
		{plan.File("/etc/docker/daemon.json"), "host/etc/docker/daemon.json", true},
		{plan.File("/etc/docker/daemon.json"), "host/etc/../etc/docker/daemon.json", true},
		{plan.File("/etc/docker/daemon.json"), "container/daemon.json", false},
	} {
		if got, err := test.r.Match(test.pattern); err != nil || got != test.want {
			t.Errorf("%s matches %q: got %v %v", test.r, test.pattern, got, err)
		}
	}
}

func TestBasisMoved(t *testing.T) {
	a := plan.Basis{"Image": "x", "Name": "web", "gone": "1"}
	b := plan.Basis{"Image": "y", "Name": "web", "new": "1"}
	if got := strings.Join(a.Moved(b), " "); got != "Image gone new" {
		t.Errorf("got %q", got)
	}
	if a.Fingerprint() == b.Fingerprint() || a.Fingerprint() != (plan.Basis{"gone": "1", "Name": "web", "Image": "x"}).Fingerprint() {
		t.Error("fingerprints do not follow content")
	}
	if len(a.Moved(a)) != 0 || len(a.Fingerprint().Short()) != 12 {
		t.Error("unmoved basis, or short form")
	}
}
