package inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxDepth is how deep daemon.json may be nested; the engine's own settings need four levels.
const maxDepth = 64

var byteOrderMark = []byte("\xef\xbb\xbf")

// parseConfig reads daemon.json as the engine does: the last duplicate of a key wins and null is
// absent. problem says, with the line, why the file must not be edited although an engine may
// accept it (a BOM, duplicate keys, data behind the object). keys is nil when nothing could be read.
func parseConfig(data []byte) (keys map[string]json.RawMessage, problem string) {
	text := bytes.TrimPrefix(data, byteOrderMark)
	if len(text) != len(data) {
		problem = "line 1: the file starts with a byte order mark: save it as UTF-8 without BOM"
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return map[string]json.RawMessage{}, problem
	}
	if at := invalidUTF8(text); at >= 0 && problem == "" {
		problem = fmt.Sprintf("line %d: a byte is not UTF-8", lineAt(text, at))
	}
	if err := checkSyntax(text); err != nil && problem == "" {
		problem = err.Error()
	}
	first := text
	var object json.RawMessage
	dec := json.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&object); err != nil {
		return nil, problem
	}
	first = first[:dec.InputOffset()]
	scan := scanner{text: first, dec: json.NewDecoder(bytes.NewReader(first))}
	keys, err := scan.document()
	if err != nil && problem == "" {
		problem = err.Error()
	}
	return keys, problem
}

// checkSyntax is nil for exactly one JSON value; the error names the line.
func checkSyntax(text []byte) error {
	var value json.RawMessage
	err := json.Unmarshal(text, &value)
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: %w", lineAt(text, int(syntax.Offset)-1), err)
	default:
		return fmt.Errorf("line %d: %w", lineAt(text, len(text)), err)
	}
}

// scanner walks one valid JSON value token by token, because a map would hide duplicate keys.
type scanner struct {
	text []byte
	dec  *json.Decoder
	keys map[string]json.RawMessage // of the top level
	err  error                      // the first duplicate or the depth
}

func (s *scanner) document() (map[string]json.RawMessage, error) {
	token, err := s.dec.Token()
	if err != nil {
		return nil, fmt.Errorf("line 1: %w", err)
	}
	if token != json.Delim('{') {
		return nil, fmt.Errorf("line %d: the file is not a JSON object", lineAt(s.text, int(s.dec.InputOffset())-1))
	}
	s.keys = map[string]json.RawMessage{}
	if err := s.object(1); err != nil {
		return nil, err
	}
	return s.keys, s.err
}

// object reads the members of an object whose brace was read already.
func (s *scanner) object(depth int) error {
	seen := map[string]bool{}
	for s.dec.More() {
		token, err := s.dec.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		start := s.dec.InputOffset()
		if seen[key] {
			s.fail(start, "key %q is there twice: the engine uses the last one", key)
		}
		seen[key] = true
		if err := s.value(depth); err != nil {
			return err
		}
		if depth == 1 {
			s.keep(key, s.text[start:s.dec.InputOffset()])
		}
	}
	_, err := s.dec.Token()
	return err
}

// keep stores a top-level member; raw still has the colon and the space in front of the value.
func (s *scanner) keep(key string, raw []byte) {
	value := bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(raw), []byte(":")))
	if string(value) == "null" {
		delete(s.keys, key)
		return
	}
	s.keys[key] = bytes.Clone(value)
}

func (s *scanner) value(depth int) error {
	token, err := s.dec.Token()
	if err != nil {
		return err
	}
	if depth > maxDepth {
		s.fail(s.dec.InputOffset(), "nested deeper than %d levels", maxDepth)
	}
	switch token {
	case json.Delim('{'):
		return s.object(depth + 1)
	case json.Delim('['):
		for s.dec.More() {
			if err := s.value(depth + 1); err != nil {
				return err
			}
		}
		_, err := s.dec.Token()
		return err
	}
	return nil
}

func (s *scanner) fail(offset int64, format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("line %d: %s", lineAt(s.text, int(offset)-1), fmt.Sprintf(format, args...))
	}
}

// lineAt is the line, counted from 1, of the byte at offset.
func lineAt(text []byte, offset int) int {
	return 1 + bytes.Count(text[:max(0, min(offset, len(text)))], []byte("\n"))
}

// invalidUTF8 is the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}
