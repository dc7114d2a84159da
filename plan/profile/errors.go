package profile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Error is one thing wrong with a profile file, and where.
type Error struct {
	Source    string // file name
	Line, Col int    // from 1; 0 when the whole file is meant
	Text      string // what is wrong and what to do, without a full stop
}

// Error is FILE:LINE:COL: text, the form editors jump to.
func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.Source, e.Text)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.Source, e.Line, e.Col, e.Text)
}

// Errors lists every [Error] in err, in the order of the file.
func Errors(err error) []*Error {
	var list []*Error
	var one *Error
	switch joined, ok := err.(interface{ Unwrap() []error }); {
	case ok:
		for _, e := range joined.Unwrap() {
			list = append(list, Errors(e)...)
		}
	case errors.As(err, &one):
		list = append(list, one)
	}
	return list
}

// mostErrors bounds what one broken file prints; the rest is counted.
const mostErrors = 30

// join sorts the errors of one file by place and makes one error of them; nil when there are none.
func join(source string, list []*Error) error {
	slices.SortStableFunc(list, func(a, b *Error) int {
		if a.Source != b.Source {
			return 0
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	if more := len(list) - mostErrors; more > 0 {
		list = append(list[:mostErrors:mostErrors], &Error{Source: source, Text: fmt.Sprintf("and %d more errors", more)})
	}
	all := make([]error, len(list))
	for i, e := range list {
		all[i] = e
	}
	return errors.Join(all...)
}

// unknown words a name that is not in the list: with the name that was probably meant, or all of a short list.
func unknown(what, name string, known []string) string {
	text := fmt.Sprintf("unknown %s %q", what, name)
	if meant := nearest(name, known); meant != "" {
		return fmt.Sprintf("%s, did you mean %q?", text, meant)
	}
	const short = 12
	switch {
	case len(known) == 0:
		return text + ": there is none"
	case len(known) <= short:
		return text + ": it can be " + strings.Join(known, ", ")
	}
	return text
}

// nearest is the known name that a typo most likely meant; empty when none is close.
func nearest(name string, known []string) string {
	const longest = 80 // a longer name is no typo, and the distance is quadratic
	if len(name) > longest {
		return ""
	}
	most := max(2, len(name)/3) // two letters swapped count as two
	if len(name) < 4 {
		most = 1
	}
	best, least := "", most+1
	for _, k := range known {
		short := k[strings.LastIndex(k, "/")+1:]
		for _, candidate := range []string{k, short} {
			d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(candidate))
			if d < least {
				best, least = k, d
			}
		}
	}
	return best
}
