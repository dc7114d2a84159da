package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"docker-harden/plan"
)

// writer prints one plan as text.
type writer struct {
	bytes.Buffer
	palette
	plan *plan.Plan
	o    TextOptions
}

// Text writes a plan for review: what would change and why, what would not, and a summary.
// The same plan and options give the same text.
func Text(out io.Writer, p *plan.Plan, o TextOptions) error {
	w := &writer{palette: newPalette(o.Color), plan: p, o: o}
	if !o.Summary {
		w.head()
		for _, step := range p.Steps {
			w.step(step)
		}
		w.notChanged()
		w.advice()
		if o.Verbose {
			w.passes()
		}
		w.problems()
	}
	w.summary()
	_, err := out.Write(w.Bytes())
	return err
}

func (w *writer) printf(format string, args ...any) { fmt.Fprintf(&w.Buffer, format, args...) }

func (w *writer) head() {
	h := w.plan.Host
	parts := []string{"docker-harden " + w.plan.Tool, "host " + h.Name, "engine " + h.Engine}
	if h.Summary != "" {
		parts[2] += " (" + h.Summary + ")"
	}
	profile := "profile " + w.plan.Profile.Name
	if sum := w.plan.Profile.SHA256; sum != "" {
		profile += fmt.Sprintf("@%.6s", sum)
	}
	w.printf("%s\n", w.bold.Sprint(Clean(strings.Join(append(parts, profile), " · "))))
	if !w.plan.Made.IsZero() {
		w.printf("made %s, may be applied until %s\n", w.plan.Made.Format(time.RFC3339), w.plan.Expires.Format(time.RFC3339))
	}
	switch {
	case w.plan.Errored:
		w.printf("%s the inventory was incomplete (see Problems); this plan is for reading\n", w.bad.Sprint("CANNOT BE APPLIED:"))
	case w.plan.FromSnapshot:
		w.printf("%s made from a snapshot; make it again on the host\n", w.warn.Sprint("CANNOT BE APPLIED:"))
	}
	w.printf("\n")
	if len(w.plan.Steps) > 0 {
		w.printf("Effects:  %s\n%s\n\n", strings.Join(w.effects(), "   "), w.dim.Sprint(refsLegend))
	}
}

// effects explains the signs of changes; the rarer ones only where they stand in the plan.
func (w *writer) effects() []string {
	out := []string{"~ live", "R reload", "! engine restart", "-/+ recreate"}
	if slices.ContainsFunc(w.plan.Steps, func(s plan.Step) bool {
		return slices.ContainsFunc(s.Members, func(m plan.Member) bool { return m.Action == plan.ActionRestart })
	}) {
		out = append(out, plan.ActionRestart.Symbol()+" stop and start")
	}
	out = append(out, "F file")
	for _, rare := range []struct {
		kind plan.Kind
		name string
	}{{plan.KindNetwork, "network move"}, {plan.KindSocket, "socket"}, {plan.KindAudit, "audit rules"}, {plan.KindGroup, "group"}, {plan.KindSwarm, "swarm"}} {
		if slices.ContainsFunc(w.plan.Steps, func(s plan.Step) bool { return s.Kind == rare.kind }) {
			out = append(out, rare.kind.Symbol()+" "+rare.name)
		}
	}
	return out
}

// riskColumn is where a step's risk stands; longer titles push it.
const riskColumn = 79

// step writes one step: title, changes, what is noticed, and what to know.
func (w *writer) step(s plan.Step) {
	title := w.kind(s.Kind) + " " + w.bold.Sprint(Clean(s.ID))
	if path := s.Basis["config path"]; path != "" && s.Resource.Kind == plan.ResourceDaemon {
		title += "  " + Clean(path)
	}
	w.printf("%s%srisk %s\n", title, strings.Repeat(" ", max(2, riskColumn-width(title))), w.risk(s.Risk.Level))
	w.changes(s.Changes, "    ")
	const indent = "    "
	hanging(&w.Buffer, indent, "", []string{s.Effect.Text})
	w.members(s, indent)
	for _, note := range s.Notes {
		w.printf("%s# %s\n", indent, Clean(note))
	}
	if len(s.Risk.Reasons) > 0 {
		level := strings.ToUpper(string(s.Risk.Level))
		hanging(&w.Buffer, indent, "why "+level+": ", s.Risk.Reasons)
	}
	w.undo(s, indent)
	if w.o.Verbose {
		w.evidence(s, indent)
	}
	w.printf("\n")
}

func (w *writer) changes(changes []plan.Change, indent string) {
	rows := make([][]string, len(changes))
	for i, c := range changes {
		path := strings.TrimPrefix(c.Path, "HostConfig.")
		from, to := value(path, c.From, w.o.Verbose), value(path, c.To, w.o.Verbose)
		if from == to { // the difference was cut away
			from, to = value(path, c.From, true), value(path, c.To, true)
		}
		numbers, letters := refsOf(w.plan.Rules, c.Controls)
		var remarks []string
		if c.Kind == plan.KindRecreate {
			remarks = append(remarks, "# forces recreate")
		}
		if c.Note != "" {
			remarks = append(remarks, Clean(c.Note))
		}
		rows[i] = []string{w.sign(from, to), Clean(path), from + " -> " + to, numbers, letters, strings.Join(remarks, "  ")}
	}
	// The sign takes one blank only, so it is joined to the name.
	for i, row := range rows {
		rows[i] = append([]string{row[0] + " " + row[1]}, row[2:]...)
	}
	columns(&w.Buffer, indent, rows)
}

func (w *writer) sign(from, to string) string {
	const unset = "(unset)"
	switch {
	case from == unset:
		return w.good.Sprint("+")
	case to == unset:
		return w.bad.Sprint("-")
	}
	return w.warn.Sprint("~")
}

func (w *writer) undo(s plan.Step, indent string) {
	how, notes := s.Reversibility()
	if len(notes) == 0 {
		notes = []string{"no difference is named"}
	}
	switch how {
	case plan.Functional:
		hanging(&w.Buffer, indent, "undo: functional: ", trimPaths(notes))
	case plan.None:
		hanging(&w.Buffer, indent, w.bad.Sprint("undo: NONE")+": ", trimPaths(notes))
		w.printf("%sneeds apply --allow-unrevertable\n", indent)
	}
}

func trimPaths(notes []string) []string {
	out := make([]string, len(notes))
	for i, n := range notes {
		out[i] = strings.TrimPrefix(n, "HostConfig.")
	}
	return out
}

// evidence lists what the changes of a step rest on.
func (w *writer) evidence(s plan.Step, indent string) {
	for _, f := range w.plan.Findings {
		if !s.Has(f.Resource) || len(f.Changes) == 0 {
			continue
		}
		whose := ""
		if f.Resource != s.Resource {
			whose = " on " + Clean(f.Resource.String())
		}
		w.printf("%sbecause %s%s: %s\n", indent, Clean(f.Control), whose, Clean(f.Message))
		for _, e := range f.Evidence {
			w.printf("%s    %s\n", indent, evidenceText(e))
		}
	}
}

func evidenceText(e plan.Evidence) string {
	text := Clean(e.Name) + ": " + Clean(e.Value)
	if e.Source != "" {
		text += " (" + Clean(e.Source) + ")"
	}
	return text
}
