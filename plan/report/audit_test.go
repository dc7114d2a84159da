package report

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/baseline"
	"docker-harden/plan/control"
)

// auditOf is the audit of a plan, with severities for the sample's rules.
func auditOf(p *plan.Plan) Audit {
	var controls []control.Control
	for id, level := range map[string]plan.RiskLevel{
		"docker/log-level": plan.RiskLow, "docker/live-restore": plan.RiskMedium, "docker/icc": plan.RiskMedium,
		"docker/daemon-json-mode": plan.RiskLow, "docker/no-new-privileges": plan.RiskHigh, "docker/seccomp": plan.RiskHigh,
		"docker/capabilities": plan.RiskHigh, "docker/memory-limit": plan.RiskMedium, "docker/privileged": plan.RiskHigh,
	} {
		controls = append(controls, control.Control{ID: id, Severity: level, Fix: "fix of " + id})
	}
	return AuditOf(p, controls)
}

// comparedAudit is the sample against a baseline: two failures are known, two entries are fixed, one is open.
func comparedAudit(on FailOn) Audit {
	p := samplePlan()
	f := baseline.File{Format: baseline.Format, MadeBy: "docker-harden 0.1.0", Made: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), Failures: []baseline.Entry{
		{Control: "docker/log-level", Target: "daemon"},
		{Control: "docker/memory-limit", Target: "container/ev\x1b[31mil"},
		{Control: "docker/no-new-privileges", Target: "container/cache"},
		{Control: "docker/seccomp", Target: "container/gone"},
		{Control: "docker/seccomp", Target: "container/web"},
	}}
	a := auditOf(p)
	a.LeftOut = &LeftOut{Severity: plan.RiskMedium, Controls: 3}
	a.Against("ci/known.json", f, f.Compare(p.Findings, func(baseline.Entry) bool { return true }), on)
	return a
}

// auditWriters are every format of an audit.
func auditWriters(o TextOptions) map[string]func(io.Writer, Audit) error {
	return map[string]func(io.Writer, Audit) error{
		"txt":  func(w io.Writer, a Audit) error { return Findings(w, a, o) },
		"json": FindingsJSON, "xml": JUnit,
		"sarif": func(w io.Writer, a Audit) error { return SARIF(w, a, o) },
		"md":    func(w io.Writer, a Audit) error { return FindingsMarkdown(w, a, o) },
	}
}

func written(t *testing.T, write func(io.Writer, Audit) error, a Audit) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b, a); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAuditGolden(t *testing.T) {
	for format, write := range auditWriters(TextOptions{}) {
		if format != "txt" && format != "json" { // those of plain audits are findings.txt and findings.json
			golden(t, "audit."+format, written(t, write, auditOf(samplePlan())))
		}
		golden(t, "audit-baseline."+format, written(t, write, comparedAudit(FailOnNew)))
	}
	for format, write := range auditWriters(TextOptions{Verbose: true}) {
		if format == "sarif" || format == "md" {
			golden(t, "audit-verbose."+format, written(t, write, auditOf(samplePlan())))
		}
	}
}

func TestAuditOf(t *testing.T) {
	a := auditOf(samplePlan())
	if r := a.Rules["docker/seccomp"]; r.Severity != plan.RiskHigh || r.Fix == "" || r.Why != "why docker/seccomp" || r.Refs["stride"] != "E" {
		t.Errorf("the rule is %+v", r)
	}
	if a.Counts != Count(samplePlan().Findings) || len(a.Findings) != len(samplePlan().Findings) || a.Baseline != nil {
		t.Errorf("counts %+v, %d findings, baseline %v", a.Counts, len(a.Findings), a.Baseline)
	}
	if got := (Audit{}).severity(AuditFinding{}); got != plan.RiskLow {
		t.Errorf("a control without a severity counts as %q", got)
	}
}

func TestAgainst(t *testing.T) {
	a := comparedAudit(FailOnNew)
	b := a.Baseline
	if b.Known != 2 || b.New != 7 || len(b.Fixed) != 2 {
		t.Errorf("%d known, %d new, fixed %v", b.Known, b.New, b.Fixed)
	}
	for _, f := range a.Findings {
		want := f.Status == plan.Fail && (f.Control == "docker/log-level" || f.Control == "docker/seccomp" && f.Resource.Name == "web")
		if f.Known != want {
			t.Errorf("%s on %s, %s: known is %v", f.Control, f.Resource, f.Status, f.Known)
		}
	}
}

// TestFails: the one place that says what makes a check fail.
func TestFails(t *testing.T) {
	any, compared := comparedAudit(FailOnAny), comparedAudit(FailOnNew)
	for _, row := range []struct {
		name   string
		audit  Audit
		status plan.Status
		known  bool
		want   bool
	}{
		{"without a baseline", Audit{}, plan.Fail, false, true},
		{"known, any counts", any, plan.Fail, true, true},
		{"new, any counts", any, plan.Fail, false, true},
		{"known, new counts", compared, plan.Fail, true, false},
		{"new, new counts", compared, plan.Fail, false, true},
		{"pass", any, plan.Pass, false, false},
		{"manual", any, plan.Manual, false, false},
		{"excepted", compared, plan.Excepted, false, false},
		{"unknown", any, plan.Unknown, false, false},
	} {
		f := AuditFinding{Finding: plan.Finding{Status: row.status}, Known: row.known}
		if got := row.audit.Fails(f); got != row.want {
			t.Errorf("%s: it is %v that it fails", row.name, got)
		}
	}
}

func TestTotals(t *testing.T) {
	got := written(t, auditWriters(TextOptions{Summary: true})["txt"], comparedAudit(FailOnNew))
	for _, want := range []string{
		"17 verdicts: 1 pass, 9 fail", "Baseline ci/known.json: 2 known, 7 new.\n", "2 of the baseline fail no more: rewrite it with --write-baseline.\n",
		"3 controls below severity medium left out.\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not said:\n%s", want, got)
		}
	}
	one := comparedAudit(FailOnNew)
	one.Baseline.Fixed, one.LeftOut.Controls = one.Baseline.Fixed[:1], 1
	if got := strings.Join(one.totals(), "\n"); !strings.Contains(got, "1 of the baseline fails no more") || !strings.Contains(got, "1 control below severity medium left out") {
		t.Errorf("one is said as\n%s", got)
	}
}

func TestAuditJSONMatchesSchema(t *testing.T) {
	s := compile(t, "findings")
	for _, on := range []FailOn{FailOnAny, FailOnNew} {
		if err := validate(t, s, findingsJSON(t, comparedAudit(on))); err != nil {
			t.Error(err)
		}
	}
	a := comparedAudit(FailOnNew)
	a.Against("x", baseline.File{}, baseline.Comparison{}, FailOnAny)
	if err := validate(t, s, findingsJSON(t, a)); err != nil {
		t.Errorf("an empty baseline: %v", err)
	}
	a.Baseline.FailOn = "some"
	if validate(t, s, findingsJSON(t, a)) == nil {
		t.Error("the schema accepts any fail_on")
	}
}
