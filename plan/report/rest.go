package report

import (
	"fmt"
	"slices"
	"strings"

	"docker-harden/plan"
)

// group is one reason why findings are not changed.
type group struct {
	title string // of its lines
	short string // in the heading, behind the count
	has   func(plan.Finding) bool
	quiet bool // listed with Verbose only
}

func groups() []group {
	is := func(s plan.Status) func(plan.Finding) bool {
		return func(f plan.Finding) bool { return f.Status == s }
	}
	return []group{
		{title: "Needs a decision", short: "need a decision", has: is(plan.Manual)},
		{title: "Cannot be changed here", short: "cannot be changed here", has: func(f plan.Finding) bool {
			return f.Status == plan.Fail && f.Blocked != "" && len(f.Changes) == 0
		}},
		{title: "Fails, and has no automatic change", short: "without an automatic change", has: func(f plan.Finding) bool {
			return f.Status == plan.Fail && f.Blocked == "" && len(f.Changes) == 0
		}},
		{title: "Accepted by an exception", short: "accepted", has: is(plan.Excepted)},
		{title: "Could not be judged", short: "could not be judged", has: is(plan.Unknown)},
		{title: "Not applicable", short: "not applicable", has: is(plan.NotApplicable), quiet: true},
	}
}

// notChanged lists every finding that asks for something and gets no change, by reason.
func (w *writer) notChanged() {
	lists := make([][]plan.Finding, 0, len(groups()))
	var counts []string
	total := 0
	for _, g := range groups() {
		var list []plan.Finding
		for _, f := range w.plan.Findings {
			if g.has(f) {
				list = append(list, f)
			}
		}
		lists = append(lists, list)
		if len(list) > 0 && !g.quiet {
			total += len(list)
			counts = append(counts, fmt.Sprintf("%d %s", len(list), g.short))
		}
	}
	if total == 0 && !w.o.Verbose {
		return
	}
	if total > 0 {
		w.printf("%s %d   (%s)\n", w.bold.Sprint("Not changed:"), total, strings.Join(counts, ", "))
	}
	for i, g := range groups() {
		if len(lists[i]) > 0 && (!g.quiet || w.o.Verbose) {
			w.group(g, lists[i])
		}
	}
	w.printf("\n")
}

// group writes findings of one reason, by control, so that ten containers with one question read as one.
func (w *writer) group(g group, list []plan.Finding) {
	w.printf("  %s\n", w.bold.Sprint(g.title))
	var order []string
	for _, f := range list {
		if !slices.Contains(order, f.Control) {
			order = append(order, f.Control)
		}
	}
	for _, id := range order {
		rule := w.plan.Rules[id]
		head := []string{Clean(id)}
		for _, part := range []string{Clean(rule.Title), Clean(cis(rule.Refs)), Clean(stride(rule.Refs))} {
			if part != "" {
				head = append(head, part)
			}
		}
		w.printf("    %s\n", strings.Join(head, "  "))
		for _, f := range list {
			if f.Control == id {
				w.finding(f)
			}
		}
	}
}

func (w *writer) finding(f plan.Finding) {
	const indent = "      "
	w.printf("%s%s: %s\n", indent, Clean(f.Resource.String()), Clean(f.Message))
	deeper := indent + "  "
	if f.Question != "" {
		hanging(&w.Buffer, deeper, w.warn.Sprint("?")+" ", []string{f.Question})
	}
	if f.Blocked != "" {
		hanging(&w.Buffer, deeper, "because: ", []string{f.Blocked})
	}
	if f.Exception != nil {
		w.printf("%s%s\n", deeper, Clean(exceptionText(f.Exception)))
	}
	if w.o.Verbose {
		for _, e := range f.Evidence {
			w.printf("%s%s\n", deeper, evidenceText(e))
		}
	}
}

func exceptionText(e *plan.Exception) string {
	until := "without an end"
	if !e.Expires.IsZero() {
		until = "until " + e.Expires.UTC().Format("2006-01-02")
	}
	return fmt.Sprintf("accepted %s: %s (%s)", until, e.Reason, e.Owner)
}

func (w *writer) passes() {
	var rows [][]string
	for _, f := range w.plan.Findings {
		if f.Status == plan.Pass {
			rows = append(rows, []string{Clean(f.Resource.String()), Clean(f.Control), Clean(f.Message)})
		}
	}
	if len(rows) == 0 {
		return
	}
	w.printf("%s\n", w.bold.Sprint("Passes"))
	columns(&w.Buffer, "  ", rows)
	w.printf("\n")
}

func (w *writer) problems() {
	if len(w.plan.Problems) == 0 {
		return
	}
	w.printf("%s\n", w.bold.Sprint("Problems"))
	for _, p := range w.plan.Problems {
		mark := ""
		if p.Fatal {
			mark = w.bad.Sprint("fatal") + " "
		}
		w.printf("  %s%s: %s\n", mark, Clean(p.Subject), Clean(p.Reason))
	}
	w.printf("\n")
}
