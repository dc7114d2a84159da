package docker

import (
	"fmt"
	"slices"
	"testing"
)

// chapters are the sections of a benchmark and how many recommendations each has.
type chapter struct {
	number string
	count  int
}

var benchmarks = map[string][]chapter{
	"cis-docker-1.2.0": {{"1.1", 2}, {"1.2", 12}, {"2", 17}, {"3", 22}, {"4", 11}, {"5", 31}, {"6", 2}, {"7", 10}},
	"cis-docker-1.6.0": {{"1.1", 18}, {"1.2", 2}, {"2", 18}, {"3", 24}, {"4", 12}, {"5", 32}, {"6", 2}, {"7", 9}},
	"cis-docker-1.8.0": {{"1.1", 18}, {"1.2", 2}, {"2", 19}, {"3", 24}, {"4", 12}, {"5", 32}, {"6", 2}, {"7", 9}},
}

// withoutControl are the recommendations that no control judges yet: the audit rules of section 1.
func withoutControl(benchmark, id string) bool {
	first, last, chapter := 3, 18, "1.1"
	if benchmark == "cis-docker-1.2.0" {
		first, last, chapter = 3, 12, "1.2"
	}
	for n := first; n <= last; n++ {
		if id == fmt.Sprintf("%s.%d", chapter, n) {
			return true
		}
	}
	return false
}

// TestEveryRecommendationHasAControl fails for a number of a benchmark that no control has, and for a control
// with a number that the benchmark does not have, or that another control has too.
func TestEveryRecommendationHasAControl(t *testing.T) {
	for benchmark, chapters := range benchmarks {
		var known []string
		for _, c := range chapters {
			for n := 1; n <= c.count; n++ {
				known = append(known, fmt.Sprintf("%s.%d", c.number, n))
			}
		}
		owner := map[string]string{}
		for _, c := range Controls() {
			id, ok := c.Refs[benchmark]
			switch {
			case !ok:
			case !slices.Contains(known, id):
				t.Errorf("%s: %s has no %s", c.ID, benchmark, id)
			case owner[id] != "":
				t.Errorf("%s %s is claimed by %s and %s", benchmark, id, owner[id], c.ID)
			}
			owner[id] = c.ID
		}
		for _, id := range known {
			if has := owner[id] != ""; has == withoutControl(benchmark, id) {
				t.Errorf("%s %s: has a control: %v (%s)", benchmark, id, has, owner[id])
			}
		}
	}
}
