package layer

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkg/xattr"

	"docker-harden/remediate/internal/crash"
)

// CopyTo makes an empty directory of the host, of a volume, what a container has in a tree: content, owners, modes, times,
// extended attributes, hard links; what was deleted from the image is not there. It checks the free space first, and
// compares both afterwards. The container may not run.
func (t *Tree) CopyTo(dir string) error {
	if list, err := os.ReadDir(dir); err != nil {
		return fmt.Errorf("cannot read the volume: %w", err)
	} else if len(list) > 0 {
		return fmt.Errorf("the volume has something in it already, first %s", list[0].Name())
	}
	if err := Room(dir, "it into the volume", t.Size()); err != nil {
		return err
	}
	items := make([]item, len(t.items))
	for i, it := range t.items {
		items[i] = item{it.seen(), it.place}
	}
	crash.Point("before filling the volume")
	if err := copyItems(dir, items); err != nil {
		return fmt.Errorf("cannot fill the volume: %w", err)
	}
	crash.Point("volume filled, times not set")
	if err := directoryTimes(dir, items); err != nil {
		return fmt.Errorf("cannot fill the volume: %w", err)
	}
	have, err := index(dir)
	if err != nil {
		return err
	}
	for name, e := range have {
		have[name] = e.seen()
	}
	differ := unequal(have, t.index(), exactly)
	if len(differ) > 0 {
		return fmt.Errorf("the volume differs from the container in %d places, first %s", len(differ), differ[0])
	}
	crash.Point("volume filled, not on disk")
	err = flush(dir)
	crash.Point("after filling the volume")
	return err
}

// Digest is of everything in a directory that changes when somebody writes to it: it is the same as long as nobody
// does. It is not of the content itself but of the times of it, which nobody can set back.
func Digest(dir string) (string, error) {
	all, err := index(dir)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		e := all[name]
		fmt.Fprintf(h, "%q %o %d %d %x %q", e.path, uint32(e.mode), e.uid, e.gid, e.rdev, e.target)
		for _, attribute := range slices.Sorted(maps.Keys(e.xattrs)) {
			fmt.Fprintf(h, " %q=%q", attribute, e.xattrs[attribute])
		}
		if e.mode.IsRegular() { // a directory's times change with files that come and go again
			fmt.Fprintf(h, " %d %d %v %v", e.size, e.links, e.mtime, e.ctime)
		}
		fmt.Fprintln(h)
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

// Replace makes a container see in a directory what a directory of the host holds, and nothing else of its layer or its
// image. The container may never have been started.
func (l Layer) Replace(dir, from string) error {
	all, err := plainTree(from)
	if err != nil {
		return err
	}
	if err := Room(l.Upper, "the volume into the layer", all.Size()); err != nil {
		return err
	}
	if err := l.above(dir); err != nil {
		return fmt.Errorf("cannot make place for %s in the layer: %w", dir, err)
	}
	to := filepath.Join(l.Upper, dir)
	if err := os.RemoveAll(to); err != nil {
		return fmt.Errorf("cannot make place for %s in the layer: %w", dir, err)
	}
	err = copyItems(to, all.items)
	if err == nil {
		err = directoryTimes(to, all.items)
	}
	if err != nil {
		return fmt.Errorf("cannot copy the volume into the layer: %w", err)
	}
	if err := xattr.LSet(to, overlayPrefix+"opaque", []byte("y")); err != nil {
		return fmt.Errorf("cannot hide what the image has in %s: %w", dir, err)
	}
	have, err := l.Merged(dir)
	if err != nil {
		return err
	}
	if differ := unequal(have.index(), all.index(), exactly); len(differ) > 0 {
		return fmt.Errorf("the layer differs from the volume in %d places, first %s", len(differ), differ[0])
	}
	return flush(l.Upper)
}

// plainTree is a directory of the host, in which no name has a meaning of layers.
func plainTree(dir string) (*Tree, error) {
	t := &Tree{}
	err := walk(dir, func(e *entry) error {
		t.items = append(t.items, item{e.seen(), filepath.Join(dir, e.path)})
		return nil
	})
	return t, err
}

// above makes the directories above one in the layer, as the image has them.
func (l Layer) above(dir string) error {
	at := "/"
	for part := range strings.SplitSeq(strings.Trim(path.Dir(path.Clean(dir)), "/"), "/") {
		at = path.Join(at, part)
		to := filepath.Join(l.Upper, at)
		info, err := os.Lstat(to)
		switch {
		case err == nil && info.IsDir():
			continue
		case err == nil:
			return fmt.Errorf("%s is not a directory", at)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		t, err := l.head(at)
		if err != nil {
			return err
		}
		if err := copyItems(to, []item{t}); err != nil {
			return err
		}
	}
	return nil
}

// head is a directory of the container without what is in it.
func (l Layer) head(dir string) (item, error) {
	stack := append([]string{l.Upper}, l.Lower...)
	var f found
	for part := range strings.SplitSeq(strings.Trim(dir, "/"), "/") {
		var err error
		if f, err = look(stack, part); err != nil {
			return item{}, err
		}
		if f.entry == nil || !f.mode.IsDir() {
			return item{}, fmt.Errorf("%s: %w", dir, ErrAbsent)
		}
		stack = f.dirs
	}
	e := f.seen()
	e.path = "/"
	return item{e, f.place}, nil
}
