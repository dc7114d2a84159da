package report

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"docker-harden/plan/control"
	"docker-harden/plan/profile"
)

// Explain writes everything there is to know of one control: what it wants, why, how it is judged
// and fixed, what that may break, how it is undone, where it comes from, and its parameters.
func Explain(out io.Writer, c control.Control) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s: %s\n\n", c.ID, c.Title)
	for _, part := range []struct{ label, text string }{
		{"Judges", judges(c)},
		{"Why", c.Why},
		{"Fix and undo", c.Fix},
		{"May break", c.Risk},
		{"Severity", string(c.Severity)},
		{"References", references(c.Refs)},
	} {
		if part.text != "" {
			fmt.Fprintf(&b, "%s\n%s\n", part.label, wrap(part.text, "  "))
		}
	}
	if len(c.Params) == 0 {
		b.WriteString("Parameters\n  none\n")
	} else {
		b.WriteString("Parameters (in a profile: controls: {" + c.ID + ": {params: {NAME: VALUE}}})\n")
		for _, p := range c.Params {
			fmt.Fprintf(&b, "  %s: %s\n", p.Name, profile.FormatValue(p.Default, p.Type))
			b.WriteString(wrap(kind(p)+docOf(p), "      "))
		}
	}
	_, err := out.Write(b.Bytes())
	return err
}

func judges(c control.Control) string {
	if c.Container != nil {
		return "each container"
	}
	return "the engine and its files"
}

// kind is a parameter's type and range in words.
func kind(p profile.Param) string {
	p.Doc = ""
	text := p.Describe()
	if p.Type == profile.TypeList && len(p.Choices) > 0 {
		text += " of " + strings.Join(p.Choices, ", ")
	}
	return text
}

func docOf(p profile.Param) string {
	if p.Doc == "" {
		return ""
	}
	return ": " + p.Doc
}

// references lists benchmark numbers and spells STRIDE out.
func references(refs map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		if name != "stride" {
			parts = append(parts, benchmark(name)+" "+refs[name])
		}
	}
	if text := threats(refs["stride"]); text != "" {
		parts = append(parts, "STRIDE: "+text)
	}
	return strings.Join(parts, "; ")
}

func benchmark(name string) string {
	if version, ok := strings.CutPrefix(name, "cis-docker-"); ok {
		return "CIS Docker Benchmark " + version + ":"
	}
	return name + ":"
}

func threats(letters string) string {
	names := map[string]string{
		"S": "spoofing", "T": "tampering", "R": "repudiation", "I": "information disclosure",
		"D": "denial of service", "E": "elevation of privilege",
	}
	var out []string
	for _, letter := range strings.Split(letters, ",") {
		if name := names[strings.TrimSpace(letter)]; name != "" {
			out = append(out, name)
		}
	}
	return strings.Join(out, ", ")
}

// wrap breaks text between words.
func wrap(s, indent string) string {
	const columns = 96
	var b strings.Builder
	line := indent
	for _, word := range strings.Fields(s) {
		if line != indent && width(line)+1+width(word) > columns {
			b.WriteString(line + "\n")
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	return b.String() + line + "\n"
}

// ControlsText lists controls, one a line.
func ControlsText(out io.Writer, controls []control.Control) error {
	var b bytes.Buffer
	rows := [][]string{{"CONTROL", "CIS 1.6.0", "1.2.0", "STRIDE", "SEVERITY", "WANTS"}}
	for _, c := range controls {
		rows = append(rows, []string{c.ID, c.Refs[newRef], c.Refs[oldRef], c.Refs["stride"], string(c.Severity), c.Title})
	}
	columns(&b, "", rows)
	_, err := out.Write(b.Bytes())
	return err
}

// controlJSON is a control in JSON.
type controlJSON struct {
	ID       string            `json:"id"`
	Title    string            `json:"title"`
	Judges   string            `json:"judges"` // "container" or "host"
	Why      string            `json:"why"`
	Risk     string            `json:"risk"`
	Fix      string            `json:"fix"`
	Severity string            `json:"severity"`
	Refs     map[string]string `json:"refs"`
	Params   []paramJSON       `json:"params"`
}

type paramJSON struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"`
	Default any      `json:"default"`
	Choices []string `json:"choices,omitempty"`
	Min     *float64 `json:"min,omitempty"`
	Max     *float64 `json:"max,omitempty"`
	Doc     string   `json:"doc"`
}

// ControlsJSON writes controls with their prose and parameters.
func ControlsJSON(out io.Writer, controls []control.Control) error {
	list := make([]controlJSON, 0, len(controls))
	for _, c := range controls {
		j := controlJSON{c.ID, c.Title, "host", c.Why, c.Risk, c.Fix, string(c.Severity), c.Refs, []paramJSON{}}
		if c.Container != nil {
			j.Judges = "container"
		}
		for _, p := range c.Params {
			pj := paramJSON{Name: p.Name, Type: string(p.Type), Default: p.Default, Choices: p.Choices, Doc: p.Doc}
			if p.Max > p.Min {
				pj.Min, pj.Max = &p.Min, &p.Max
			}
			j.Params = append(j.Params, pj)
		}
		list = append(list, j)
	}
	return writeJSON(out, list)
}
