package inventory

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// bindSources looks at what containers bind from the host, so that a recreate can be refused or
// warned of: of a source that has gone the engine would make an empty directory, one that was
// replaced would be another one in the new container, and what is mounted below a read-only one may
// become read-only too.
func (c *collector) bindSources() {
	if !c.host.Engine.Local {
		return
	}
	var below func(source string) bool
	for i := range c.host.Containers {
		x := &c.host.Containers[i]
		for _, m := range x.Inspect.Mounts {
			if m.Type != "bind" || m.Source == "" {
				continue
			}
			c.bindSource(x, m)
			if m.RW {
				continue
			}
			if below == nil {
				below = c.root.submounts()
			}
			if below(m.Source) {
				x.Submounts = append(x.Submounts, m.Source)
			}
		}
	}
}

func (c *collector) bindSource(x *Container, m Mount) {
	file, seen := c.host.Files[m.Source]
	if !seen {
		var err error
		if file, err = c.root.statFile(m.Source); err != nil {
			c.problem("container/"+x.Name, err.Error(), false)
			return
		}
		c.host.Files[m.Source] = file
	}
	if pid := x.Inspect.State.PID; file.Exists && x.Running() && pid > 0 {
		// One that has ended meanwhile uses nothing any more.
		if replaced, err := c.root.replaced(pid, m.Source, m.Destination); err == nil && replaced {
			x.Replaced = append(x.Replaced, m.Source)
		}
	}
}

// BindReplaced reports whether the source of a bind mount is another file or directory on the host
// now than the one that the container with this first process uses at target: a new container would
// get the other one. A socket never counts, because its server makes it anew at every start. The
// error is fs.ErrNotExist when there is no source. root is as for [ReadProc].
func BindReplaced(root string, pid int, source, target string) (bool, error) {
	return hostRoot(root).replaced(pid, source, target)
}

func (r hostRoot) replaced(pid int, source, target string) (bool, error) {
	now, err := r.statThrough(source)
	if err != nil {
		return false, fmt.Errorf("cannot look at bind source %s: %w", source, err)
	}
	if now.Mode()&os.ModeSocket != 0 || pid <= 0 {
		return false, nil
	}
	used, err := hostRoot(r.proc(pid, "root")).statThrough(target)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // hidden by another mount, or the container has ended
	}
	if err != nil {
		return false, fmt.Errorf("cannot look at %s in the container: %w", target, err)
	}
	return !os.SameFile(now, used), nil
}

// statThrough looks at a file through the symlinks on the way to it, as a process living in the root
// would.
func (r hostRoot) statThrough(name string) (fs.FileInfo, error) {
	real, _, err := r.resolve(name)
	if err != nil {
		return nil, err
	}
	info, err := os.Lstat(r.join(real))
	if err != nil {
		return nil, cause(err)
	}
	return info, nil
}

// submounts tells of a directory whether the host has other file systems mounted below it.
func (r hostRoot) submounts() func(dir string) bool {
	data, err := readLimited(r.mountTable(), maxProcFile)
	if err != nil {
		return func(string) bool { return false }
	}
	var points []string
	for _, m := range parseMounts(data) {
		points = append(points, m.point)
	}
	return func(dir string) bool {
		dir = strings.TrimSuffix(dir, "/") + "/"
		return slices.ContainsFunc(points, func(p string) bool { return strings.HasPrefix(p, dir) && p != dir })
	}
}
