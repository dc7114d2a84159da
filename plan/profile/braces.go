package profile

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// span is a piece of a text, from a bracket to the one that closes it.
type span struct{ from, to int } // bytes; to is behind the last

// place is where a bracket is in the bytes of the text.
func (l *layout) place(t *token.Token, bracket byte) (int, error) {
	if t == nil || t.Position == nil || t.Position.Line < 1 || t.Position.Line > len(l.text) {
		return 0, fmt.Errorf("internal error: %s: a bracket has no place", l.source)
	}
	at := 0
	for _, s := range l.text[:t.Position.Line-1] {
		at += len(s)
	}
	s := l.text[t.Position.Line-1]
	in := offset(s, t.Position.Column)
	if in >= len(s) || s[in] != bracket {
		return 0, fmt.Errorf("internal error: %s:%d: no %q where one is expected", l.source, t.Position.Line, string(bracket))
	}
	return at + in, nil
}

// braces is where an entry { … } stands. One with comments in it is refused: they would be lost.
func (l *layout) braces(n ast.Node) (span, error) {
	m, ok := n.(*ast.MappingNode)
	if !ok || !m.IsFlowStyle {
		return span{}, &Error{Source: l.source, Line: line(n), Col: column(n), Text: "this entry has no braces { } of its own; write it so to have it edited"}
	}
	return l.pair(m.Start, m.End, "{}")
}

func (l *layout) pair(start, end *token.Token, brackets string) (span, error) {
	from, err := l.place(start, brackets[0])
	if err != nil {
		return span{}, err
	}
	to, err := l.place(end, brackets[1])
	if err != nil {
		return span{}, err
	}
	for n := start.Position.Line; n <= end.Position.Line; n++ {
		if at, has := l.comments[n]; has && (n < end.Position.Line || at < offset(l.text.at(n), end.Position.Column)) {
			return span{}, fmt.Errorf("cannot edit the list in %s on line %d: %w", l.source, n, errBrackets)
		}
	}
	return span{from, to + 1}, nil
}

// splice replaces a piece of the text. The edit begins on the line of the piece.
func (l *layout) splice(at span, with string) Edit {
	old := string(l.text.bytes())
	return Edit{Data: []byte(old[:at.from] + with + old[at.to:]), Line: 1 + strings.Count(old[:at.from], "\n")}
}

// addBraced writes one entry more into a list in brackets.
func (l *layout) addBraced(e addition) (Edit, error) {
	list, err := l.pair(l.list.Start, l.list.End, "[]")
	if err != nil {
		return Edit{}, err
	}
	at, between := list.from+1, ""
	if n := len(l.items); n > 0 {
		last, err := l.braces(l.items[n-1].node)
		if err != nil {
			return Edit{}, err
		}
		at, between = last.to, ", "
		if row := line(l.items[n-1].node); row > l.list.Start.Position.Line {
			// It begins a line of its own, and so does the new one.
			if lead := l.text.at(row)[:l.text.indent(row)]; strings.HasPrefix(l.text.at(row)[len(lead):], "{") {
				between = "," + l.text.ending() + lead
			}
		}
	}
	edit := l.splice(span{at, at}, between+e.braced)
	edit.Line += strings.Count(between, "\n")
	edit.Lines = []string{e.braced}
	return edit, nil
}

// removeBraced takes an entry out of a list in brackets, with one of the commas beside it.
func (l *layout) removeBraced(i int) (Edit, error) {
	if _, err := l.pair(l.list.Start, l.list.End, "[]"); err != nil {
		return Edit{}, err
	}
	at, err := l.braces(l.items[i].node)
	if err != nil {
		return Edit{}, err
	}
	old := string(l.text.bytes())
	gone, cut := old[at.from:at.to], at
	if i > 0 {
		before, err := l.braces(l.items[i-1].node)
		if err != nil {
			return Edit{}, err
		}
		cut.from = before.to
	} else if rest := strings.TrimLeft(old[at.to:], " \t\r\n"); strings.HasPrefix(rest, ",") {
		rest = rest[1:]
		if len(l.items) > 1 {
			rest = strings.TrimLeft(rest, " \t\r\n")
		}
		cut.to = len(old) - len(rest)
	}
	edit := l.splice(cut, "")
	edit.Line = line(l.items[i].node)
	edit.Lines = strings.Split(strings.ReplaceAll(gone, "\r\n", "\n"), "\n")
	return edit, nil
}

// replaceBraced writes an entry { … } anew.
func (l *layout) replaceBraced(m *ast.MappingNode, text string) (Edit, error) {
	at, err := l.braces(m)
	if err != nil {
		return Edit{}, err
	}
	edit := l.splice(at, text)
	edit.Lines = []string{text}
	return edit, nil
}
