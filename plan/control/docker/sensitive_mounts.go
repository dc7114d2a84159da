package docker

import (
	"fmt"
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
		Risk: "What the service writes there fails. Read-only closes no socket and no device below the directory: who may connect to one still may. " +
			"The engine's socket is no matter of this control: see docker/engine-socket.",
		Fix: "The mounts named in read_only become read-only (:ro) in a new container; every other option of them stays, and the old container is kept. Undone by the old container.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.5", "cis-docker-1.6.0": "5.6", "cis-docker-1.8.0": "5.6", "stride": "T,I,E",
		},
		Class:    control.Answer,
		Verified: "mounts of the container in /proc/PID/mountinfo, beside those that the engine shows",
		Severity: plan.RiskHigh,
		Params: []profile.Param{
			{Name: "read_only", Type: profile.TypeList, Default: []string(nil), Doc: "directories of the host, as they are mounted, that become read-only"},
			{Name: "needed", Type: profile.TypeList, Default: []string(nil), Doc: "directories of the host, as they are mounted, that stay as they are: the service writes there, or has to see the whole host"},
		},
		Container: judgeSensitiveMounts,
	}
}

// systemMounts are the mounts of the host's system, by what becomes of them.
type systemMounts struct {
	all      []string
	open     []string // writable, and nobody has said what becomes of them
	whole    bool     // the whole host is shown, read-only, and nobody has said that it is needed
	stuck    []string // why they cannot be changed
	reopened []string // configured read-only, and writable in the kernel
	changes  []plan.Change
	notes    []string
	found    []plan.Evidence
}

func judgeSensitiveMounts(h *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	var s systemMounts
	for _, m := range c.Inspect.Mounts {
		if m.OfSystem() && !isSocket(h, m) && !names(p.List("needed"), m.Source) {
			s.add(c, m, names(p.List("read_only"), m.Source))
		}
	}
	if len(s.all) == 0 {
		return verdict(plan.Pass, "no directory of the host system is mounted writable")
	}
	f := verdict(plan.Fail, "it has %s of the host", list(s.all))
	f.Evidence = s.found
	const question = "Does it write there, and does it need all of it? Name in read_only what it only reads, and in needed what has to stay as it is."
	answer := answerContainer(c, "docker/sensitive-mounts", s.answer(p))
	switch {
	case len(s.stuck) > 0:
		f.Blocked = strings.Join(s.stuck, "; ")
	case len(s.reopened) > 0:
		f.Blocked = fmt.Sprintf("%s is configured read-only and was mounted writable again since it started; restart the container, then plan again", list(s.reopened))
	case len(s.changes) == 0:
		return ask(f, question, answer)
	default:
		f.Changes, f.Notes = s.changes, s.notes
		f.Risk = f.Risk.Raise(plan.RiskMedium, "that it never writes there was not observed")
		if len(s.open) > 0 {
			f.Notes = append(f.Notes, fmt.Sprintf("%s stay writable for now, and are asked about in the next plan", list(s.open)))
		}
	}
	return f
}

// add sorts in one mount of the host's system that is not needed as it is.
func (s *systemMounts) add(c *inventory.Container, m inventory.Mount, answered bool) {
	now, known := place(c, m)
	source, whole := plainName(m.Source), path.Clean("/"+m.Source) == "/"
	how := "read-only"
	switch {
	case m.RW:
		how = "writable"
	case known && !now.ReadOnly:
		how = "writable (configured read-only)"
		s.reopened = append(s.reopened, source)
	case !whole:
		return // read-only, as it should be
	default:
		s.whole = true
	}
	s.all = append(s.all, source+" "+how)
	s.found = append(s.found, evidence("mount", sourceInspect, "%s on %s, %s", source, plainName(m.Destination), how))
	block := mountBlock(c, m)
	switch {
	case !m.RW:
	case !answered:
		s.open = append(s.open, m.Source)
	case block != "":
		s.stuck = append(s.stuck, block)
	default:
		s.changes = append(s.changes, mountChange(m, plan.MountWritable, true, false))
		s.notes = append(s.notes, fmt.Sprintf("sockets and devices below %s stay open, and file systems that the host has mounted below it stay writable before engine 25", source))
	}
}

// answer is the answer that makes everything read-only that is asked about.
func (s *systemMounts) answer(p profile.Params) string {
	written := func(paths []string) string {
		quoted := make([]string, len(paths))
		for i, one := range paths {
			quoted[i] = fmt.Sprintf("%q", one)
		}
		return strings.Join(quoted, ", ")
	}
	var parts []string
	if len(s.open) > 0 {
		parts = append(parts, "read_only: ["+written(union(p.List("read_only"), s.open))+"]")
	}
	if s.whole {
		parts = append(parts, "needed: ["+written(union(p.List("needed"), []string{"/"}))+"]")
	}
	return strings.Join(parts, ", ")
}

// names reports whether a list of paths names one.
func names(paths []string, one string) bool {
	return slices.ContainsFunc(paths, func(p string) bool { return path.Clean(p) == path.Clean(one) })
}

// isSocket reports whether a mount is an engine's socket itself: read-only changes nothing of it.
func isSocket(h *inventory.Host, m inventory.Mount) bool {
	return slices.Contains(socketsOf(h), realRun(m.Source)) || path.Base(m.Source) == "docker.sock"
}
