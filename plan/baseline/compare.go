package baseline

import "docker-harden/plan"

// Comparison is what a look at a host says of a baseline.
type Comparison struct {
	// Known are the entries that still fail.
	Known map[Entry]bool
	// Fixed are those that were judged and fail no more, or whose resource is gone.
	Fixed []Entry
	// Open are those of which nothing is known now: they were not asked for, or could not be judged.
	Open []Entry
}

// Compare tells what became of every entry. asked says whether a run would have judged an entry if its
// resource existed: what was not looked at is not fixed.
func (f File) Compare(findings []plan.Finding, asked func(Entry) bool) Comparison {
	now := make(map[Entry]plan.Status, len(findings))
	for _, one := range findings {
		e := EntryOf(one)
		now[e] = worse(now[e], one.Status)
	}
	c := Comparison{Known: make(map[Entry]bool)}
	for _, e := range f.Failures {
		switch status, judged := now[e]; {
		case status == plan.Fail:
			c.Known[e] = true
		case judged && settled(status), !judged && asked(e):
			c.Fixed = append(c.Fixed, e)
		default:
			c.Open = append(c.Open, e)
		}
	}
	return c
}

// worse keeps what matters to a baseline, should one control say several things of one resource.
func worse(a, b plan.Status) plan.Status {
	if a == plan.Fail || a != "" && !settled(a) && b != plan.Fail {
		return a
	}
	return b
}

// settled are the verdicts that a failure can have turned into; a look that failed is none.
func settled(s plan.Status) bool {
	switch s {
	case plan.Pass, plan.Manual, plan.Excepted, plan.NotApplicable:
		return true
	}
	return false
}
