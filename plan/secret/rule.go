package secret

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// settings are a rule as its file has it.
type settings struct {
	ID          string
	Regex       string
	Path        string
	SecretGroup int
	Entropy     float64
	Keywords    []string
	Allowlists  []exceptions
}

// exceptions say what looks like a credential and is none. Those with paths or commits as well are about files.
type exceptions struct {
	Condition   string // "AND": every part has to apply
	RegexTarget string // "match": what the rule matched, "line": the whole line; else the credential
	Regexes     []string
	StopWords   []string
	Paths       []string
	Commits     []string
}

// rule finds one kind of credential. Its expressions are compiled when it is first needed.
type rule struct {
	settings
	allow   []*allowlist
	compile sync.Once
	regex   *regexp.Regexp
}

func newRule(s settings) *rule {
	r := &rule{settings: s}
	for _, e := range s.Allowlists {
		r.allow = append(r.allow, &allowlist{exceptions: e})
	}
	return r
}

type allowlist struct {
	exceptions
	compile sync.Once
	regexes []*regexp.Regexp
}

// find gives the credentials in a text, each once.
func (r *rule) find(text string, all *allowlist) []string {
	r.compile.Do(func() { r.regex = regexp.MustCompile(r.Regex) })
	var out []string
	for _, m := range r.regex.FindAllStringSubmatchIndex(text, -1) {
		secret := group(text, m, r.SecretGroup)
		if secret == "" || r.Entropy > 0 && entropy(secret) <= r.Entropy || slices.Contains(out, secret) {
			continue
		}
		match, line := text[m[0]:m[1]], lineAt(text, m[0], m[1])
		allows := func(a *allowlist) bool { return a.allows(secret, match, line) }
		if !allows(all) && !slices.ContainsFunc(r.allow, allows) {
			out = append(out, secret)
		}
	}
	return out
}

// group is the part of a match that is the credential: the group that the rule names, else the first with content,
// else all of it.
func group(text string, m []int, n int) string {
	if n > 0 && 2*n+1 < len(m) && m[2*n] >= 0 {
		return text[m[2*n]:m[2*n+1]]
	}
	for i := 2; i+1 < len(m); i += 2 {
		if m[i] >= 0 && m[i+1] > m[i] {
			return text[m[i]:m[i+1]]
		}
	}
	return text[m[0]:m[1]]
}

// lineAt is the line, or the lines, of a match.
func lineAt(text string, from, to int) string {
	start := strings.LastIndexByte(text[:from], '\n') + 1
	if end := strings.IndexByte(text[to:], '\n'); end >= 0 {
		return text[start : to+end]
	}
	return text[start:]
}

func (a *allowlist) allows(secret, match, line string) bool {
	a.compile.Do(func() {
		for _, text := range a.Regexes {
			a.regexes = append(a.regexes, regexp.MustCompile(text))
		}
	})
	target := secret
	switch a.RegexTarget {
	case "match":
		target = match
	case "line":
		target = line
	}
	byRegex := slices.ContainsFunc(a.regexes, func(r *regexp.Regexp) bool { return r.MatchString(target) })
	lower := strings.ToLower(secret)
	byWord := slices.ContainsFunc(a.StopWords, func(word string) bool { return strings.Contains(lower, strings.ToLower(word)) })
	if !strings.EqualFold(a.Condition, "AND") {
		return byRegex || byWord
	}
	return len(a.Paths)+len(a.Commits) == 0 && (byRegex || len(a.Regexes) == 0) && (byWord || len(a.StopWords) == 0)
}

// entropy is Shannon's, in bits a character: what is made at random has more of it than words.
func entropy(text string) float64 {
	counts := map[rune]int{}
	n := 0
	for _, r := range text {
		counts[r]++
		n++
	}
	sum := 0.0
	for _, count := range counts {
		p := float64(count) / float64(n)
		sum -= p * math.Log2(p)
	}
	return sum
}
