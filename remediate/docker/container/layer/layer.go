package layer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Layer is the writable layer of one container.
type Layer struct {
	// Upper is the directory with what the container wrote, as this process can open it.
	Upper string
	// Lower are the directories of the image below it, topmost first.
	Lower []string
}

// Written says what a container wrote.
type Written struct {
	Files int64 `json:"files"` // files, directories and deletions
	Bytes int64 `json:"bytes"`
	// Paths are the first of them, sorted, at most [MaxPaths].
	Paths []string `json:"paths,omitempty"`
}

// MaxPaths bounds the paths a [Written] names.
const MaxPaths = 20

// Clean reports whether nothing was written.
func (w Written) Clean() bool { return w.Files == 0 }

func (w *Written) add(e *entry) {
	w.Files++
	w.Bytes += e.size
	if len(w.Paths) >= MaxPaths {
		return
	}
	name := e.path
	if e.whiteout() {
		name += " (deleted)"
	}
	w.Paths = append(w.Paths, name)
}

// Written lists what the layer holds beyond stubs: the mount points and directories that the engine
// itself makes when it creates or starts a container; and beyond what is in directories of without. It fails when the
// layer cannot be read whole.
func (l Layer) Written(stubs []string, without ...string) (Written, error) {
	skip, above := make(map[string]bool), map[string]bool{"/": true}
	for _, s := range stubs {
		s = path.Clean("/" + s)
		skip[s] = true
		for dir := path.Dir(s); dir != "/"; dir = path.Dir(dir) {
			above[dir] = true
		}
	}
	var w Written
	err := walk(l.Upper, func(e *entry) error {
		if anyInside(e.path, without) {
			return nil
		}
		isStub := skip[e.path] && !e.whiteout() && !e.opaque() && e.size == 0
		if isStub || above[e.path] && e.mode.IsDir() && !e.opaque() && l.untouched(e) {
			return nil
		}
		w.add(e)
		return nil
	})
	return w, err
}

// untouched reports whether a directory has the mode and owner it has in the image, or is not in the
// image at all: then the engine made it on the way to a mount point.
func (l Layer) untouched(e *entry) bool {
	for _, dir := range l.Lower {
		below, err := read(filepath.Clean(dir), filepath.Join(dir, e.path))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return err == nil && below.mode == e.mode && below.uid == e.uid && below.gid == e.gid
	}
	return true
}

// Open finds the layer of a container from the GraphDriver member of its inspect answer. root
// prefixes the engine's paths. It fails when the directories cannot be read here: the engine is on
// another machine, or the caller may not.
func Open(root, driver string, data map[string]string) (Layer, error) {
	if driver != "overlay2" {
		return Layer{}, fmt.Errorf("storage driver %q: %w", driver, ErrDriver)
	}
	l := Layer{Upper: filepath.Join(root, data["UpperDir"])}
	if data["UpperDir"] == "" {
		return Layer{}, fmt.Errorf("the engine names no upper directory: %w", ErrDriver)
	}
	for _, dir := range strings.Split(data["LowerDir"], ":") {
		l.Lower = append(l.Lower, filepath.Join(root, dir))
	}
	dir, err := os.Open(l.Upper)
	if err != nil {
		return Layer{}, fmt.Errorf("cannot read the writable layer: %w", err)
	}
	return l, dir.Close()
}

// ErrDriver says that the layer is not one this package can read.
var ErrDriver = errors.New("writable layers of this storage driver cannot be read")
