package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"docker-harden/plan/control"
	"docker-harden/plan/profile"
)

// ControlsMarkdown writes the reference of all controls, docs/controls.md.
func ControlsMarkdown(out io.Writer, controls []control.Control) error {
	var b bytes.Buffer
	b.WriteString(`# Controls

This page is printed by the tool: ` + "`docker-harden controls list --format markdown`" + `. The same text for one control:
` + "`docker-harden explain CONTROL`" + `. What covers
which recommendation of the benchmark: [coverage.md](coverage.md); what each threat is answered with: [threat-model.md](threat-model.md).

Classes:

`)
	for _, class := range control.Classes() {
		fmt.Fprintf(&b, "- %s\n", classWords(class))
	}
	b.WriteString(`
The same as data: ` + "`docker-harden controls list --format json`" + `, described by [schema/controls.v1.schema.json](schema/controls.v1.schema.json).

`)
	b.WriteString("| control | CIS 1.6.0 | CIS 1.2.0 | STRIDE | severity | class | wants |\n|---|---|---|---|---|---|---|\n")
	for _, c := range controls {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s | %s | %s | %s |\n", c.ID, anchor(c.ID), orDash(c.Refs[newRef]), orDash(c.Refs[oldRef]),
			c.Refs["stride"], c.Severity, c.Class.Words(), mdText(c.Title))
	}
	for _, c := range controls {
		markdownControl(&b, c)
	}
	_, err := out.Write(b.Bytes())
	return err
}

func markdownControl(b *bytes.Buffer, c control.Control) {
	fmt.Fprintf(b, "\n## %s\n\n**%s.** Judges %s.\n\n", c.ID, mdText(c.Title), judges(c))
	for _, part := range []struct{ label, text string }{
		{"Why", c.Why},
		{"Class", classWords(c.Class)},
		{"Verified by", c.Verified + "."},
		{"Fix", c.Way()},
		{"Undo", c.Undo()},
		{"May break", c.Risk},
		{"References", references(c.Refs)},
	} {
		if part.text != "" {
			fmt.Fprintf(b, "- *%s*: %s\n", part.label, mdText(part.text))
		}
	}
	if len(c.Params) == 0 {
		return
	}
	b.WriteString("\n| parameter | type | default | meaning |\n|---|---|---|---|\n")
	for _, p := range c.Params {
		fmt.Fprintf(b, "| `%s` | %s | `%s` | %s |\n", p.Name, mdText(kind(p)), profile.FormatValue(p.Default, p.Type), mdText(p.Doc))
	}
}

// orDash fills a cell that has nothing to say.
func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// anchor is how the usual renderers make a heading into a link.
func anchor(heading string) string {
	return strings.ReplaceAll(strings.ToLower(heading), "/", "")
}

// mdText keeps prose on one line and out of Markdown's way.
func mdText(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`, "_", `\_`).Replace(s)
}
