package report

import (
	"bytes"
	_ "embed" // the words of the threat model
	"fmt"
	"io"
	"strings"
	"text/template"

	"docker-harden/plan/control"
)

// threat is one category of STRIDE.
type threat struct{ letter, name string }

func stridesAll() []threat {
	return []threat{
		{"S", "spoofing"},
		{"T", "tampering"},
		{"R", "repudiation"},
		{"I", "information disclosure"},
		{"D", "denial of service"},
		{"E", "elevation of privilege"},
	}
}

// threatsOf spells STRIDE letters ("S,E") out.
func threatsOf(letters string) []string {
	out := []string{}
	for _, letter := range strings.Split(letters, ",") {
		for _, t := range stridesAll() {
			if t.letter == strings.TrimSpace(letter) {
				out = append(out, t.name)
			}
		}
	}
	return out
}

//go:embed threat-model.md.tmpl
var threatModel string

// ThreatModel writes docs/threat-model.md: the words of its template, and in each category of STRIDE the controls
// that answer it.
func ThreatModel(out io.Writer, controls []control.Control) error {
	t, err := template.New("threat model").Option("missingkey=error").Funcs(template.FuncMap{
		"answers": func(letter string) (string, error) { return threatAnswers(controls, letter) },
	}).Parse(threatModel)
	if err != nil {
		return fmt.Errorf("internal error: cannot read the template of the threat model: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, nil); err != nil {
		return fmt.Errorf("internal error: cannot write the threat model: %w", err)
	}
	_, err = out.Write(b.Bytes())
	return err
}

// threatAnswers is the table of the controls that answer one category.
func threatAnswers(controls []control.Control, letter string) (string, error) {
	var b strings.Builder
	counts := map[control.Class]int{}
	for _, c := range controls {
		if !strings.Contains(","+c.Refs["stride"]+",", ","+letter+",") {
			continue
		}
		counts[c.Class]++
		fmt.Fprintf(&b, "\n| %s | %s | %s |", controlLinks([]string{c.ID})[0], mdText(c.Title), c.Class.Words())
	}
	if b.Len() == 0 {
		return "", fmt.Errorf("no control answers %s", letter)
	}
	var parts []string
	for _, class := range control.Classes() {
		parts = append(parts, fmt.Sprintf("%d %s", counts[class], class.Words()))
	}
	return strings.Join(parts, ", ") + ":\n\n| control | wants | class |\n|---|---|---|" + b.String(), nil
}
