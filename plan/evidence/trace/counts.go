package trace

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Counts is all that was counted since Start.
type Counts struct {
	Checks []Check
	Execs  []Exec
	Lost   uint64 // what did not fit: with any, the rest is no evidence that something was not needed
}

// Group is a control group of the pids controller.
type Group struct {
	ID        uint64 // of the kernel, for as long as it runs
	Names     []string
	Container string // the id of 64 digits that one of the names has, the innermost, or ""
}

// In reports whether the group is a container's, or below it: what runs an engine of its own has containers in it.
func (g Group) In(container string) bool {
	return container != "" && (g.Container == container || slices.ContainsFunc(g.Names, func(name string) bool { return containerOf([]string{name}) == container }))
}

// Seen is how often, and when for the first and the last time.
type Seen struct {
	Count       uint64
	First, Last time.Time
}

// Check is one kind of capability check.
type Check struct {
	Group      Group
	Capability int    // number, as in capability.h
	Denied     bool   // the process did not have it
	NoAudit    bool   // asked without a trace in the audit log: the answer only widens what a process gets (fexit, kprobe)
	Borrowed   bool   // with the rights of somebody else, as overlayfs does with those of who mounted it
	Call       int    // number of the system call
	EUID       uint32 // of the rights used, in the first user namespace
	Comm       string // name of the process, as it says itself
	Wanted     uint64 // of capset: the capabilities asked for, a bit each
	Seen
}

// Exec is one kind of execution.
type Exec struct {
	Group     Group
	Path      string // as it was called, up to 127 bytes
	UID, EUID uint32 // in the first user namespace
	Gained    bool   // privileges: setuid, setgid or capabilities of the file
	Permitted uint64 // the capabilities that it has, a bit each
	Seen
}

// Counts reads what was counted until now.
func (r *Recorder) Counts() (Counts, error) {
	var out Counts
	booted, err := bootTime()
	if err != nil {
		return out, err
	}
	groups, err := r.groups()
	if err != nil {
		return out, err
	}
	slots, err := r.slotted()
	if err != nil {
		return out, err
	}
	err = each(r.maps[checksMap], func(key, value []byte) {
		slots[string(key)].addTo(value)
		c := decodeCheck(key)
		c.Group, c.Seen, c.Wanted = groups[c.Group.ID].or(c.Group), seen(value, booted), binary.NativeEndian.Uint64(value[24:])
		out.Checks = append(out.Checks, c)
	})
	if err != nil {
		return out, fmt.Errorf("cannot read the counted checks: %w", err)
	}
	err = each(r.maps[execsMap], func(key, value []byte) {
		e := decodeExec(key)
		e.Group, e.Seen, e.Permitted = groups[e.Group.ID].or(e.Group), seen(value, booted), binary.NativeEndian.Uint64(value[24:])
		out.Execs = append(out.Execs, e)
	})
	if err != nil {
		return out, fmt.Errorf("cannot read the counted executions: %w", err)
	}
	if err := r.maps[lostMap].Lookup(uint32(0), &out.Lost); err != nil {
		return out, fmt.Errorf("cannot read how much was lost: %w", err)
	}
	return out, nil
}

func (g Group) or(other Group) Group {
	if g.ID == 0 {
		return other
	}
	return g
}

// groups are the names that the programs wrote down.
func (r *Recorder) groups() (map[uint64]Group, error) {
	out := make(map[uint64]Group)
	err := each(r.maps[namesMap], func(key, value []byte) {
		g := Group{ID: binary.NativeEndian.Uint64(key)}
		for at := 0; at+nameSize <= len(value); at += nameSize {
			if name := text(value[at : at+nameSize]); name != "" {
				g.Names = append(g.Names, name)
			}
		}
		g.Container = containerOf(g.Names)
		out[g.ID] = g
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the names of control groups: %w", err)
	}
	return out, nil
}

// A container's group is called by its id, or docker-ID.scope where systemd makes it.
var containerName = regexp.MustCompile(`^(?:docker-)?([0-9a-f]{64})(?:\.scope)?$`)

// containerOf finds a container's id in the names of a group and of those above it: what runs systemd or an engine
// of its own makes groups below the container's.
func containerOf(names []string) string {
	for _, name := range names {
		if m := containerName.FindStringSubmatch(name); m != nil {
			return m[1]
		}
	}
	return ""
}

// each gives every entry of a map. Others count meanwhile: an entry may be given as it was or as it is.
func each(m *ebpf.Map, take func(key, value []byte)) error {
	var key, value []byte
	entries := m.Iterate()
	for entries.Next(&key, &value) {
		take(key, value)
	}
	return entries.Err()
}

func decodeCheck(key []byte) Check {
	const noAudit = 1 << 1
	return Check{
		Group: Group{ID: binary.NativeEndian.Uint64(key)},
		Call:  int(int32(binary.NativeEndian.Uint32(key[8:]))), EUID: binary.NativeEndian.Uint32(key[12:]),
		Capability: int(key[16]), Denied: key[17] != 0, NoAudit: key[18]&noAudit != 0, Borrowed: key[19] != 0,
		Comm: text(key[24:40]),
	}
}

func decodeExec(key []byte) Exec {
	return Exec{
		Group: Group{ID: binary.NativeEndian.Uint64(key)},
		UID:   binary.NativeEndian.Uint32(key[8:]), EUID: binary.NativeEndian.Uint32(key[12:]), Gained: key[16] != 0,
		Path: text(key[24:]),
	}
}

func seen(value []byte, booted time.Time) Seen {
	at := func(offset int) time.Time {
		return booted.Add(time.Duration(binary.NativeEndian.Uint64(value[offset:])))
	}
	return Seen{Count: binary.NativeEndian.Uint64(value), First: at(8), Last: at(16)}
}

// text is what is before the first zero byte.
func text(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}

// bootTime is when the kernel's clock began, by the clock of now.
func bootTime() (time.Time, error) {
	var since unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &since); err != nil {
		return time.Time{}, fmt.Errorf("cannot read the kernel's clock: %w", err)
	}
	return time.Now().Add(-time.Duration(since.Nano())), nil
}
