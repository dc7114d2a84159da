package docker

import (
	"fmt"
	"io/fs"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// maxMode is the widest mode daemon.json may have.
const maxMode = 0o644

func daemonJSONMode() control.Control {
	return control.Control{
		ID:    "docker/daemon-json-mode",
		Title: "daemon.json has mode 0644 or narrower",
		Why:   "Tampering and elevation of privilege: a daemon.json that others may write lets them set how the engine runs at its next start, and so gives them the host.",
		Risk:  "A deployment tool that edits the file through its group or as anybody can no longer do so.",
		Fix:   "chmod that takes away what goes beyond 0644, and nothing else. Undone by the old mode.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "3.18", "cis-docker-1.6.0": "3.18", "cis-docker-1.8.0": "3.18", "stride": "T,E",
		},
		Severity: plan.RiskHigh,
		Host: func(h *inventory.Host, _ profile.Params) []plan.Finding {
			file, verdict, ok := daemonJSON(h)
			if !ok {
				return []plan.Finding{verdict}
			}
			mode := unixMode(file.Mode)
			f := fileFinding(file, "mode", octal(mode), "its mode is "+octal(mode))
			if mode&^maxMode == 0 {
				f.Status = plan.Pass
				return []plan.Finding{f}
			}
			f.Changes = []plan.Change{fileChange("mode", octal(mode), octal(narrowed(mode)))}
			return []plan.Finding{f}
		},
	}
}

// narrowed is the mode without what goes beyond maxMode. Judges know only 0644, 0640 and 0600, so
// what is left becomes the widest of these that gives nobody more than before.
func narrowed(mode uint32) uint32 {
	for _, known := range []uint32{0o644, 0o640, 0o600} {
		if mode&known == known {
			return known
		}
	}
	return mode & maxMode
}

// unixMode is a mode as chmod knows it, with setuid, setgid and sticky.
func unixMode(mode fs.FileMode) uint32 {
	m := uint32(mode.Perm())
	for bit, unix := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if mode&bit != 0 {
			m |= unix
		}
	}
	return m
}

func octal(mode uint32) string { return fmt.Sprintf("%04o", mode) }
