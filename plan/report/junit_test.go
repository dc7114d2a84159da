package report

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jstemmer/go-junit-report/v2/junit"

	"docker-harden/plan"
)

// junitOf writes an audit as JUnit and reads it back; every count has to be that of the cases.
func junitOf(t *testing.T, a Audit) junit.Testsuites {
	t.Helper()
	doc := written(t, JUnit, a)
	dec := xml.NewDecoder(strings.NewReader(doc))
	var suites junit.Testsuites
	if err := dec.Decode(&suites); err != nil {
		t.Fatalf("it is no XML: %v\n%s", err, doc)
	}
	counts := func(cases []junit.Testcase) (c [4]int) {
		for _, one := range cases {
			c[0]++
			for i, r := range []*junit.Result{one.Failure, one.Error, one.Skipped} {
				if r != nil {
					c[i+1]++
				}
			}
		}
		return c
	}
	var total [4]int
	for i, s := range suites.Suites {
		got := counts(s.Testcases)
		if want := [4]int{s.Tests, s.Failures, s.Errors, s.Skipped}; got != want {
			t.Errorf("suite %s says %v, and has %v", s.Name, want, got)
		}
		if s.ID != i {
			t.Errorf("suite %d has the number %d", i, s.ID)
		}
		for j := range total {
			total[j] += got[j]
		}
	}
	if want := [4]int{suites.Tests, suites.Failures, suites.Errors, suites.Skipped}; total != want {
		t.Errorf("the document says %v, and has %v", want, total)
	}
	return suites
}

func caseOf(t *testing.T, suites junit.Testsuites, control, target string) junit.Testcase {
	t.Helper()
	for _, s := range suites.Suites {
		for _, c := range s.Testcases {
			if c.Name == control && c.Classname == target {
				if s.Name != target {
					t.Errorf("%s of %s is in suite %s", control, target, s.Name)
				}
				return c
			}
		}
	}
	t.Fatalf("there is no case %s of %s", control, target)
	return junit.Testcase{}
}

// outcome is "failure: message", "skipped: …", "error: …" or "passed".
func outcome(c junit.Testcase) string {
	switch {
	case c.Failure != nil:
		return "failure: " + c.Failure.Message
	case c.Error != nil:
		return "error: " + c.Error.Message
	case c.Skipped != nil:
		return "skipped: " + c.Skipped.Message
	}
	return "passed"
}

func TestJUnitVerdicts(t *testing.T) {
	suites := junitOf(t, auditOf(samplePlan()))
	if suites.Tests != 17 || suites.Failures != 9 || suites.Errors != 1 || suites.Skipped != 6 {
		t.Errorf("%d tests, %d failures, %d errors, %d skipped", suites.Tests, suites.Failures, suites.Errors, suites.Skipped)
	}
	for _, row := range []struct{ control, target, want string }{
		{"docker/seccomp", "container/web", "failure: seccomp is off"},
		{"docker/no-new-privileges", "container/cache", "passed"},
		{"docker/icc", "daemon", "skipped: needs a decision: icc is on; decide: Can every"},
		{"docker/privileged", "container/build", "skipped: it is privileged; accepted until 2026-12-31: builds images (platform)"},
		{"docker/capabilities", "container/build", "skipped: not applicable: it is privileged, which"},
		{"docker/memory-limit", `container/ev\x1b[31mil`, "error: its cgroup could not be read"},
	} {
		if got := outcome(caseOf(t, suites, row.control, row.target)); !strings.HasPrefix(got, row.want) {
			t.Errorf("%s on %s: %s", row.control, row.target, got)
		}
	}
	f := caseOf(t, suites, "docker/no-new-privileges", `container/ev\x1b[31mil`).Failure
	for _, want := range []string{
		"Wanted: No process of the container can gain privileges\n", "Seen: no-new-privileges is not set\n",
		"Cannot be changed here: owned by Swarm service", "Fix and undo: fix of docker/no-new-privileges\n", "STRIDE: elevation of privilege\n",
	} {
		if !strings.Contains(f.Data, want) {
			t.Errorf("the failure does not say %q:\n%s", want, f.Data)
		}
	}
	if f.Type != "high" {
		t.Errorf("its type is %q", f.Type)
	}
}

// TestJUnitKnown: what is known is skipped only when it does not fail the check; a green report beside a red
// exit status would help nobody.
func TestJUnitKnown(t *testing.T) {
	const control, target = "docker/seccomp", "container/web"
	if got := outcome(caseOf(t, junitOf(t, comparedAudit(FailOnNew)), control, target)); got != "skipped: known, listed in ci/known.json: seccomp is off" {
		t.Errorf("with --fail-on new: %s", got)
	}
	c := caseOf(t, junitOf(t, comparedAudit(FailOnAny)), control, target)
	if got := outcome(c); got != "failure: seccomp is off" || !strings.Contains(c.Failure.Data, "Known: listed in ci/known.json\n") || c.Status != "known" {
		t.Errorf("with --fail-on any: %s, status %s\n%s", got, c.Status, c.Failure.Data)
	}
}

func TestJUnitIncomplete(t *testing.T) {
	p := &plan.Plan{Problems: []plan.Problem{{Subject: "engine", Reason: "it does not answer", Fatal: true}, {Subject: "x", Reason: "y"}}}
	suites := junitOf(t, auditOf(p))
	if suites.Errors != 1 || suites.Tests != 1 || outcome(suites.Suites[0].Testcases[0]) != "error: it does not answer" {
		t.Errorf("incomplete sight is written as %+v", suites)
	}
	if empty := junitOf(t, Audit{}); empty.Tests != 0 || len(empty.Suites) != 0 {
		t.Errorf("nothing is written as %+v", empty)
	}
}

// TestJUnitHostile: what would end a CDATA section, an attribute or an element is text, and comes back whole.
func TestJUnitHostile(t *testing.T) {
	const evil = "]]></failure></testcase>\x00\x1b[2J\ufffe\"<&>' ]]>"
	p := samplePlan()
	for i := range p.Findings {
		p.Findings[i].Message, p.Findings[i].Resource.Name = evil, evil
	}
	p.Host.Name = evil
	suites := junitOf(t, auditOf(p))
	want := Clean(evil)
	for _, s := range suites.Suites {
		for _, c := range s.Testcases {
			if diff := cmp.Diff(want, s.Hostname); diff != "" {
				t.Error(diff)
			}
			if c.Failure != nil && (c.Failure.Message != want || !strings.Contains(c.Failure.Data, "Seen: "+want+"\n")) {
				t.Errorf("it came back as %q, %q", c.Failure.Message, c.Failure.Data)
			}
		}
	}
	junitOf(t, hostileAudit(steeped(hostile)))
}
