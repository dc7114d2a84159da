package docker

import (
	"path"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// mountChange is one setting of a bind mount that only a new container can have.
func mountChange(m inventory.Mount, setting string, from, to any) plan.Change {
	return plan.Change{Path: plan.MountPath(m.Destination, setting), From: raw(from), To: raw(to), Kind: plan.KindRecreate, Reversibility: plan.Exact}
}

// mountBlock says why a bind mount cannot be changed in a new container; empty: it can.
func mountBlock(c *inventory.Container, m inventory.Mount) string {
	if plainName(m.Destination) != m.Destination {
		return "the name of its place in the container, " + plainName(m.Destination) + ", is none that a plan has: change it by hand"
	}
	here := func(target string) bool { return path.Clean(target) == path.Clean(m.Destination) }
	for _, spec := range c.Inspect.HostConfig.Binds {
		if parts := strings.Split(spec, ":"); len(parts) > 1 && here(parts[1]) {
			return ""
		}
	}
	if slices.ContainsFunc(c.Inspect.HostConfig.Mounts, func(s inventory.MountSpec) bool { return s.Type == "bind" && here(s.Target) }) {
		return ""
	}
	return plainName(m.Destination) + " comes from another container (--volumes-from): change it there, then make this one again by hand"
}

// place is a mount of a running container as the kernel holds it; false: it was not looked at, or is not there.
func place(c *inventory.Container, m inventory.Mount) (inventory.Place, bool) {
	if c.Proc == nil {
		return inventory.Place{}, false
	}
	p, ok := c.Proc.Places[m.Destination]
	return p, ok
}

// mayMount reports whether a process of the container can mount anything that others would see: that takes
// SYS_ADMIN. (In a user namespace of its own it mounts for itself: the kernel shares nothing from there.)
func mayMount(c *inventory.Container) bool {
	if !seen(c) {
		hc := &c.Inspect.HostConfig
		return hc.Privileged || slices.Contains(configuredCaps(hc.CapAdd, hc.CapDrop), "SYS_ADMIN")
	}
	admin := capMask([]string{"SYS_ADMIN"})
	return len(which(c, func(p inventory.Process) bool { return p.CapBnd&admin != 0 })) > 0
}
