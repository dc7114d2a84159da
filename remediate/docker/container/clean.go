package container

import (
	"strings"
	"unicode"
)

// maxMessage bounds text of the engine or a container that goes into an error.
const maxMessage = 400

// clean makes foreign text safe to print: one line, no control or invisible characters, bounded.
func clean(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r == unicode.ReplacementChar || !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}
