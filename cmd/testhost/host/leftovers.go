package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// leftovers is what a host that is gone has left on the machine. Its interfaces,
// firewall rules and mounts live in namespaces that end with its last process.
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

// lookFor finds what is left of the host that had this directory and namespace.
func lookFor(state string, ns *namespace) (leftovers, error) {
	var l leftovers
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return l, err
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, state) {
			l.mounts = append(l.mounts, strings.TrimSpace(line))
		}
	}
	groups, _ := filepath.Glob(filepath.Join(cgroupRoot, "*", filepath.Base(state)))
	for _, path := range append(groups, state, filepath.Join(cgroupRoot, filepath.Base(state))) {
		if _, err := os.Lstat(path); err == nil {
			l.files = append(l.files, path)
		}
	}
	l.processes, err = ns.processes()
	return l, err
}

// A namespace is the process namespace of a host. While it is held open, the
// kernel does not give its number to the namespace of another host.
type namespace struct {
	held *os.File
	id   string
}

// holdNamespace holds the process namespace that pid is in.
func holdNamespace(pid int) (*namespace, error) {
	path := fmt.Sprintf("/proc/%d/ns/pid", pid)
	held, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot look into the host's namespaces: %w", err)
	}
	id, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", held.Fd()))
	if err != nil {
		held.Close()
		return nil, fmt.Errorf("cannot look into the host's namespaces: %w", err)
	}
	return &namespace{held: held, id: id}, nil
}

func (n *namespace) close() { n.held.Close() }

// processes lists the living processes in the namespace.
func (n *namespace) processes() ([]string, error) {
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
		p, err := readProcess("/proc", pid)
		if err != nil || p.state == "Z" {
			continue // a dead process holds nothing; its parent will reap it
		}
		if id, err := os.Readlink(filepath.Join("/proc", e.Name(), "ns", "pid")); err == nil && id == n.id {
			found = append(found, e.Name()+" "+p.name)
		}
	}
	return found, nil
}
