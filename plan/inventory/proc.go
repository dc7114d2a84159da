package inventory

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// unlimited is how [Proc] writes "no limit".
const unlimited = -1

// v1Unlimited is from where on a cgroup v1 memory limit means none: the largest multiple of a
// page that fits, for pages up to 64 KiB.
const v1Unlimited = 1<<63 - 1<<16

// namespaces are those [Proc.SharedNamespaces] speaks of.
var namespaces = []string{"net", "pid", "ipc", "uts", "user"}

// ReadProc reads what the kernel says of the container whose first process is pid. root is where
// the host's own / is found ("" for this machine); pid counts in that host's pid namespace.
//
// A namespace counts as shared with the host when the host's process 1 has it, or, except for the
// user namespace, the process whose root was given (/proc/PID/root).
func ReadProc(root string, pid int) (*Proc, error) {
	r := procReader{root: hostRoot(root)}
	if err := r.prepare(0); err != nil {
		return nil, err
	}
	groups, err := r.root.cgroups(pid)
	if err != nil {
		return nil, fmt.Errorf("cannot read process %d: %w", pid, explain(err))
	}
	return r.read(pid, groups)
}

// procReader reads the truth of many containers of one host.
type procReader struct {
	root  hostRoot
	mount hierarchies
	host  []map[string]string // namespaces of the host
	live  bool                // the kernel's own /proc, not a recording of one
	bare  bool                // the kernel has no security module that confines processes
}

// prepare learns what is the same for all containers. engine is the engine's pid: containers that
// share namespaces "with the host" share those of the engine. 0: not known.
func (r *procReader) prepare(engine int) error {
	var err error
	if r.mount, err = r.root.hierarchies(); err != nil {
		return err
	}
	var fs unix.Statfs_t
	r.live = unix.Statfs(r.root.join("/proc"), &fs) == nil && fs.Type == unix.PROC_SUPER_MAGIC
	r.bare = r.unconfined()
	first, err := r.namespaces(1)
	if err != nil {
		return fmt.Errorf("cannot read the host's namespaces: %w", explain(err))
	}
	r.host = []map[string]string{first}
	if engine == 0 && r.root.holder() != 0 {
		engine = r.root.inner(r.root.holder())
	}
	if engine > 1 {
		own, err := r.namespaces(engine)
		if err != nil {
			return fmt.Errorf("cannot read the engine's namespaces: %w", explain(err))
		}
		delete(own, "user")
		r.host = append(r.host, own)
	}
	return nil
}

func (r *procReader) namespaces(pid int) (map[string]string, error) {
	links := map[string]string{}
	for _, name := range namespaces {
		link, err := os.Readlink(r.root.proc(pid, "ns", name))
		if errors.Is(err, fs.ErrNotExist) && name == "user" {
			continue // a kernel without user namespaces
		}
		if err != nil {
			return nil, cause(err)
		}
		links[name] = link
	}
	return links, nil
}

// read reads one container. The order matters little: everything that fails because the process
// ended fails with "no such process".
func (r *procReader) read(pid int, groups cgroups) (*Proc, error) {
	failed := func(err error) error {
		return fmt.Errorf("cannot read process %d: %w", pid, explain(err))
	}
	first, err := r.process(pid)
	if err != nil {
		return nil, failed(err)
	}
	proc := &Proc{Init: first, AppArmor: r.appArmor(pid)}
	own, err := r.namespaces(pid)
	if err != nil {
		return nil, failed(err)
	}
	for _, name := range namespaces {
		if slices.ContainsFunc(r.host, func(host map[string]string) bool { return host[name] != "" && host[name] == own[name] }) {
			proc.SharedNamespaces = append(proc.SharedNamespaces, name)
		}
	}
	if !slices.Contains(proc.SharedNamespaces, "net") {
		proc.Subnets, _ = r.root.subnets(pid) // what is not known is not held against it
	}
	if proc.ReadOnlyRoot, err = r.readOnlyRoot(pid); err != nil {
		return nil, failed(err)
	}
	r.limits(proc, groups)
	if proc.All, err = r.all(first, groups); err != nil {
		return nil, failed(err)
	}
	if slices.Contains(proc.SharedNamespaces, "net") {
		proc.Listeners, proc.ListenersProblem = r.root.listeners(proc)
	}
	return proc, nil
}

// readOnlyRoot reports whether a process has / read-only. The kernel is asked for that one mount:
// writing the whole table takes it long, because a container has some thirty.
func (r *procReader) readOnlyRoot(pid int) (bool, error) {
	if r.live {
		var fs unix.Statfs_t
		err := unix.Statfs(r.root.proc(pid, "root"), &fs)
		return fs.Flags&unix.ST_RDONLY != 0, err
	}
	mounts, err := readLimited(r.root.proc(pid, "mountinfo"), maxProcFile)
	if err != nil {
		return false, err
	}
	top, _ := rootMount(parseMounts(mounts))
	return top.readOnly(), nil
}

// all reads every process of the container's control group. Those that end meanwhile are left out.
func (r *procReader) all(first Process, groups cgroups) ([]Process, error) {
	list := []Process{first}
	pids, err := r.pids(groups)
	if err != nil {
		return nil, err
	}
	for _, pid := range pids {
		if pid == first.PID {
			continue
		}
		p, err := r.process(pid)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b Process) int { return a.PID - b.PID })
	return list, nil
}

// pids lists the processes of the container from any hierarchy in which it has a group of its own.
func (r *procReader) pids(groups cgroups) ([]int, error) {
	var last error
	for _, controller := range []string{"pids", "memory", "devices", "name=systemd"} {
		dir, _, err := r.mount.group(groups, controller)
		if err != nil {
			last = err
			continue
		}
		return r.root.members(dir)
	}
	return nil, last
}

// process reads one process.
func (r *procReader) process(pid int) (Process, error) {
	status, err := r.root.readProcFile("/proc", strconv.Itoa(pid), "status")
	if err != nil {
		return Process{}, cause(err)
	}
	p, err := parseStatus(status)
	if err != nil {
		return Process{}, err
	}
	if strings.HasPrefix(statusField(status, "State"), "Z") {
		return p, nil // it has ended: there is no executable any more
	}
	return p, r.executable(&p)
}

// executable looks at the file a process runs, through the kernel's own link to it, which also
// works for files that were replaced and never follows a path made by the container. A process
// without one has just ended, or is a thread of the kernel that works for the container: neither counts.
func (r *procReader) executable(p *Process) error {
	link := r.root.proc(p.PID, "exe")
	name, err := os.Readlink(link)
	if errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err != nil {
		p.ExeProblem = explain(err).Error()
		return nil
	}
	p.Exe = strings.TrimSuffix(name, " (deleted)")
	info, err := os.Stat(link)
	if err != nil {
		p.ExeProblem = explain(err).Error()
		return nil
	}
	p.Setuid = info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0
	if p.FileCaps, err = hasFileCaps(link); err != nil {
		p.ExeProblem = explain(err).Error()
	}
	return nil
}

// armor are the files with a process's AppArmor profile, below /proc/PID. The second one is that of any
// security module.
var armor = []string{"attr/apparmor/current", "attr/current"}

// unconfined reports whether the kernel surely has no security module: then it calls reading the
// second file invalid, of every process.
func (r *procReader) unconfined() bool {
	_, own := r.root.readProcFile("/proc/1", armor[0])
	_, shared := r.root.readProcFile("/proc/1", armor[1])
	return errors.Is(own, fs.ErrNotExist) && errors.Is(shared, unix.EINVAL)
}

// appArmor is the profile a process is confined by; empty where AppArmor is not in the kernel.
func (r *procReader) appArmor(pid int) string {
	if r.bare {
		return ""
	}
	for _, file := range armor {
		data, err := r.root.readProcFile("/proc", strconv.Itoa(pid), file)
		if err == nil {
			return strings.TrimRight(string(data), "\n\x00")
		}
	}
	return ""
}

// limits reads what the kernel enforces.
func (r *procReader) limits(proc *Proc, groups cgroups) {
	if dir, v2, err := r.mount.group(groups, "memory"); err == nil && v2 {
		proc.MemoryLimit = r.root.number(dir, "memory.max")
		proc.MemorySwapLimit = together(proc.MemoryLimit, r.root.number(dir, "memory.swap.max"))
	} else if err == nil {
		proc.MemoryLimit = boundedV1(r.root.number(dir, "memory.limit_in_bytes"))
		proc.MemorySwapLimit = boundedV1(r.root.number(dir, "memory.memsw.limit_in_bytes"))
	}
	if dir, _, err := r.mount.group(groups, "pids"); err == nil {
		proc.PidsLimit = r.root.number(dir, "pids.max")
	}
	if dir, v2, err := r.mount.group(groups, "cpu"); err == nil && v2 {
		proc.CPUWeight = r.root.number(dir, "cpu.weight")
		proc.CPUShares = sharesOf(proc.CPUWeight)
	} else if err == nil {
		proc.CPUShares = r.root.number(dir, "cpu.shares")
	}
}

// boundedV1 is a memory limit of cgroup v1, where a very large number means none.
func boundedV1(limit *int64) *int64 {
	if limit != nil && *limit >= v1Unlimited {
		*limit = unlimited
	}
	return limit
}

// together is the limit of memory and swap that two limits of cgroup v2 make; nil: one of them is not known.
func together(memory, swap *int64) *int64 {
	if memory == nil || swap == nil {
		return nil
	}
	both := int64(unlimited)
	if *memory >= 0 && *swap >= 0 && *memory <= math.MaxInt64-*swap {
		both = *memory + *swap
	}
	return &both
}

// sharesOf converts a cgroup v2 weight (1…10000) to shares (2…262144). Runtimes map many shares to
// one weight, so the result is the largest that older ones map to it; the kernel's default weight
// stands for the default of 1024 shares, which newer ones map to it.
func sharesOf(weight *int64) *int64 {
	if weight == nil {
		return nil
	}
	const (
		defaultWeight, defaultShares = 100, 1024
		maxWeight, minShares, most   = 9999, 2, 262144
	)
	shares := int64(defaultShares)
	if *weight != defaultWeight {
		shares = min(most, minShares+(*weight*(most-minShares)+maxWeight-1)/maxWeight-1)
	}
	return &shares
}
