package host

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// cgroupRoot is where every distribution mounts the control groups.
const cgroupRoot = "/sys/fs/cgroup"

// A hierarchy is one mounted tree of control groups.
type hierarchy struct {
	mount   string // where it is mounted
	kind    string // "cgroup" (version 1) or "cgroup2"
	options string // how to mount the same tree again
}

// hierarchies reads the mounted control group trees from a mountinfo file.
func hierarchies(r io.Reader) ([]hierarchy, error) {
	var found []hierarchy
	s := bufio.NewScanner(r)
	for s.Scan() {
		own, fs, ok := strings.Cut(s.Text(), " - ")
		f, g := strings.Fields(own), strings.Fields(fs)
		if !ok || len(f) < 5 || len(g) < 3 || (g[0] != "cgroup" && g[0] != "cgroup2") {
			continue
		}
		if f[4] != cgroupRoot && filepath.Dir(f[4]) != cgroupRoot {
			continue // a second mount of a tree, for instance a container's
		}
		// A later mount hides an earlier one at the same place.
		found = slices.DeleteFunc(found, func(h hierarchy) bool { return h.mount == f[4] })
		found = append(found, hierarchy{mount: f[4], kind: g[0], options: mountOptions(g[0], g[2])})
	}
	return found, s.Err()
}

// mountOptions keeps of the super block's options those that name the tree.
func mountOptions(kind, super string) string {
	if kind == "cgroup2" {
		return "rw"
	}
	var keep []string
	for _, o := range strings.Split(super, ",") {
		switch {
		case o == "rw" || o == "ro" || o == "seclabel" || strings.HasPrefix(o, "release_agent="):
		case strings.HasPrefix(o, "name="):
			keep = append(keep, "none", o)
		default:
			keep = append(keep, o)
		}
	}
	return strings.Join(keep, ",")
}

// A cgroupPlan is what an isolated host does about control groups: they are the
// one thing of the kernel that a namespace hides but does not own.
type cgroupPlan struct {
	made  []string // directories of the host, outermost, to be removed in the end
	enter []string // files the host's PID 1 writes itself into, before its cgroup namespace
	join  []string // files every later process writes itself into
	mount []string // shell lines that mount the trees inside
}

// planCgroups names the host's group in every tree. Nothing is created yet.
// Within a systemd host, systemd divides the tree of version 2 itself.
func planCgroups(trees []hierarchy, links map[string]string, id string, systemd bool) cgroupPlan {
	var p cgroupPlan
	unified := len(trees) == 1 && trees[0].mount == cgroupRoot
	if systemd && !unified {
		// Together with version 1, systemd must not see the other one at all.
		trees = slices.DeleteFunc(slices.Clone(trees), func(h hierarchy) bool { return h.kind == "cgroup2" })
	}
	if len(trees) > 0 && !unified {
		p.mount = append(p.mount, "mount -t tmpfs -o mode=755 tmpfs "+cgroupRoot)
	}
	for _, t := range trees {
		p.add(t, filepath.Join(t.mount, id), unified, systemd)
	}
	for _, name := range slices.Sorted(maps.Keys(links)) {
		p.mount = append(p.mount, fmt.Sprintf("ln -s %s %s", links[name], filepath.Join(cgroupRoot, name)))
	}
	return p
}

// add plans one tree, in which dir is the host's group.
func (p *cgroupPlan) add(t hierarchy, dir string, unified, systemd bool) {
	p.made = append(p.made, dir)
	p.enter = append(p.enter, filepath.Join(dir, "cgroup.procs"))
	if !unified {
		p.mount = append(p.mount, "mkdir -p "+t.mount)
	}
	p.mount = append(p.mount, fmt.Sprintf("mount -t %s -o %s cgroup %s", t.kind, t.options, t.mount))
	if t.kind != "cgroup2" {
		p.join = append(p.join, filepath.Join(dir, "cgroup.procs"))
		return
	}
	// Version 2 allows no process in a group that has controlled children.
	p.join = append(p.join, filepath.Join(dir, "processes", "cgroup.procs"))
	if !systemd {
		p.mount = append(p.mount, "echo 0 >"+filepath.Join(t.mount, "processes", "cgroup.procs"), enableControllers(t.mount))
	}
}

// enableControllers is the shell line that lets an engine inside limit its containers.
func enableControllers(mount string) string {
	return fmt.Sprintf("for c in $(cat %[1]s/cgroup.controllers); do echo +$c >%[1]s/cgroup.subtree_control || :; done", mount)
}

// readCgroups plans with the trees of this machine.
func readCgroups(id string, systemd bool) (cgroupPlan, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return cgroupPlan{}, err
	}
	defer f.Close()
	trees, err := hierarchies(f)
	if err != nil {
		return cgroupPlan{}, fmt.Errorf("cannot read /proc/self/mountinfo: %w", err)
	}
	links := map[string]string{}
	entries, err := os.ReadDir(cgroupRoot)
	if err != nil {
		return cgroupPlan{}, err
	}
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(cgroupRoot, e.Name())); err == nil {
			links[e.Name()] = to // cpu -> cpu,cpuacct
		}
	}
	return planCgroups(trees, links, id, systemd), nil
}

// create makes the groups. A cpuset starts empty and would refuse processes.
func (p cgroupPlan) create() error {
	for _, dir := range p.made {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("cannot create control group: %w", err)
		}
		for _, f := range []string{"cpuset.cpus", "cpuset.mems"} {
			data, err := os.ReadFile(filepath.Join(filepath.Dir(dir), f))
			if err != nil {
				continue // not the cpuset tree
			}
			if err := os.WriteFile(filepath.Join(dir, f), data, 0o644); err != nil {
				return fmt.Errorf("cannot prepare control group: %w", err)
			}
		}
	}
	for _, f := range p.join {
		if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
			return fmt.Errorf("cannot create control group: %w", err)
		}
	}
	return nil
}

// removeCgroup removes a group and the groups below it.
func removeCgroup(dir string) error {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeCgroup(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := os.Remove(dir); err != nil {
		return fmt.Errorf("cannot remove control group: %w", err)
	}
	return nil
}
