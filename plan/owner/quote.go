package owner

import (
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Command joins words to a line that a shell reads as exactly these words. Names come from labels,
// which whoever makes a container can choose.
func Command(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quote(word)
	}
	return strings.Join(quoted, " ")
}

// quote is one word for a shell. What no shell can take as an argument is shown, and as a word that
// fails: nothing is named so.
func quote(word string) string {
	quoted, err := syntax.Quote(word, syntax.LangBash)
	if err != nil {
		return "'" + strings.ReplaceAll(strconv.QuoteToASCII(word), "'", "?") + "'"
	}
	return quoted
}

// operand is a word that stands where a name is expected: one that looks like a flag is kept from
// being one.
func operand(word string) []string {
	if strings.HasPrefix(word, "-") {
		return []string{"--", word}
	}
	return []string{word}
}

// unitWord is one word of ExecStart= of a systemd unit, where % and $ begin something of their own.
func unitWord(word string) string {
	word = strings.NewReplacer("%", "%%", "$", "$$").Replace(word)
	plain := word != "" && strings.IndexFunc(word, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._/+-@%:,=$", r))
	}) < 0
	if plain {
		return word
	}
	return strconv.QuoteToASCII(word)
}
