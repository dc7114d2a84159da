package profile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// sectionHead stands above a section that add made, so that remove knows that it may take it away again.
const sectionHead = "# Accepted risks: docker-harden exception add and remove keep this list."

// addition is one entry more for a list, and the comment above a list that is made for it.
type addition struct {
	head   string
	dashed func(indent int) []string
	braced string
}

func (e Exception) addition() addition {
	return addition{head: sectionHead, dashed: e.dashed, braced: e.braced()}
}

// pair is one key of an entry and its value as YAML.
type pair struct{ key, value string }

// pairs are what an exception is in YAML.
func (e Exception) pairs() []pair {
	out := []pair{{"control", word(e.Control)}, {"target", word(e.Target)}, {"reason", word(e.Reason)}, {"owner", word(e.Owner)}}
	if !e.Expires.IsZero() {
		out = append(out, pair{"expires", e.Expires.Format(time.DateOnly)})
	}
	return out
}

// word leaves words bare that YAML surely reads as text, inside of brackets too.
func word(s string) string {
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ' ' || r == '/' || r == '\'' }) {
		if part != "" && !strings.ContainsFunc(part, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' || r == '.')
		}) {
			continue
		}
		return quoted(s)
	}
	letter := s != "" && (s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z')
	if !letter || strings.HasSuffix(s, " ") || strings.Contains(s, "  ") || !strings.ContainsAny(s, " /'") {
		return quoted(s)
	}
	return s
}

// dashed is an entry of a list with dashes.
func (e Exception) dashed(indent int) []string {
	var out []string
	for i, p := range e.pairs() {
		mark := "  "
		if i == 0 {
			mark = "- "
		}
		out = append(out, strings.Repeat(" ", indent)+mark+p.key+": "+p.value)
	}
	return out
}

// braced is an entry on one line.
func (e Exception) braced() string {
	var parts []string
	for _, p := range e.pairs() {
		parts = append(parts, p.key+": "+p.value)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// add writes one entry more behind the last, and a section where there is none.
func (l *layout) add(e addition) (Edit, error) {
	switch {
	case l.key == 0:
		pad := strings.Repeat(" ", l.indent)
		lines := append([]string{"", pad + e.head, pad + l.section + ":"}, e.dashed(l.indent+2)...)
		return l.insert(l.last, lines), nil
	case l.list == nil:
		return l.fill(e)
	case l.list.IsFlowStyle:
		return l.addBraced(e)
	}
	last := l.items[len(l.items)-1]
	lines := e.dashed(last.dash)
	if l.spaced() {
		lines = append([]string{""}, lines...)
	}
	return l.insert(last.end, lines), nil
}

// insert puts lines behind line n. An edit begins at its first line that is not blank.
func (l *layout) insert(n int, lines []string) Edit {
	edit := Edit{Data: l.text.insert(n, lines).bytes(), Line: n + 1, Lines: lines}
	for edit.Lines[0] == "" {
		edit.Line, edit.Lines = edit.Line+1, edit.Lines[1:]
	}
	return edit
}

// fill writes the first entry below a key that has no value.
func (l *layout) fill(e addition) (Edit, error) {
	key := l.text[l.key-1]
	from, to := offset(key, l.colon)+1, len(l.text.at(l.key))
	if at, has := l.comments[l.key]; has {
		to = at
	}
	null := strings.TrimSpace(key[from:to])
	filled := *l
	if null != "" { // ~ or null would be a value of its own
		filled.text = slices.Clone(l.text)
		filled.text[l.key-1] = key[:from] + strings.TrimRight(strings.Replace(key[from:to], null, "", 1), " \t") + prefixSpace(key[to:])
	}
	for n := l.key + 1; n <= l.end; n++ {
		if !l.text.blank(n) && !l.commented(n) {
			return Edit{}, &Error{Source: l.source, Line: n, Col: 1, Text: "this stands where a list is expected; remove the line to have entries added"}
		}
	}
	return filled.insert(l.key, e.dashed(l.room())), nil
}

// prefixSpace keeps a comment apart from what stands before it.
func prefixSpace(rest string) string {
	if strings.HasPrefix(rest, "#") {
		return " " + rest
	}
	return rest
}

// room is how far in the dashes of a new list are: as far as what was commented out, as other lists
// of the file, or two blanks more than the key.
func (l *layout) room() int {
	indent := l.indent + 2
	if l.lists >= l.indent {
		indent = l.lists
	}
	for n := l.key + 1; n <= l.end; n++ {
		if exampleEntry.MatchString(l.text.at(n)) {
			indent = l.text.indent(n)
			break
		}
	}
	if n := l.key + 1; n <= l.end && l.commented(n) {
		// A comment further in than the dash would become a part of the entry above it.
		indent = max(indent, l.text.indent(n))
	}
	return max(indent, l.indent)
}

// remove takes one entry out.
func (l *layout) remove(i int) (Edit, error) {
	if l.list.IsFlowStyle {
		return l.removeBraced(i)
	}
	it := l.items[i]
	from, to := it.top, it.end
	switch {
	case l.spaced() && i > 0:
		from--
	case l.spaced() && l.text.blank(to+1):
		to++
	case len(l.items) == 1 && l.made(it):
		from = l.key - 2
	}
	edit := Edit{Data: l.text.cut(from, to).bytes(), Line: it.top}
	for n := it.top; n <= it.end; n++ {
		edit.Lines = append(edit.Lines, l.text.at(n))
	}
	return edit, nil
}

// made reports whether the section is as add makes it, and holds nothing but this entry.
func (l *layout) made(it item) bool {
	if l.key < 3 || it.top != l.key+1 || strings.TrimSpace(l.text.at(l.key)) != "exceptions:" || l.text.at(l.key-2) != "" {
		return false
	}
	for n := it.end + 1; n <= l.end; n++ {
		if !l.text.blank(n) {
			return false
		}
	}
	return l.commented(l.key-1) && strings.TrimSpace(l.text.at(l.key-1)) == sectionHead
}

// replace writes the entry anew. What does not change stays as it is written, and so do the comments.
func (l *layout) replace(i int, was, e Exception) (Edit, error) {
	it := l.items[i]
	if m, ok := it.node.(*ast.MappingNode); ok && m.IsFlowStyle {
		return l.replaceBraced(m, e.braced())
	}
	lines, err := l.rewrite(it, was, e)
	if err != nil {
		return Edit{}, err
	}
	out := l.text.cut(it.start, it.content)
	if it.start == 1 {
		return Edit{}, fmt.Errorf("internal error: %s: an exception on line 1", l.source)
	}
	out = out.insert(it.start-1, lines)
	return Edit{Data: out.bytes(), Line: it.start, Lines: lines}, nil
}

// rewrite gives the lines of an entry with the values of e, each where the entry has it.
func (l *layout) rewrite(it item, was, e Exception) ([]string, error) {
	have, want := make(map[string]string), make(map[string]string)
	for _, p := range was.pairs() {
		have[p.key] = p.value
	}
	for _, p := range e.pairs() {
		want[p.key] = p.value
	}
	keys := make(map[int]*ast.MappingValueNode)
	column := it.dash + 3
	if m, ok := it.node.(*ast.MappingNode); ok {
		for _, v := range m.Values {
			keys[line(v.Key)], column = v, position(v.Key).Column
		}
	}
	var out []string
	for n := it.start; n <= it.content; n++ {
		v, isKey := keys[n]
		if !isKey {
			out = append(out, l.text.at(n)) // a comment, a blank line, or the dash alone
			continue
		}
		name, _ := scalarText(v.Key)
		last := l.valueEnd(n, it, keys)
		if have[name] == want[name] {
			for ; n < last; n++ {
				out = append(out, l.text.at(n))
			}
			out = append(out, l.text.at(last))
			continue
		}
		changed, err := l.rekey(v, n, last, want[name])
		if err != nil {
			return nil, err
		}
		out, n = append(out, changed...), last
	}
	if have["expires"] == "" && want["expires"] != "" {
		out = append(out, strings.Repeat(" ", column-1)+"expires: "+want["expires"])
	}
	return out, nil
}

// valueEnd is the last line of the value that begins on line n.
func (l *layout) valueEnd(n int, it item, keys map[int]*ast.MappingValueNode) int {
	end := n
	for at := n + 1; at <= it.content && keys[at] == nil; at++ {
		if !l.text.blank(at) && !l.commented(at) {
			end = at
		}
	}
	return end
}

// rekey is the line of a key with another value and the same comment; with no value, what is left of it.
func (l *layout) rekey(v *ast.MappingValueNode, from, to int, value string) ([]string, error) {
	for n := from + 1; n <= to; n++ {
		if _, has := l.comments[n]; has {
			return nil, fmt.Errorf("cannot edit %s: line %d has a comment inside of a text of several lines; edit it by hand", l.source, n)
		}
	}
	at := l.text.at(from)
	comment := ""
	if begin, has := l.comments[from]; has {
		comment = at[len(strings.TrimRight(at[:begin], " \t")):]
	}
	if value != "" {
		return []string{at[:offset(at, v.Start.Position.Column)+1] + " " + value + comment}, nil
	}
	begin := at[:offset(at, position(v.Key).Column)]
	switch {
	case strings.Contains(begin, "-"):
		return nil, fmt.Errorf("cannot edit %s: the exception on line %d begins with its expiry; remove it and add it again", l.source, from)
	case comment != "":
		return []string{begin + strings.TrimLeft(comment, " \t")}, nil
	}
	return nil, nil
}
