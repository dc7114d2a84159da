package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"docker-harden/plan"
)

var update = flag.Bool("update", false, "rewrite the golden files in fixtures/reports")

// golden compares text with a file of fixtures/reports.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("..", "..", "fixtures", "reports", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; make it with -update", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); after a wanted change: go test ./plan/report -update\n%s", name, diff)
	}
}

func textOf(t *testing.T, p *plan.Plan, o TextOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := Text(&b, p, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTextGolden(t *testing.T) {
	saved := TextOptions{SavedAs: "host.plan", SHA256: "9c1e" + strings.Repeat("0", 60)}
	verbose, summary, colour := saved, saved, saved
	verbose.Verbose, summary.Summary, colour.Color = true, true, true
	for name, o := range map[string]TextOptions{
		"plan.txt": saved, "plan-verbose.txt": verbose, "plan-summary.txt": summary, "plan-colour.txt": colour,
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, textOf(t, samplePlan(), o)) })
	}
}

// TestColourRepeats shows that colour carries nothing of its own: without it the text is the same.
func TestColourRepeats(t *testing.T) {
	plainText := textOf(t, samplePlan(), TextOptions{Verbose: true})
	coloured := textOf(t, samplePlan(), TextOptions{Verbose: true, Color: true})
	if plainText == coloured || !strings.Contains(coloured, "\x1b[") {
		t.Fatal("nothing is coloured")
	}
	if got := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(coloured, ""); got != plainText {
		t.Error(cmp.Diff(plainText, got))
	}
}

// TestUntrustedTextIsCleaned puts an escape sequence into every text of a plan.
func TestUntrustedTextIsCleaned(t *testing.T) {
	p := samplePlan()
	p.Problems[0].Fatal = true
	p.Steps[1].Changes[1].Reversibility, p.Steps[1].Changes[1].ReverseNote = plan.None, "x"
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	// Words the report reads (kinds, verdicts) stay; the rest gets an escape, also those it must not trust.
	raw, err = json.Marshal(poison(tree, ""))
	if err != nil {
		t.Fatal(err)
	}
	p = new(plan.Plan)
	if err := json.Unmarshal(raw, p); err != nil {
		t.Fatal(err)
	}
	outputs := map[string]string{"text": textOf(t, p, TextOptions{Verbose: true, SavedAs: "a\x1b[2Jb", SHA256: "\x1b[2J"})}
	var b bytes.Buffer
	if err := Findings(&b, auditOf(p), TextOptions{Verbose: true}); err != nil {
		t.Fatal(err)
	}
	outputs["findings"] = b.String()
	for name, text := range outputs {
		if strings.Count(text, `\x1b[2J`) < 30 {
			t.Errorf("%s: the escape sequences did not arrive", name)
		}
		if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }); i >= 0 {
			t.Errorf("%s has a control character in %q", name, text[max(0, i-60):i+20])
		}
	}
}

// poison adds an escape sequence to every string of a JSON tree except the words of the format.
func poison(v any, key string) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = poison(v[k], k)
		}
	case []any:
		for i := range v {
			v[i] = poison(v[i], key)
		}
	case string:
		switch key {
		case "kind", "status", "level", "reversibility", "made", "expires":
			return v
		}
		return v + "\x1b[2J\u202e"
	}
	return v
}

func TestTextIsDeterministic(t *testing.T) {
	first := textOf(t, samplePlan(), TextOptions{Verbose: true})
	for range 20 {
		if textOf(t, samplePlan(), TextOptions{Verbose: true}) != first {
			t.Fatal("two texts of one plan differ")
		}
	}
}

func TestTextWithoutSteps(t *testing.T) {
	finding := func(s plan.Status) plan.Finding {
		return plan.Finding{Control: "docker/icc", Resource: plan.Daemon(), Status: s, Message: "m"}
	}
	tests := map[string]struct {
		findings []plan.Finding
		errored  bool
		want     string
	}{
		"all pass":   {[]plan.Finding{finding(plan.Pass), finding(plan.NotApplicable)}, false, "No changes. The host matches profile p.\nControls: 1 of 1 pass.\n"},
		"accepted":   {[]plan.Finding{finding(plan.Pass), finding(plan.Excepted)}, false, "No changes. The host matches profile p.\nControls: 1 of 2 pass.\n"},
		"manual":     {[]plan.Finding{finding(plan.Manual), finding(plan.Manual)}, false, "No changes. Left open by profile p: a decision is needed for 2.\nControls: 0 of 2 pass.\n"},
		"everything": {[]plan.Finding{finding(plan.Manual), finding(plan.Fail), finding(plan.Unknown)}, false, "No changes. Left open by profile p: a decision is needed for 1, 1 cannot be changed here, 1 could not be judged.\nControls: 0 of 3 pass (1 unknown).\n"},
		"blind":      {nil, true, "No changes: the inventory was incomplete, so nothing is known for sure.\nControls: 0 of 0 pass.\n"},
	}
	for name, tt := range tests {
		p := &plan.Plan{Profile: plan.Profile{Name: "p"}, Findings: tt.findings, Errored: tt.errored}
		if got := textOf(t, p, TextOptions{Summary: true}); got != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", name, got, tt.want)
		}
	}
}

func TestTextSaysWhenAPlanCannotBeApplied(t *testing.T) {
	errored, snapshot := samplePlan(), samplePlan()
	errored.Errored, snapshot.FromSnapshot = true, true
	for want, p := range map[string]*plan.Plan{"the inventory was incomplete": errored, "made from a snapshot": snapshot} {
		got := textOf(t, p, TextOptions{SavedAs: "x.plan", SHA256: "s"})
		if !strings.Contains(got, "CANNOT BE APPLIED: "+want) && !strings.Contains(got, "CANNOT BE APPLIED: the "+want) {
			t.Errorf("missing %q in\n%s", want, got)
		}
		if strings.Contains(got, "docker-harden apply") {
			t.Errorf("%s: it offers to apply", want)
		}
	}
}

func TestSummaryCountsEffects(t *testing.T) {
	step := func(k plan.Kind, downtime float64) plan.Step {
		return plan.Step{ID: "x", Kind: k, Effect: plan.Effect{Downtime: downtime}}
	}
	tests := []struct {
		steps []plan.Step
		want  string
	}{
		{[]plan.Step{step(plan.KindReload, 0)}, "1 engine reload"},
		{[]plan.Step{step(plan.KindRestart, 12)}, "1 engine restart (containers stop for about 12 s)"},
		{[]plan.Step{step(plan.KindRecreate, 0)}, "1 recreate (no downtime: not running)"},
		{[]plan.Step{step(plan.KindRecreate, 0.4), step(plan.KindRecreate, 3)}, "2 recreates (up to about 3 s downtime each)"},
		{[]plan.Step{step(plan.KindFile, 0), step(plan.KindFile, 0), step(plan.KindUpdate, 0), step(plan.KindUpdate, 0)}, "2 files, 2 live updates"},
	}
	for _, tt := range tests {
		if got := strings.Join(effects(tt.steps), ", "); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestUndoLine(t *testing.T) {
	p := samplePlan()
	p.Steps[0].Changes[0].Reversibility = plan.None
	got := textOf(t, p, TextOptions{})
	if !strings.Contains(got, "undo: NONE: no difference is named\n    needs apply --allow-unrevertable\n") {
		t.Errorf("a change without a way back is not shown:\n%s", got)
	}
}

func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{
		"host.plan": "host.plan", "/a/b-c_d": "/a/b-c_d", "a b": "'a b'", "it's": `'it'\''s'`, "$(x)": "'$(x)'", "": "''",
		"-rf": "'./-rf'", "a\nb": "FILE",
	} {
		if got := shellWord(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestWritersReportWriteErrors(t *testing.T) {
	p := samplePlan()
	for name, err := range map[string]error{
		"text":     Text(brokenPipe{}, p, TextOptions{}),
		"json":     JSON(brokenPipe{}, p),
		"table":    Findings(brokenPipe{}, auditOf(p), TextOptions{}),
		"findings": FindingsJSON(brokenPipe{}, auditOf(p)),
		"junit":    JUnit(brokenPipe{}, auditOf(p)),
		"sarif":    SARIF(brokenPipe{}, auditOf(p), TextOptions{}),
		"comment":  FindingsMarkdown(brokenPipe{}, auditOf(p), TextOptions{}),
		"explain":  Explain(brokenPipe{}, sampleControls()[0]),
		"controls": ControlsText(brokenPipe{}, sampleControls()),
		"list":     ControlsJSON(brokenPipe{}, sampleControls()),
		"markdown": ControlsMarkdown(brokenPipe{}, sampleControls()),
	} {
		if err == nil {
			t.Errorf("%s: a failed write is not reported", name)
		}
	}
}

func TestBatches(t *testing.T) {
	ask := func(name, message, question string) plan.Finding {
		return plan.Finding{Control: "docker/privileged", Resource: plan.Container(name, ""), Status: plan.Manual, Message: message, Question: question}
	}
	var findings []plan.Finding
	for _, name := range []string{"a", "b", "c"} {
		findings = append(findings, ask(name, "m", `Why? match: "`+name+`"`))
	}
	findings = append(findings, ask("d", "m", `Why? match: "other"`), ask("e", "n", `Why? match: "e"`))
	got := textOf(t, &plan.Plan{Findings: findings}, TextOptions{})
	for _, want := range []string{
		"container/a, container/b, container/c: m\n        ? Why? match: \"NAME\" (NAME: each of them, in an entry of its own)\n",
		"container/d: m\n        ? Why? match: \"other\"\n",
		"container/e: n\n        ? Why? match: \"e\"\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %q in\n%s", want, got)
		}
	}
	var many []plan.Finding
	for i := range 40 {
		many = append(many, ask(fmt.Sprintf("container-%d", i), "m", "Why?"))
	}
	got = textOf(t, &plan.Plan{Findings: many}, TextOptions{})
	if n := strings.Count(got, "container/container-"); n != 40 || strings.Count(got, "Why?") != 1 {
		t.Errorf("%d of 40 are named", n)
	}
	for _, line := range strings.Split(got, "\n") {
		if width(line) > 100 {
			t.Errorf("%d columns: %s", width(line), line)
		}
	}
}

// TestEffectsOfTheRarer: signs that few plans have are explained where they stand.
func TestEffectsOfTheRarer(t *testing.T) {
	p := samplePlan()
	if text := textOf(t, p, TextOptions{}); strings.Contains(text, "S socket") || strings.Contains(text, "A audit rules") {
		t.Error("signs are explained that no step has")
	}
	p.Steps = append(p.Steps,
		plan.Step{ID: "file/s", Kind: plan.KindSocket, Resource: plan.Resource{Kind: plan.ResourceFile, Name: "/s"}},
		plan.Step{ID: "file/a", Kind: plan.KindAudit, Resource: plan.Resource{Kind: plan.ResourceFile, Name: "/a"}})
	if text := textOf(t, p, TextOptions{}); !strings.Contains(text, "F file   S socket   A audit rules\n") {
		t.Errorf("Effects:\n%s", text)
	}
}
