package inventory

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"docker-harden/plan/evidence"
)

const (
	maxWrittenDirs  = 64
	maxImageEntries = 4096 // looked at in one directory of an image's layer
)

// WrittenDirs are the directories of the root file system that a container of this machine has written in, and
// whether there are more. A place that the image does not have counts for the directory above it that the image has:
// there the container made it.
func (c *Container) WrittenDirs() (dirs []evidence.Dir, partial bool, err error) {
	return hostRoot("").writtenDirs(c)
}

func (r hostRoot) writtenDirs(c *Container) ([]evidence.Dir, bool, error) {
	upper, lowers, err := layers(c, r)
	if err != nil {
		return nil, false, err
	}
	image, err := openImage(lowers)
	if err != nil {
		return nil, false, err
	}
	defer image.close()
	top, err := os.OpenRoot(r.join(upper))
	if err != nil {
		return nil, false, fmt.Errorf("cannot look at the writable layer: %w", explain(err))
	}
	defer top.Close() //nolint:errcheck // read only
	found := make(map[string]evidence.Dir)
	partial, err := eachWritten(c, r, func(name string, entry layerEntry) {
		home := image.home(name, entry.dir)
		dir := found[home]
		dir.Files, dir.Bytes = dir.Files+1, dir.Bytes+entry.size
		found[home] = dir
	})
	if err != nil {
		return nil, false, err
	}
	var out []evidence.Dir
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if len(out) == maxWrittenDirs {
			return out, true, nil
		}
		dir, err := dirOf(top, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone meanwhile
		}
		if err != nil {
			return nil, false, err
		}
		dir.Files, dir.Bytes, dir.Image = found[name].Files, found[name].Bytes, image.has(name)
		out = append(out, dir)
	}
	return out, partial, nil
}

// layers are the host paths of the directories that make up a container's root file system.
func layers(c *Container, r hostRoot) (upper string, lowers []string, err error) {
	if upper, err = upperDir(c, r); err != nil {
		return "", nil, err
	}
	list := c.Inspect.GraphDriver.Data["LowerDir"]
	if list == "" && c.Running() && c.Inspect.State.PID > 0 {
		if data, err := readLimited(r.proc(c.Inspect.State.PID, "mountinfo"), maxProcFile); err == nil {
			top, _ := rootMount(parseMounts(data))
			list = top.lower()
		}
	}
	for _, dir := range strings.Split(list, ":") {
		if !path.IsAbs(dir) {
			return "", nil, errors.New("the layers of the image cannot be found from outside")
		}
		lowers = append(lowers, dir)
	}
	for i, dir := range append([]string{upper}, lowers...) {
		real, _, err := r.resolve(dir)
		if err != nil {
			return "", nil, err
		}
		if i == 0 {
			upper = real
			continue
		}
		lowers[i-1] = r.join(real)
	}
	return upper, lowers, nil
}

// dirOf reads owner and mode of a directory. A container that puts a link in its place is not followed out of the layer.
func dirOf(layer *os.Root, name string) (evidence.Dir, error) {
	info, err := layer.Lstat(path.Join(".", name))
	if err != nil {
		return evidence.Dir{}, fmt.Errorf("cannot look at %s in the writable layer: %w", name, cause(err))
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return evidence.Dir{}, fmt.Errorf("cannot look at %s in the writable layer: its owner is not known", name)
	}
	return evidence.Dir{Path: name, UID: int(st.Uid), GID: int(st.Gid), Mode: st.Mode & 0o7777}, nil
}

// imageTree is what an image has, as overlay puts it together of its layers, the topmost first.
type imageTree struct{ layers []*os.Root }

func openImage(dirs []string) (*imageTree, error) {
	t := &imageTree{}
	for _, dir := range dirs {
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.close()
			return nil, fmt.Errorf("cannot look at the layers of the image: %w", explain(err))
		}
		t.layers = append(t.layers, root)
	}
	return t, nil
}

func (t *imageTree) close() {
	for _, root := range t.layers {
		_ = root.Close() // read only
	}
}

// home is the directory that has to be writable for what was written at a place: the place itself where it is a
// directory of the image, else the directory above it that the image has. Below / there is none that could be made
// writable, so it is the place itself there.
func (t *imageTree) home(name string, isDir bool) string {
	if isDir && t.has(name) != evidence.ImageAbsent {
		return name
	}
	for at := name; ; at = path.Dir(at) {
		above := path.Dir(at)
		switch {
		case above == "/" && (at != name || isDir):
			return at
		case above == "/":
			return "/"
		case t.has(above) != evidence.ImageAbsent:
			return above
		}
	}
}

// has says what the image has at a place. Layers hide those below them by deletions and by directories that take
// the place of a whole one (opaque).
func (t *imageTree) has(name string) string {
	found, hidden := evidence.ImageAbsent, make(map[string]bool)
	for _, layer := range t.layers {
		there, last := descend(layer, name)
		if there {
			if found == evidence.ImageAbsent {
				found = evidence.ImageEmpty
			}
			if visible(layer, name, hidden) {
				return evidence.ImageContent
			}
		}
		if last {
			break
		}
	}
	return found
}

// descend goes down to a directory in one layer: whether it is there, and whether the layers below are hidden there.
func descend(layer *os.Root, name string) (there, last bool) {
	at := "."
	for part := range strings.SplitSeq(strings.Trim(name, "/"), "/") {
		at = path.Join(at, part)
		info, err := layer.Lstat(at)
		if err != nil {
			return false, last
		}
		if !info.IsDir() {
			return false, true // deleted, or something else
		}
		last = last || opaque(layer, at)
	}
	return true, last
}

// opaque reports whether a directory of a layer takes the place of those below it.
func opaque(layer *os.Root, name string) bool {
	dir, err := layer.Open(name)
	if err != nil {
		return false
	}
	defer dir.Close() //nolint:errcheck // read only
	for _, attribute := range []string{"trusted.overlay.opaque", "user.overlay.opaque"} {
		var value [1]byte
		if n, err := unix.Fgetxattr(int(dir.Fd()), attribute, value[:]); err == nil && n == 1 && value[0] == 'y' {
			return true
		}
	}
	return false
}

// visible reports whether a directory of a layer has something that no layer above has deleted, and takes note of
// what this one deletes.
func visible(layer *os.Root, name string, hidden map[string]bool) bool {
	dir, err := layer.Open(path.Join(".", name))
	if err != nil {
		return true // not known: as if it had
	}
	defer dir.Close() //nolint:errcheck // read only
	entries, err := dir.ReadDir(maxImageEntries)
	if err != nil && len(entries) == 0 {
		return !errors.Is(err, io.EOF)
	}
	for _, entry := range entries {
		if entry.Type()&fs.ModeCharDevice != 0 {
			hidden[entry.Name()] = true // a deletion, or a device, which no directory of data has
			continue
		}
		if !hidden[entry.Name()] {
			return true
		}
	}
	return false
}
