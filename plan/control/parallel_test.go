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
