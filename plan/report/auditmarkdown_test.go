package report

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"

	"docker-harden/plan"
)

// parsed is Markdown as GitHub's dialect understands it.
func parsed(t *testing.T, doc string) (ast.Node, []byte) {
	t.Helper()
	source := []byte(doc)
	return goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source)), source
}

// kinds are the kinds of nodes in a document, and the raw HTML in it.
func kinds(t *testing.T, root ast.Node, source []byte) (found, raw []string) {
	t.Helper()
	err := ast.Walk(root, func(n ast.Node, enter bool) (ast.WalkStatus, error) {
		if enter {
			found = append(found, n.Kind().String())
			if h, ok := n.(*ast.RawHTML); ok {
				raw = append(raw, string(h.Segments.Value(source)))
			}
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, raw
}

// innocent fails the test when a document has more than headings, lists, tables, text and code spans.
func innocent(t *testing.T, doc string) {
	t.Helper()
	root, source := parsed(t, doc)
	found, raw := kinds(t, root, source)
	allowed := []string{"Document", "Heading", "Paragraph", "Text", "List", "ListItem", "TextBlock", "CodeSpan", "RawHTML", "Table", "TableHeader", "TableRow", "TableCell"}
	for _, kind := range found {
		if !slices.Contains(allowed, kind) {
			t.Errorf("there is a %s in it:\n%s", kind, doc)
			return
		}
	}
	for _, h := range raw {
		if h != "<span>" && h != "</span>" {
			t.Errorf("there is raw HTML in it: %s", h)
		}
	}
}

var tags = regexp.MustCompile(`</?(span|p|code)>`)

// shown is what a reader sees of a piece of Markdown.
func shown(t *testing.T, doc string) string {
	t.Helper()
	var b bytes.Buffer
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()))
	if err := md.Convert([]byte(doc), &b); err != nil {
		t.Fatal(err)
	}
	plain := strings.TrimSuffix(tags.ReplaceAllString(b.String(), ""), "\n")
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&amp;", "&").Replace(plain)
}

func TestMarkdownIsText(t *testing.T) {
	for _, s := range []string{
		"plain", "a|b", "`code`", "``", "<script>alert(1)</script>", "<!-- x", "[x](http://evil.example)", "![x](y)", "*a* _b_ __c__ ~~d~~", "# no heading",
		"@team", "me@example.com", "#12", "https://evil.example/x", "www.evil.example", "WWW.evil.example", "ftp://a.b", "&lt;b&gt; &amp; &#64;x", `back\slash \| \`,
		"NET_RAW, SYS_ADMIN", `[{match: "web"}]`, "$x$", "1. list", "a`b``c", "`", "x`", hostile,
	} {
		want := strings.Join(strings.Fields(Clean(s)), " ")
		plain := "x " + mdPlain(s)
		innocent(t, plain)
		if got := shown(t, plain); strings.Join(strings.Fields(got), " ") != "x "+want {
			t.Errorf("%q is shown as %q", s, got)
		}
		code := "x " + mdCode(s)
		innocent(t, code)
		if got := shown(t, code); strings.Join(strings.Fields(got), " ") != "x "+want {
			t.Errorf("%q is shown as %q in a code span", s, got)
		}
	}
	if got := mdCode(" \t"); strings.Contains(got, "\t") {
		t.Errorf("blank is %q", got)
	}
	for _, s := range []string{"@team", "me@example.com", "#12"} {
		if got := mdPlain(s); strings.Contains(got, "@t") || strings.Contains(got, "@e") || strings.Contains(got, "#1") {
			t.Errorf("%q would mention somebody: %s", s, got)
		}
	}
}

// TestMarkdownTables: every row has five cells, whatever is in them.
func TestMarkdownTables(t *testing.T) {
	for name, a := range map[string]Audit{
		"sample": auditOf(samplePlan()), "compared": comparedAudit(FailOnNew), "hostile": hostileAudit(steeped(hostile + ` a\|b \ `)), "zero": {},
	} {
		doc := written(t, auditWriters(TextOptions{Verbose: true})["md"], a)
		innocent(t, doc)
		root, _ := parsed(t, doc)
		rows := 0
		err := ast.Walk(root, func(n ast.Node, enter bool) (ast.WalkStatus, error) {
			if _, row := n.(*extast.TableRow); row && enter {
				rows++
				if n.ChildCount() != 5 {
					t.Errorf("%s: a row has %d cells", name, n.ChildCount())
				}
			}
			return ast.WalkContinue, nil
		})
		if err != nil || rows != len(a.Findings) {
			t.Errorf("%s: %d rows of %d findings, %v", name, rows, len(a.Findings), err)
		}
	}
}

func TestMarkdownShape(t *testing.T) {
	of := func(o TextOptions, a Audit) string { return written(t, auditWriters(o)["md"], a) }
	brief, whole, summary := of(TextOptions{}, auditOf(samplePlan())), of(TextOptions{Verbose: true}, auditOf(samplePlan())), of(TextOptions{Summary: true}, auditOf(samplePlan()))
	for _, heading := range []string{"### Passes (1)", "### Not applicable (1)"} {
		if strings.Contains(brief, heading) || !strings.Contains(whole, heading) {
			t.Errorf("%s belongs into the verbose document only", heading)
		}
	}
	if strings.Contains(summary, "|") || !strings.Contains(summary, "17 verdicts") {
		t.Errorf("the summary is\n%s", summary)
	}
	var at []int
	for _, heading := range []string{"severity high (5)", "severity medium (2)", "severity low (2)", "Could not be judged", "Needs a decision", "Accepted by"} {
		at = append(at, strings.Index(brief, heading))
	}
	if !slices.IsSorted(at) || at[0] < 0 {
		t.Errorf("the sections are not in their order: %v", at)
	}
}

func TestMarkdownHeadline(t *testing.T) {
	one := func(s plan.Status, known bool) Audit {
		a := auditOf(&plan.Plan{Findings: []plan.Finding{{Control: "x", Resource: plan.Daemon(), Status: s}}})
		a.Findings[0].Known = known
		return a
	}
	known := one(plan.Fail, true)
	known.Baseline = &Baseline{FailOn: FailOnNew}
	for want, a := range map[string]Audit{
		"9 failures": auditOf(samplePlan()), "7 new failures": comparedAudit(FailOnNew), "1 failure": one(plan.Fail, false),
		"no failure": one(plan.Manual, false), "1 could not be judged": one(plan.Unknown, false), "no new failure": known,
	} {
		if got := a.headline(); got != want {
			t.Errorf("the headline is %q, want %q", got, want)
		}
	}
}
