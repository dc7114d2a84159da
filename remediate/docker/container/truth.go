package container

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/sys/capability"

	"docker-harden/plan/inventory"
)

// truth compares what the kernel says of a container with what its settings ask for, and lists what
// does not hold. changed are the planned fields.
func truth(old, c *state, before, after *inventory.Proc, changed []string) []string {
	var wrong []string
	add := func(bad bool, format string, args ...any) {
		if bad {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	add(len(after.All) == 0, "it has no process")
	switch asked, set := noNewPrivileges(c.HostConfig.SecurityOpt); {
	case set && asked || before.Init.NoNewPrivs && !set:
		for _, p := range after.All {
			add(!p.NoNewPrivs, "process %d may gain privileges although no-new-privileges is set", p.PID)
		}
	case !before.Init.NoNewPrivs:
		add(after.Init.NoNewPrivs, "it took no-new-privileges from the engine's default, which the plan does not say")
	}
	if !c.HostConfig.Privileged {
		over := after.Init.CapBnd &^ capabilitiesOf(old, c, before)
		add(over != 0, "it still has %s", strings.Join(names(over), ", "))
		add(after.Init.Seccomp < wantedSeccomp(old, c, before), "its system calls are not filtered")
	}
	add(slices.Contains(changed, "Config.User") && after.Init.UID == 0, "its first process still runs as root")
	add(c.HostConfig.ReadonlyRootfs && !after.ReadOnlyRoot, "its root file system can be written")
	for _, ns := range []struct{ name, mode string }{
		{"net", c.HostConfig.NetworkMode}, {"pid", c.HostConfig.PidMode}, {"ipc", c.HostConfig.IpcMode}, {"uts", c.HostConfig.UTSMode},
	} {
		own := ns.mode != "host" && !strings.HasPrefix(ns.mode, "container:")
		add(own && slices.Contains(after.SharedNamespaces, ns.name), "it still shares the host's %s namespace", ns.name)
	}
	return append(wrong, limitsTruth(&c.HostConfig.limits, after, changed)...)
}

// limitsTruth lists the limits that the kernel does not hold. An unreadable limit counts only when it was planned.
func limitsTruth(want *limits, p *inventory.Proc, changed []string) []string {
	var wrong []string
	check := func(field string, want int64, have *int64, slack int64) {
		switch {
		case want <= 0:
		case have == nil:
			if slices.Contains(changed, "HostConfig."+field) {
				wrong = append(wrong, field+" could not be read from its control group")
			}
		case *have > want || *have < want-slack || *have < 0:
			wrong = append(wrong, fmt.Sprintf("%s is %d in the kernel, not %d", field, *have, want))
		}
	}
	const page = 64 << 10 // the kernel rounds down to its page size
	if want.Memory < unlimitedMemory {
		check("Memory", want.Memory, p.MemoryLimit, page)
	}
	if want.PidsLimit != nil {
		check("PidsLimit", *want.PidsLimit, p.PidsLimit, 0)
	}
	return wrong
}

// noNewPrivileges reads the option as the engine does: the last one wins.
func noNewPrivileges(opts []string) (on, set bool) {
	for _, opt := range opts {
		rest, ok := strings.CutPrefix(opt, "no-new-privileges")
		if !ok {
			continue
		}
		on, set = rest == "" || rest[1:] == "true", true
	}
	return on, set
}

// standard are the capabilities the engine gives a container that asks for none.
var standard = []string{
	"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
	"NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
}

// capabilitiesOf is the most a container may have: what it had (or the engine's own set, when it was
// privileged or the plan gives some back), what it asks for, and not what it drops.
func capabilitiesOf(old, c *state, before *inventory.Proc) uint64 {
	most := before.Init.CapBnd | mask(old.HostConfig.CapDrop)&mask(standard)
	if old.HostConfig.Privileged {
		most = mask(standard)
	}
	return (most &^ mask(c.HostConfig.CapDrop)) | mask(c.HostConfig.CapAdd)
}

// wantedSeccomp is the least filtering a container must show. A container that was open on purpose
// says nothing of what the engine does for others, so closing it counts as filtering.
func wantedSeccomp(old, c *state, before *inventory.Proc) int {
	const filtered = 2
	switch {
	case c.unfiltered():
		return 0
	case old.unfiltered():
		return filtered
	}
	return before.Init.Seccomp
}

func (c *state) unfiltered() bool {
	return c.HostConfig.Privileged || slices.ContainsFunc(c.HostConfig.SecurityOpt, func(o string) bool {
		return o == "seccomp=unconfined" || o == "seccomp:unconfined"
	})
}

// mask turns capability names as the engine takes them into kernel bits.
func mask(list []string) uint64 {
	var bits uint64
	for _, name := range list {
		name = strings.TrimPrefix(strings.ToUpper(name), "CAP_")
		if name == "ALL" {
			return ^uint64(0)
		}
		for _, c := range capability.ListKnown() {
			if strings.EqualFold(c.String(), name) {
				bits |= 1 << uint(c)
			}
		}
	}
	return bits
}

// names are the capabilities in bits, without CAP_.
func names(bits uint64) []string {
	var out []string
	for _, c := range capability.ListKnown() {
		if bits&(1<<uint(c)) != 0 {
			out = append(out, strings.ToUpper(c.String()))
		}
	}
	slices.Sort(out)
	return out
}
