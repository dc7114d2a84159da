package report

import (
	"slices"
	"strings"

	"docker-harden/plan"
)

// The benchmarks whose numbers are printed: the newest known and the oldest in use. The numbers of
// one rule differ between them, so both are shown.
const (
	newRef = "cis-docker-1.6.0"
	oldRef = "cis-docker-1.2.0"
)

const refsLegend = "CIS: number in benchmark 1.6.0 (in 1.2.0).  [S]poofing [T]ampering [R]epudiation [I]nformation disclosure [D]enial of service [E]levation of privilege"

// cis is "CIS 5.26 (5.25)": the rule's number now and, where it was another, in the old benchmark.
func cis(refs map[string]string) string {
	now, old := refs[newRef], refs[oldRef]
	switch {
	case now == "" && old == "":
		return ""
	case now == "":
		return "CIS (" + old + ")"
	case old == "" || old == now:
		return "CIS " + now
	}
	return "CIS " + now + " (" + old + ")"
}

func stride(refs map[string]string) string {
	if refs["stride"] == "" {
		return ""
	}
	return "[" + refs["stride"] + "]"
}

// refsOf joins the numbers and STRIDE letters of all rules that asked for a change.
func refsOf(rules map[string]plan.Rule, controls []string) (numbers, letters string) {
	var ids, threats []string
	for _, id := range controls {
		refs := rules[id].Refs
		if n := strings.TrimPrefix(cis(refs), "CIS "); n != "" && !slices.Contains(ids, n) {
			ids = append(ids, n)
		}
		for _, letter := range strings.Split(refs["stride"], ",") {
			if letter = strings.TrimSpace(letter); letter != "" && !slices.Contains(threats, letter) {
				threats = append(threats, letter)
			}
		}
	}
	if len(ids) > 0 {
		numbers = "CIS " + strings.Join(ids, ", ")
	}
	if len(threats) > 0 {
		letters = "[" + strings.Join(threats, ",") + "]"
	}
	return Clean(numbers), Clean(letters)
}
