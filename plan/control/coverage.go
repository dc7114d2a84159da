package control

import (
	"docker-harden/plan/control/benchmark"
)

// Covered is one recommendation and the controls that judge it; none: nothing judges it.
type Covered struct {
	benchmark.Recommendation
	Controls []Control
}

// Coverage is how far controls cover the benchmark.
type Coverage struct {
	Rows []Covered // every recommendation, in the order of the newest version
	// Beyond are the controls of what the benchmark does not ask for.
	Beyond []Control
}

// Cover joins the benchmark's recommendations with the controls that name them. A control names one by its number
// in the newest version, which has all of them.
func Cover(controls []Control) Coverage {
	var out Coverage
	at := map[string]int{}
	for _, r := range benchmark.Recommendations() {
		at[r.V180] = len(out.Rows)
		out.Rows = append(out.Rows, Covered{Recommendation: r})
	}
	for _, c := range controls {
		if i, ok := at[c.Refs[benchmark.V180]]; ok {
			out.Rows[i].Controls = append(out.Rows[i].Controls, c)
		} else {
			out.Beyond = append(out.Beyond, c)
		}
	}
	return out
}

// Totals are the numbers of a coverage.
type Totals struct {
	Recommendations int `json:"recommendations"`
	// Uncovered are recommendations that no control judges.
	Uncovered int `json:"uncovered"`
	Controls  int `json:"controls"`
	Automatic int `json:"automatic"`
	Answer    int `json:"answer"`
	Reported  int `json:"reported"`
}

// Totals counts recommendations, and controls by class.
func (c Coverage) Totals() Totals {
	t := Totals{Recommendations: len(c.Rows)}
	count := func(list []Control) {
		t.Controls += len(list)
		for _, one := range list {
			switch one.Class {
			case Automatic:
				t.Automatic++
			case Answer:
				t.Answer++
			case Reported:
				t.Reported++
			}
		}
	}
	for _, row := range c.Rows {
		if len(row.Controls) == 0 {
			t.Uncovered++
		}
		count(row.Controls)
	}
	count(c.Beyond)
	return t
}
