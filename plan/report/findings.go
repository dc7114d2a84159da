package report

import (
	"fmt"
	"io"

	"docker-harden/plan"
)

// Findings writes verdicts as a table, in their order, and the
// totals. Passing and not applicable ones are listed with Verbose only.
func Findings(out io.Writer, a Audit, o TextOptions) error {
	w := &writer{palette: newPalette(o.Color), o: o}
	if !o.Summary {
		w.findingsTable(a)
	}
	for _, line := range a.totals() {
		w.printf("%s\n", Clean(line))
	}
	_, err := out.Write(w.Bytes())
	return err
}

func (w *writer) findingsTable(a Audit) {
	head := []string{"STATUS", "TARGET", "CONTROL", "CIS", "STRIDE", "SEEN"}
	for i := range head {
		head[i] = w.bold.Sprint(head[i])
	}
	rows := [][]string{head}
	for _, f := range a.listed(w.o.Verbose) {
		rule := a.Rules[f.Control]
		rows = append(rows, []string{
			w.status(f), Clean(f.Resource.String()), Clean(f.Control), rule.cisNumbers(), rule.letters(), Clean(seen(f.Finding)),
		})
	}
	if len(rows) > 1 {
		columns(&w.Buffer, "", rows)
		w.printf("\n")
	}
}

func (w *writer) status(f AuditFinding) string {
	word := f.word()
	switch {
	case f.Known:
		return w.warn.Sprint(word)
	case f.Status == plan.Pass:
		return w.good.Sprint(word)
	case f.Status == plan.Fail:
		return w.bad.Sprint(word)
	case f.Status == plan.Manual, f.Status == plan.Unknown:
		return w.warn.Sprint(word)
	}
	return Clean(word)
}

// totals are the last lines: how many verdicts there are, and what became of the baseline.
func (a Audit) totals() []string {
	lines := []string{countLine(a.Counts)}
	if b := a.Baseline; b != nil {
		lines = append(lines, fmt.Sprintf("Baseline %s: %d known, %d new.", b.File, b.Known, b.New))
		if n := len(b.Fixed); n > 0 {
			lines = append(lines, fmt.Sprintf("%d of the baseline %s: rewrite it with --write-baseline.", n, plural(n, "fails no more", "fail no more")))
		}
	}
	if l := a.LeftOut; l != nil {
		lines = append(lines, fmt.Sprintf("%d %s below severity %s left out.", l.Controls, plural(l.Controls, "control", "controls"), l.Severity))
	}
	return lines
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// countLine is "58 verdicts: 41 pass, 10 fail (8 can be fixed by plan and apply), …".
func countLine(c Counts) string {
	text := ""
	for _, part := range []struct {
		n    int
		text string
	}{
		{c.Pass, "pass"},
		{c.Fail, "fail"},
		{c.Manual, plural(c.Manual, "needs a decision", "need a decision")},
		{c.Excepted, "accepted"},
		{c.Unknown, "unknown"},
		{c.NotApplicable, "not applicable"},
	} {
		if part.n == 0 {
			continue
		}
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("%d %s", part.n, part.text)
		if part.text == "fail" && c.Fixed > 0 {
			text += fmt.Sprintf(" (%d can be fixed: docker-harden plan)", c.Fixed)
		}
	}
	if text == "" {
		text = "nothing was judged"
	}
	return fmt.Sprintf("%d verdicts: %s.", c.Judged()+c.NotApplicable, text)
}
