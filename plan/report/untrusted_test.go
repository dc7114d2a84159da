package report

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"docker-harden/plan"
	"docker-harden/plan/baseline"
)

// hostile is text that would do something on a terminal, or break out of where it stands.
const hostile = "a\x1b[2J\x1b]0;title\a\u009b31m\r\nb\t\x00\x7f\u202e\u200b\U000e0041\xff|<b>*`\"'"

// steeped is the sample with this text in every place that somebody else may have worded.
func steeped(text string) *plan.Plan {
	p := samplePlan()
	quoted, _ := json.Marshal(text) // never fails
	put := func(list []plan.Change) {
		for i := range list {
			list[i].To, list[i].Note, list[i].ReverseNote = quoted, text, text
			list[i].From = json.RawMessage(`[` + string(quoted) + `,{"` + "k" + `":` + string(quoted) + `}]`)
		}
	}
	p.Host.Name, p.Host.Summary, p.Host.Endpoint, p.Profile.Name = text, text, text, text
	for i := range p.Steps {
		s := &p.Steps[i]
		s.ID, s.Notes, s.Effect.Text = text, []string{text}, text
		s.Risk = plan.Risk{Level: plan.RiskHigh, Reasons: []string{text}}
		s.Basis = plan.Basis{text: text}
		put(s.Changes)
	}
	for i := range p.Findings {
		f := &p.Findings[i]
		f.Message, f.Question, f.Blocked, f.Notes = text, text, text, []string{text}
		f.Evidence = []plan.Evidence{{Name: text, Value: text, Source: text}}
		f.Risk = plan.Risk{Level: plan.RiskLow, Reasons: []string{text}}
		f.Resource.Name = text
		if f.Exception != nil {
			f.Exception.Reason, f.Exception.Owner = text, text
		}
		put(f.Changes)
	}
	p.Problems = []plan.Problem{{Subject: text, Reason: text, Fatal: true}}
	p.Errored = true
	return p
}

// formats are all ways to print a plan.
func formats(p *plan.Plan) map[string]func(io.Writer) error {
	text := func(o TextOptions) func(io.Writer) error {
		return func(w io.Writer) error { return Text(w, p, o) }
	}
	return map[string]func(io.Writer) error{
		"text":     text(TextOptions{}),
		"verbose":  text(TextOptions{Verbose: true}),
		"summary":  text(TextOptions{Summary: true}),
		"json":     func(w io.Writer) error { return JSON(w, p) },
		"findings": func(w io.Writer) error { return Findings(w, auditOf(p), TextOptions{Verbose: true}) },
		"audit":    func(w io.Writer) error { return FindingsJSON(w, auditOf(p)) },
		"junit":    func(w io.Writer) error { return JUnit(w, hostileAudit(p)) },
		"sarif":    func(w io.Writer) error { return SARIF(w, hostileAudit(p), TextOptions{Verbose: true}) },
		"comment":  func(w io.Writer) error { return FindingsMarkdown(w, hostileAudit(p), TextOptions{Verbose: true}) },
		"known":    func(w io.Writer) error { return Findings(w, hostileAudit(p), TextOptions{}) },
		"compared": func(w io.Writer) error { return FindingsJSON(w, hostileAudit(p)) },
	}
}

// hostileAudit is the audit of a plan against a baseline that lists half of what fails, under a hostile name.
func hostileAudit(p *plan.Plan) Audit {
	a := auditOf(p)
	f := baseline.Make(p.Findings[:len(p.Findings)/2], []baseline.Entry{{Control: hostile, Target: hostile}}, hostile, p.Made)
	a.Against(hostile, f, f.Compare(p.Findings, func(baseline.Entry) bool { return true }), FailOnNew)
	return a
}

func checkPrinted(t *testing.T, name string, print func(io.Writer) error) {
	t.Helper()
	var out bytes.Buffer
	if err := print(&out); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if !utf8.Valid(out.Bytes()) {
		t.Errorf("%s prints broken UTF-8", name)
	}
	for line := range strings.Lines(out.String()) {
		for _, r := range strings.TrimLeft(strings.TrimSuffix(line, "\n"), "\t") { // XML is indented by tabs
			if !unicode.IsPrint(r) {
				t.Errorf("%s prints %U in %q", name, r, line)
				return
			}
		}
	}
}

// Whatever the host's names, labels, paths and keys are: nothing of them reaches a terminal as anything but text.
func TestNothingReachesTheTerminalRaw(t *testing.T) {
	for name, print := range formats(steeped(hostile)) {
		checkPrinted(t, name, print)
	}
}

func FuzzReport(f *testing.F) {
	f.Add(hostile)
	f.Add("\u009b")
	f.Add("plain")
	f.Fuzz(func(t *testing.T, text string) {
		for name, print := range formats(steeped(text)) {
			checkPrinted(t, name, print)
		}
	})
}
