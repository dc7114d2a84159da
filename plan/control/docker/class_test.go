package docker

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/control"
)

// behaviour is what the fixture of a control shows it to do.
type behaviour struct {
	unasked  bool // it changes something with the parameters it has by default
	answered bool // it changes something with those of its fixture
	silent   []string
}

// watch judges the scenes of a control's fixture twice: as they are, and without what a profile answers there.
func watch(t *testing.T, c *control.Control) behaviour {
	t.Helper()
	var b behaviour
	changes := func(list []plan.Finding) bool {
		return slices.ContainsFunc(list, func(f plan.Finding) bool { return f.Control == c.ID && len(f.Changes) > 0 })
	}
	for _, s := range scenes(t, filepath.Join(fixtures, short(*c)+".txtar")) {
		found := s.findings(t)
		b.answered = b.answered || changes(found)
		for _, f := range found {
			if f.Control == c.ID && (f.Status == plan.Fail || f.Status == plan.Manual) && len(f.Changes) == 0 && f.Blocked+f.Question == "" {
				b.silent = append(b.silent, f.Message)
			}
		}
		s.profile = []byte("controls:\n  " + c.ID + ": {}\n")
		b.unasked = b.unasked || changes(s.findings(t))
	}
	return b
}

// TestClassIsWhatItDoes holds the class of each control against its fixture, so that the coverage table cannot
// promise a change that is never made, nor hide one.
func TestClassIsWhatItDoes(t *testing.T) {
	for _, c := range Controls() {
		does := watch(t, &c)
		want := control.Reported
		switch {
		case does.unasked:
			want = control.Automatic
		case does.answered:
			want = control.Answer
		}
		if c.Class != want {
			t.Errorf("%s: its class is %q, and by its fixture it is %q", c.ID, c.Class, want)
		}
		for _, message := range does.silent {
			t.Errorf("%s: nothing is changed, and nothing says what a person can do: %s", c.ID, message)
		}
	}
}

// TestEveryControlSaysHowItIsVerifiedAndUndone fails for a control that the reference pages would show with a gap.
func TestEveryControlSaysHowItIsVerifiedAndUndone(t *testing.T) {
	nothing := regexp.MustCompile(`^Nothing is changed: `)
	for _, c := range Controls() {
		if len(c.Verified) < 10 || strings.HasSuffix(c.Verified, ".") || strings.ContainsAny(c.Verified, "\n|") {
			t.Errorf("%s: verified %q is not a source of truth in words", c.ID, c.Verified)
		}
		if !slices.Contains(control.Classes(), c.Class) {
			t.Errorf("%s: there is no class %q", c.ID, c.Class)
		}
		if c.Way() == "" || c.Undo() == "" {
			t.Errorf("%s: its fix must say how it is changed and then, after the word Undone, how it goes back: %q", c.ID, c.Fix)
		}
		if reported := c.Class == control.Reported; reported && strings.Contains(c.Fix, "Undone ") || !reported && nothing.MatchString(c.Risk) {
			t.Errorf("%s: its prose is not that of class %s: fix %q, risk %q", c.ID, c.Class, c.Fix, c.Risk)
		}
	}
}
