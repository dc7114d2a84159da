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
	at := unseen(document)
	if at == len(document) {
		return document
	}
	const usual = 64 // bytes more, for escapes
	out := make([]byte, 0, len(document)+usual)
	for at < len(document) {
		out = append(out, document[:at]...)
		r, size := utf8.DecodeRune(document[at:])
		if r > 0xffff {
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		} else {
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		document = document[at+size:]
		at = unseen(document)
	}
	return append(out, document...)
}

// unseen is where the first character stands that does not print; the length where there is none.
func unseen(document []byte) int {
	for at := 0; at < len(document); {
		if b := document[at]; b < 0x7f {
			at++ // those below the space the encoder has escaped, but for the ends of lines
			continue
		}
		r, size := utf8.DecodeRune(document[at:])
		if !unicode.IsPrint(r) || r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return len(document)
}
