package docker

import (
	"bytes"
	"strings"
	"testing"

	"docker-harden/plan/report"
)

// TestThreatModelHasEveryControl fails for a control that the threat model leaves out, or shows in another number of
// categories than it has letters.
func TestThreatModelHasEveryControl(t *testing.T) {
	var b bytes.Buffer
	if err := report.ThreatModel(&b, Controls()); err != nil {
		t.Fatal(err)
	}
	for _, c := range Controls() {
		want := len(strings.Split(c.Refs["stride"], ","))
		if got := strings.Count(b.String(), "["+c.ID+"]("); got != want {
			t.Errorf("%s is %d times in the threat model, want %d (%s)", c.ID, got, want, c.Refs["stride"])
		}
	}
}
