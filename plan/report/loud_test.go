package report

import (
	"testing"

	"docker-harden/plan"
)

// What no plan changes waits for --verbose, but for the engine's own doors, which are shown with their code.
func TestDoorsAreNeverLeftToVerbose(t *testing.T) {
	for _, tt := range []struct {
		f    plan.Finding
		want bool
	}{
		{plan.Finding{Control: "docker/data-partition", Status: plan.Fail, Reason: plan.NeedsReplatform}, true},
		{plan.Finding{Control: "docker/containerd-sock-mode", Status: plan.Fail, Reason: plan.NeedsPolicy}, true},
		{plan.Finding{Control: "docker/tls-on-tcp", Status: plan.Fail, Reason: plan.NeedsPolicy}, false},
		{plan.Finding{Control: "docker/tls-certificates", Status: plan.Fail, Reason: plan.NeedsPolicy}, false},
		{plan.Finding{Control: "docker/data-partition", Status: plan.Fail}, false},
		{plan.Finding{Control: "docker/data-partition", Status: plan.Manual, Reason: plan.NeedsPolicy}, false},
	} {
		if got := reported(tt.f); got != tt.want {
			t.Errorf("%+v: %t", tt.f, got)
		}
		if tt.f.Status == plan.Fail && !tt.want {
			tt.f.Blocked = "by hand"
			shown := 0
			for _, g := range groups() {
				if g.has(tt.f) && !g.quiet && !g.brief {
					shown++
				}
			}
			if shown != 1 {
				t.Errorf("%+v: in %d lists that are shown", tt.f, shown)
			}
		}
	}
}
