package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func sampleControls() []control.Control {
	return []control.Control{
		{
			ID: "docker/memory-limit", Title: "The container has a memory limit",
			Why:  "Denial of service: " + strings.Repeat("one container takes the memory of all others. ", 4),
			Risk: "Too small a limit ends processes | and <b>more</b>.", Fix: "A live update. Undone with the same effect.",
			Refs:     map[string]string{"cis-docker-1.2.0": "5.10", "cis-docker-1.6.0": "5.11", "stride": "D"},
			Severity: plan.RiskMedium, Class: control.Automatic, Verified: "memory.max of its cgroup | inspect",
			Params: []profile.Param{
				{Name: "floor", Type: profile.TypeSize, Default: int64(64 << 20), Min: 6 << 20, Max: 1 << 40, Doc: "the smallest limit"},
				{Name: "drop_unused", Type: profile.TypeBool, Default: true},
				{Name: "keep", Type: profile.TypeList, Default: []string{"A"}, Choices: []string{"A", "B"}, Doc: "what stays"},
			},
			Container: func(*inventory.Host, *inventory.Container, profile.Params) plan.Finding { return plan.Finding{} },
		},
		{
			ID: "docker/live-restore", Title: "Containers keep running while the engine restarts", Why: "w", Risk: "r", Fix: "f",
			Refs: map[string]string{"cis-docker-1.2.0": "2.13", "cis-docker-1.6.0": "2.15", "stride": "D,E"}, Severity: plan.RiskLow,
			Class: control.Reported, Verified: "GET /info",
			Host: func(*inventory.Host, profile.Params) []plan.Finding { return nil },
		},
	}
}

func TestControlsGolden(t *testing.T) {
	list := sampleControls()
	var explain, text, markdown, data bytes.Buffer
	for _, c := range list {
		if err := Explain(&explain, c); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{ControlsText(&text, list), ControlsMarkdown(&markdown, list), ControlsJSON(&data, list)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "explain.txt", explain.String())
	golden(t, "controls.txt", text.String())
	golden(t, "controls.md", markdown.String())
	golden(t, "controls.json", data.String())
}

// TestExplainIsWhole shows that no prose of a control is left out, in any form.
func TestExplainIsWhole(t *testing.T) {
	c := sampleControls()[0]
	var explain, markdown, data bytes.Buffer
	if err := Explain(&explain, c); err != nil {
		t.Fatal(err)
	}
	if err := ControlsMarkdown(&markdown, []control.Control{c}); err != nil {
		t.Fatal(err)
	}
	if err := ControlsJSON(&data, []control.Control{c}); err != nil {
		t.Fatal(err)
	}
	if !json.Valid(data.Bytes()) {
		t.Error("the list is not JSON")
	}
	for _, text := range []string{explain.String(), markdown.String(), data.String()} {
		flat := strings.Join(strings.Fields(text), " ")
		for _, want := range []string{c.ID, c.Title, "takes the memory of all others", "automatic", "memory.max of its cgroup", "Too small a limit", "live update", "5.10", "5.11", "floor", "the smallest limit", "keep", "what stays"} {
			if !strings.Contains(flat, want) {
				t.Errorf("%q is missing in\n%s", want, text)
			}
		}
		for _, line := range strings.Split(explain.String(), "\n") {
			if width(line) > 96 {
				t.Errorf("line of %d columns: %s", width(line), line)
			}
		}
	}
}

func TestFindingsGolden(t *testing.T) {
	p := samplePlan()
	for name, o := range map[string]TextOptions{"findings.txt": {}, "findings-verbose.txt": {Verbose: true}, "findings-summary.txt": {Summary: true}} {
		var b bytes.Buffer
		if err := Findings(&b, auditOf(p), o); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.String())
	}
	var b bytes.Buffer
	if err := Findings(&b, Audit{}, TextOptions{}); err != nil || b.String() != "0 verdicts: nothing was judged.\n" {
		t.Errorf("without findings: %q, %v", b.String(), err)
	}
}

func TestCount(t *testing.T) {
	c := Count(samplePlan().Findings)
	if want := (Counts{Pass: 1, Fail: 9, Manual: 4, Excepted: 1, NotApplicable: 1, Unknown: 1, Fixed: 7}); c != want || c.Judged() != 16 {
		t.Errorf("got %+v", c)
	}
	if c := Count([]plan.Finding{{Status: "new"}}); c.Unknown != 1 || c.Pass != 0 {
		t.Error("a verdict that is not known must never count as pass")
	}
}
