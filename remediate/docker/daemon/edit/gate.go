package edit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// The limits of a daemon.json that is edited. Real files are a few hundred bytes, three levels deep.
const (
	MaxSize  = 1 << 20
	MaxDepth = 64
)

// A SyntaxError says why a document cannot be edited safely, and where. Its text never holds a value of
// the document, which may be a secret; keys are named.
type SyntaxError struct {
	Line, Column int // from 1; the column counts characters, not bytes
	Reason       string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Reason)
}

// Check passes a document that can be edited without guessing: valid UTF-8 without a byte order mark, one JSON
// object and nothing after it, no key twice at any level, at most [MaxDepth] levels and [MaxSize] bytes.
// A document of nothing but white space passes: engines from 23.0 read it as {}.
// The error is a [*SyntaxError].
func Check(doc []byte) error {
	_, err := parse(doc)
	return err
}

// member is one top-level key and its value, as offsets into the document.
type member struct {
	name                 string
	keyStart, keyEnd     int // with the quotes
	valueStart, valueEnd int
}

// object is a document that passed the gate.
type object struct {
	open, close int // offsets of { and }
	members     []member
}

func (o *object) find(name string) (int, bool) {
	for i, m := range o.members {
		if m.name == name {
			return i, true
		}
	}
	return 0, false
}

// parse is the gate. It returns nil for a document that is only white space.
func parse(doc []byte) (*object, error) {
	if err := checkText(doc); err != nil {
		return nil, err
	}
	if blank(doc) {
		return nil, nil
	}
	var raw json.RawMessage
	if err := json.Unmarshal(doc, &raw); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, explain(doc, syntax)
		}
		return nil, at(doc, 0, "is not JSON")
	}
	open := skipSpace(doc, 0)
	if doc[open] != '{' {
		return nil, at(doc, open, "the whole file must be one object in braces, as in {\"icc\": false}")
	}
	return walk(doc, open)
}

// checkText refuses what is wrong before it is JSON.
func checkText(doc []byte) error {
	switch {
	case len(doc) > MaxSize:
		return &SyntaxError{1, 1, fmt.Sprintf("the file has %d bytes; more than %d is not a daemon.json", len(doc), MaxSize)}
	case bytes.HasPrefix(doc, []byte("\xef\xbb\xbf")):
		return &SyntaxError{1, 1, "the file starts with a byte order mark, which engines before 23.0 refuse as well; remove the first three bytes (sed -i '1s/^\\xEF\\xBB\\xBF//' FILE)"}
	case bytes.HasPrefix(doc, []byte("\xff\xfe")) || bytes.HasPrefix(doc, []byte("\xfe\xff")):
		return &SyntaxError{1, 1, "the file is UTF-16; save it as UTF-8 without a byte order mark"}
	case !utf8.Valid(doc):
		offset := 0
		for offset < len(doc) {
			r, size := utf8.DecodeRune(doc[offset:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			offset += size
		}
		return at(doc, offset, "a byte here is not UTF-8")
	}
	return nil
}

// explain turns the decoder's error into a position and plain words.
func explain(doc []byte, err *json.SyntaxError) error {
	offset := min(max(int(err.Offset)-1, 0), len(doc))
	reason := err.Error()
	if offset == len(doc) || reason == "unexpected end of JSON input" {
		return at(doc, len(doc), "the file ends too early")
	}
	switch c := doc[offset]; {
	case c == '/' || c == '#':
		reason = "JSON has no comments, and the engine refuses them"
	case (c == '}' || c == ']' || c == ',') && lastSignificant(doc, offset) == ',':
		reason = "there is a comma too many before this"
	case lastSignificant(doc, offset) == '}' && rootEnded(doc, offset):
		reason = "there is text after the end of the object; engines before 23.0 ignore it silently, newer ones refuse it"
	}
	return at(doc, offset, reason)
}

// rootEnded reports whether the text before the offset is a whole JSON value.
func rootEnded(doc []byte, offset int) bool { return json.Valid(doc[:offset]) }

// lastSignificant is the last byte before the offset that is no white space; 0 when there is none.
func lastSignificant(doc []byte, offset int) byte {
	for offset--; offset >= 0; offset-- {
		if !space(doc[offset]) {
			return doc[offset]
		}
	}
	return 0
}

// at makes an error with the position of a byte offset.
func at(doc []byte, offset int, reason string) error {
	before := doc[:min(offset, len(doc))]
	line := 1 + bytes.Count(before, []byte{'\n'})
	start := bytes.LastIndexByte(before, '\n') + 1
	return &SyntaxError{line, 1 + utf8.RuneCount(before[start:]), reason}
}

func blank(doc []byte) bool { return skipSpace(doc, 0) == len(doc) }

func space(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func skipSpace(doc []byte, offset int) int {
	for offset < len(doc) && space(doc[offset]) {
		offset++
	}
	return offset
}
