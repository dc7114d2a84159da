package edit

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"

	"docker-harden/plan"
)

// FuzzApply sets a key, sets it again to another value and removes it, with encoding/json as the judge of
// what the documents mean and plain prefixes and suffixes as the judge of what was touched.
func FuzzApply(f *testing.F) {
	for _, doc := range []string{
		"", " ", "{}", "{\n}\n", `{"a":1}`, `{ "a": 1 }`, "{\r\n\t\"a\" : [1,\r\n2]\r\n}\r\n", `{"\u0069cc":true}`, `{"a":{"icc":1},"b":"\\\"}"}`,
		"{\n  \"icc\": true,\n\n  \"b\": null\n}", `{"a":1}{"b":2}`, "\xef\xbb\xbf{}", `{"icc":1,"icc":2}`, `{"a":1,}`, "{\"a\":\n1}", `{"a":1e999}`,
	} {
		for _, key := range []string{"icc", "a", "a.b", `"`} {
			f.Add([]byte(doc), key, `"x"`)
		}
	}
	f.Fuzz(func(t *testing.T, doc []byte, key, value string) {
		if !utf8.ValidString(key) || key == "" || !json.Valid([]byte(value)) || null([]byte(value)) || Check([]byte(value)) != nil && value[0] == '{' {
			return
		}
		present, ok := oracle(doc)
		if gate := Check(doc); gate != nil {
			return // the gate is stricter than the oracle; its own table tests it
		} else if !ok {
			t.Fatalf("the gate passed %q, encoding/json refuses it", doc)
		}
		from := json.RawMessage("null")
		if raw, have := present[key]; have {
			from = raw
		}
		set, err := Apply(doc, []plan.Change{{Path: key, From: from, To: json.RawMessage(value)}})
		if err != nil {
			if Check(wrap(value)) != nil || len(doc)+len(value)+len(key) > MaxSize/2 {
				return
			}
			t.Fatalf("Apply(%q, %q=%q): %v", doc, key, value, err)
		}
		expect(t, present, set, key, value)
		if old, have := present[key]; have {
			untouched(t, doc, set, len(old), len(value))
		} else {
			untouched(t, doc, set, 0, len(set))
		}
		gone, err := Apply(set, []plan.Change{{Path: key, From: json.RawMessage(value), To: json.RawMessage("null")}})
		if err != nil {
			t.Fatalf("removing %q from %q: %v", key, set, err)
		}
		expect(t, present, gone, key, "")
		untouched(t, set, gone, len(set), 0)
	})
}

func wrap(value string) []byte { return []byte(`{"k":` + value + `}`) }

func oracle(doc []byte) (map[string]json.RawMessage, bool) {
	out := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(doc)) == 0 {
		return out, true
	}
	return out, json.Unmarshal(doc, &out) == nil && out != nil
}

// expect compares every other key byte for byte, and the changed key by meaning.
func expect(t *testing.T, before map[string]json.RawMessage, after []byte, key, value string) {
	t.Helper()
	got, ok := oracle(after)
	if !ok {
		t.Fatalf("encoding/json cannot read the result %q", after)
	}
	want := map[string]json.RawMessage{}
	for k, v := range before {
		want[k] = v
	}
	delete(want, key)
	changed := got[key]
	delete(got, key)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("other keys of %q = %q, want %q", after, got, want)
	}
	if !same(changed, []byte(value)) {
		t.Errorf("%q = %q, want %q", key, changed, value)
	}
}

// untouched: all that the edit took out is one span of at most old bytes, all that it put in one of at most now.
func untouched(t *testing.T, before, after []byte, old, now int) {
	t.Helper()
	if blank(before) {
		return
	}
	prefix, shortest := 0, min(len(before), len(after))
	for prefix < shortest && before[prefix] == after[prefix] {
		prefix++
	}
	suffix := 0
	for suffix < shortest-prefix && before[len(before)-1-suffix] == after[len(after)-1-suffix] {
		suffix++
	}
	if out, in := len(before)-prefix-suffix, len(after)-prefix-suffix; out > old || in > now {
		t.Errorf("%q became %q: %d bytes gone and %d new, want at most %d and %d", before, after, out, in, old, now)
	}
}
