package layer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Tree is a directory as a container sees it: what its layer and the layers of its image make of it together.
type Tree struct{ items []item }

// item is one file of a tree and where it is.
type item struct {
	*entry        // its path begins at the directory, which itself is "/"
	place  string // as this process can open it
}

// ErrAbsent says that a container has nothing in a place.
var ErrAbsent = errors.New("there is no such directory in the container")

// Merged reads a directory of a container. It fails where that cannot be known for sure, or where a file of it is one
// with a file outside of it, which a copy would make two.
func (l Layer) Merged(dir string) (*Tree, error) {
	stack := append([]string{filepath.Clean(l.Upper)}, l.Lower...)
	top, err := read(stack[0], stack[0])
	if err != nil {
		return nil, fmt.Errorf("cannot read layer: %w", err)
	}
	place := stack[0]
	for part := range strings.SplitSeq(strings.Trim(path.Clean(dir), "/"), "/") {
		if part == "" {
			continue
		}
		found, err := look(stack, part)
		switch {
		case err != nil:
			return nil, err
		case found.entry == nil:
			return nil, fmt.Errorf("%s: %w", dir, ErrAbsent)
		case !found.mode.IsDir():
			return nil, fmt.Errorf("%s is not a directory of its own: %s is a %s", dir, part, kindOf(found.mode))
		}
		stack, top, place = found.dirs, found.entry, found.place
	}
	root := *top
	root.path = "/"
	t := &Tree{items: []item{{&root, place}}}
	if err := t.below("/", stack); err != nil {
		return nil, err
	}
	return t, t.apart(l.Upper)
}

func kindOf(mode fs.FileMode) string {
	if mode&fs.ModeSymlink != 0 {
		return "symbolic link"
	}
	return "file"
}

// found is what the layers make of one name; without an entry nothing.
type found struct {
	item
	dirs []string // of a directory: all that it is made of, topmost first
}

// look finds a name in directories that are one directory to the container.
func look(stack []string, name string) (found, error) {
	var f found
	for _, dir := range stack {
		place := filepath.Join(dir, name)
		e, err := read(dir, place)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = plainEntry(e)
		}
		if err != nil {
			return f, fmt.Errorf("cannot read layer: %w", err)
		}
		if e.whiteout() || !e.mode.IsDir() && f.entry != nil {
			break
		}
		if f.entry == nil {
			f.item = item{e, place}
		}
		if !e.mode.IsDir() {
			break
		}
		f.dirs = append(f.dirs, place)
		if e.opaque() {
			break
		}
	}
	return f, nil
}

// below adds what is in a directory, names sorted.
func (t *Tree) below(at string, stack []string) error {
	var names []string
	for _, dir := range stack {
		list, err := os.ReadDir(dir)
		if err != nil {
			return fmt.Errorf("cannot read layer: %w", err)
		}
		for _, one := range list {
			names = append(names, one.Name())
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		f, err := look(stack, name)
		if err != nil {
			return err
		}
		if f.entry == nil {
			continue // deleted
		}
		f.path = path.Join(at, name)
		t.items = append(t.items, f.item)
		if f.mode.IsDir() {
			if err := t.below(f.path, f.dirs); err != nil {
				return err
			}
		}
	}
	return nil
}

// overlayPrefix begins the names of the kernel's own attributes of layers, which containers do not see.
const overlayPrefix = "trusted.overlay."

// plainEntry refuses what says that a file's content or its name is somewhere else, or that nobody here knows.
func plainEntry(e *entry) error {
	for name, value := range e.xattrs {
		own, ours := strings.CutPrefix(name, overlayPrefix)
		if !ours {
			if strings.HasPrefix(name, "user.overlay.") {
				return fmt.Errorf("%s has the attribute %s, by which it may be another one to the container", e.path, name)
			}
			continue
		}
		switch own {
		case "origin", "impure", "nlink", "upper", "uuid": // of no meaning for what the container sees
		case "opaque":
			if value != "y" {
				return fmt.Errorf("%s has an attribute %s that is not known here", e.path, name)
			}
		default:
			return fmt.Errorf("%s has the attribute %s, by which it may be another one to the container", e.path, name)
		}
	}
	return nil
}

// apart fails when a file that was written is one with a file outside: in a copy it would not be any more.
func (t *Tree) apart(upper string) error {
	names := t.names()
	for _, it := range t.items {
		if it.mode.IsRegular() && Inside(it.place, upper) && it.links > names[it.id()] {
			return fmt.Errorf("%s in it is a hard link to a file outside of it, and would not be any more", it.path)
		}
	}
	return nil
}

// Inside reports whether a place is a directory or in it.
func Inside(place, dir string) bool {
	return place == filepath.Clean(dir) || strings.HasPrefix(place, strings.TrimSuffix(filepath.Clean(dir), "/")+"/")
}

// names counts how many names of a tree each file has.
func (t *Tree) names() map[inode]uint64 {
	out := make(map[inode]uint64)
	for _, it := range t.items {
		if it.mode.IsRegular() {
			out[it.id()]++
		}
	}
	return out
}

// Size says how much a copy takes, and names its first files.
func (t *Tree) Size() Written {
	var w Written
	for _, it := range t.items[1:] {
		w.add(it.entry)
	}
	return w
}

// index is a tree as a copy of it has to be.
func (t *Tree) index() map[string]*entry {
	names, out := t.names(), make(map[string]*entry, len(t.items))
	for _, it := range t.items {
		e := it.seen()
		if e.mode.IsRegular() {
			e.links = names[it.id()]
		}
		out[e.path] = e
	}
	return out
}

// seen is an entry with the attributes that a container sees.
func (e *entry) seen() *entry {
	out := *e
	out.xattrs = make(map[string]string, len(e.xattrs))
	for name, value := range e.xattrs {
		if !strings.HasPrefix(name, overlayPrefix) && name != labelOfPlace {
			out.xattrs[name] = value
		}
	}
	return &out
}

// labelOfPlace is the attribute that a file has by where it is.
const labelOfPlace = "security.selinux"
