package inventory

import (
	"strings"
	"testing"
)

func TestParseConfig(t *testing.T) {
	for _, tc := range []struct {
		name, text, problem string
		keys                map[string]string // nil: not readable
	}{
		{name: "empty object", text: "{}", keys: map[string]string{}},
		{name: "empty file", text: "", keys: map[string]string{}},
		{name: "only space", text: " \n", keys: map[string]string{}},
		{name: "plain", text: "{\n  \"icc\": false,\n  \"labels\": [\"a\", \"b\"]\n}\n", keys: map[string]string{"icc": "false", "labels": `["a", "b"]`}},
		{name: "null is absent", text: `{"icc":null,"debug":true}`, keys: map[string]string{"debug": "true"}},
		{name: "escaped key", text: `{"\u0069cc":true}`, keys: map[string]string{"icc": "true"}},
		{name: "duplicate, last wins", text: "{\"icc\":true,\n\"x\":1,\n\"icc\":false}", keys: map[string]string{"icc": "false", "x": "1"}, problem: `line 3: key "icc" is there twice`},
		{name: "duplicate set back to null", text: "{\"icc\":true,\"icc\":null}", keys: map[string]string{}, problem: "twice"},
		{name: "duplicate through an escape", text: `{"icc":true,"\u0069cc":false}`, keys: map[string]string{"icc": "false"}, problem: "twice"},
		{name: "nested duplicate", text: "{\"log-opts\":\n{\"a\":\"1\",\"a\":\"2\"}}", keys: map[string]string{"log-opts": `{"a":"1","a":"2"}`}, problem: `line 2: key "a"`},
		{name: "duplicate in a list", text: `{"p":[{"a":1,"a":2}]}`, keys: map[string]string{"p": `[{"a":1,"a":2}]`}, problem: "twice"},
		{name: "byte order mark", text: "\xef\xbb\xbf{\"icc\":true}", keys: map[string]string{"icc": "true"}, problem: "line 1: the file starts with a byte order mark"},
		{name: "trailing garbage", text: "{\"icc\":true}\nx", keys: map[string]string{"icc": "true"}, problem: "line 2: invalid character 'x' after top-level value"},
		{name: "second object", text: `{"icc":true}{"icc":false}`, keys: map[string]string{"icc": "true"}, problem: "after top-level value"},
		{name: "comment", text: "{\n// no\n\"icc\":true}", problem: "line 2: invalid character '/'"},
		{name: "trailing comma", text: "{\n\"icc\":true,\n}", problem: "line 3: invalid character '}'"},
		{name: "unterminated", text: "{\n\"icc\":true", problem: "line 2: unexpected end of JSON input"},
		{name: "not an object", text: "[1]", problem: "line 1: the file is not a JSON object"},
		{name: "null document", text: "null", problem: "not a JSON object"},
		{name: "not UTF-8", text: "{\"labels\":[\n\"\xff\"]}", keys: map[string]string{"labels": "[\n\"\xff\"]"}, problem: "line 2: a byte is not UTF-8"},
		{name: "too deep", text: `{"a":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + "}", keys: map[string]string{"a": strings.Repeat("[", 70) + strings.Repeat("]", 70)}, problem: "nested deeper"},
		{name: "absurdly deep", text: `{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + "}", problem: "line 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			keys, problem := parseConfig([]byte(tc.text))
			if (tc.problem == "") != (problem == "") || !strings.Contains(problem, tc.problem) {
				t.Errorf("problem = %q, want %q", problem, tc.problem)
			}
			if (keys == nil) != (tc.keys == nil) || len(keys) != len(tc.keys) {
				t.Fatalf("keys = %q, want %q", keys, tc.keys)
			}
			for k, v := range tc.keys {
				if string(keys[k]) != v {
					t.Errorf("%s = %q, want %q", k, keys[k], v)
				}
			}
		})
	}
}

func FuzzParseConfig(f *testing.F) {
	for _, seed := range []string{"{}", `{"a":[1,{"b":null}]}`, "{\"a\":1,\"a\":2}", "\xef\xbb\xbf{}", "{", "null x"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, problem := parseConfig(data)
		if keys == nil && problem == "" {
			t.Errorf("neither keys nor a problem for %q", data)
		}
	})
}
