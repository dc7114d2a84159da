package container

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// usage is a working set (without file cache that can go) in bytes, and a number of tasks.
type usage struct{ memory, pids int64 }

// usage reads what a container uses now: from its control group where that can be found, else from
// the engine, which takes a second for it.
func (a *api) usage(ctx context.Context, o Options, c *state) (usage, error) {
	if used, err := o.groupUsage(c.State.PID); err == nil {
		return used, nil
	}
	var stats struct {
		Memory struct {
			Usage int64            `json:"usage"`
			Stats map[string]int64 `json:"stats"`
		} `json:"memory_stats"`
		Pids struct {
			Current int64 `json:"current"`
		} `json:"pids_stats"`
	}
	if err := a.call(ctx, http.MethodGet, "/containers/"+c.ID+"/stats?stream=0&one-shot=1", nil, &stats); err != nil {
		return usage{}, fmt.Errorf("cannot ask what %s uses: %w", c.name(), err)
	}
	return usage{memory: workingSet(stats.Memory.Usage, stats.Memory.Stats), pids: stats.Pids.Current}, nil
}

// workingSet takes the names of both control group versions; only version 1 has totals.
func workingSet(used int64, stats map[string]int64) int64 {
	cache, v1 := stats["total_inactive_file"]
	if !v1 {
		cache = stats["inactive_file"]
	}
	return max(used-cache, 0)
}

var errNoGroup = errors.New("no control group")

// groups are the directories in which a process's memory and tasks are counted, at their usual places, and the name of
// the file with the memory in use.
func (o Options) groups(pid int) (memory, pids, current string, err error) {
	text, err := os.ReadFile(o.path("proc", strconv.Itoa(pid), "cgroup"))
	if err != nil {
		return "", "", "", err
	}
	groups := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if parts := strings.SplitN(strings.TrimSpace(line), ":", 3); len(parts) == 3 {
			for _, controller := range strings.Split(parts[1], ",") {
				groups[controller] = parts[2]
			}
		}
	}
	memory, current = o.path("sys/fs/cgroup", groups[""]), "memory.current"
	pids = memory
	if group, ok := groups["memory"]; ok {
		memory, current = o.path("sys/fs/cgroup/memory", group), "memory.usage_in_bytes"
	}
	if group, ok := groups["pids"]; ok {
		pids = o.path("sys/fs/cgroup/pids", group)
	}
	// The root group has no usage of its own: a container is never in it.
	if filepath.Base(memory) == "cgroup" || filepath.Base(memory) == "memory" {
		return "", "", "", errNoGroup
	}
	return memory, pids, current, nil
}

// hits are how often the kernel enforced a limit on a container: killed a process for lack of memory, refused one more
// process or thread.
type hits struct{ killed, refused int64 }

// hits reads them; what the kernel does not count is 0.
func (o Options) hits(pid int) (hits, error) {
	memory, pids, current, err := o.groups(pid)
	if err != nil {
		return hits{}, err
	}
	file := "memory.events"
	if current != "memory.current" {
		file = "memory.oom_control"
	}
	kills, err := counters(filepath.Join(memory, file))
	if err != nil {
		return hits{}, err
	}
	refusals, _ := counters(filepath.Join(pids, "pids.events"))
	return hits{killed: kills["oom_kill"], refused: refusals["max"]}, nil
}

// groupUsage reads a process's control group.
func (o Options) groupUsage(pid int) (usage, error) {
	memory, pids, current, err := o.groups(pid)
	if err != nil {
		return usage{}, err
	}
	used, err := number(filepath.Join(memory, current))
	if err != nil {
		return usage{}, err
	}
	tasks, err := number(filepath.Join(pids, "pids.current"))
	if err != nil {
		return usage{}, err
	}
	stats, err := counters(filepath.Join(memory, "memory.stat"))
	return usage{memory: workingSet(used, stats), pids: tasks}, err
}

func number(file string) (int64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}

// counters reads a file of lines "name number".
func counters(file string) (map[string]int64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	out := make(map[string]int64)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			out[name] = n
		}
	}
	return out, nil
}
