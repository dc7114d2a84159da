package docker

import (
	"maps"
	"testing"

	"docker-harden/plan/control"
)

// TestEveryRecommendationHasAControl fails for a recommendation that no control judges, and for a control whose
// numbers are not those of one recommendation in every version of the benchmark.
func TestEveryRecommendationHasAControl(t *testing.T) {
	c := control.Cover(Controls())
	for _, row := range c.Rows {
		if len(row.Controls) == 0 {
			t.Errorf("%s (%s) has no control", row.V180, row.Title)
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
