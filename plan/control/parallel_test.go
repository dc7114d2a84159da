package control

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// TestEvaluateManyContainers judges containers that come in no order, several at once.
func TestEvaluateManyContainers(t *testing.T) {
	const n = 60
	h := &inventory.Host{}
	var want []string
	for i := range n {
		want = append(want, fmt.Sprintf("c%02d/%d first", i/2, i), fmt.Sprintf("c%02d/%d third", i/2, i))
		c := inventory.Container{Name: fmt.Sprintf("c%02d", i/2), ID: fmt.Sprint(i)}
		h.Containers = slices.Insert(h.Containers, i*7%(i+1), c)
	}
	slices.SortStableFunc(want, func(a, b string) int {
		return strings.Compare(a[:strings.IndexByte(a, ' ')], b[:strings.IndexByte(b, ' ')])
	})
	judge := func(_ *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
		if c.ID == "13" {
			panic("a check stops")
		}
		return plan.Finding{Status: plan.Pass, Message: c.ID}
	}
	host := func(*inventory.Host, profile.Params) []plan.Finding {
		return []plan.Finding{{Resource: plan.File("/f"), Status: plan.Pass}, {Resource: plan.Daemon(), Status: plan.Pass}}
	}
	controls := []Control{{ID: "first", Container: judge}, {ID: "second", Host: host}, {ID: "third", Container: judge}}
	for range 5 {
		var got []string
		findings := Evaluate(h, profileOf(controls...), controls, today)
		for _, f := range findings[2:] {
			got = append(got, f.Resource.Name+"/"+f.Resource.ID+" "+f.Control)
			if bad := f.Resource.ID == "13"; bad != (f.Status == plan.Unknown) || !bad && f.Message != f.Resource.ID {
				t.Errorf("%s: %s %q", f.Resource, f.Status, f.Message)
			}
		}
		if findings[0].Resource != plan.Daemon() || findings[1].Resource != plan.File("/f") || !slices.Equal(got, want) {
			t.Fatalf("got %s\n\nwant %s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestInParallel(t *testing.T) {
	for _, n := range []int{0, 1, 2, 1000} {
		calls := make([]int, n)
		inParallel(n, func(i int) { calls[i]++ })
		if slices.ContainsFunc(calls, func(c int) bool { return c != 1 }) {
			t.Errorf("%d: %v", n, calls)
		}
	}
}

// TestSettings gives containers that an override names their own parameters, and all others the same.
func TestSettings(t *testing.T) {
	text := func(_ *inventory.Host, _ *inventory.Container, p profile.Params) plan.Finding {
		return plan.Finding{Status: plan.Pass, Message: p.Text("x")}
	}
	spec := []profile.Param{{Name: "x", Type: profile.TypeText, Default: "default"}}
	controls := []Control{{ID: "a", Params: spec, Container: text}, {ID: "b", Params: spec, Container: text}, {ID: "c", Params: spec, Container: text}}
	p := profileOf(controls[:2]...)
	p.Controls["b"] = profile.Setting{Params: profile.Params{"x": "all"}}
	p.Overrides = []profile.Override{
		{Match: "web-*", Controls: map[string]profile.OverrideSetting{"b": {Params: profile.Params{"x": "web"}}}},
		{Match: "off", Controls: map[string]profile.OverrideSetting{"b": {Off: true}}},
	}
	h := &inventory.Host{Containers: []inventory.Container{{Name: "db", ID: "1"}, {Name: "off", ID: "2"}, {Name: "web-1", ID: "3"}}}
	var got []string
	for _, f := range Evaluate(h, p, controls, today) {
		got = append(got, f.Resource.Name+" "+f.Control+" "+f.Message)
	}
	want := "db a default, db b all, off a default, web-1 a default, web-1 b web"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %s\nwant %s", strings.Join(got, ", "), want)
	}
}
