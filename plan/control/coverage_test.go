package control

import (
	"testing"

	"docker-harden/plan/control/benchmark"
)

func TestCover(t *testing.T) {
	named := func(id, number string, class Class) Control {
		return Control{ID: id, Class: class, Refs: map[string]string{benchmark.V180: number}}
	}
	c := Cover([]Control{
		named("a", "2.7", Automatic), named("b", "5.26", Answer), named("c", "5.26", Reported), named("d", "", Reported), named("e", "9.9", Automatic),
	})
	if len(c.Beyond) != 2 || c.Beyond[0].ID != "d" || c.Beyond[1].ID != "e" {
		t.Errorf("beyond the benchmark: %v", c.Beyond)
	}
	found := map[string]int{}
	for _, row := range c.Rows {
		found[row.V180] = len(row.Controls)
	}
	if len(c.Rows) != len(benchmark.Recommendations()) || found["2.7"] != 1 || found["5.26"] != 2 || found["1.1.1"] != 0 {
		t.Errorf("rows: %v", found)
	}
	n := len(c.Rows)
	if got, want := c.Totals(), (Totals{Recommendations: n, Uncovered: n - 2, Controls: 5, Automatic: 2, Answer: 1, Reported: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
