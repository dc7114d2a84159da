package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// cgroups are the control groups of one process by controller ("memory", "pids"); "" is the
// unified hierarchy, "name=systemd" the one of systemd.
type cgroups map[string]string

// containerID finds the path element that stands for a container.
var containerID = regexp.MustCompile(`[0-9a-f]{64}`)

// cgroups reads /proc/PID/cgroup.
func (r hostRoot) cgroups(pid int) (cgroups, error) {
	data, err := r.readProcFile("/proc", strconv.Itoa(pid), "cgroup")
	if err != nil {
		return nil, err
	}
	groups := cgroups{}
	for line := range strings.Lines(string(data)) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for _, controller := range strings.Split(parts[1], ",") {
			groups[controller] = parts[2]
		}
	}
	return groups, nil
}

// service is the systemd unit a process belongs to, and whether a user's own systemd runs it.
func (g cgroups) service() (unit string, user bool) {
	group, ok := g["name=systemd"]
	if !ok {
		group = g[""]
	}
	for _, part := range strings.Split(group, "/") {
		switch {
		case strings.HasPrefix(part, "user@") && strings.HasSuffix(part, ".service"):
			user = true
		case strings.HasSuffix(part, ".service"):
			unit = part
		}
	}
	return unit, user
}

// container cuts a control group's path behind the element that names the container, because an
// init inside may have moved itself further down.
func (g cgroups) container(controller string) string {
	group := g[controller]
	parts := strings.Split(group, "/")
	for i := len(parts) - 1; i >= 0; i-- {
		if containerID.MatchString(parts[i]) {
			return strings.Join(parts[:i+1], "/")
		}
	}
	return group
}

// hierarchy is one mounted cgroup file system.
type hierarchy struct {
	root  string // the group that is mounted
	point string // where, as a host path
}

// hierarchies are the mounted cgroup file systems by controller; "" is cgroup v2.
type hierarchies map[string]hierarchy

// mountTable is the file with what is mounted on the host, as this process opens it.
func (r hostRoot) mountTable() string {
	switch {
	case r.holder() != 0:
		return path.Join("/proc", strconv.Itoa(r.holder()), "mountinfo")
	case r != "":
		return r.join("/proc/1/mountinfo")
	}
	return "/proc/self/mountinfo"
}

// hierarchies reads where cgroups are mounted, as the host below the root sees it.
func (r hostRoot) hierarchies() (hierarchies, error) {
	data, err := readLimited(r.mountTable(), maxProcFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the mount table: %w", cause(err))
	}
	found := hierarchies{}
	for _, m := range parseMounts(data) {
		found.cover(m.point)
		switch m.kind {
		case "cgroup2":
			found.add("", m)
		case "cgroup":
			for _, option := range strings.Split(m.super, ",") {
				found.add(option, m)
			}
		}
	}
	return found, nil
}

// add keeps the first mount of a hierarchy; later ones are copies.
func (h hierarchies) add(controller string, m mount) {
	if _, taken := h[controller]; !taken {
		h[controller] = hierarchy{root: m.root, point: m.point}
	}
}

// cover forgets what a later mount hides: mounts at the same point and below it.
func (h hierarchies) cover(point string) {
	for controller, mounted := range h {
		if mounted.point == point || point != "/" && strings.HasPrefix(mounted.point, point+"/") {
			delete(h, controller)
		}
	}
}

// errNoGroup means that a process has no control group of its own for a controller.
var errNoGroup = errors.New("no control group of its own")

// group is a container's directory for a controller, and whether it is cgroup v2.
func (h hierarchies) group(g cgroups, controller string) (dir string, v2 bool, err error) {
	if _, ok := g[controller]; !ok || h[controller].point == "" {
		controller, v2 = "", true
	}
	mounted, ok := h[controller]
	if _, has := g[controller]; !has || !ok {
		return "", v2, errNoGroup
	}
	group := g.container(controller)
	rest, ok := strings.CutPrefix(group, strings.TrimSuffix(mounted.root, "/"))
	if !ok || rest != "" && rest[0] != '/' {
		return "", v2, fmt.Errorf("control group %s is not below %s, which is mounted", group, mounted.root)
	}
	if rest == "" || rest == "/" {
		// The whole host's group: it says nothing of one container.
		return "", v2, errNoGroup
	}
	return path.Join(mounted.point, rest), v2, nil
}

// members lists the processes of a control group and of all groups below it.
func (r hostRoot) members(dir string) ([]int, error) {
	var pids []int
	var walk func(dir string) error
	walk = func(dir string) error {
		data, err := r.readProcFile(dir, "cgroup.procs")
		if err != nil {
			return err
		}
		for _, field := range strings.Fields(string(data)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
				pids = append(pids, r.inner(pid))
			}
		}
		if info, err := os.Stat(r.join(dir)); err == nil && leaf(info) {
			return nil
		}
		entries, err := os.ReadDir(r.join(dir))
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if !entry.IsDir() {
				continue
			}
			// A group below may be removed while we walk.
			if err := walk(path.Join(dir, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return nil
	}
	err := walk(dir)
	slices.Sort(pids)
	return slices.Compact(pids), err
}

// leaf reports whether a directory has no directories below it: those link back to it. Some file
// systems do not count links of directories, but control groups do.
func leaf(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Nlink == 2
}

// number reads one number of a cgroup file; "max" is -1. nil: the file cannot be read.
func (r hostRoot) number(dir, file string) *int64 {
	data, err := r.readProcFile(dir, file)
	if err != nil {
		return nil
	}
	text := strings.TrimSpace(string(data))
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case text == "max":
		n = unlimited
	case err != nil:
		return nil
	}
	return &n
}

// counters reads a cgroup file of "name value" lines, of which there may be forty: the values of the
// wanted names only.
func (r hostRoot) counters(dir, file string, wanted ...string) map[string]int64 {
	data, err := r.readProcFile(dir, file)
	if err != nil {
		return nil
	}
	values := make(map[string]int64, len(wanted))
	for line := range bytes.Lines(data) {
		name, text, ok := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
		if i := slices.IndexFunc(wanted, func(w string) bool { return w == string(name) }); ok && i >= 0 {
			if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
				values[wanted[i]] = n
			}
		}
	}
	return values
}
