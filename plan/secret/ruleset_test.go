package secret

import (
	"regexp"
	"strings"
	"testing"
)

// TestRuleSet reads the rules that are part of the program and compiles all of them.
func TestRuleSet(t *testing.T) {
	s := newRuleSet(gitleaks)
	if len(s.rules) < 200 {
		t.Fatalf("%d rules", len(s.rules))
	}
	for _, r := range s.rules {
		if r.ID == "" {
			t.Errorf("a rule without a name: %.40s", r.Regex)
		}
		if len(r.Keywords) == 0 {
			t.Errorf("%s has no keyword: it would be tried on every text", r.ID)
		}
		expressions := []string{r.Regex}
		for _, a := range r.Allowlists {
			expressions = append(expressions, a.Regexes...)
		}
		for _, e := range expressions {
			if _, err := regexp.Compile(e); err != nil {
				t.Errorf("%s: %v", r.ID, err)
			}
		}
	}
	if len(s.allow.Regexes) == 0 || len(s.allow.StopWords) == 0 {
		t.Error("the exceptions of all rules are not read")
	}
	if len(s.index.always) > 0 {
		t.Errorf("rules that are always tried: %v", s.index.always)
	}
}

func TestRuleSetIsRefused(t *testing.T) {
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "cannot read the rules for secrets") {
			t.Errorf("stopped with %q", text)
		}
	}()
	newRuleSet([]byte("rules = 3"))
	t.Error("not refused")
}

// TestIndex compares the index with looking for each keyword.
func TestIndex(t *testing.T) {
	words := [][]string{{"token", "key"}, {"xoxb-"}, {"ab"}, {}, {"Key"}, {"tok"}}
	var x index
	for i, w := range words {
		x.add(w, i)
	}
	for _, text := range []string{"", "a", "ab", "AB", "tokens", "my KEY here", "xoxb", "xoxb-1", "to ken", "TOK", "key token xoxb- ab", "\x80\xff\x00key"} {
		var want []int
		for i, w := range words {
			found := len(w) == 0
			for _, word := range w {
				found = found || strings.Contains(strings.ToLower(text), strings.ToLower(word))
			}
			if found {
				want = append(want, i)
			}
		}
		got := x.rules(text)
		if len(got) != len(want) {
			t.Errorf("%q: rules %v, want %v", text, got, want)
			continue
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%q: rules %v, want %v", text, got, want)
			}
		}
	}
}

func TestAllows(t *testing.T) {
	for name, c := range map[string]struct {
		e    exceptions
		want bool
	}{
		"nothing":                   {exceptions{}, false},
		"word":                      {exceptions{StopWords: []string{"EXAMPLE"}}, true},
		"another word":              {exceptions{StopWords: []string{"dummy"}}, false},
		"regex of the secret":       {exceptions{Regexes: []string{"^an-example$"}}, true},
		"regex of the match":        {exceptions{Regexes: []string{"^key=an"}, RegexTarget: "match"}, true},
		"regex of the line":         {exceptions{Regexes: []string{"^# key"}, RegexTarget: "line"}, true},
		"regex of the line, secret": {exceptions{Regexes: []string{"^# key"}}, false},
		"one of two":                {exceptions{Regexes: []string{"^x"}, StopWords: []string{"example"}}, true},
		"both of two":               {exceptions{Regexes: []string{"^an"}, StopWords: []string{"example"}, Condition: "AND"}, true},
		"not both":                  {exceptions{Regexes: []string{"^x"}, StopWords: []string{"example"}, Condition: "AND"}, false},
		"and a path":                {exceptions{Regexes: []string{"^an"}, Paths: []string{"x"}, Condition: "AND"}, false},
		"or a path":                 {exceptions{Regexes: []string{"^an"}, Paths: []string{"x"}}, true},
	} {
		a := &allowlist{exceptions: c.e}
		if got := a.allows("an-example", "key=an-example", "# key=an-example"); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestEntropy(t *testing.T) {
	for text, want := range map[string]float64{"": 0, "aaaa": 0, "ab": 1, "abcd": 2, "aabb": 1} {
		if got := entropy(text); got != want {
			t.Errorf("%q: %g, want %g", text, got, want)
		}
	}
}
