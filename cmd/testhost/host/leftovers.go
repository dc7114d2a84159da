package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// leftovers is what a host that is gone has left on the machine. Interfaces and
// firewall rules live in the host's network namespace, which lives as long as a
// process in it or a mount of it does: those are what is looked for.
type leftovers struct {
	processes []string
	mounts    []string
	files     []string // its directory and control groups
}

// err names everything that is left, or is nil.
func (l leftovers) err() error {
	var errs []error
	for _, kind := range []struct {
		name string
		list []string
	}{{"process", l.processes}, {"mount", l.mounts}, {"directory", l.files}} {
		for _, what := range kind.list {
			errs = append(errs, fmt.Errorf("the host left a %s behind: %s", kind.name, what))
		}
	}
	return errors.Join(errs...)
}

// lookFor finds what is left of the host that had this directory and namespaces.
func lookFor(state string, namespaces []string) (leftovers, error) {
	var l leftovers
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return l, err
	}
	for line := range strings.Lines(string(mounts)) {
		holds := func(id string) bool { return strings.Contains(line, id) }
		if holds(state) || slices.ContainsFunc(namespaces, holds) {
			l.mounts = append(l.mounts, strings.TrimSpace(line))
		}
	}
	groups, _ := filepath.Glob(filepath.Join(cgroupRoot, "*", filepath.Base(state)))
	for _, path := range append(groups, state, filepath.Join(cgroupRoot, filepath.Base(state))) {
		if _, err := os.Lstat(path); err == nil {
			l.files = append(l.files, path)
		}
	}
	l.processes, err = processesIn(namespaces)
	return l, err
}

// namespacesOf names the namespaces that only the host's processes are in.
func namespacesOf(pid int) ([]string, error) {
	var ids []string
	for _, kind := range []string{"pid", "mnt", "net"} {
		id, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil // it has died already, and all of it with it
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the host's namespaces: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// processesIn lists living processes that are in one of the namespaces.
func processesIn(namespaces []string) ([]string, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, err := readProcess("/proc", pid); err != nil || p.state == "Z" {
			continue // a dead process holds nothing; its parent will reap it
		}
		for _, kind := range []string{"pid", "mnt", "net"} {
			id, err := os.Readlink(filepath.Join("/proc", e.Name(), "ns", kind))
			if err == nil && slices.Contains(namespaces, id) {
				comm, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "comm"))
				found = append(found, e.Name()+" "+strings.TrimSpace(string(comm)))
				break
			}
		}
	}
	return found, nil
}
