package report

import (
	"bytes"
	"io"

	"docker-harden/plan/control"
)

// ControlsText lists controls, one a line.
func ControlsText(out io.Writer, controls []control.Control) error {
	var b bytes.Buffer
	rows := [][]string{{"CONTROL", "CIS 1.6.0", "1.2.0", "STRIDE", "SEVERITY", "CLASS", "WANTS"}}
	for _, c := range controls {
		rows = append(rows, []string{c.ID, c.Refs[newRef], c.Refs[oldRef], c.Refs["stride"], string(c.Severity), string(c.Class), c.Title})
	}
	columns(&b, "", rows)
	_, err := out.Write(b.Bytes())
	return err
}

// controlJSON is a control in JSON, as docs/schema/controls.v1.schema.json describes it.
type controlJSON struct {
	ID       string            `json:"id"`
	Title    string            `json:"title"`
	Judges   string            `json:"judges"` // "container" or "host"
	Class    control.Class     `json:"class"`
	Verified string            `json:"verified"`
	Why      string            `json:"why"`
	Threats  []string          `json:"threats"`
	Risk     string            `json:"risk"`
	Fix      string            `json:"fix"` // with Undo
	Undo     string            `json:"undo"`
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
		j := controlJSON{
			ID: c.ID, Title: c.Title, Judges: "host", Class: c.Class, Verified: c.Verified, Why: c.Why, Threats: threatsOf(c.Refs["stride"]),
			Risk: c.Risk, Fix: c.Fix, Undo: c.Undo(), Severity: string(c.Severity), Refs: c.Refs, Params: []paramJSON{},
		}
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
