package profile

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// FuzzEdit: whatever a valid profile looks like, an exception added to it is one exception more, every
// byte of the file is kept in its order, and removing it gives the file back.
func FuzzEdit(f *testing.F) {
	two := strings.ReplaceAll(two, "same2", "one/same")
	for _, seed := range []string{
		head, head + "exceptions:\n" + one + two, head + "exceptions: []", head + "exceptions:\r\n# - x\r\n", head + "exceptions:\n\n" + one + "\n# c\n" + two + "\nrecreate:\n",
		head + "exceptions: [{control: two/same, target: host, reason: r, owner: o},\n ]\n", "---\n" + head + "...\n", head + "description: |+\n  x\n\n",
		head + "exceptions:\n  # c\n- control: one/same\n  target: host\n  owner: o\n  reason: |2+\n    x\n    # y\n\n   # z\n",
	} {
		f.Add([]byte(seed), "r", "o", "x")
		f.Add([]byte(seed), "it's a: #b", "[o]", "web-*")
	}
	f.Fuzz(func(t *testing.T, data []byte, reason, owner, name string) {
		e := risk()
		e.Reason, e.Owner, e.Target = reason, owner, "container/"+name
		before, err := Load(data, "t.yaml", testCatalog())
		if err != nil || e.Check(testCatalog()) != nil || strings.Contains(string(data), "extends") || loose(data) {
			return
		}
		edit, err := file(string(data)).Add(e)
		if err != nil {
			if strings.Contains(err.Error(), "internal error") {
				t.Fatalf("%v\n%q", err, data)
			}
			return
		}
		after, err := Load(edit.Data, "t.yaml", testCatalog())
		if err != nil || len(after.Exceptions) != len(before.Exceptions)+1 {
			t.Fatalf("%v\n%q", err, edit.Data)
		}
		null := nullSection(data)
		if !null && !inOrder(data, edit.Data) {
			t.Fatalf("bytes were lost:\n%q\n%q", data, edit.Data)
		}
		back, err := file(string(edit.Data)).Remove(e.Control, e.Target, 0)
		if err != nil {
			t.Fatalf("cannot remove what was added: %v\n%q", err, edit.Data)
		}
		if !null && !bytes.Equal(back.Data, data) && !bytes.Contains(data, []byte(sectionHead)) {
			t.Fatalf("add and remove leave\n%q of\n%q", back.Data, data)
		}
	})
}

// pieces are what FuzzPieces builds profiles of: each in several styles.
func pieces() []string {
	return []string{
		"exceptions:\n", "exceptions: # c\n", "exceptions: []\n", "exceptions: [\n", "]\n", "\n", "  \n", "# a\n", "  # b\n", "    # c\n", "      # d\n",
		"- control: one/same\n  target: host\n  reason: r\n  owner: o\n",
		"  - control: two/same # c\n    # d\n    target: daemon\n\n    reason: |\n      a\n      # b\n\n    owner: o\n",
		"  -\n    owner: >+\n      a\n\n      # b\n\n    control: icc\n    target: daemon\n    reason: 'a\n\n      # b'\n",
		"- {control: log-level, target: host, # c\n  reason: r, owner: \"é}\" } # d\n",
		"  {control: log-level, target: daemon, reason: r, owner: o}", ",", ", # c\n", ",\n",
		"recreate: {}\n", "containers:\n  - match: x # y\n    controls: {icc: off}\n", "description: |\n  a\n\n  # b\n", "...\n", "\r\n", "# - x\n", "  # - x\n", "expires: 2027-01-01", "  ", "    expires: 2027-01-01 # e\n",
	}
}

// FuzzPieces is FuzzEdit with texts that are more often profiles; and of what is in them, each exception is removed.
func FuzzPieces(f *testing.F) {
	f.Add([]byte{0, 11}, false)
	f.Add([]byte{1, 8, 12, 5, 8, 12, 19}, true)
	f.Add([]byte{3, 15, 16, 15, 4}, false)
	f.Add([]byte{20, 0, 13, 10, 12, 7, 13, 8, 19}, false)
	f.Add([]byte{0, 7, 14, 5, 11, 5, 14}, false)
	f.Fuzz(func(t *testing.T, choice []byte, cut bool) { checkPieces(t, choice, cut) })
}

// TestPieces is a walk through such texts in every test run.
func TestPieces(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	profiles := 0
	for range 2000 {
		choice := make([]byte, 1+random.IntN(9))
		for i := range choice {
			choice[i] = byte(random.IntN(len(pieces())))
		}
		choice[0] %= 4 // a section
		if checkPieces(t, choice, random.IntN(2) == 0) {
			profiles++
		}
	}
	if profiles < 200 {
		t.Errorf("only %d texts were profiles: this proves little", profiles)
	}
}

// checkPieces reports whether the pieces made a profile.
func checkPieces(t *testing.T, choice []byte, cut bool) bool {
	t.Helper()
	text := head
	for _, c := range choice {
		text += pieces()[int(c)%len(pieces())]
	}
	if cut {
		text = strings.TrimSuffix(text, "\n")
	}
	before, err := Load([]byte(text), "t.yaml", testCatalog())
	if err != nil || loose([]byte(text)) {
		return false
	}
	edit, err := file(text).Add(risk())
	switch {
	case err == nil && !inOrder([]byte(text), edit.Data):
		t.Fatalf("bytes were lost:\n%s\n%s", text, edit.Data)
	case err == nil:
		back, err := file(string(edit.Data)).Remove(risk().Control, risk().Target, 0)
		if err != nil || string(back.Data) != text {
			t.Fatalf("%v: add and remove leave\n%s of\n%s", err, back.Data, text)
		}
	case strings.Contains(err.Error(), "internal error"):
		t.Fatalf("%v in\n%s", err, text)
	}
	for _, e := range before.Exceptions {
		edit, err := file(text).Remove(e.Control, e.Target, e.Line)
		if err != nil && strings.Contains(err.Error(), "internal error") {
			t.Fatalf("remove line %d: %v in\n%s", e.Line, err, text)
		}
		if err == nil && !inOrder(edit.Data, []byte(text)) {
			t.Fatalf("removing line %d damages:\n%s\n%s", e.Line, text, edit.Data)
		}
		e.Reason, e.Expires = "another", risk().Expires
		edit, err = file(text).Replace(e)
		if err != nil && strings.Contains(err.Error(), "internal error") {
			t.Fatalf("replace line %d: %v in\n%s", e.Line, err, text)
		}
		if err == nil && remarks(t, edit.Data) != remarks(t, []byte(text)) {
			t.Fatalf("replacing line %d loses a comment:\n%s\n%s", e.Line, text, edit.Data)
		}
	}
	return true
}

// loose reports whether the file ends in blanks without a line end: the YAML library drops them from a
// text that ends there, so that the edited profile would not be the same, and is refused.
func loose(data []byte) bool {
	return bytes.HasSuffix(data, []byte(" ")) || bytes.HasSuffix(data, []byte("\t"))
}

// nullSection reports whether the key has a null that is written out: it makes room for the list.
func nullSection(data []byte) bool {
	l, err := readLayout(data, "t.yaml", "exceptions")
	if err != nil || l.key == 0 || l.list != nil {
		return false
	}
	rest := l.text.at(l.key)
	if at, has := l.comments[l.key]; has {
		rest = rest[:at]
	}
	return !strings.HasSuffix(strings.TrimSpace(rest), ":")
}

// inOrder reports whether b is a with one piece inserted.
func inOrder(a, b []byte) bool {
	n := 0
	for n < len(a) && a[n] == b[n] {
		n++
	}
	return bytes.HasSuffix(b, a[n:])
}

// remarks counts the comments of a text.
func remarks(t *testing.T, data []byte) int {
	t.Helper()
	l, err := readLayout(data, "t.yaml", "exceptions")
	if err != nil {
		t.Fatalf("%v in\n%s", err, data)
	}
	return len(l.comments)
}
