package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/docker/go-units"
	"github.com/urfave/cli/v2"

	"docker-harden/plan/evidence"
	"docker-harden/plan/inventory"
)

// isEvidence reports whether a file may be replaced by evidence.
func isEvidence(data []byte) bool {
	_, err := evidence.Decode(data)
	return err == nil
}

func readEvidence(name string) (*evidence.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open the evidence: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read the evidence: %w", err)
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("cannot read the evidence %s: it is not a regular file", name)
	case info.Mode().Perm()&0o022 != 0: // limits are computed from it
		return nil, fmt.Errorf("cannot trust the evidence %s: it is writable by group or others (mode %04o); learn again, or chmod 0600", name, info.Mode().Perm())
	}
	data, err := io.ReadAll(io.LimitReader(f, evidence.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the evidence %s: %w", name, err)
	}
	out, err := evidence.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("cannot read the evidence %s: %w", name, err)
	}
	return out, nil
}

// readEvidences reads the files of --evidence; nil: there is none.
func readEvidences(c *cli.Context) ([]*evidence.File, error) {
	var out []*evidence.File
	for _, name := range c.StringSlice("evidence") {
		f, err := readEvidence(name)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// learnt gives every container its evidence. It is an error that one is about no container here, or about one that
// works differently now: a plan would rest on what is not so.
func learnt(h *inventory.Host, files []*evidence.File) error {
	for _, f := range files {
		c := h.Find(f.Container.Name)
		if c == nil {
			return fmt.Errorf("cannot use the evidence of container %s: there is no such container", f.Container.Name)
		}
		if err := c.Learn(f); err != nil {
			return fmt.Errorf("%w; learn again", err)
		}
	}
	return nil
}

// printEvidence says in a few lines what was seen.
func (a *app) printEvidence(f *evidence.File, path string) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-13s %s\n", name, clean(fmt.Sprintf(format, args...)))
	}
	fmt.Fprintf(&b, "%s, watched %s in all, saved as %s\n", clean(f.Container.Name), units.HumanDuration(f.Time()), clean(path))
	for _, name := range f.Used() {
		line(name, "%s", uses(f.Uses(name)))
	}
	switch {
	case !f.Watched():
		line("capabilities", "not watched all the time: nothing can be said of those that are not listed")
	case len(f.Checks) == 0:
		line("capabilities", "none was used")
	}
	for _, e := range f.Gained() {
		line("gains", "%s (uid %d, then %d), %s", e.Path, e.UID, e.EUID, count(int(e.Count), "time"))
	}
	line("memory", "at most %s, of which %s cannot be given back", units.BytesSize(float64(f.Memory.WorkingSet)), units.BytesSize(float64(f.Memory.Unreclaimable)))
	line("processes", "at most %d", max(f.Pids.Most, f.Pids.Peak))
	switch {
	case f.Writes.Problem != "":
		line("writes", "not known: %s", f.Writes.Problem)
	case len(f.Writes.Paths) == 0:
		line("writes", "nothing into its root file system")
	default:
		line("writes", "%s", strings.Join(f.Writes.Paths, ", "))
	}
	if used := f.Used(); len(used) > 0 {
		line("", `In a profile: containers: [{match: %q, controls: {docker/capabilities: {params: {keep: [%s]}}}}]`, f.Container.Name, strings.Join(used, ", "))
	}
	if creates, starts, stops := f.Lives(); creates+starts+stops > 0 {
		line("life", "made %s, started %s, ended by itself %s", count(creates, "time"), count(starts, "time"), count(stops, "time"))
	}
	if !f.Started() {
		line("", "Its start was not seen: what is needed only then is not here.")
	}
	if gaps := f.LifeGaps(); len(gaps) > 0 {
		line("", "Not seen: %s.", strings.Join(gaps, ", "))
	}
	_, err := io.WriteString(a.out, b.String())
	return err
}

// uses says for what a capability was used, the most frequent first.
func uses(list []evidence.Check) string {
	const most = 3
	words := make([]string, 0, most+1)
	for i, c := range list {
		if i == most {
			words = append(words, fmt.Sprintf("and %d more", len(list)-most))
			break
		}
		words = append(words, c.String())
	}
	return strings.Join(words, "; ")
}
