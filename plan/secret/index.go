package secret

import (
	"slices"
	"strings"
)

// index finds the rules whose keywords are in a text, in one pass over it: nearly all texts have none, and a
// regular expression takes a thousand times as long to say so.
type index struct {
	always []int // rules without a keyword
	starts [1 << 15]bool
	words  map[[head]byte][]keyword
	short  []keyword // too short for words
}

// head is how many bytes of a keyword choose where to look.
const head = 3

type keyword struct {
	text string // lower case
	rule int
}

func (x *index) add(keywords []string, rule int) {
	if len(keywords) == 0 {
		x.always = append(x.always, rule)
	}
	if x.words == nil {
		x.words = map[[head]byte][]keyword{}
	}
	for _, text := range keywords {
		text = strings.ToLower(text)
		if len(text) < head {
			x.short = append(x.short, keyword{text, rule})
			continue
		}
		start := [head]byte([]byte(text))
		x.words[start] = append(x.words[start], keyword{text, rule})
		x.starts[slot(start)] = true
	}
}

// slot is the place of three bytes in the table of those with which a keyword starts; others may share it.
func slot(b [head]byte) int { return int(b[0]&31)<<10 | int(b[1]&31)<<5 | int(b[2]&31) }

// rules are those that may find something in a text, in order, each once.
func (x *index) rules(text string) []int {
	text = strings.ToLower(text)
	out := slices.Clone(x.always)
	for i := range len(text) - head + 1 {
		start := [head]byte{text[i], text[i+1], text[i+2]}
		if !x.starts[slot(start)] {
			continue
		}
		for _, word := range x.words[start] {
			if strings.HasPrefix(text[i:], word.text) {
				out = append(out, word.rule)
			}
		}
	}
	for _, word := range x.short {
		if strings.Contains(text, word.text) {
			out = append(out, word.rule)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
