package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"docker-harden/plan"
)

// MarkdownTitle begins each document that [FindingsMarkdown] writes.
const MarkdownTitle = "## docker-harden check: "

// FindingsMarkdown writes an audit for a comment of a pull or merge request: the totals, then what fails, most
// severe first, then what else asks for somebody. What passes is listed with Verbose only.
func FindingsMarkdown(out io.Writer, a Audit, o TextOptions) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s%s\n\n", MarkdownTitle, a.headline())
	fmt.Fprintf(&b, "Host %s, engine %s, profile %s, %s.\n\n", mdCode(a.Host.Name), mdCode(a.Host.Engine),
		mdCode(profileText(a.Profile)), a.Made.UTC().Format("2006-01-02 15:04 UTC"))
	for _, line := range a.totals() {
		fmt.Fprintf(&b, "- %s\n", mdPlain(line))
	}
	if !o.Summary {
		for _, s := range a.sections(o.Verbose) {
			a.section(&b, s)
		}
		a.markdownProblems(&b)
	}
	_, err := out.Write(b.Bytes())
	return err
}

// headline is the answer in a few words.
func (a Audit) headline() string {
	failing := 0
	for _, f := range a.Findings {
		if a.Fails(f) {
			failing++
		}
	}
	switch b := a.Baseline; {
	case failing > 0 && b != nil && b.FailOn == FailOnNew:
		return fmt.Sprintf("%d new %s", failing, plural(failing, "failure", "failures"))
	case failing > 0:
		return fmt.Sprintf("%d %s", failing, plural(failing, "failure", "failures"))
	case a.Counts.Unknown > 0:
		return fmt.Sprintf("%d could not be judged", a.Counts.Unknown)
	case a.Counts.Fail > 0:
		return "no new failure"
	}
	return "no failure"
}

// section is one table and its heading.
type section struct {
	title string
	list  []AuditFinding
}

func (a Audit) sections(verbose bool) []section {
	var out []section
	add := func(title string, has func(AuditFinding) bool) {
		s := section{title: title}
		for _, f := range a.Findings {
			if has(f) {
				s.list = append(s.list, f)
			}
		}
		if len(s.list) > 0 {
			out = append(out, s)
		}
	}
	is := func(s plan.Status) func(AuditFinding) bool {
		return func(f AuditFinding) bool { return f.Status == s }
	}
	for _, level := range []plan.RiskLevel{plan.RiskHigh, plan.RiskMedium, plan.RiskLow} {
		add("Failing, severity "+string(level), func(f AuditFinding) bool {
			return f.Status == plan.Fail && !f.Known && a.severity(f) == level
		})
	}
	add("Failing, known to the baseline", func(f AuditFinding) bool { return f.Known })
	add("Could not be judged", func(f AuditFinding) bool { return kindOf(f.Status) == "open" })
	add("Needs a decision", is(plan.Manual))
	add("Accepted by an exception", is(plan.Excepted))
	if verbose {
		add("Passes", is(plan.Pass))
		add("Not applicable", is(plan.NotApplicable))
	}
	return out
}

func (a Audit) section(b *bytes.Buffer, s section) {
	fmt.Fprintf(b, "\n### %s (%d)\n\n| target | control | CIS | STRIDE | seen |\n|---|---|---|---|---|\n", s.title, len(s.list))
	for _, f := range s.list {
		rule := a.Rules[f.Control]
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", mdCell(f.Resource.String()), mdCell(f.Control),
			mdPlain(rule.cisNumbers()), mdPlain(rule.letters()), mdPlain(seen(f.Finding)))
	}
}

func (a Audit) markdownProblems(b *bytes.Buffer) {
	if len(a.Problems) == 0 {
		return
	}
	fmt.Fprintf(b, "\n### Could not be read (%d)\n\n", len(a.Problems))
	for _, p := range a.Problems {
		fmt.Fprintf(b, "- %s: %s\n", mdCode(p.Subject), mdPlain(p.Reason))
	}
}

// mdPlain is any text as text: no markup, no link, and nobody is mentioned by it.
func mdPlain(s string) string {
	s = Clean(s)
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '@' || r == '#':
			// An escape would be undone before names and numbers are looked for; an element parts them.
			b.WriteString("<span>" + string(r) + "</span>")
		case r == '<':
			b.WriteString("&lt;")
		case r == '&':
			b.WriteString("&amp;")
		case strings.ContainsRune("\\`*_[]|~$", r), linksHere(s[:i], s[i:]):
			b.WriteString(`\` + string(r))
		default:
			b.WriteRune(r)
		}
	}
	return strings.TrimSpace(b.String())
}

// linksHere says whether an address that becomes a link by itself could stand on both sides of a place.
func linksHere(before, after string) bool {
	return strings.HasPrefix(after, "://") || strings.HasPrefix(after, ".") && strings.HasSuffix(strings.ToLower(before), "www")
}

// mdCell is any text as a code span in a cell of a table.
func mdCell(s string) string { return strings.ReplaceAll(mdCode(s), "|", `\|`) }

// mdCode is any text as a code span.
func mdCode(s string) string {
	s = Clean(s)
	if strings.TrimSpace(s) == "" {
		return "–"
	}
	longest, run := 0, 0
	for _, r := range s {
		run++
		if r != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", longest+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") || strings.HasPrefix(s, " ") && strings.HasSuffix(s, " ") {
		s = " " + s + " "
	}
	return fence + s + fence
}
