package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"docker-harden/plan"
)

// group is one reason why findings are not changed.
type group struct {
	title string // of its lines
	short string // in the heading, behind the count
	has   func(plan.Finding) bool
	quiet bool // listed with Verbose only, and not counted otherwise
	brief bool // listed with Verbose only, and counted
}

func groups() []group {
	is := func(s plan.Status) func(plan.Finding) bool {
		return func(f plan.Finding) bool { return f.Status == s }
	}
	return []group{
		{title: "Needs a decision", short: "need a decision", has: func(f plan.Finding) bool {
			return f.Status == plan.Manual && f.Reason != plan.NeedsAttestation
		}},
		{title: "Nothing on the host shows it", short: "to be attested by a person, see --verbose", brief: true, has: func(f plan.Finding) bool {
			return f.Status == plan.Manual && f.Reason == plan.NeedsAttestation
		}},
		{title: "Cannot be changed here", short: "cannot be changed here", has: func(f plan.Finding) bool {
			return f.Status == plan.Fail && f.Blocked != "" && len(f.Changes) == 0 && !reported(f)
		}},
		{title: "Reported only", short: "reported only, see --verbose", brief: true, has: reported},
		{title: "Fails, and has no automatic change", short: "without an automatic change", has: func(f plan.Finding) bool {
			return f.Status == plan.Fail && f.Blocked == "" && len(f.Changes) == 0
		}},
		{title: "Accepted by an exception", short: "accepted", has: is(plan.Excepted)},
		{title: "Could not be judged", short: "could not be judged", has: is(plan.Unknown)},
		{title: "Not applicable", short: "not applicable", has: is(plan.NotApplicable), quiet: true},
	}
}

// reported tells failures that no plan of any host changes. A door of the engine itself is among those that are never
// left to Verbose, whatever its reason.
func reported(f plan.Finding) bool {
	return f.Status == plan.Fail && f.Reason != "" && !slices.Contains([]string{"docker/tls-on-tcp", "docker/tls-certificates"}, f.Control)
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
		if len(lists[i]) > 0 && (!g.quiet && !g.brief || w.o.Verbose) {
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
		for _, b := range batches(list, id) {
			w.batch(b)
		}
	}
}

// batch are findings of one control that say the same of several resources.
type batch []plan.Finding

// batches joins the findings of a control that differ in nothing but the resource's name.
func batches(list []plan.Finding, control string) []batch {
	var out []batch
	at := make(map[string]int)
	for _, f := range list {
		if f.Control != control {
			continue
		}
		key := strings.Join([]string{f.Message, unnamed(f, f.Question), unnamed(f, f.Blocked)}, "\x00")
		if f.Exception != nil {
			key += exceptionText(f.Exception)
		}
		i, ok := at[key]
		if !ok {
			i, at[key] = len(out), len(out)
			out = append(out, nil)
		}
		out[i] = append(out[i], f)
	}
	return out
}

// unnamed is a text with the quoted name of the finding's container replaced, so that the texts of
// two containers can be compared, and be printed once.
func unnamed(f plan.Finding, text string) string {
	if f.Resource.Kind != plan.ResourceContainer || f.Resource.Name == "" {
		return text
	}
	return strings.NewReplacer(strconv.Quote(f.Resource.Name), `"NAME"`, strconv.Quote(f.Resource.String()), `"container/NAME"`).Replace(text)
}

func (w *writer) batch(b batch) {
	const indent, deeper = "      ", "        "
	f := b[0]
	question, blocked := f.Question, f.Blocked
	if len(b) > 1 {
		question, blocked = unnamed(f, question), unnamed(f, blocked)
		if question != f.Question {
			question += " (NAME: each of them, in an entry of its own)"
		}
	}
	w.names(b, indent)
	if question != "" {
		w.printf("%s%s %s\n", deeper, w.warn.Sprint("?"), Clean(question))
	}
	if blocked != "" {
		w.printf("%sbecause: %s\n", deeper, Clean(withReason(f.Reason, blocked)))
	}
	if f.Exception != nil {
		w.printf("%s%s\n", deeper, Clean(exceptionText(f.Exception)))
	}
	if !w.o.Verbose {
		return
	}
	for _, f := range b {
		for _, e := range f.Evidence {
			w.printf("%s%s: %s\n", deeper, Clean(f.Resource.String()), evidenceText(e))
		}
	}
}

// withReason puts the code of a reason in front of what stands in the way; nothing stays nothing.
func withReason(code plan.Reason, blocked string) string {
	if code == "" || blocked == "" {
		return blocked
	}
	return string(code) + ": " + blocked
}

// names writes every resource of a batch and what was seen of it, in as many lines as it takes.
func (w *writer) names(b batch, indent string) {
	const columns = 100
	line := indent
	for i, f := range b {
		word := Clean(f.Resource.String()) + ","
		if i == len(b)-1 {
			word = strings.TrimSuffix(word, ",") + ": " + Clean(f.Message)
		}
		if line != indent && width(line)+1+width(word) > columns {
			w.printf("%s\n", line)
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	w.printf("%s\n", line)
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
