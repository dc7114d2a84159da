package edit

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"docker-harden/plan"
)

func change(path, from, to string) plan.Change {
	return plan.Change{Path: path, From: json.RawMessage(from), To: json.RawMessage(to)}
}

func TestApply(t *testing.T) {
	set := []plan.Change{change("k", "null", "true")}
	tests := []struct {
		name, doc string
		changes   []plan.Change
		want      string
	}{
		{"absent file", "", set, "{\n  \"k\": true\n}\n"},
		{"blank file", " \n\n", set, "{\n  \"k\": true\n}\n"},
		{"empty object", "{}", set, "{\n  \"k\": true\n}"},
		{"empty object, newline", "{}\n", set, "{\n  \"k\": true\n}\n"},
		{"empty object, crlf", "{}\r\n", set, "{\r\n  \"k\": true\r\n}\r\n"},
		{"empty object, two lines", "{\n}\n", set, "{\n  \"k\": true\n}\n"},
		{"one line", `{"a":1}`, set, `{"a":1,"k":true}`},
		{"one line, spaced braces", `{ "a": 1 }`, set, `{ "a": 1, "k": true }`},
		{"one line, spaced colon", `{"a": 1}`, set, `{"a": 1, "k": true}`},
		{"one line, two members", `{"a":1, "b":2}`, set, `{"a":1, "b":2, "k":true}`},
		{"four spaces", "{\n    \"a\": 1\n}\n", set, "{\n    \"a\": 1,\n    \"k\": true\n}\n"},
		{"no final newline", "{\n  \"a\": 1\n}", set, "{\n  \"a\": 1,\n  \"k\": true\n}"},
		{"tabs and crlf", "{\r\n\t\"a\" : 1\r\n}\r\n", set, "{\r\n\t\"a\" : 1,\r\n\t\"k\" : true\r\n}\r\n"},
		{"last member shares a line", "{\n  \"a\": 1, \"b\": 2\n}\n", set, "{\n  \"a\": 1, \"b\": 2,\n  \"k\": true\n}\n"},
		{"object starts on one line", "{\"a\": 1\n}\n", set, "{\"a\": 1,\n  \"k\": true\n}\n"},
		{"blank lines between members", "{\n\n  \"a\": 1,\n\n  \"b\": 2\n\n}\n", set, "{\n\n  \"a\": 1,\n\n  \"b\": 2,\n  \"k\": true\n\n}\n"},
		{"value spans lines", `{"a":` + "[\n1\n]}", set, `{"a":` + "[\n1\n]" + `,"k":true}`},
		{"value on the next line", "{\n \"a\":\n  1\n}", set, "{\n \"a\":\n  1,\n \"k\": true\n}"},
		{
			"replace in a tidy file", "{\n  \"icc\" :  true ,\n  \"x\": [1, 2]\n}\n",
			[]plan.Change{change("icc", "true", "false")},
			"{\n  \"icc\" :  false ,\n  \"x\": [1, 2]\n}\n",
		},
		{"replace null", `{"icc":null}`, []plan.Change{change("icc", "null", "false")}, `{"icc":false}`},
		{"replace escaped key", `{"\u0069cc":true}`, []plan.Change{change("icc", "true", "false")}, `{"\u0069cc":false}`},
		{
			"replace list, plan file indented", `{"insecure-registries":["a",  "b"]}`,
			[]plan.Change{change("insecure-registries", "[\n \"a\",\n \"b\"]", "[\n ]")},
			`{"insecure-registries":[]}`,
		},
		{
			"top level only", `{"a":{"icc":true},"icc":true}`,
			[]plan.Change{change("icc", "true", "false")},
			`{"a":{"icc":true},"icc":false}`,
		},
		{"remove the only member", "{\n  \"icc\": true\n}\n", []plan.Change{change("icc", "true", "null")}, "{}\n"},
		{"remove the first", "{\n  \"icc\": true,\n  \"b\": 1\n}", []plan.Change{change("icc", "true", "null")}, "{\n  \"b\": 1\n}"},
		{"remove the middle", `{"a":1, "icc": true, "b":2}`, []plan.Change{change("icc", "true", "")}, `{"a":1, "b":2}`},
		{"remove the last", "{\n  \"b\": 1,\n  \"icc\": true\n}", []plan.Change{change("icc", "true", "null")}, "{\n  \"b\": 1\n}"},
		{"remove what is absent", `{"a":1}`, []plan.Change{change("k", "true", "null")}, `{"a":1}`},
		{"nothing to do", "{\"k\": true}  ", set, "{\"k\": true}  "},
		{
			"several", "{\n  \"debug\": true,\n  \"log-level\": \"debug\"\n}\n",
			[]plan.Change{change("live-restore", "null", "true"), change("debug", "true", "null"), change("log-level", `"debug"`, `"info"`), change("icc", "null", "false")},
			"{\n  \"log-level\": \"info\",\n  \"live-restore\": true,\n  \"icc\": false\n}\n",
		},
		{"numbers keep their digits", `{"a":1e400,"b":12345678901234567890123}`, set, `{"a":1e400,"b":12345678901234567890123,"k":true}`},
		{"key with path syntax", `{"a.b":1,"a":{"b":2}}`, []plan.Change{change("a.b", "1", "3")}, `{"a.b":3,"a":{"b":2}}`},
		{"unknown keys stay", `{"foo":{"log-level":"warn"}}`, set, `{"foo":{"log-level":"warn"},"k":true}`},
		{"numeric map keys stay", `{"runtimes":{"1":{"path":"x"}}}`, set, `{"runtimes":{"1":{"path":"x"}},"k":true}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var doc []byte
			if tt.doc != "" {
				doc = []byte(tt.doc)
			}
			got, err := Apply(doc, tt.changes)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("Apply(%q) = %q\nwant %q", tt.doc, got, tt.want)
			}
			again, err := Apply(got, tt.changes)
			if err != nil || !bytes.Equal(again, got) {
				t.Errorf("second Apply = %q, %v; want no change", again, err)
			}
			if string(doc) != tt.doc {
				t.Errorf("Apply wrote into its argument: %q", doc)
			}
		})
	}
}

func TestApplyEveryOddKey(t *testing.T) {
	for _, key := range []string{"a.b", "a:b", "@reverse", "#", "a|b", "*", "a?c", `\`, `"`, "1", ":1", "-1", "{", "[x", "a{b", "ä", "<&>", "\u2028", "!", "~", "%", "..", "a.#.b", " "} {
		doc := []byte("{\n  \"ab\": 1, \"axc\": [2],\n  \"last\": {}\n}\n")
		added, err := Apply(doc, []plan.Change{change(key, "null", `"x"`)})
		if err != nil {
			t.Errorf("adding %q: %v", key, err)
			continue
		}
		set, err := Apply(added, []plan.Change{change(key, `"x"`, `{"y":1}`)})
		if err != nil {
			t.Errorf("replacing %q: %v", key, err)
			continue
		}
		removed, err := Apply(set, []plan.Change{change(key, `{"y":1}`, "null")})
		if err != nil || !bytes.Equal(removed, doc) {
			t.Errorf("adding, replacing and removing %q = %q, %v; want the document as it was", key, removed, err)
		}
	}
}

func TestApplyAbsentStaysAbsent(t *testing.T) {
	got, err := Apply(nil, []plan.Change{change("icc", "true", "null")})
	if err != nil || got != nil {
		t.Errorf("Apply(nil) = %q, %v; want nil, nil", got, err)
	}
}

func TestApplyStale(t *testing.T) {
	tests := []struct{ name, doc, from, want string }{
		{"other value", "{\n\"icc\": \"secret\"}", "true", `"icc" in daemon.json (line 2) has another value`},
		{"gone", `{}`, "true", `"icc" is no longer set`},
		{"file gone", ``, "true", `"icc" is no longer set`},
		{"appeared", `{"icc": true}`, "null", "has another value"},
		{"other type", `{"icc": "true"}`, "true", "has another value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Apply([]byte(tt.doc), []plan.Change{change("icc", tt.from, "false")})
			if !errors.Is(err, plan.ErrStale) {
				t.Fatalf("error = %v, want plan.ErrStale", err)
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error = %q, want %q in it and no value", err, tt.want)
			}
		})
	}
}

func TestApplyRefuses(t *testing.T) {
	tests := []struct {
		name, doc string
		changes   []plan.Change
		want      string
	}{
		{"broken file", `{"a":1,}`, []plan.Change{change("k", "null", "1")}, "a comma too many"},
		{"duplicate", `{"icc":true,"icc":true}`, []plan.Change{change("icc", "true", "false")}, "stands twice"},
		{"broken value", `{}`, []plan.Change{change("k", "null", "tru")}, "not JSON"},
		{"two values", `{}`, []plan.Change{change("k", "null", "1 2")}, "not JSON"},
		{"no key", `{}`, []plan.Change{change("", "null", "1")}, "internal error"},
		{"key twice", `{}`, []plan.Change{change("k", "null", "1"), change("k", "1", "2")}, "internal error"},
		{"duplicate in the value", `{}`, []plan.Change{change("k", "null", `{"a":1,"a":2}`)}, "stands twice"},
		{"too big afterwards", `{"a":"` + strings.Repeat("x", MaxSize-20) + `"}`, []plan.Change{change("k", "null", `"`+strings.Repeat("y", 40)+`"`)}, "more than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Apply([]byte(tt.doc), tt.changes)
			if err == nil || !strings.Contains(err.Error(), tt.want) || got != nil {
				t.Errorf("Apply = %.60q, %v; want an error with %q", got, err, tt.want)
			}
		})
	}
}
