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

// Explain writes everything there is to know of one control: what it wants, why, how it is judged,
// verified and fixed, what that may break, how it is undone, where it comes from, and its parameters.
func Explain(out io.Writer, c control.Control) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s: %s\n\n", c.ID, c.Title)
	for _, part := range []struct{ label, text string }{
		{"Judges", judges(c)},
		{"Why", c.Why},
		{"Class", classWords(c.Class)},
		{"Verified by", c.Verified},
		{"Fix", c.Way()},
		{"Undo", c.Undo()},
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

// classWords is what a class means.
func classWords(c control.Class) string {
	switch c {
	case control.Automatic:
		return "automatic: changed by default; asked about where something speaks against it"
	case control.Answer:
		return "with an answer: changed once the profile answers what only a person knows"
	case control.Reported:
		return "reported: judged and never changed; a finding says what a person can do"
	}
	return string(c)
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
			parts = append(parts, benchmarkTitle(name)+" "+refs[name])
		}
	}
	if text := threats(refs["stride"]); text != "" {
		parts = append(parts, "STRIDE: "+text)
	}
	return strings.Join(parts, "; ")
}

func benchmarkTitle(name string) string {
	if version, ok := strings.CutPrefix(name, "cis-docker-"); ok {
		return "CIS Docker Benchmark " + version + ":"
	}
	return name + ":"
}

func threats(letters string) string { return strings.Join(threatsOf(letters), ", ") }

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
