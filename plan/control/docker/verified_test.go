package docker

import (
	"path/filepath"
	"strings"
	"testing"
)

// truths are where evidence says that it stands, and how the phrase of a control names that.
var truths = map[string]string{
	sourceInfo:               "GET /info",
	sourceStatus:             "/proc/PID/status",
	sourceCgroup:             "cgroup",
	"/proc/PID/attr/current": "/proc/PID/attr/current",
	"/proc/PID/limits":       "/proc/PID/limits",
	"/proc/PID/ns":           "/proc/PID/ns",
	sourceNetworks:           "NetworkSettings.Networks",
	sourceRoutes:             "/proc/PID/net/route",
	"network bridge":         "GET /networks",
	"processes of the":       "processes of the engine",
	"stat":                   "stat",
	"daemon.json":            "daemon.json",
	"flag ":                  "flags",
}

// TestVerifiedNamesItsEvidence fails for a control whose findings rest on a source that its phrase, and so the
// coverage table, does not name.
func TestVerifiedNamesItsEvidence(t *testing.T) {
	used := map[string]bool{}
	for _, c := range Controls() {
		for _, s := range scenes(t, filepath.Join(fixtures, short(c)+".txtar")) {
			for _, f := range s.findings(t) {
				if f.Control != c.ID {
					continue
				}
				for _, e := range f.Evidence {
					for source, words := range truths {
						if !strings.HasPrefix(e.Source, source) {
							continue
						}
						used[source] = true
						if !strings.Contains(c.Verified, words) {
							t.Errorf("%s: %s: its evidence %q is from %s, and it is said to be verified by %q", c.ID, f.Status, e.Name, e.Source, c.Verified)
						}
					}
				}
			}
		}
	}
	for source := range truths {
		if !used[source] {
			t.Errorf("no fixture shows evidence from %q", source)
		}
	}
}
