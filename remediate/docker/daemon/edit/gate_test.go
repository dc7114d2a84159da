package edit

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf16"
)

func utf16le(s string) string {
	var b strings.Builder
	b.WriteString("\xff\xfe")
	for _, u := range utf16.Encode([]rune(s)) {
		b.WriteByte(byte(u))
		b.WriteByte(byte(u >> 8))
	}
	return b.String()
}

func TestCheckRefuses(t *testing.T) {
	tests := []struct {
		name, doc, want string
	}{
		{"null root", "null", "line 1, column 1: the whole file must be one object"},
		{"array root", "\n [1]", "line 2, column 2: the whole file must be one object"},
		{"string root", `"x"`, "must be one object"},
		{"byte order mark", "\xef\xbb\xbf{}", "byte order mark, which engines before 23.0 refuse as well"},
		{"utf-16", utf16le(`{"a":1}`), "UTF-16"},
		{"duplicate key", "{\"icc\":true,\n\"x\":1,\n  \"icc\":true}", `line 3, column 3: the key "icc" stands twice`},
		{"duplicate nested", `{"a":{"b":1,"c":{"d":1,"d":2}}}`, `column 24: the key "d" stands twice`},
		{"duplicate in array", `{"a":[{"b":1,"b":2}]}`, `the key "b" stands twice`},
		{"duplicate after nested object", `{"a":{"x":1},"b":[{"x":1}],"a":2}`, `the key "a" stands twice`},
		{"escaped duplicate", `{"icc":true,"\u0069cc":false}`, `column 13: the key "icc" stands twice`},
		{"line comment", "{\n  // \"icc\": true\n}", "line 2, column 3: JSON has no comments"},
		{"hash comment", "{\n# x\n}", "line 2, column 1: JSON has no comments"},
		{"comment after a value", `{"a": 1 /* x */}`, "column 9: JSON has no comments"},
		{"trailing comma", "{\n \"a\": 1,\n}", "line 3, column 1: there is a comma too many"},
		{"trailing comma in list", `{"a":[1,]}`, "a comma too many"},
		{"two commas", `{"a":1,,"b":2}`, "a comma too many"},
		{"trailing garbage", `{"a":1} x`, "line 1, column 9: there is text after the end"},
		{"two objects", `{"a":1}{"b":1}`, "column 8: there is text after the end"},
		{"truncated", "{\"a\": [1,\n", "the file ends too early"},
		{"unterminated string", `{"a": "x`, "the file ends too early"},
		{"open brace only", "{", "the file ends too early"},
		{"single quotes", `{'a': 1}`, "column 2: invalid character '\\''"},
		{"bare word", "hello", "column 1: invalid character 'h'"},
		{"leading zero", `{"a": 01}`, "column 8: invalid character '1'"},
		{"invalid utf-8", "{\"ä\": \"\xff\"}", "line 1, column 8: a byte here is not UTF-8"},
		{"truncated utf-8", "{\"a\": \"\xc3\"}", "is not UTF-8"},
		{"raw control character", "{\"a\": \"x\ny\"}", "invalid character"},
		{"too deep", `{"a":` + strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth) + `}`, "more than 64 levels"},
		{"absurdly deep", `{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, ""},
		{"too big", `{"a":"` + strings.Repeat("x", MaxSize) + `"}`, "more than 1048576"},
		{"zero bytes", "\x00\x00", "invalid character"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Check([]byte(tt.doc))
			if err == nil {
				t.Fatalf("Check(%.60q) passed, want an error with %q", tt.doc, tt.want)
			}
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Errorf("Check error is %T, want *SyntaxError", err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Check error = %q, want %q in it", err, tt.want)
			}
		})
	}
}

func TestCheckPasses(t *testing.T) {
	for name, doc := range map[string]string{
		"absent":             "",
		"white space":        " \r\n\t",
		"empty":              "{}",
		"empty, two lines":   "{\n}\n",
		"crlf":               "{\r\n\t\"a\": 1\r\n}\r\n",
		"same key elsewhere": `{"a":{"x":1},"b":{"x":1},"x":1,"c":[{"x":1},{"x":2}]}`,
		"same value as key":  `{"a":"b","b":"a"}`,
		"null value":         `{"a":null}`,
		"odd keys":           `{"a.b":1,"a:b":2,"@x":3,"#":4,"|":5,"*":6,"?":7,"\\":8,"\"":9,"":10,"1":11}`,
		"quotes in strings":  `{"a\\":"\\\"{","\\\"b":"}"}`,
		"big number":         `{"a":123456789012345678901234567890,"b":1e400}`,
		"deep":               `{"a":` + strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1) + `}`,
		"size limit":         `{"a":"` + strings.Repeat("x", MaxSize-8) + `"}`,
		"unknown keys":       `{"foo":{},"Log-Level":"x","insecure-registry":[]}`,
		"string booleans":    `{"icc":"false","log-opts":{"max-file":3}}`,
	} {
		if err := Check([]byte(doc)); err != nil {
			t.Errorf("%s: Check(%.60q) = %v, want nil", name, doc, err)
		}
	}
}
