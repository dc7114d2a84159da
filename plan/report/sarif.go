package report

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"docker-harden/plan"
	"docker-harden/plan/baseline"
)

// program is what reports call the tool.
const program = "docker-harden"

// fingerprint is the name of the fingerprint in results. A change of what goes into it needs another number.
const fingerprint = "dockerHardenResult/v1"

// rootBase stands for the host's file system in locations.
const rootBase = "ROOTPATH"

// SARIF writes an audit as SARIF 2.1.0: a rule a control, a result a verdict. Passing and not applicable
// verdicts are results with Verbose only, because most readers of SARIF take each result for an alert.
func SARIF(out io.Writer, a Audit, o TextOptions) error {
	run := sarif.NewRun()
	judged := a.judged()
	run.Tool = sarif.NewTool().WithDriver(sarif.NewToolComponent().WithName(program).WithVersion(Clean(a.Tool)).WithRules(a.sarifRules(judged)))
	// The last part is empty: one name for all runs on a host, so that each replaces the one before.
	run.AutomationDetails = sarif.NewRunAutomationDetails().WithID(program + "/" + url.PathEscape(Clean(a.Host.Name)) + "/")
	run.OriginalUriBaseIds = map[string]sarif.ArtifactLocation{rootBase: *sarif.NewArtifactLocation().WithURI("file:///")}
	run.AddInvocation(a.invocation())
	properties := sarif.NewPropertyBag().Add("profile", Clean(profileText(a.Profile))).Add("engine", Clean(a.Host.Engine))
	if a.LeftOut != nil {
		properties.Add("severityAtLeast", a.LeftOut.Severity).Add("controlsLeftOut", a.LeftOut.Controls)
	}
	if b := a.Baseline; b != nil {
		fixed := make([]string, 0, len(b.Fixed))
		for _, e := range b.Fixed {
			fixed = append(fixed, Clean(e.String()))
		}
		properties.Add("baseline", Clean(b.File)).Add("baselineFixed", fixed)
	}
	run.Properties = properties
	for _, f := range a.listed(o.Verbose) {
		r := a.result(f)
		r.RuleIndex = slices.Index(judged, f.Control)
		run.AddResult(r)
	}
	doc := sarif.NewReport()
	doc.Schema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	return writeJSON(out, doc.AddRun(run))
}

// judged are the controls that gave a verdict, sorted.
func (a Audit) judged() []string {
	ids := make(map[string]bool)
	for _, f := range a.Findings {
		ids[f.Control] = true
	}
	return slices.Sorted(maps.Keys(ids))
}

// sarifRules describes controls, in their order.
func (a Audit) sarifRules(ids []string) []*sarif.ReportingDescriptor {
	rules := make([]*sarif.ReportingDescriptor, 0, len(ids))
	for _, id := range ids {
		r := a.Rules[id]
		d := sarif.NewReportingDescriptor().WithID(Clean(id))
		if r.ID != "" {
			help, markdown := r.help()
			d.ShortDescription = sarif.NewMultiformatMessageString().WithText(Clean(r.Title))
			d.FullDescription = sarif.NewMultiformatMessageString().WithText(Clean(r.Title + ". " + r.Why))
			d.Help = sarif.NewMultiformatMessageString().WithText(help).WithMarkdown(markdown)
		}
		level, score := levelOf(r.Severity)
		d.DefaultConfiguration = sarif.NewReportingConfiguration().WithLevel(level)
		d.Properties = sarif.NewPropertyBag().Add("security-severity", score).WithTags(r.tags())
		rules = append(rules, d)
	}
	return rules
}

// levelOf is how SARIF grades a severity, and the score between 0 and 10 by which code scanning sorts.
func levelOf(s plan.RiskLevel) (level, score string) {
	switch s {
	case plan.RiskHigh:
		return sarif.LevelError, "8.0"
	case plan.RiskMedium:
		return sarif.LevelWarning, "5.5"
	}
	return sarif.LevelNote, "3.0"
}

// tags are the numbers as --only takes them, and the threats.
func (r AuditRule) tags() []string {
	tags := []string{"security"}
	for _, name := range slices.Sorted(maps.Keys(r.Refs)) {
		if name != "stride" && r.Refs[name] != "" {
			tags = append(tags, Clean(name+":"+r.Refs[name]))
		}
	}
	for _, threat := range strings.Split(threats(r.Refs["stride"]), ", ") {
		if threat != "" {
			tags = append(tags, "stride:"+strings.ReplaceAll(threat, " ", "-"))
		}
	}
	return tags
}

// help is a control for who has to repair what it found.
func (r AuditRule) help() (text, markdown string) {
	for _, part := range []struct{ label, text string }{
		{"Why", r.Why}, {"Fix and undo", r.Fix}, {"May break", r.Risk}, {"References", references(r.Refs)},
	} {
		if part.text != "" {
			text += part.label + ": " + Clean(part.text) + "\n"
			markdown += "**" + part.label + "**: " + mdPlain(part.text) + "\n\n"
		}
	}
	return text, markdown
}

// invocation says whether the host could be seen, and what could not.
func (a Audit) invocation() *sarif.Invocation {
	whole := true
	i := sarif.NewInvocation().WithMachine(Clean(a.Host.Name)).WithEndTimeUtc(a.Made.UTC().Format(time.RFC3339))
	for _, p := range a.Problems {
		n := sarif.NewNotification().WithMessage(sarif.NewTextMessage(Clean(p.Subject + ": " + p.Reason)))
		if p.Fatal {
			n.Level, whole = sarif.LevelError, false
		}
		i.AddToolExecutionNotification(n)
	}
	return i.WithExecutionSuccessful(whole)
}

func (a Audit) result(f AuditFinding) *sarif.Result {
	r := sarif.NewResult().WithRuleID(Clean(f.Control)).WithMessage(sarif.NewTextMessage(Clean(seen(f.Finding))))
	r.Kind, r.Level = kindOf(f.Status), sarif.LevelNone
	if r.Kind == "fail" {
		r.Level, _ = levelOf(a.severity(f))
	}
	r.PartialFingerprints = map[string]string{fingerprint: fingerprintOf(f.Finding)}
	r.AddLocation(location(f.Resource))
	if f.Exception != nil {
		r.AddSuppression(sarif.NewSuppression().WithKind("external").WithStatus("accepted").WithJustification(Clean(exceptionText(f.Exception))))
	}
	if a.Baseline != nil && f.Status == plan.Fail {
		r.BaselineState = new("new")
		if f.Known {
			r.BaselineState = new("unchanged")
		}
	}
	r.Properties = sarif.NewPropertyBag().Add("status", f.word()).Add("target", Clean(f.Resource.String()))
	return r
}

// kindOf is how SARIF names a verdict: one that waits for a person is "review", one that could not be reached "open".
func kindOf(s plan.Status) string {
	switch s {
	case plan.Pass:
		return "pass"
	case plan.Fail, plan.Excepted:
		return "fail"
	case plan.Manual:
		return "review"
	case plan.NotApplicable:
		return "notApplicable"
	}
	return "open"
}

// fingerprintOf is the same for a control on a resource of one name, whatever its id and the words of the message.
func fingerprintOf(f plan.Finding) string {
	e := baseline.EntryOf(f)
	sum := sha256.Sum256([]byte(e.Control + "\x00" + e.Target))
	return hex.EncodeToString(sum[:])
}

// location says where a verdict belongs. Code scanning shows no result without a file and a line, so the engine
// and containers get a path of their own, which no file has; a file of the host has its own.
func location(r plan.Resource) *sarif.Location {
	target := Clean(r.String())
	path := sarif.NewArtifactLocation().WithURI(uri(target))
	if r.Kind == plan.ResourceFile {
		path = sarif.NewArtifactLocation().WithURI(uri(strings.TrimPrefix(Clean(r.Name), "/"))).WithURIBaseID(rootBase)
	}
	logical := sarif.NewLogicalLocation().WithFullyQualifiedName(target).WithKind(string(r.Kind))
	if r.Name != "" {
		logical.WithName(Clean(r.Name))
	}
	return sarif.NewLocation().WithLogicalLocations([]*sarif.LogicalLocation{logical}).
		WithPhysicalLocation(sarif.NewPhysicalLocation().WithArtifactLocation(path).WithRegion(sarif.NewRegion().WithStartLine(1)))
}

// uri is a relative reference to a path, whatever characters are in it.
func uri(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = strings.ReplaceAll(url.PathEscape(parts[i]), ":", "%3A") // in the first part it would end a scheme
	}
	return strings.Join(parts, "/")
}
