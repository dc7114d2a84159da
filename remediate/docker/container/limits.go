package container

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"docker-harden/plan/inventory"
)

// unlimitedMemory is the number by which a memory limit is lifted through the API: the kernel holds
// none then. The engine takes 0 for "leave it" and refuses -1.
const unlimitedMemory = 9223372036854771712

const (
	leastMemory   = 6 << 20 // the engine refuses less
	defaultShares = 1024
)

// live are the fields that the engine changes in a running container.
var live = []string{"Memory", "MemorySwap", "PidsLimit", "CpuShares", "RestartPolicy"}

// wanted are the limits a container will have: what it has, with new values over it.
func wanted(c *state, values map[string]json.RawMessage) (limits, error) {
	want := c.HostConfig.limits
	for field, target := range map[string]any{
		"Memory": &want.Memory, "MemorySwap": &want.MemorySwap, "PidsLimit": &want.PidsLimit, "CpuShares": &want.CPUShares,
	} {
		raw, ok := values[field]
		if !ok {
			continue
		}
		if err := json.Unmarshal(raw, target); err != nil {
			return want, fmt.Errorf("cannot read the planned %s: %w", field, err)
		}
	}
	return want, nil
}

// admitLimits refuses limits that the engine would take and that would break the container, now or
// at its next start.
func (a *api) admitLimits(ctx context.Context, o Options, c *state, want limits) error {
	name, m := c.name(), want.Memory
	switch {
	case m > 0 && m < leastMemory:
		return refused("a memory limit of %d bytes for %s is less than the engine takes (6 MiB)", m, name)
	case m > 0 && m < want.MemoryReservation:
		return refused("the memory limit of %s would be below its memory reservation (%d < %d): it could not start again", name, m, want.MemoryReservation)
	case m > 0 && want.MemorySwap > 0 && want.MemorySwap < m:
		return refused("the limit of memory and swap of %s would be below its memory limit (%d < %d)", name, want.MemorySwap, m)
	}
	if !c.State.Running || m == c.HostConfig.Memory && (want.PidsLimit == nil || *want.PidsLimit <= 0) {
		return nil
	}
	used, err := a.usage(ctx, o, c)
	if err != nil {
		return err
	}
	const margin = 10 // per cent; the kernel kills at once when a limit is set below what is in use
	if need := used.memory + used.memory/margin; m > 0 && m != c.HostConfig.Memory && m < need {
		return refused("%s uses %d bytes of memory now: a limit of %d would kill it", name, used.memory, m)
	}
	if p := want.PidsLimit; p != nil && *p > 0 && *p <= used.pids {
		return refused("%s has %d processes and threads now: a limit of %d would stop it from working", name, used.pids, *p)
	}
	return nil
}

// held compares limits with the kernel; fields are those that were set. An empty answer is the proof.
func held(want limits, p *inventory.Proc, fields []string) []string {
	var paths []string
	for _, f := range fields {
		paths = append(paths, "HostConfig."+f)
	}
	wrong := limitsTruth(&want, p, paths)
	if want.Memory >= unlimitedMemory && slices.Contains(fields, "Memory") && p.MemoryLimit != nil && *p.MemoryLimit >= 0 {
		wrong = append(wrong, fmt.Sprintf("Memory is still limited to %d in the kernel", *p.MemoryLimit))
	}
	if pids := want.PidsLimit; slices.Contains(fields, "PidsLimit") && (pids == nil || *pids <= 0) && p.PidsLimit != nil && *p.PidsLimit >= 0 {
		wrong = append(wrong, fmt.Sprintf("PidsLimit is still %d in the kernel", *p.PidsLimit))
	}
	if slices.Contains(fields, "CpuShares") {
		wrong = append(wrong, sharesHeld(want.CPUShares, p)...)
	}
	return wrong
}

func sharesHeld(want int64, p *inventory.Proc) []string {
	switch {
	case p.CPUWeight != nil: // cgroup v2
		if !slices.Contains(weightsOf(want), *p.CPUWeight) {
			return []string{fmt.Sprintf("the weight for CpuShares is %d in the kernel, which is not what runtimes make of %d", *p.CPUWeight, want)}
		}
	case p.CPUShares == nil:
		return []string{"CpuShares could not be read from its control group"}
	case *p.CPUShares != within(cmp.Or(want, defaultShares)):
		return []string{fmt.Sprintf("CpuShares is %d in the kernel, not %d", *p.CPUShares, cmp.Or(want, defaultShares))}
	}
	return nil
}
