package report

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"docker-harden/plan"
	"docker-harden/plan/baseline"
)

// sarifOf writes an audit as SARIF, reads it back and holds it against the standard's own schema.
func sarifOf(t *testing.T, a Audit, o TextOptions) *sarif.Run {
	t.Helper()
	doc, err := sarif.FromString(written(t, auditWriters(o)["sarif"], a), sarif.WithStrictValidation())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(); err != nil {
		t.Fatalf("it is no SARIF 2.1.0: %v", err)
	}
	if doc.Version != "2.1.0" || len(doc.Runs) != 1 {
		t.Fatalf("version %q, %d runs", doc.Version, len(doc.Runs))
	}
	return doc.Runs[0]
}

func resultOf(t *testing.T, run *sarif.Run, control, target string) *sarif.Result {
	t.Helper()
	for _, r := range run.Results {
		if *r.RuleID == control && *r.Locations[0].LogicalLocations[0].FullyQualifiedName == target {
			return r
		}
	}
	t.Fatalf("there is no result of %s on %s", control, target)
	return nil
}

func TestSARIFIsValid(t *testing.T) {
	errored := samplePlan()
	errored.Errored, errored.Problems[0].Fatal = true, true
	for name, a := range map[string]Audit{
		"zero": {}, "empty": auditOf(&plan.Plan{}), "sample": auditOf(samplePlan()), "compared": comparedAudit(FailOnNew),
		"hostile": hostileAudit(steeped(hostile)), "errored": auditOf(errored), "no rules": {Findings: auditOf(samplePlan()).Findings},
	} {
		for _, verbose := range []bool{false, true} {
			run := sarifOf(t, a, TextOptions{Verbose: verbose})
			if want := len(a.listed(verbose)); len(run.Results) != want {
				t.Errorf("%s: %d results, want %d", name, len(run.Results), want)
			}
			for _, r := range run.Results {
				rule := run.Tool.Driver.Rules[r.RuleIndex]
				if *rule.ID != *r.RuleID {
					t.Errorf("%s: rule %d is %s, not %s", name, r.RuleIndex, *rule.ID, *r.RuleID)
				}
			}
		}
	}
	if ok := sarifOf(t, auditOf(errored), TextOptions{}).Invocations[0]; *ok.ExecutionSuccessful || ok.ToolExecutionNotifications[0].Level != "error" {
		t.Error("incomplete sight counts as a success")
	}
}

func TestSARIFVerdicts(t *testing.T) {
	run := sarifOf(t, auditOf(samplePlan()), TextOptions{Verbose: true})
	for _, row := range []struct{ control, target, kind, level string }{
		{"docker/seccomp", "container/web", "fail", "error"},
		{"docker/memory-limit", "container/cache", "fail", "warning"},
		{"docker/log-level", "daemon", "fail", "note"},
		{"docker/icc", "daemon", "review", "none"},
		{"docker/privileged", "container/build", "fail", "error"},
		{"docker/capabilities", "container/build", "notApplicable", "none"},
		{"docker/no-new-privileges", "container/cache", "pass", "none"},
		{"docker/memory-limit", `container/ev\x1b[31mil`, "open", "none"},
	} {
		r := resultOf(t, run, row.control, row.target)
		if r.Kind != row.kind || r.Level != row.level {
			t.Errorf("%s on %s is %s, level %s", row.control, row.target, r.Kind, r.Level)
		}
		if suppressed := len(r.Suppressions) == 1; suppressed != (row.target == "container/build" && row.kind == "fail") {
			t.Errorf("%s on %s: suppressed is %v", row.control, row.target, suppressed)
		}
		if r.BaselineState != nil {
			t.Errorf("%s on %s has a state without a baseline", row.control, row.target)
		}
	}
	s := resultOf(t, run, "docker/privileged", "container/build").Suppressions[0]
	if *s.Kind != "external" || *s.Status != "accepted" || !strings.Contains(*s.Justification, "builds images (platform)") {
		t.Errorf("the suppression is %s, %s, %q", *s.Kind, *s.Status, *s.Justification)
	}
}

func TestSARIFRules(t *testing.T) {
	run := sarifOf(t, auditOf(samplePlan()), TextOptions{})
	var ids []string
	for _, r := range run.Tool.Driver.Rules {
		ids = append(ids, *r.ID)
	}
	if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) || len(ids) != 9 {
		t.Errorf("the rules are %v", ids)
	}
	r := run.Tool.Driver.Rules[slices.Index(ids, "docker/capabilities")]
	if *r.ShortDescription.Text != "The container has no capability it does not need" || !strings.Contains(*r.FullDescription.Text, "why docker/capabilities") ||
		!strings.Contains(*r.Help.Text, "fix of docker/capabilities") || !strings.Contains(*r.Help.Markdown, "**Fix and undo**: fix of docker/capabilities") {
		t.Errorf("the rule says %+v", r)
	}
	want := []string{"security", "cis-docker-1.2.0:5.3", "cis-docker-1.6.0:5.4", "stride:elevation-of-privilege", "stride:spoofing"}
	if diff := cmp.Diff(want, r.Properties.Tags); diff != "" {
		t.Error(diff)
	}
	if r.DefaultConfiguration.Level != "error" || r.Properties.Properties["security-severity"] != "8.0" {
		t.Errorf("level %s, score %v", r.DefaultConfiguration.Level, r.Properties.Properties["security-severity"])
	}
}

func TestSARIFBaseline(t *testing.T) {
	a := comparedAudit(FailOnNew)
	run := sarifOf(t, a, TextOptions{})
	states := map[string]int{}
	for i, r := range run.Results {
		state := ""
		if r.BaselineState != nil {
			state = *r.BaselineState
		}
		states[state]++
		f := a.listed(false)[i]
		if (state == "unchanged") != f.Known || (state == "new") != (f.Status == plan.Fail && !f.Known) {
			t.Errorf("%s on %s, known %v, has the state %q", f.Control, f.Resource, f.Known, state)
		}
	}
	if diff := cmp.Diff(map[string]int{"": 6, "new": 7, "unchanged": 2}, states); diff != "" {
		t.Error(diff)
	}
	fixed, _ := run.Properties.Properties["baselineFixed"].([]any)
	if len(fixed) != 2 || fixed[1] != "docker/seccomp on container/gone" {
		t.Errorf("fixed are %v", fixed)
	}
}

// TestSARIFFingerprints: the same failure is the same in the next run, of a container that was made again, with
// another message; and no two failures are the same.
func TestSARIFFingerprints(t *testing.T) {
	again := samplePlan()
	for i := range again.Findings {
		f := &again.Findings[i]
		f.Message += " again"
		if f.Resource.ID != "" {
			f.Resource.ID = strings.Repeat("9", 64)
		}
	}
	first, second := sarifOf(t, auditOf(samplePlan()), TextOptions{Verbose: true}), sarifOf(t, auditOf(again), TextOptions{Verbose: true})
	seen := map[string]bool{}
	for i, r := range first.Results {
		print := r.PartialFingerprints[fingerprint]
		if len(print) != 64 || seen[print] {
			t.Errorf("the fingerprint of result %d is %q", i, print)
		}
		seen[print] = true
		if second.Results[i].PartialFingerprints[fingerprint] != print {
			t.Errorf("result %d has another fingerprint in the next run", i)
		}
	}
	a, b := plan.Finding{Control: "a", Resource: plan.Container("x\x1b", "")}, plan.Finding{Control: "a", Resource: plan.Container(`x\x1b`, "")}
	if fingerprintOf(a) == fingerprintOf(b) {
		t.Error("two names that print alike are one")
	}
}

func TestSARIFLocations(t *testing.T) {
	for _, row := range []struct {
		resource  plan.Resource
		uri, base string
	}{
		{plan.Daemon(), "daemon", ""},
		{plan.Container("web", strings.Repeat("a", 64)), "container/web", ""},
		{plan.Container("a b:%/ü", ""), "container/a%20b%3A%25/%C3%BC", ""},
		{plan.File("/etc/docker/daemon.json"), "etc/docker/daemon.json", rootBase},
		{plan.File("/a:b/c?d#e"), "a%3Ab/c%3Fd%23e", rootBase},
	} {
		at := location(row.resource).PhysicalLocation
		if got := *at.ArtifactLocation.URI; got != row.uri || *at.Region.StartLine != 1 {
			t.Errorf("%s is at %s", row.resource, got)
		}
		if u, err := url.Parse(row.uri); err != nil || u.Scheme != "" || u.Host != "" {
			t.Errorf("%s is no relative reference: %v", row.uri, err)
		}
		if base := at.ArtifactLocation.URIBaseID; (base != nil) != (row.base != "") || base != nil && *base != row.base {
			t.Errorf("%s has the base %v", row.resource, base)
		}
	}
	data, err := json.Marshal(location(plan.Daemon()))
	if err != nil || strings.Contains(string(data), `"name"`) {
		t.Errorf("the engine has a name: %s, %v", data, err)
	}
	if got := baseline.EntryOf(plan.Finding{Resource: plan.Daemon()}).Target; got != "daemon" {
		t.Errorf("its target is %q", got)
	}
}
