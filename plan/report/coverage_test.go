package report

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"docker-harden/plan/control"
	"docker-harden/plan/control/benchmark"
)

// numbered are the sample controls with numbers of the newest benchmark: two judge one recommendation, one is beyond it.
func numbered() []control.Control {
	list := append(sampleControls(), sampleControls()[1], sampleControls()[0])
	list[0].Refs[benchmark.V180], list[1].Refs[benchmark.V180], list[2].Refs[benchmark.V180] = "5.11", "2.16", "2.16"
	list[2].ID, list[2].Class, list[2].Verified, list[2].Fix = "docker/live-restore-too", control.Answer, "a second | source", "Undone by hand."
	list[3].ID, list[3].Refs = "docker/beyond", map[string]string{"stride": "I"}
	return list
}

func printed(t *testing.T, write func(io.Writer, []control.Control) error, controls []control.Control) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b, controls); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestCoverageHasEveryRow shows that no recommendation and no control is left out, and no cell is empty.
func TestCoverageHasEveryRow(t *testing.T) {
	list := numbered()
	text, markdown := printed(t, CoverageText, list), printed(t, CoverageMarkdown, list)
	for _, page := range []string{text, markdown} {
		for _, r := range benchmark.Recommendations() {
			if !strings.Contains(page, mdText(r.Title)) {
				t.Errorf("%s (%s) is missing", r.V180, r.Title)
			}
		}
		for _, want := range []string{
			"docker/memory-limit", "docker/live-restore-too", "docker/beyond", "Beyond the benchmark", nothingJudges,
			"118 recommendations, 4 controls: 2 automatic, 1 with an answer, 1 reported. 116 recommendations have no control.",
		} {
			if !strings.Contains(page, want) {
				t.Errorf("%q is missing in\n%s", want, page)
			}
		}
	}
	rows := 0
	for _, line := range strings.Split(markdown, "\n") {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		rows++
		cells := strings.Split(strings.ReplaceAll(line, `\|`, ""), "|")
		if len(cells) != 9 {
			t.Errorf("%d cells in %s", len(cells), line)
		}
		for _, cell := range cells[1:8] {
			if strings.TrimSpace(cell) == "" {
				t.Errorf("an empty cell in %s", line)
			}
		}
	}
	if want := len(benchmark.Recommendations()) + 2; rows != want { // the head, and what is beyond
		t.Errorf("%d rows, want %d", rows, want)
	}
	if !strings.Contains(markdown, "| reported<br>with an answer | [docker/live-restore](controls.md#dockerlive-restore)<br>[docker/live-restore-too]") {
		t.Errorf("two controls of one recommendation do not share a row:\n%s", markdown)
	}
}

func TestCoverageTotals(t *testing.T) {
	for uncovered, want := range map[int]string{
		0: "2 recommendations, 3 controls: 1 automatic, 1 with an answer, 1 reported. Every recommendation has a control.",
		1: "2 recommendations, 3 controls: 1 automatic, 1 with an answer, 1 reported. 1 recommendation has no control.",
	} {
		if got := totalsText(control.Totals{Recommendations: 2, Uncovered: uncovered, Controls: 3, Automatic: 1, Answer: 1, Reported: 1}); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestCatalogSchemas(t *testing.T) {
	list := numbered()
	for name, write := range map[string]func(io.Writer, []control.Control) error{"controls": ControlsJSON, "coverage": CoverageJSON} {
		schema := compile(t, name)
		text := printed(t, write, list)
		if err := validate(t, schema, []byte(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for old, now := range map[string]string{`"class": "automatic"`: `"class": "maybe"`, `"verified"`: `"seen"`, `"5.11"`: `"five"`} {
			spoilt := strings.Replace(text, old, now, 1)
			if spoilt == text {
				t.Errorf("%s: there is no %s to spoil", name, old)
			}
			if err := validate(t, schema, []byte(spoilt)); err == nil {
				t.Errorf("%s: the schema takes %s for %s", name, now, old)
			}
		}
	}
	var coverage coverageJSON
	if err := json.Unmarshal([]byte(printed(t, CoverageJSON, list)), &coverage); err != nil {
		t.Fatal(err)
	}
	if coverage.Format != coverageFormat || coverage.Totals.Controls != len(list) || len(coverage.Beyond) != 1 {
		t.Errorf("got %+v", coverage.Totals)
	}
}

// TestThreatModel shows that each control stands in the table of every category that it names.
func TestThreatModel(t *testing.T) {
	if err := ThreatModel(io.Discard, numbered()); err == nil || !strings.Contains(err.Error(), "no control answers S") {
		t.Errorf("a category without a control: %v", err)
	}
	list := numbered()
	list[0].Refs["stride"] = "S,T,R,E"
	page := printed(t, ThreatModel, list)
	for _, threat := range stridesAll() {
		_, section, ok := strings.Cut(page, "\n## "+threat.letter+": "+threat.name+"\n")
		if !ok {
			t.Errorf("there is no section of %s", threat.name)
		}
		section, _, _ = strings.Cut(section, "\n## ")
		for _, c := range list {
			want := strings.Contains(c.Refs["stride"], threat.letter)
			if got := strings.Contains(section, "["+c.ID+"]("); got != want {
				t.Errorf("%s in %s: %v", c.ID, threat.name, got)
			}
		}
	}
	if strings.Contains(page, "{{") || strings.Contains(page, "<no value>") {
		t.Error("the template is not filled in")
	}
}

func TestThreatsOf(t *testing.T) {
	for letters, want := range map[string]string{"S,E": "spoofing, elevation of privilege", " D ": "denial of service", "": "", "X,R": "repudiation"} {
		if got := strings.Join(threatsOf(letters), ", "); got != want {
			t.Errorf("%q: got %q, want %q", letters, got, want)
		}
	}
}
