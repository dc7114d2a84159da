package inventory

import (
	"fmt"
	"time"
)

// meter samples one container's use of memory and processes.
type meter struct {
	root       hostRoot
	memory     string // the container's directory, as a host path
	memoryV2   bool
	pids       string
	usage      Usage
	firstTaken time.Time
}

// newMeter finds a container's directories for memory and processes.
func (r *procReader) newMeter(groups cgroups) (*meter, error) {
	var err error
	m := &meter{root: r.root}
	if m.memory, m.memoryV2, err = r.mount.group(groups, "memory"); err != nil {
		return nil, fmt.Errorf("cannot read its memory: %w", err)
	}
	// Without a group for pids only the number of processes stays unknown.
	m.pids, _, _ = r.mount.group(groups, "pids")
	return m, nil
}

// sample reads once and keeps the largest of everything.
func (m *meter) sample(now time.Time) error {
	current := "memory.usage_in_bytes"
	if m.memoryV2 {
		current = "memory.current"
	}
	usage := m.root.number(m.memory, current)
	if usage == nil {
		return fmt.Errorf("cannot read its memory: %s is not readable", m.memory+"/"+current)
	}
	stat := m.root.counters(m.memory, "memory.stat", "total_inactive_file", "total_rss", "total_shmem",
		"inactive_file", "anon", "shmem", "slab_unreclaimable", "kernel_stack", "pagetables")
	if stat == nil {
		return fmt.Errorf("cannot read its memory: %s is not readable", m.memory+"/memory.stat")
	}
	inactive, hard := stat["total_inactive_file"], stat["total_rss"]+stat["total_shmem"]
	if m.memoryV2 {
		inactive = stat["inactive_file"]
		hard = stat["anon"] + stat["shmem"] + stat["slab_unreclaimable"] + stat["kernel_stack"] + stat["pagetables"]
	}
	u := &m.usage
	u.WorkingSet = max(u.WorkingSet, *usage-inactive, 0)
	u.Unreclaimable = max(u.Unreclaimable, hard)
	u.Swap = max(u.Swap, m.swap())
	u.Peak = max(u.Peak, m.peak())
	u.OOMKills = max(u.OOMKills, m.oomKills())
	if m.pids != "" {
		u.Pids = max(u.Pids, known(m.root.number(m.pids, "pids.current")))
		u.PidsPeak = max(u.PidsPeak, known(m.root.number(m.pids, "pids.peak")))
	}
	if u.Samples == 0 {
		m.firstTaken = now
	}
	u.Samples++
	u.Window = now.Sub(m.firstTaken)
	return nil
}

// swap is what is swapped out. On cgroup v1 it is only counted where the kernel accounts for swap.
func (m *meter) swap() int64 {
	if m.memoryV2 {
		return known(m.root.number(m.memory, "memory.swap.current"))
	}
	return m.root.counters(m.memory, "memory.stat", "total_swap")["total_swap"]
}

func (m *meter) peak() int64 {
	if m.memoryV2 {
		return known(m.root.number(m.memory, "memory.peak"))
	}
	return known(m.root.number(m.memory, "memory.max_usage_in_bytes"))
}

func (m *meter) oomKills() int64 {
	if m.memoryV2 {
		return m.root.counters(m.memory, "memory.events", "oom_kill")["oom_kill"]
	}
	return m.root.counters(m.memory, "memory.oom_control", "oom_kill")["oom_kill"]
}

// known is a number that could be read, else 0.
func known(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}
