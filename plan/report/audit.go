package report

import (
	"io"
	"slices"
	"strings"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/baseline"
	"docker-harden/plan/control"
)

// FindingsFormat is the format version of JSON written by [FindingsJSON].
const FindingsFormat = "docker-harden/findings/v1"

// Audit is the result of a check: every verdict, on what host, by what profile, against what baseline.
// Every format is written from it, and what makes a check fail is said by [Audit.Fails] alone.
type Audit struct {
	Format  string       `json:"format"`
	Tool    string       `json:"tool"`
	Made    time.Time    `json:"made"`
	Host    plan.Host    `json:"host"`
	Profile plan.Profile `json:"profile"`
	Counts  Counts       `json:"counts"`
	// Baseline is what the verdicts were compared with; nil without one.
	Baseline *Baseline `json:"baseline,omitempty"`
	// LeftOut are the controls that are too mild to be asked for; nil when there are none.
	LeftOut  *LeftOut             `json:"left_out,omitempty"`
	Rules    map[string]AuditRule `json:"rules"`
	Findings []AuditFinding       `json:"findings"`
	Problems []plan.Problem       `json:"problems,omitempty"`
}

// AuditFinding is a verdict, and whether the baseline lists it.
type AuditFinding struct {
	plan.Finding
	Known bool `json:"known,omitempty"`
}

// AuditRule is a control in words, for who has to judge and repair what it found.
type AuditRule struct {
	ID       string            `json:"id"`
	Title    string            `json:"title"`
	Why      string            `json:"why"`
	Risk     string            `json:"risk"`
	Fix      string            `json:"fix,omitempty"`
	Severity plan.RiskLevel    `json:"severity,omitempty"`
	Refs     map[string]string `json:"refs"`
}

// FailOn says which failures make a check fail.
type FailOn string

// What a check can fail on.
const (
	FailOnAny FailOn = "any" // every failure
	FailOnNew FailOn = "new" // those that the baseline does not list
)

// Baseline is how the verdicts stand to a baseline file.
type Baseline struct {
	File   string           `json:"file"`
	Made   time.Time        `json:"made"`
	FailOn FailOn           `json:"fail_on"`
	Known  int              `json:"known"` // failing, and listed
	New    int              `json:"new"`   // failing, and not listed
	Fixed  []baseline.Entry `json:"fixed"` // listed, and failing no more
}

// LeftOut counts the controls below the least severity that was asked for.
type LeftOut struct {
	Severity plan.RiskLevel `json:"severity"` // the least that counts
	Controls int            `json:"controls"`
}

// AuditOf is the audit that a plan holds. Controls say what a plan does not: how severe a failure is, and how
// it is fixed.
func AuditOf(p *plan.Plan, controls []control.Control) Audit {
	a := Audit{
		Tool: p.Tool, Made: p.Made, Host: p.Host, Profile: p.Profile, Problems: p.Problems,
		Rules: make(map[string]AuditRule, len(p.Rules)), Findings: make([]AuditFinding, len(p.Findings)),
	}
	for id, r := range p.Rules {
		a.Rules[id] = AuditRule{ID: r.ID, Title: r.Title, Why: r.Why, Risk: r.Risk, Refs: r.Refs}
	}
	for _, c := range controls {
		if r, ok := a.Rules[c.ID]; ok {
			r.Fix, r.Severity = c.Fix, c.Severity
			a.Rules[c.ID] = r
		}
	}
	for i, f := range p.Findings {
		a.Findings[i].Finding = f
	}
	a.Counts = Count(p.Findings)
	return a
}

// Against marks what a baseline lists. name is the baseline's file.
func (a *Audit) Against(name string, f baseline.File, c baseline.Comparison, on FailOn) {
	b := &Baseline{File: name, Made: f.Made, FailOn: on, Fixed: c.Fixed}
	if b.Fixed == nil {
		b.Fixed = []baseline.Entry{}
	}
	for i := range a.Findings {
		one := &a.Findings[i]
		if one.Status != plan.Fail {
			continue
		}
		if one.Known = c.Known[baseline.EntryOf(one.Finding)]; one.Known {
			b.Known++
		} else {
			b.New++
		}
	}
	a.Baseline = b
}

// Fails says whether a finding makes the check fail.
func (a Audit) Fails(f AuditFinding) bool {
	return f.Status == plan.Fail && (!f.Known || a.Baseline == nil || a.Baseline.FailOn != FailOnNew)
}

// severity is a finding's, lowest where the control says nothing.
func (a Audit) severity(f AuditFinding) plan.RiskLevel {
	if s := a.Rules[f.Control].Severity; s != "" {
		return s
	}
	return plan.RiskLow
}

// listed are the findings that are worth a line: with verbose all of them.
func (a Audit) listed(verbose bool) []AuditFinding {
	if verbose {
		return a.Findings
	}
	return slices.DeleteFunc(slices.Clone(a.Findings), func(f AuditFinding) bool {
		return f.Status == plan.Pass || f.Status == plan.NotApplicable
	})
}

// word is a verdict as people are told it.
func (f AuditFinding) word() string {
	if f.Known {
		return "known"
	}
	return string(f.Status)
}

// FindingsJSON writes an audit as docs/schema/findings.v1.schema.json describes it. Format is filled in.
func FindingsJSON(w io.Writer, a Audit) error {
	a.Format = FindingsFormat
	if a.Findings == nil {
		a.Findings = []AuditFinding{}
	}
	if a.Rules == nil {
		a.Rules = map[string]AuditRule{}
	}
	return writeJSON(w, a)
}

// seen is the message, and what stands in the way.
func seen(f plan.Finding) string {
	text := f.Message
	switch {
	case f.Question != "":
		text += "; decide: " + f.Question
	case f.Blocked != "":
		text += "; cannot be changed here: " + withReason(f.Reason, f.Blocked)
	case f.Exception != nil:
		text += "; " + exceptionText(f.Exception)
	}
	return text
}

// cisNumbers are "5.26 (5.25)", for a column of a table.
func (r AuditRule) cisNumbers() string { return Clean(strings.TrimPrefix(cis(r.Refs), "CIS ")) }

// letters are "E,S", the threats for a column of a table.
func (r AuditRule) letters() string { return Clean(strings.Trim(stride(r.Refs), "[]")) }
