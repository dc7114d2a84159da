package inventory

import (
	"bytes"
	"os"
	"strings"
)

// ownWorld is what tells the container that this process runs in, if it runs in one: the control
// groups it is in, and the directories its own /etc/hostname may come from.
type ownWorld struct {
	groups string
	homes  map[string]bool // by name; an engine keeps a container's files in a directory named by its id
}

func newOwnWorld() ownWorld {
	groups, _ := os.ReadFile("/proc/self/cgroup")
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	return ownWorld{string(groups), homes(mounts)}
}

// homes are the names of the directories from which a file "hostname" is mounted. The table is read once
// for all containers: an engine's host has a line in it for each of them.
func homes(mounts []byte) map[string]bool {
	found := make(map[string]bool)
	const file = "/hostname "
	for {
		before, after, more := bytes.Cut(mounts, []byte(file))
		if !more {
			return found
		}
		found[string(before[bytes.LastIndexByte(before, '/')+1:])] = true
		mounts = after
	}
}

// in reports whether the process runs in the container with this full id.
func (w ownWorld) in(id string) bool {
	return id != "" && (w.homes[id] || strings.Contains(w.groups, id))
}

// Self reports whether this process runs in the container with this full id.
func Self(id string) bool { return newOwnWorld().in(id) }
