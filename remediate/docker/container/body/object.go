package body

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// object is a JSON object whose members keep the engine's own bytes.
type object map[string]json.RawMessage

func decodeObject(raw json.RawMessage) (object, error) {
	o := object{}
	if isNull(raw) {
		return o, nil
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, err
	}
	return o, nil
}

func isNull(raw json.RawMessage) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) == 0 || string(raw) == "null"
}

func (o object) clone() object { return maps.Clone(o) }

// text is a string member; empty when it is absent or something else.
func (o object) text(key string) string {
	var s string
	_ = json.Unmarshal(o[key], &s)
	return s
}

func (o object) bool(key string) bool {
	var b bool
	_ = json.Unmarshal(o[key], &b)
	return b
}

func (o object) strings(key string) []string {
	var list []string
	_ = json.Unmarshal(o[key], &list)
	return list
}

func (o object) objects(key string) []object {
	var list []object
	_ = json.Unmarshal(o[key], &list)
	return list
}

func (o object) child(key string) object {
	child, err := decodeObject(o[key])
	if err != nil {
		return object{}
	}
	return child
}

// set stores v as JSON. v is always a plain value of ours, so it can be encoded.
func (o object) set(key string, v any) { o[key] = encode(v) }

// encode marshals without escaping <, > and &, which may stand in paths and profiles.
func encode(v any) json.RawMessage {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("internal error: cannot encode %T: %v", v, err))
	}
	return bytes.TrimSpace(buf.Bytes())
}

// setPath stores raw under a dotted path ("RestartPolicy.Name"), making objects on the way.
func (o object) setPath(path string, raw json.RawMessage) error {
	head, rest, nested := strings.Cut(path, ".")
	if !nested {
		if isNull(raw) {
			raw = json.RawMessage("null")
		}
		o[head] = raw
		return nil
	}
	child, err := decodeObject(o[head])
	if err != nil {
		return fmt.Errorf("%s is not an object", head)
	}
	if err := child.setPath(rest, raw); err != nil {
		return err
	}
	o.set(head, child)
	return nil
}

func (o object) getPath(path string) json.RawMessage {
	head, rest, nested := strings.Cut(path, ".")
	if !nested {
		return o[head]
	}
	return o.child(head).getPath(rest)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
