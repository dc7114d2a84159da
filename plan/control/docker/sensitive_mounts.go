package docker

import (
	"path"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func sensitiveMounts() control.Control {
	return control.Control{
		ID:    "docker/sensitive-mounts",
		Title: "No directory of the host system is mounted writable",
		Why:   "Tampering and elevation of privilege: who writes to /etc, /usr or /boot of the host through a mount decides what the host runs as root.",
		Risk:  "Nothing is changed: only who runs the service knows whether it writes there.",
		Fix:   "By hand: mount it read-only (:ro), or mount less; or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.5", "cis-docker-1.6.0": "5.6", "cis-docker-1.8.0": "5.6", "stride": "T,I,E",
		},
		Class:     control.Reported,
		Verified:  "mounts that the engine shows (inspect, Mounts)",
		Severity:  plan.RiskHigh,
		Container: judgeSensitiveMounts,
	}
}

// systemDirs are what the benchmark calls sensitive. The root of the host is worse than all of them.
var systemDirs = []string{"/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr"}

func judgeSensitiveMounts(_ *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	var bad []string
	var found []plan.Evidence
	for _, m := range c.Inspect.Mounts {
		if m.Type != "bind" || !sensitive(m) {
			continue
		}
		how := "read-only"
		if m.RW {
			how = "writable"
		}
		bad = append(bad, plainName(m.Source)+" "+how)
		found = append(found, evidence("mount", sourceInspect, "%s on %s, %s", plainName(m.Source), plainName(m.Destination), how))
	}
	if len(bad) == 0 {
		return verdict(plan.Pass, "no directory of the host system is mounted writable")
	}
	f := verdict(plan.Manual, "it has %s of the host", list(bad))
	f.Evidence = found
	return ask(f, "Does it write there, and does it need all of it? If not, mount it read-only or mount less; if so, accept the risk.",
		answerException(c, "docker/sensitive-mounts"))
}

// sensitive reports whether a mount gives write access to the host system, or shows all of the host.
func sensitive(m inventory.Mount) bool {
	source := path.Clean("/" + m.Source)
	if source == "/" {
		return true
	}
	return m.RW && slices.ContainsFunc(systemDirs, func(dir string) bool { return source == dir || strings.HasPrefix(source, dir+"/") })
}
