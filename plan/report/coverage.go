package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"docker-harden/plan/control"
	"docker-harden/plan/control/benchmark"
)

// nothingJudges stands where a recommendation has no control.
const nothingJudges = "no control"

// coverageRow is a recommendation as all forms print it: what its controls say, in their order.
type coverageRow struct {
	title                      string
	numbers                    []string // by version, oldest first
	classes, controls, sources []string
}

func coverageRows(c control.Coverage) []coverageRow {
	var rows []coverageRow
	for _, one := range c.Rows {
		row := coverageRow{title: one.Title}
		for _, version := range benchmark.Versions() {
			row.numbers = append(row.numbers, orDash(one.Number(version)))
		}
		rows = append(rows, row.with(one.Controls))
	}
	if len(c.Beyond) > 0 {
		rows = append(rows, coverageRow{title: "Beyond the benchmark", numbers: []string{"–", "–", "–"}}.with(c.Beyond))
	}
	return rows
}

func (r coverageRow) with(controls []control.Control) coverageRow {
	for _, c := range controls {
		r.classes = append(r.classes, c.Class.Words())
		r.controls = append(r.controls, c.ID)
		r.sources = append(r.sources, c.Verified)
	}
	if len(controls) == 0 {
		r.classes, r.controls, r.sources = []string{"–"}, []string{nothingJudges}, []string{"–"}
	}
	return r
}

// totalsText is the line of numbers.
func totalsText(t control.Totals) string {
	text := fmt.Sprintf("%d recommendations, %d controls: %d automatic, %d with an answer, %d reported.",
		t.Recommendations, t.Controls, t.Automatic, t.Answer, t.Reported)
	switch t.Uncovered {
	case 0:
		return text + " Every recommendation has a control."
	case 1:
		return text + " 1 recommendation has no control."
	}
	return text + fmt.Sprintf(" %d recommendations have no control.", t.Uncovered)
}

// CoverageText writes one line a control of a recommendation, and the totals.
func CoverageText(out io.Writer, controls []control.Control) error {
	var b bytes.Buffer
	c := control.Cover(controls)
	rows := [][]string{{"1.2.0", "1.6.0", "1.8.0", "ABOUT", "CLASS", "CONTROL", "VERIFIED BY"}}
	for _, row := range coverageRows(c) {
		for i := range row.controls {
			rows = append(rows, append(append([]string(nil), row.numbers...), row.title, row.classes[i], row.controls[i], row.sources[i]))
		}
	}
	columns(&b, "", rows)
	fmt.Fprintf(&b, "\n%s\n", totalsText(c.Totals()))
	_, err := out.Write(b.Bytes())
	return err
}

// CoverageMarkdown writes docs/coverage.md: one row a recommendation.
func CoverageMarkdown(out io.Writer, controls []control.Control) error {
	var b bytes.Buffer
	c := control.Cover(controls)
	b.WriteString("# Coverage\n\nThis page is printed by the tool: `docker-harden controls coverage --format markdown`. " +
		"It has one row for each recommendation of the\nCIS Docker Benchmark, with its numbers in three versions (–: not in that version) " +
		"and what it is about in our own words.\n\nClasses:\n\n")
	for _, class := range control.Classes() {
		fmt.Fprintf(&b, "- %s\n", classWords(class))
	}
	fmt.Fprintf(&b, "\n**%s**\n\nThe same as data: `docker-harden controls coverage --format json`, described by\n"+
		"[schema/coverage.v1.schema.json](schema/coverage.v1.schema.json).\n\n", totalsText(c.Totals()))
	b.WriteString("| 1.2.0 | 1.6.0 | 1.8.0 | about | class | control | verified by |\n|---|---|---|---|---|---|---|\n")
	for _, row := range coverageRows(c) {
		cells := append([]string(nil), row.numbers...)
		cells = append(cells, mdText(row.title), strings.Join(row.classes, "<br>"), strings.Join(controlLinks(row.controls), "<br>"))
		var sources []string
		for _, source := range row.sources {
			sources = append(sources, mdText(source))
		}
		b.WriteString("| " + strings.Join(append(cells, strings.Join(sources, "<br>")), " | ") + " |\n")
	}
	_, err := out.Write(b.Bytes())
	return err
}

// controlLinks point to the controls' prose.
func controlLinks(ids []string) []string {
	out := make([]string, 0, len(ids))
	for _, id := range ids {
		if id != nothingJudges {
			id = "[" + id + "](controls.md#" + anchor(id) + ")"
		}
		out = append(out, id)
	}
	return out
}

// coverageFormat names the form and version of the coverage as data.
const coverageFormat = "docker-harden/coverage/v1"

// coverageJSON is the coverage as docs/schema/coverage.v1.schema.json describes it.
type coverageJSON struct {
	Format          string               `json:"format"`
	Benchmarks      []string             `json:"benchmarks"`
	Totals          control.Totals       `json:"totals"`
	Recommendations []recommendationJSON `json:"recommendations"`
	Beyond          []coveringJSON       `json:"beyond"` // controls of what the benchmark does not ask for
}

type recommendationJSON struct {
	Numbers  map[string]string `json:"numbers"` // by benchmark
	Title    string            `json:"title"`
	Controls []coveringJSON    `json:"controls"`
}

type coveringJSON struct {
	ID       string        `json:"id"`
	Class    control.Class `json:"class"`
	Verified string        `json:"verified"`
}

// CoverageJSON writes the coverage as data.
func CoverageJSON(out io.Writer, controls []control.Control) error {
	c := control.Cover(controls)
	j := coverageJSON{
		Format: coverageFormat, Benchmarks: benchmark.Versions(), Totals: c.Totals(), Recommendations: []recommendationJSON{}, Beyond: covering(c.Beyond),
	}
	for _, row := range c.Rows {
		j.Recommendations = append(j.Recommendations, recommendationJSON{row.Numbers(), row.Title, covering(row.Controls)})
	}
	return writeJSON(out, j)
}

func covering(controls []control.Control) []coveringJSON {
	out := make([]coveringJSON, 0, len(controls))
	for _, c := range controls {
		out = append(out, coveringJSON{c.ID, c.Class, c.Verified})
	}
	return out
}
