package report

import (
	"strings"
	"testing"
	"unicode"
)

func TestClean(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"plain":               {"container/web-1", "container/web-1"},
		"empty":               {"", ""},
		"other alphabets":     {"größe 東京 é…→", "größe 東京 é…→"},
		"colour":              {"a\x1b[31mred", `a\x1b[31mred`},
		"clear the screen":    {"\x1b[2J\x1b[H", `\x1b[2J\x1b[H`},
		"window title":        {"\x1b]0;x\x07", `\x1b]0;x\x07`},
		"line feed and tab":   {"a\nb\tc\r", `a\nb\tc\x0d`},
		"null and delete":     {"\x00\x7f", `\x00\x7f`},
		"one byte escape":     {"\u009b31m", `\u009b31m`},
		"right to left":       {"exe.\u202egpj", `exe.\u202egpj`},
		"isolate":             {"\u2066a\u2069", `\u2066a\u2069`},
		"zero width":          {"a\u200bb\ufeff", `a\u200bb\ufeff`},
		"line separator":      {"a\u2028b", `a\u2028b`},
		"hard space":          {"a\u00a0b", `a\u00a0b`},
		"blank letter":        {"a\u3164b", `a\u3164b`},
		"tag":                 {"a\U000e0041", `a\U000e0041`},
		"variation selector":  {"a\ufe0f", `a\ufe0f`},
		"broken UTF-8":        {"a\xffb\xc3", `a\xffb\xc3`},
		"replacement is text": {"a\ufffdb", "a\ufffdb"},
	}
	for name, tt := range tests {
		if got := Clean(tt.in); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b[31m")
	f.Add("\u202e\xff\n")
	f.Fuzz(func(t *testing.T, s string) {
		out := Clean(s)
		if bad := strings.IndexFunc(out, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }); bad >= 0 {
			t.Errorf("%q leaves %q", s, out)
		}
		if Clean(out) != out {
			t.Errorf("%q: cleaning twice is not cleaning once", s)
		}
	})
}
