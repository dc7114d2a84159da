package inventory

import (
	"os"
	"strings"
)

// ownWorld is what tells the container that this process runs in, if it runs in one: the control
// groups it is in, and where its own /etc/hostname comes from.
type ownWorld struct{ groups, mounts string }

func newOwnWorld() ownWorld {
	groups, _ := os.ReadFile("/proc/self/cgroup")
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	return ownWorld{string(groups), string(mounts)}
}

// in reports whether the process runs in the container with this full id.
func (w ownWorld) in(id string) bool {
	return id != "" && (strings.Contains(w.groups, id) || strings.Contains(w.mounts, "/"+id+"/hostname "))
}

// Self reports whether this process runs in the container with this full id.
func Self(id string) bool { return newOwnWorld().in(id) }
