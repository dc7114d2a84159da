package edit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"docker-harden/plan"

	"github.com/tidwall/sjson"
)

// Apply returns the document with the changes made: keys replaced, added or removed. nil is a file that does
// not exist; the result is nil again when nothing is to be written. A key whose value is already as wanted
// stays as it is, so a second Apply changes nothing.
//
// It refuses with [plan.ErrStale] when a key has neither the value a change starts from nor the one it
// leads to, and with a [*SyntaxError] when the document does not pass [Check].
func Apply(doc []byte, changes []plan.Change) ([]byte, error) {
	now := doc
	seen := map[string]bool{}
	for _, change := range changes {
		if change.Path == "" || seen[change.Path] {
			return nil, fmt.Errorf("internal error: daemon change %q is empty or stands twice", change.Path)
		}
		seen[change.Path] = true
		next, err := applyOne(now, change)
		if err != nil {
			return nil, err
		}
		now = next
	}
	if err := prove(doc, now, changes); err != nil {
		return nil, err
	}
	return now, nil
}

func applyOne(doc []byte, change plan.Change) ([]byte, error) {
	root, err := parse(doc)
	if err != nil {
		return nil, err
	}
	if root == nil && !null(change.To) {
		doc, root = []byte("{}\n"), &object{open: 0, close: 1}
	}
	to, err := compact(change.To)
	if err != nil {
		return nil, fmt.Errorf("internal error: daemon change %q leads to a value that is not JSON: %w", change.Path, err)
	}
	present := json.RawMessage(nil)
	index, have := 0, false
	if root != nil {
		if index, have = root.find(change.Path); have {
			m := root.members[index]
			present = doc[m.valueStart:m.valueEnd]
		}
	}
	switch {
	case same(present, to):
		return doc, nil
	case !same(present, change.From):
		return nil, stale(doc, root, index, have, change)
	case !have:
		return spliced(doc, insertion(doc, root, change.Path, to))
	case null(to):
		return spliced(doc, removal(root, index))
	}
	return replaced(doc, root.members[index], to)
}

// stale explains a value nobody planned for. Values are not printed: they may be credentials.
func stale(doc []byte, root *object, index int, have bool, change plan.Change) error {
	if !have {
		return fmt.Errorf("%w: %q is no longer set in daemon.json; make the plan again", plan.ErrStale, change.Path)
	}
	position := at(doc, root.members[index].keyStart, "").(*SyntaxError)
	return fmt.Errorf("%w: %q in daemon.json (line %d) has another value than when the plan was made; make the plan again",
		plan.ErrStale, change.Path, position.Line)
}

// span is one edit: length bytes at offset give way to text.
type span struct {
	offset, length int
	text           []byte
}

func spliced(doc []byte, s span) ([]byte, error) {
	out := make([]byte, 0, len(doc)+len(s.text))
	out = append(out, doc[:s.offset]...)
	out = append(out, s.text...)
	return append(out, doc[s.offset+s.length:]...), nil
}

// replaced sets the value of a key that is there. sjson keeps everything else, but trusts its input and its
// path: both were checked, and what it wrote is compared with the span it should have written.
func replaced(doc []byte, m member, to []byte) ([]byte, error) {
	want, err := spliced(doc, span{m.valueStart, m.valueEnd - m.valueStart, to})
	if err != nil {
		return nil, err
	}
	if plain := `"` + m.name + `"`; !plainKey(m.name) || string(doc[m.keyStart:m.keyEnd]) != plain {
		return want, nil // sjson takes such a key for a path, or misses it; no key of the engine is written so
	}
	got, err := sjson.SetRawBytes(bytes.Clone(doc), m.name, to)
	if err != nil {
		return nil, fmt.Errorf("cannot set %q: %w", m.name, err)
	}
	if !bytes.Equal(got, want) {
		return nil, fmt.Errorf("internal error: setting %q touched other bytes of the file", m.name)
	}
	return got, nil
}

// plainKey reports a key of lower case letters and dashes, which has no meaning in a path of sjson.
func plainKey(name string) bool {
	for _, c := range name {
		if (c < 'a' || c > 'z') && c != '-' {
			return false
		}
	}
	return name != ""
}

// removal takes a member out together with the comma that belonged to it. Removing the last member undoes
// exactly what adding it did.
func removal(root *object, index int) span {
	members := root.members
	switch {
	case len(members) == 1:
		return span{offset: root.open + 1, length: root.close - root.open - 1}
	case index > 0:
		from := members[index-1].valueEnd
		return span{offset: from, length: members[index].valueEnd - from}
	}
	from := members[0].keyStart
	return span{offset: from, length: members[1].keyStart - from}
}

// prove compares the decoded documents: after must be before plus the changes and nothing else.
func prove(before, after []byte, changes []plan.Change) error {
	want, err := decode(before)
	if err != nil {
		return err
	}
	got, err := decode(after)
	if err != nil {
		return fmt.Errorf("internal error: the edited daemon.json would not be readable: %w", err)
	}
	for _, change := range changes {
		if null(change.To) {
			// A key that is null counts as absent, to the engine and here.
			delete(want, change.Path)
			if v, ok := got[change.Path]; ok && v == nil {
				delete(got, change.Path)
			}
			continue
		}
		value, err := decodeValue(change.To)
		if err != nil {
			return err
		}
		want[change.Path] = value
	}
	if !reflect.DeepEqual(want, got) {
		return errors.New("internal error: the edited daemon.json would say something else than planned")
	}
	return nil
}

// decode reads a document behind the gate; one that is absent or blank has no keys.
func decode(doc []byte) (map[string]any, error) {
	if err := Check(doc); err != nil {
		return nil, err
	}
	out := map[string]any{}
	if blank(doc) {
		return out, nil
	}
	value, err := decodeValue(doc)
	if err != nil {
		return nil, err
	}
	return value.(map[string]any), nil
}

func decodeValue(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // 1e400 and long integers survive
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, fmt.Errorf("cannot read a value: %w", err)
	}
	return value, nil
}

// same compares JSON values by meaning; absent and null are the same to the engine.
func same(a, b []byte) bool {
	if null(a) || null(b) {
		return null(a) && null(b)
	}
	x, errX := decodeValue(a)
	y, errY := decodeValue(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

func null(raw []byte) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) == 0 || string(raw) == "null"
}

// compact drops white space a plan file may have given the value.
func compact(raw []byte) ([]byte, error) {
	if null(raw) {
		return nil, nil
	}
	var out bytes.Buffer
	if err := json.Compact(&out, raw); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
