package plan

import (
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Visible writes what does not print in a JSON document as JSON's own escapes: the document means the same, and
// may be shown on a terminal. The encoder does that for control characters below the space only, not for those
// that begin an escape sequence in one character, or turn the order of a line around.
func Visible(document []byte) []byte {
	plain := true
	for _, b := range document {
		plain = plain && b < 0x7f
	}
	if plain {
		return document
	}
	out := make([]byte, 0, len(document)+64)
	for len(document) > 0 {
		r, size := utf8.DecodeRune(document)
		switch {
		case r == '\n' || unicode.IsPrint(r) && !(r == utf8.RuneError && size == 1):
			out = append(out, document[:size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		document = document[size:]
	}
	return out
}
