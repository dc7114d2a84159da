package report

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/fatih/color"

	"docker-harden/plan"
)

// TextOptions say how text is written.
type TextOptions struct {
	Color   bool
	Verbose bool // also what passes, whole values, and the evidence
	Summary bool // only the summary lines
	// SavedAs and SHA256 name the file the plan was saved in, and the digest a reviewer signs off.
	SavedAs, SHA256 string
}

// palette colours words. Colour repeats what a word or symbol already says.
type palette struct{ bold, dim, good, warn, bad *color.Color }

func newPalette(on bool) palette {
	p := palette{
		bold: color.New(color.Bold), dim: color.New(color.Faint),
		good: color.New(color.FgGreen), warn: color.New(color.FgYellow), bad: color.New(color.FgRed, color.Bold),
	}
	for _, c := range []*color.Color{p.bold, p.dim, p.good, p.warn, p.bad} {
		if c.DisableColor(); on {
			c.EnableColor()
		}
	}
	return p
}

func (p palette) risk(level plan.RiskLevel) string {
	word := strings.ToUpper(string(level))
	switch level {
	case plan.RiskHigh:
		return p.bad.Sprint(word)
	case plan.RiskMedium:
		return p.warn.Sprint(word)
	case "":
		word = "LOW"
	}
	return p.good.Sprint(word)
}

func (p palette) kind(k plan.Kind) string {
	switch k {
	case plan.KindRecreate:
		return p.bad.Sprint(k.Symbol())
	case plan.KindRestart:
		return p.warn.Sprint(k.Symbol())
	}
	return p.good.Sprint(k.Symbol())
}

// columns writes rows with aligned columns; the last column is not padded and empty ends are trimmed.
func columns(b *bytes.Buffer, indent string, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], width(cell))
		}
	}
	for _, row := range rows {
		line := indent
		for i, cell := range row {
			if i > 0 {
				line += "  "
			}
			line += cell + strings.Repeat(" ", widths[i]-width(cell))
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// hanging writes a label and lines beneath each other behind it.
func hanging(b *bytes.Buffer, indent, label string, lines []string) {
	for i, line := range lines {
		if i > 0 {
			label = strings.Repeat(" ", width(label))
		}
		b.WriteString(indent + label + Clean(line) + "\n")
	}
}

// width counts characters without colours. It does not ask the locale how wide a character is, so
// that the same plan is the same text everywhere.
func width(s string) int {
	n := utf8.RuneCountInString(s)
	for {
		start := strings.Index(s, "\x1b[")
		if start < 0 {
			return n
		}
		end := strings.IndexByte(s[start:], 'm')
		if end < 0 {
			return n
		}
		n -= end + 1
		s = s[start+end+1:]
	}
}
