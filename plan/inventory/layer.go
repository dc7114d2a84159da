package inventory

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	maxLayerEntries = 20_000 // looked at; a larger layer is truncated
	maxLayerPaths   = 20     // named
)

// engineMade are the paths that the engine and the runtime put into every writable layer, as mount
// points or files of their own.
var engineMade = []string{
	"/.dockerenv", "/dev", "/proc", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf",
	"/etc/mtab", "/run/.containerenv", "/sbin/docker-init",
}

// layerWalk lists what a container wrote into its overlay upper directory.
type layerWalk struct {
	dir   *os.Root        // the upper directory: a running container may swap parts of it for links at any moment
	skip  map[string]bool // paths whose whole content is not the container's
	above map[string]bool // directories that exist because of a path below them
	seen  int
	layer Layer
	each  func(name string, entry layerEntry) // told of every path that counts; nil: nobody is
}

// upperDir is the host path of a container's overlay upper directory.
func upperDir(c *Container, r hostRoot) (string, error) {
	if dir := c.Inspect.GraphDriver.Data["UpperDir"]; dir != "" {
		return dir, nil
	}
	// With the containerd image store the engine does not tell; a running container's own mount does.
	if c.Running() && c.Inspect.State.PID > 0 {
		if data, err := readLimited(r.proc(c.Inspect.State.PID, "mountinfo"), maxProcFile); err == nil {
			if top, ok := rootMount(parseMounts(data)); ok && top.upper() != "" {
				return top.upper(), nil
			}
		}
	}
	driver := first(c.Inspect.GraphDriver.Name, c.Inspect.Driver, "unknown")
	return "", fmt.Errorf("the writable layer of storage driver %s cannot be listed from outside", driver)
}

// readLayer lists a container's writable layer. It follows no link and reads no file.
func readLayer(c *Container, r hostRoot) (*Layer, error) { return walkLayer(c, r, nil) }

// eachWritten tells of every path of a container's writable layer that counts, and whether there was too much.
func eachWritten(c *Container, r hostRoot, each func(name string, entry layerEntry)) (partial bool, err error) {
	l, err := walkLayer(c, r, each)
	return err == nil && l.Truncated, err
}

func walkLayer(c *Container, r hostRoot, each func(name string, entry layerEntry)) (*Layer, error) {
	upper, err := upperDir(c, r)
	if err != nil {
		return nil, err
	}
	if r != "" {
		// The engine's path may run through links that only it resolves rightly.
		if upper, _, err = r.resolve(upper); err != nil {
			return nil, err
		}
	}
	if emptyDir(r.join(upper)) {
		return &Layer{}, nil // as most are
	}
	dir, err := os.OpenRoot(r.join(upper))
	if err != nil {
		return nil, fmt.Errorf("cannot list the writable layer: %w", explain(err))
	}
	defer dir.Close()
	w := &layerWalk{dir: dir, skip: map[string]bool{}, above: map[string]bool{"/": true}, each: each}
	w.exceptFor(c)
	if _, err := w.walk("/"); err != nil {
		return nil, fmt.Errorf("cannot list the writable layer: %w", explain(err))
	}
	slices.Sort(w.layer.Paths)
	return &w.layer, nil
}

// exceptFor leaves out what is not the container's own.
func (w *layerWalk) exceptFor(c *Container) {
	for _, name := range engineMade {
		w.exclude(name)
	}
	for _, m := range c.Inspect.Mounts {
		w.exclude(m.Destination)
	}
	for name := range c.Inspect.HostConfig.Tmpfs {
		w.exclude(name)
	}
	if dir := c.Inspect.Config.WorkingDir; dir != "" {
		// The engine makes the working directory where the image has none.
		w.exempt(dir)
	}
}

// emptyDir reports whether a directory surely is empty.
func emptyDir(name string) bool {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var entries [512]byte
	for {
		n, err := unix.ReadDirent(fd, entries[:])
		if err != nil || n == 0 {
			return err == nil
		}
		if _, count, _ := unix.ParseDirent(entries[:n], 1, nil); count > 0 {
			return false // ParseDirent leaves out "." and ".."
		}
	}
}

func (w *layerWalk) exclude(name string) {
	w.skip[path.Clean("/"+name)] = true
	w.exempt(path.Dir(path.Clean("/" + name)))
}

func (w *layerWalk) exempt(dir string) {
	for dir = path.Clean("/" + dir); dir != "/"; dir = path.Dir(dir) {
		w.above[dir] = true
	}
}

// walk counts what is below a directory and reports whether anything was.
func (w *layerWalk) walk(dir string) (found bool, err error) {
	entries, err := w.list(dir)
	if err != nil {
		return false, err
	}
	for _, entry := range entries {
		if w.seen >= maxLayerEntries {
			w.layer.Truncated = true
			return found, nil
		}
		w.seen++
		name := path.Join(dir, entry.name)
		if w.skip[name] {
			continue
		}
		if !entry.dir {
			w.count(name, entry)
			found = true
			continue
		}
		inside, err := w.walk(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return found, err
		}
		if !inside && !w.above[name] {
			w.count(name, entry)
			inside = true
		}
		found = found || inside
	}
	return found, nil
}

// layerEntry is one name in a directory of the layer.
type layerEntry struct {
	name string
	dir  bool
	size int64 // of a regular file
}

// list reads a directory, sorted, but never more than may still be looked at.
func (w *layerWalk) list(dir string) ([]layerEntry, error) {
	f, err := w.dir.OpenFile(path.Join(".", dir), os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	read, err := f.ReadDir(maxLayerEntries - w.seen + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, cause(err)
	}
	entries := make([]layerEntry, 0, len(read))
	for _, r := range read {
		entry := layerEntry{name: r.Name(), dir: r.IsDir()}
		if r.Type().IsRegular() {
			var st unix.Stat_t
			if err := unix.Fstatat(int(f.Fd()), entry.name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
				continue // gone meanwhile
			}
			entry.size = st.Size
		}
		entries = append(entries, entry)
	}
	slices.SortFunc(entries, func(a, b layerEntry) int { return strings.Compare(a.name, b.name) })
	return entries, nil
}

// count adds one path.
func (w *layerWalk) count(name string, entry layerEntry) {
	if w.each != nil {
		w.each(name, entry)
	}
	w.layer.Files++
	w.layer.Bytes += entry.size
	if len(w.layer.Paths) < maxLayerPaths {
		w.layer.Paths = append(w.layer.Paths, name)
	}
}

// OnlySecrets reports whether all that was written is below /run/secrets, where Docker Compose itself
// puts the secrets of each container it makes: those are not lost at the next docker compose up.
// paths may be the first of files only, and then it cannot be told.
func OnlySecrets(paths []string, files int64) bool {
	const secrets = "/run/secrets"
	return int64(len(paths)) >= files && !slices.ContainsFunc(paths, func(p string) bool {
		return p != "/run" && p != secrets && !strings.HasPrefix(p, secrets+"/") || strings.HasSuffix(p, deleted)
	})
}

// deleted ends the path of a file of the image that the container deleted, where that is told.
const deleted = " (deleted)"
