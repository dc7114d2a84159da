package layer

import (
	"bytes"
	"crypto/sha256"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Compare lists the paths in which two layers differ, but for those in directories of without: in name, kind, size,
// mode, owner, time, extended attributes, link or deletion. The content of files of equal size and time is trusted.
func Compare(a, b Layer, without ...string) ([]string, error) {
	return differences(a, b, exactly, without)
}

func exactly(x, y *entry) bool { return same(x, y) && x.mtime == y.mtime }

// Since lists the paths of now that are not as in base, deletions included. A file that was only
// written again with the same content does not count, nor does the time of a directory, nor what is in directories of
// without.
func Since(now, base Layer, without ...string) ([]string, error) {
	return differences(now, base, func(x, y *entry) bool {
		if !same(x, y) || !x.mode.IsRegular() || x.mtime == y.mtime {
			return same(x, y)
		}
		return equalContent(filepath.Join(now.Upper, x.path), filepath.Join(base.Upper, y.path))
	}, without)
}

func differences(a, b Layer, equal func(x, y *entry) bool, without []string) ([]string, error) {
	left, err := index(a.Upper)
	if err != nil {
		return nil, err
	}
	right, err := index(b.Upper)
	if err != nil {
		return nil, err
	}
	for _, side := range []map[string]*entry{left, right} {
		maps.DeleteFunc(side, func(path string, _ *entry) bool { return anyInside(path, without) })
	}
	return unequal(left, right, equal), nil
}

// anyInside reports whether a path is one of these directories or in one.
func anyInside(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return Inside(path, dir) })
}

// unequal lists the paths in which two sides differ.
func unequal(left, right map[string]*entry, equal func(x, y *entry) bool) []string {
	var out []string
	for path, x := range left {
		if y, ok := right[path]; !ok || !equal(x, y) || !sameLinks(x, y) {
			out = append(out, path)
		}
	}
	for path := range right {
		if left[path] == nil {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out
}

func index(root string) (map[string]*entry, error) {
	all := make(map[string]*entry)
	err := walk(root, func(e *entry) error {
		all[e.path] = e
		return nil
	})
	return all, err
}

func same(x, y *entry) bool {
	return x.mode == y.mode && x.uid == y.uid && x.gid == y.gid && x.rdev == y.rdev && x.size == y.size &&
		x.target == y.target && maps.Equal(x.xattrs, y.xattrs)
}

// sameLinks: regular files that are one file on the left are one on the right. Only the number of
// names is compared; the names themselves are compared one by one.
func sameLinks(x, y *entry) bool {
	return !x.mode.IsRegular() || x.links == y.links
}

func equalContent(a, b string) bool {
	left, err := digest(a)
	if err != nil {
		return false
	}
	right, err := digest(b)
	return err == nil && bytes.Equal(left, right)
}

func digest(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return h.Sum(nil), err
}
