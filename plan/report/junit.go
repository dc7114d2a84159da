package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"docker-harden/plan"
)

// JUnitName is the name of the suites that [JUnit] writes.
const JUnitName = program + " check"

// JUnit writes an audit as JUnit XML: a suite a resource, a case a verdict. What makes the check fail is a
// failure, what could not be judged an error. Skipped is what asks for nothing now, with the reason: not
// applicable, accepted, known, and what a person has to decide, because that does not fail a check either.
func JUnit(out io.Writer, a Audit) error {
	suites := junit.Testsuites{Name: JUnitName}
	if s := a.sight(); s.Tests > 0 {
		suites.AddSuite(s)
	}
	for start := 0; start < len(a.Findings); {
		resource, end := a.Findings[start].Resource, start
		suite := a.suite(Clean(resource.String()))
		for ; end < len(a.Findings) && a.Findings[end].Resource == resource; end++ {
			suite.AddTestcase(a.testcase(a.Findings[end]))
		}
		suite.ID = len(suites.Suites)
		suites.AddSuite(suite)
		start = end
	}
	b := bytes.NewBufferString(xml.Header)
	if err := suites.WriteXML(b); err != nil {
		return fmt.Errorf("cannot encode report: %w", err)
	}
	_, err := out.Write(b.Bytes())
	return err
}

func (a Audit) suite(name string) junit.Testsuite {
	s := junit.Testsuite{Name: name, Hostname: Clean(a.Host.Name), Time: "0"}
	s.SetTimestamp(a.Made)
	s.AddProperty("docker-harden", Clean(a.Tool))
	s.AddProperty("engine", Clean(a.Host.Engine))
	s.AddProperty("profile", Clean(profileText(a.Profile)))
	return s
}

// sight is a suite of what kept the whole host from being judged: such a report must not look green.
func (a Audit) sight() junit.Testsuite {
	s := a.suite("inventory")
	for _, p := range a.Problems {
		if p.Fatal {
			s.AddTestcase(junit.Testcase{
				Name: Clean(p.Subject), Classname: s.Name, Time: "0",
				Error: &junit.Result{Message: Clean(p.Reason), Type: "unread", Data: Clean(p.Reason)},
			})
		}
	}
	return s
}

func (a Audit) testcase(f AuditFinding) junit.Testcase {
	c := junit.Testcase{Name: Clean(f.Control), Classname: Clean(f.Resource.String()), Time: "0", Status: f.word()}
	skip := func(reason string) { c.Skipped = &junit.Result{Message: Clean(reason)} }
	switch {
	case a.Fails(f):
		c.Failure = &junit.Result{Message: Clean(f.Message), Type: string(a.severity(f)), Data: a.body(f)}
	case f.Known:
		skip("known, listed in " + a.Baseline.File + ": " + f.Message)
	case f.Status == plan.Pass:
	case f.Status == plan.Manual:
		skip("needs a decision: " + seen(f.Finding))
	case f.Status == plan.Excepted:
		skip(seen(f.Finding))
	case f.Status == plan.NotApplicable:
		skip("not applicable: " + f.Message)
	default:
		c.Error = &junit.Result{Message: Clean(f.Message), Type: string(plan.Unknown), Data: a.body(f)}
	}
	return c
}

// body is what somebody needs who has to do something about a verdict.
func (a Audit) body(f AuditFinding) string {
	rule := a.Rules[f.Control]
	known := ""
	if f.Known {
		known = "listed in " + a.Baseline.File
	}
	var b strings.Builder
	for _, part := range []struct{ label, text string }{
		{"Wanted", rule.Title},
		{"Seen", f.Message},
		{"Known", known},
		{"Cannot be changed here", withReason(f.Reason, f.Blocked)},
		{"Why", rule.Why},
		{"Fix and undo", rule.Fix},
		{"References", references(rule.Refs)},
	} {
		if part.text != "" {
			fmt.Fprintf(&b, "%s: %s\n", part.label, Clean(part.text))
		}
	}
	return b.String()
}

// profileText is "cis-level1@3f9c21".
func profileText(p plan.Profile) string {
	if p.SHA256 == "" {
		return p.Name
	}
	return fmt.Sprintf("%s@%.6s", p.Name, p.SHA256)
}
