package docker

import (
	"fmt"
	"maps"
	"testing"

	"docker-harden/plan/control"
	"docker-harden/plan/control/benchmark"
)

// withoutControl are the recommendations that no control judges yet: the audit rules of section 1.
func withoutControl(r benchmark.Recommendation) bool {
	const first, last = 3, 18
	for n := first; n <= last; n++ {
		if r.V180 == fmt.Sprintf("1.1.%d", n) {
			return true
		}
	}
	return false
}

// TestEveryRecommendationHasAControl fails for a recommendation that no control judges, and for a control whose
// numbers are not those of one recommendation in every version of the benchmark.
func TestEveryRecommendationHasAControl(t *testing.T) {
	c := control.Cover(Controls())
	for _, row := range c.Rows {
		if has := len(row.Controls) > 0; has == withoutControl(row.Recommendation) {
			t.Errorf("%s (%s): has a control: %v", row.V180, row.Title, has)
		}
		for _, one := range row.Controls {
			numbers := maps.Clone(one.Refs)
			delete(numbers, "stride")
			if want := row.Numbers(); !maps.Equal(numbers, want) {
				t.Errorf("%s: its numbers are %v, those of the recommendation %v", one.ID, numbers, want)
			}
		}
	}
	for _, one := range c.Beyond {
		if len(one.Refs) > 1 { // more than the STRIDE letters
			t.Errorf("%s: %v are numbers of no recommendation", one.ID, one.Refs)
		}
	}
}
