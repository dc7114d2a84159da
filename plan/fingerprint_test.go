package plan

import (
	"slices"
	"testing"
)

func TestFingerprintOfBasis(t *testing.T) {
	for _, b := range []Basis{
		nil,
		{},
		{"a": "1"},
		{"b": "2", "a": "1", "B.c": ""},
		{"resource": "x y", "zz": "~"},
		{"a": `quote"`},
		{"a": `back\slash`},
		{"a<b": "1"},
		{"a": "&"},
		{"a": "é"},
		{"tab\t": "1"},
		{"a": "\x7f"},
		{"a": "\xff"},
		{"a": "\u2028"},
	} {
		for _, like := range [][]string{{"a"}, {"b"}, {"B.c", "a", "b"}, {"B.c", "a", "c"}, {"a", "b", "c", "d"}} {
			if got, fields := b.fingerprint(like); got != FingerprintOf(b) || len(fields) != len(b) || !slices.IsSorted(fields) {
				t.Errorf("%q like %q: %s with %q", b, like, got.Short(), fields)
			}
		}
		if got, want := b.Fingerprint(), FingerprintOf(b); got != want {
			t.Errorf("%q: %s, want that of its JSON, %s", b, got.Short(), want.Short())
		}
	}
	if (Basis{"a": "1"}).Fingerprint() == (Basis{"a": "2"}).Fingerprint() {
		t.Error("different bases have one fingerprint")
	}
}
