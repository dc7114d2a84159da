package inventory

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// maxHeld bounds the files of one directory that are counted; a larger one is partial.
const maxHeld = 200_000

// Held is how much a container has in a directory: what its image has there, and what it has written.
type Held struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
	// Partial is true where there is more.
	Partial bool `json:"partial,omitempty"`
	// Problem says why it is not known; there may be no such directory.
	Problem string `json:"problem,omitempty"`
}

// contents looks at directories of a container's root file system. It follows no link and reads no file.
func (r hostRoot) contents(c *Container, places []string) map[string]Held {
	if len(places) == 0 {
		return nil
	}
	out := make(map[string]Held)
	all, err := r.whole(c)
	if err != nil {
		for _, place := range places {
			out[place] = Held{Problem: err.Error()}
		}
		return out
	}
	defer all.close()
	for _, place := range places {
		out[place] = all.held(place)
	}
	return out
}

// whole is the root file system of a container.
func (r hostRoot) whole(c *Container) (*imageTree, error) {
	upper, lowers, err := layers(c, r)
	if err != nil {
		return nil, err
	}
	return openImage(append([]string{r.join(upper)}, lowers...))
}

func (t *imageTree) held(place string) Held {
	stack, at := t.layers, "/"
	var h Held
	for part := range strings.SplitSeq(strings.Trim(path.Clean("/"+place), "/"), "/") {
		at = path.Join(at, part)
		f := lookIn(stack, at)
		switch {
		case !f.there:
			h.Problem = "the container has no directory " + place
			return h
		case !f.mode.IsDir():
			h.Problem = fmt.Sprintf("%s is no directory of its own: %s is a file or a symbolic link", place, at)
			return h
		}
		stack = f.dirs
	}
	if err := h.count(at, stack); err != nil {
		h.Problem = explain(err).Error()
	}
	return h
}

// lookedUp is what layers make of one name.
type lookedUp struct {
	there bool
	mode  fs.FileMode
	size  int64      // of a regular file
	dirs  []*os.Root // that have a directory of it, topmost first
}

// lookIn finds a path in layers that all have the directory it is in.
func lookIn(stack []*os.Root, name string) lookedUp {
	const whiteout = fs.ModeDevice | fs.ModeCharDevice
	var f lookedUp
	for _, layer := range stack {
		info, err := layer.Lstat(path.Join(".", name))
		if err != nil {
			continue
		}
		if info.Mode().Type() == whiteout && deviceOf(info) == 0 || !info.IsDir() && f.there {
			break
		}
		if !f.there {
			f.there, f.mode = true, info.Mode()
		}
		if info.Mode().IsRegular() {
			f.size = info.Size()
		}
		if !info.IsDir() {
			break
		}
		f.dirs = append(f.dirs, layer)
		if opaque(layer, path.Join(".", name)) {
			break
		}
	}
	return f
}

// deviceOf is the number of a device.
func deviceOf(info fs.FileInfo) uint64 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return uint64(st.Rdev)
}

// count adds what is in a directory.
func (h *Held) count(at string, stack []*os.Root) error {
	seen := make(map[string]bool)
	for _, layer := range stack {
		dir, err := layer.Open(path.Join(".", at))
		if err != nil {
			return err
		}
		list, err := dir.ReadDir(maxHeld)
		if cerr := dir.Close(); cerr != nil && err == nil {
			err = cerr
		}
		if err != nil && len(list) == 0 && !errors.Is(err, io.EOF) {
			return err
		}
		for _, one := range list {
			if seen[one.Name()] {
				continue
			}
			seen[one.Name()] = true
			if h.Files >= maxHeld {
				h.Partial = true
				return nil
			}
			name := path.Join(at, one.Name())
			f := lookIn(stack, name)
			if !f.there {
				continue // deleted
			}
			h.Files++
			if !f.mode.IsDir() {
				h.Bytes += f.size
				continue
			}
			if err := h.count(name, f.dirs); err != nil {
				return err
			}
		}
	}
	return nil
}
