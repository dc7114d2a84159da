package layer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pkg/xattr"
)

// entry is one file of a layer as the filesystem holds it.
type entry struct {
	path   string // inside the container, "/etc/hosts"
	mode   fs.FileMode
	uid    uint32
	gid    uint32
	rdev   uint64
	size   int64
	atime  syscall.Timespec
	mtime  syscall.Timespec
	ctime  syscall.Timespec
	device uint64 // on which it is
	inode  uint64
	links  uint64
	target string // of a symbolic link
	xattrs map[string]string
}

// whiteout reports whether the entry deletes what the image has at its path.
func (e *entry) whiteout() bool { return e.mode&fs.ModeCharDevice != 0 && e.rdev == 0 }

// opaque reports whether the directory hides what the image has in it.
func (e *entry) opaque() bool { return e.xattrs["trusted.overlay.opaque"] == "y" }

// inode is a file, whatever its names.
type inode struct{ device, number uint64 }

func (e *entry) id() inode { return inode{e.device, e.inode} }

func read(root, path string) (*entry, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	st := info.Sys().(*syscall.Stat_t)
	e := &entry{
		path: "/" + strings.TrimPrefix(strings.TrimPrefix(path, root), "/"), mode: info.Mode(), uid: st.Uid, gid: st.Gid,
		rdev: uint64(st.Rdev), atime: st.Atim, mtime: st.Mtim, ctime: st.Ctim, device: uint64(st.Dev), inode: st.Ino, links: uint64(st.Nlink),
	}
	if info.Mode().IsRegular() {
		e.size = info.Size()
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		if e.target, err = os.Readlink(path); err != nil {
			return nil, err
		}
	}
	e.xattrs, err = attributes(path)
	return e, err
}

func attributes(path string) (map[string]string, error) {
	names, err := xattr.LList(path)
	if errors.Is(err, syscall.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(names))
	for _, name := range names {
		value, err := xattr.LGet(path, name)
		if err != nil {
			return nil, err
		}
		out[name] = string(value)
	}
	return out, nil
}

// walk visits every entry below root, parents first, names sorted; the root itself comes as "/".
func walk(root string, visit func(*entry) error) error {
	root = filepath.Clean(root)
	return filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("cannot read layer: %w", err)
		}
		e, err := read(root, path)
		if err != nil {
			return fmt.Errorf("cannot read layer: %w", err)
		}
		return visit(e)
	})
}
