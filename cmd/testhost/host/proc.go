package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A process is one line of a process list.
type process struct {
	pid, parent int
	state       string // "Z": dead, not reaped yet
	name        string
	args        []string
}

// processes lists what the /proc at dir shows.
func processes(dir string) []process {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var list []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, err := readProcess(dir, pid); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// readProcess reads one process; it may be gone.
func readProcess(dir string, pid int) (process, error) {
	stat, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(pid), "stat"))
	if err != nil {
		return process{}, err
	}
	// The name stands in parentheses and may hold anything, parentheses too.
	text := string(stat)
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return process{}, fmt.Errorf("cannot read the state of process %d", pid)
	}
	f := strings.Fields(text[end+1:])
	if len(f) < 2 {
		return process{}, fmt.Errorf("cannot read the state of process %d", pid)
	}
	parent, err := strconv.Atoi(f[1])
	if err != nil {
		return process{}, fmt.Errorf("cannot read the state of process %d: %w", pid, err)
	}
	args, _ := os.ReadFile(filepath.Join(dir, strconv.Itoa(pid), "cmdline"))
	return process{
		pid: pid, parent: parent, state: f[0], name: text[open+1 : end],
		args: strings.Split(strings.TrimRight(string(args), "\x00"), "\x00"),
	}, nil
}

// children lists the direct children of a process of this machine.
func children(pid int) []int {
	var found []int
	for _, p := range processes("/proc") {
		if p.parent == pid {
			found = append(found, p.pid)
		}
	}
	return found
}
