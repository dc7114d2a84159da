package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"docker-harden/plan"
)

// FindingsFormat is the format version of JSON written by [FindingsJSON].
const FindingsFormat = "docker-harden/findings/v1"

// Audit is the result of a check: every verdict, and on what host by what profile.
type Audit struct {
	Format   string               `json:"format"`
	Tool     string               `json:"tool"`
	Made     time.Time            `json:"made"`
	Host     plan.Host            `json:"host"`
	Profile  plan.Profile         `json:"profile"`
	Counts   Counts               `json:"counts"`
	Rules    map[string]plan.Rule `json:"rules"`
	Findings []plan.Finding       `json:"findings"`
	Problems []plan.Problem       `json:"problems,omitempty"`
}

// AuditOf is the audit that a plan holds.
func AuditOf(p *plan.Plan) Audit {
	return Audit{
		Tool: p.Tool, Made: p.Made, Host: p.Host, Profile: p.Profile,
		Rules: p.Rules, Findings: p.Findings, Problems: p.Problems,
	}
}

// FindingsJSON writes an audit as docs/schema/findings.v1.schema.json describes it. Format and
// Counts are filled in.
func FindingsJSON(w io.Writer, a Audit) error {
	a.Format, a.Counts = FindingsFormat, Count(a.Findings)
	if a.Findings == nil {
		a.Findings = []plan.Finding{}
	}
	if a.Rules == nil {
		a.Rules = map[string]plan.Rule{}
	}
	return writeJSON(w, a)
}

// Findings writes verdicts as a table, in their order, and a
// count. Passing and not applicable ones are listed with Verbose only.
func Findings(out io.Writer, findings []plan.Finding, rules map[string]plan.Rule, o TextOptions) error {
	w := &writer{palette: newPalette(o.Color), plan: &plan.Plan{Rules: rules, Findings: findings}, o: o}
	if !o.Summary {
		w.findingsTable(findings)
	}
	w.countLine(Count(findings))
	_, err := out.Write(w.Bytes())
	return err
}

func (w *writer) findingsTable(findings []plan.Finding) {
	head := []string{"STATUS", "TARGET", "CONTROL", "CIS", "STRIDE", "SEEN"}
	for i := range head {
		head[i] = w.bold.Sprint(head[i])
	}
	rows := [][]string{head}
	for _, f := range findings {
		if !w.o.Verbose && (f.Status == plan.Pass || f.Status == plan.NotApplicable) {
			continue
		}
		refs := w.plan.Rules[f.Control].Refs
		rows = append(rows, []string{
			w.status(f.Status), Clean(f.Resource.String()), Clean(f.Control),
			Clean(strings.TrimPrefix(cis(refs), "CIS ")), Clean(strings.Trim(stride(refs), "[]")), Clean(seen(f)),
		})
	}
	if len(rows) > 1 {
		columns(&w.Buffer, "", rows)
		w.printf("\n")
	}
}

// seen is the message, and what stands in the way.
func seen(f plan.Finding) string {
	text := f.Message
	switch {
	case f.Question != "":
		text += "; decide: " + f.Question
	case f.Blocked != "":
		text += "; cannot be changed here: " + f.Blocked
	case f.Exception != nil:
		text += "; " + exceptionText(f.Exception)
	}
	return text
}

func (w *writer) status(s plan.Status) string {
	switch s {
	case plan.Pass:
		return w.good.Sprint(string(s))
	case plan.Fail:
		return w.bad.Sprint(string(s))
	case plan.Manual, plan.Unknown:
		return w.warn.Sprint(string(s))
	}
	return Clean(string(s))
}

// countLine is "58 verdicts: 41 pass, 10 fail (8 can be fixed by plan and apply), …".
func (w *writer) countLine(c Counts) {
	var parts []string
	for _, part := range []struct {
		n    int
		text string
	}{
		{c.Pass, "pass"},
		{c.Fail, "fail"},
		{c.Manual, "need a decision"},
		{c.Excepted, "accepted"},
		{c.Unknown, "unknown"},
		{c.NotApplicable, "not applicable"},
	} {
		if part.n == 0 {
			continue
		}
		text := fmt.Sprintf("%d %s", part.n, part.text)
		if part.text == "fail" && c.Fixed > 0 {
			text += fmt.Sprintf(" (%d can be fixed: docker-harden plan)", c.Fixed)
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		parts = []string{"nothing was judged"}
	}
	w.printf("%d verdicts: %s.\n", c.Judged()+c.NotApplicable, strings.Join(parts, ", "))
}
