package profile

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// layout is where the entries of one list (exceptions, containers) stand in the text of a profile. Lines count from 1.
type layout struct {
	source   string
	section  string // the list's key
	text     text
	comments map[int]int // line -> where the comment on it begins
	last     int         // last line of the document
	indent   int         // of the top level keys
	lists    int         // indent of the dashes of another list in this file; -1: there is none
	key      int         // line of the key; 0: there is none
	colon    int         // column of the colon behind it
	end      int         // last line before the next key
	list     *ast.SequenceNode
	items    []item
}

// item is one entry of a list with dashes.
type item struct {
	node    ast.Node
	top     int // first line, with the comments above that belong to it
	start   int // line of its dash
	content int // last line that is no comment
	end     int // last line, with the comments below that belong to it
	dash    int // indent of its dash
}

// readLayout reads text that [Load] has accepted.
func readLayout(data []byte, source, section string) (*layout, error) {
	plain := bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")) // lines and columns stay
	body, err := parse(plain, source)
	if err != nil {
		return nil, err
	}
	var values []*ast.MappingValueNode
	switch v := body.(type) {
	case *ast.MappingNode:
		if v.IsFlowStyle {
			return nil, &Error{Source: source, Line: line(body), Col: column(body), Text: "the whole profile stands in braces { }; write each key on a line of its own to have it edited"}
		}
		values = v.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{v}
	}
	l := &layout{source: source, section: section, text: split(data), comments: make(map[int]int), indent: column(body) - 1, lists: -1}
	l.last = len(l.text)
	if err := l.tokens(lexer.Tokenize(string(plain)), line(body)); err != nil {
		return nil, err
	}
	for i, v := range values {
		end := l.last
		if i+1 < len(values) {
			end = line(values[i+1].Key) - 1
		}
		list, _ := v.Value.(*ast.SequenceNode)
		if name, _ := scalarText(v.Key); name == section {
			l.key, l.end, l.list, l.colon = line(v.Key), end, list, v.Start.Position.Column
		} else if list != nil && !list.IsFlowStyle && l.lists < 0 {
			l.lists = list.Start.Position.Column - 1
		}
	}
	return l, l.readItems()
}

// tokens takes note of comments and of the document's end.
func (l *layout) tokens(tokens token.Tokens, begin int) error {
	for _, t := range tokens {
		if t.Position == nil {
			continue
		}
		switch at := t.Position.Line; t.Type {
		case token.CommentType:
			// The column is not reliable behind tabs; a comment goes to the end of its line.
			whole := "#" + strings.TrimRight(t.Value, " \t\r")
			from := -1
			if at >= 1 && at <= len(l.text) {
				from = strings.LastIndex(l.text.at(at), whole)
			}
			if from < 0 || strings.TrimSpace(l.text.at(at)[from+len(whole):]) != "" {
				return fmt.Errorf("internal error: %s:%d: a comment has no place", l.source, at)
			}
			l.comments[at] = from
		case token.DocumentHeaderType, token.DocumentEndType:
			if at > begin && at <= l.last {
				l.last = at - 1
			}
		}
	}
	return nil
}

// readItems finds which lines belong to which entry.
func (l *layout) readItems() error {
	if l.list == nil {
		return nil
	}
	for i, n := range l.list.Values {
		it := item{node: n}
		if !l.list.IsFlowStyle {
			if i >= len(l.list.Entries) || l.list.Entries[i] == nil || l.list.Entries[i].Start == nil {
				return fmt.Errorf("internal error: %s: entry %d of %s has no place", l.source, i+1, l.section)
			}
			at := l.list.Entries[i].Start.Position
			it.start, it.dash = at.Line, at.Column-1
			if strings.Trim(l.text.at(it.start)[:it.dash], " ") != "" {
				return fmt.Errorf("cannot edit %s: line %d has more than the beginning of an entry on it", l.source, it.start)
			}
			if column(n) <= at.Column {
				return &Error{Source: l.source, Line: line(n), Col: column(n), Text: "this entry is not further in than its dash; indent it to have the file edited"}
			}
		}
		l.items = append(l.items, it)
	}
	if l.list.IsFlowStyle {
		return nil
	}
	floor := l.key // the last line that is taken already
	for i := range l.items {
		limit := l.end
		if i+1 < len(l.items) {
			limit = l.items[i+1].start - 1
		}
		it := &l.items[i]
		l.reach(it, limit)
		it.top = l.above(it.start, floor)
		floor = it.end
	}
	return nil
}

// reach finds the last lines of an item. Comments directly below it belong to it when they are further in than its dash.
func (l *layout) reach(it *item, limit int) {
	for it.content = limit; it.content > it.start; it.content-- {
		if !l.text.blank(it.content) && !l.commented(it.content) {
			break
		}
	}
	for it.end = it.content; it.end < limit && l.commented(it.end+1) && l.text.indent(it.end+1) > it.dash; {
		it.end++
	}
}

// exampleEntry is an entry that somebody commented out: it belongs to nobody.
var exampleEntry = regexp.MustCompile(`^[ \t]*#[ \t]*- `)

// above finds the first of the comment lines directly above a line. floor is the last line that belongs to something else.
func (l *layout) above(start, floor int) int {
	top := start
	for top-1 > floor && l.commented(top-1) {
		top--
		if exampleEntry.MatchString(l.text.at(top)) {
			return start
		}
	}
	return top
}

// commented reports whether a line has nothing but a comment.
func (l *layout) commented(n int) bool {
	at, has := l.comments[n]
	return has && l.text.indent(n) == at
}

// spaced reports whether the entries are kept apart by blank lines.
func (l *layout) spaced() bool {
	for i := 1; i < len(l.items); i++ {
		if !l.text.blank(l.items[i].top - 1) {
			return false
		}
	}
	return len(l.items) > 1
}

// errBrackets explains why a text is left to a person.
var errBrackets = errors.New("comments stand between its brackets; write one entry a line with dashes, or edit it by hand")

// text is a file as lines with their line ends.
type text []string

func split(data []byte) text {
	lines := strings.SplitAfter(string(data), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

func (t text) bytes() []byte { return []byte(strings.Join(t, "")) }

// at is a line without its end.
func (t text) at(n int) string { return strings.TrimRight(t[n-1], "\r\n") }

func (t text) blank(n int) bool { return strings.TrimSpace(t.at(n)) == "" }

// indent is how many blanks a line begins with.
func (t text) indent(n int) int {
	return len(t.at(n)) - len(strings.TrimLeft(t.at(n), " \t"))
}

// ending is how lines of this file end.
func (t text) ending() string {
	if strings.HasSuffix(t[0], "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// insert gives the text with lines more behind line n. A file whose last line has no end keeps that.
func (t text) insert(n int, lines []string) text {
	out := append(text{}, t[:n]...)
	eol := t.ending()
	open := n == len(t) && !strings.HasSuffix(t[n-1], "\n")
	if open {
		out[n-1] += eol
	}
	for _, s := range lines {
		out = append(out, s+eol)
	}
	if open {
		out[len(out)-1] = strings.TrimSuffix(out[len(out)-1], eol)
	}
	return append(out, t[n:]...)
}

// cut gives the text without the lines from and to and those between.
func (t text) cut(from, to int) text {
	out := append(text{}, t[:from-1]...)
	if to == len(t) && from > 1 && !strings.HasSuffix(t[to-1], "\n") {
		out[from-2] = strings.TrimRight(out[from-2], "\r\n")
	}
	return append(out, t[to:]...)
}

// offset is where a column, counted in characters, is in a line.
func offset(line string, column int) int {
	for i := range line {
		if column--; column == 0 {
			return i
		}
	}
	return len(line)
}
