package control

import "testing"

func TestWayAndUndo(t *testing.T) {
	for _, test := range []struct {
		class     Class
		fix       string
		way, undo string
	}{
		{Automatic, "A live update. Undone by another one.", "A live update.", "Undone by another one."},
		{Answer, "Undone alone.", "", "Undone alone."},
		{Automatic, "A live update.", "A live update.", ""},
		{Reported, "By hand: what was Undone before.", "By hand: what was Undone before.", nothingUndone},
	} {
		c := Control{Class: test.class, Fix: test.fix}
		if c.Way() != test.way || c.Undo() != test.undo {
			t.Errorf("%s %q: way %q, undo %q", test.class, test.fix, c.Way(), c.Undo())
		}
	}
}

func TestClassWords(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Classes() {
		if c.Words() == "" || seen[c.Words()] {
			t.Errorf("class %q reads %q", c, c.Words())
		}
		seen[c.Words()] = true
	}
}
