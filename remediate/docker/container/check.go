package container

import (
	"fmt"
	"slices"

	"docker-harden/plan"
)

// checkedAnew reports whether this step gives the container a check: then it must become healthy, whatever the old one
// was.
func (x *swap) checkedAnew() bool { return slices.Contains(x.changes.paths(), plan.HealthcheckPath) }

// mustBeWell reports whether a container counts only when its check says healthy.
func (x *swap) mustBeWell() bool { return x.before.healthy || x.checkedAnew() }

// checkSaid ends what is said of a container that is not well with what its new check put out at last; empty: nothing.
func (x *swap) checkSaid() string {
	h := x.new.State.Health
	if !x.checkedAnew() || h == nil || len(h.Log) == 0 {
		return ""
	}
	last := h.Log[len(h.Log)-1]
	text := fmt.Sprintf("; the new check ended with %d", last.ExitCode)
	if said := x.new.printable(last.Output); said != "" {
		text += fmt.Sprintf(" and said %q", said)
	}
	return text
}
