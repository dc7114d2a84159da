package layer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/pkg/xattr"
	"golang.org/x/sys/unix"
)

// copyItems makes files below a directory, parents first, with all they have but for the times of directories, which
// making files in them changes: see [directoryTimes]. Directories may be there already.
func copyItems(dir string, items []item) error {
	made := make(map[inode]string)
	for _, it := range items {
		to := filepath.Join(dir, it.path)
		if it.mode.IsRegular() {
			if first, ok := made[it.id()]; ok {
				if err := os.Link(first, to); err != nil {
					return err
				}
				continue
			}
			made[it.id()] = to
		}
		if err := it.content(to); err != nil {
			return err
		}
		if err := it.attributes(to); err != nil {
			return err
		}
	}
	return nil
}

// content makes a file with its content, and nothing else that it has.
func (it item) content(to string) error {
	const private = 0o600
	switch {
	case it.mode.IsRegular():
		return copyContent(to, it.place)
	case it.mode.IsDir():
		err := os.Mkdir(to, private|0o100)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		info, err := os.Lstat(to)
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%s is not a directory", to)
		}
		return err
	case it.mode&fs.ModeSymlink != 0:
		return os.Symlink(it.target, to)
	}
	kinds := map[fs.FileMode]uint32{
		fs.ModeDevice: syscall.S_IFBLK, fs.ModeDevice | fs.ModeCharDevice: syscall.S_IFCHR, fs.ModeNamedPipe: syscall.S_IFIFO, fs.ModeSocket: syscall.S_IFSOCK,
	}
	kind, ok := kinds[it.mode.Type()]
	if !ok {
		return fmt.Errorf("%s is a file of an unknown kind", it.place)
	}
	if err := unix.Mknod(to, kind|private, int(it.rdev)); err != nil {
		return fmt.Errorf("cannot make %s: %w", to, err)
	}
	return nil
}

// attributes gives a file its owner, attributes, mode and times, in the order in which none undoes another.
func (it item) attributes(to string) error {
	if err := os.Lchown(to, int(it.uid), int(it.gid)); err != nil {
		return err
	}
	for name, value := range it.xattrs {
		if err := xattr.LSet(to, name, []byte(value)); err != nil {
			return err
		}
	}
	if it.mode&fs.ModeSymlink == 0 {
		if err := os.Chmod(to, it.mode); err != nil {
			return err
		}
	}
	return it.times(to)
}

func (it item) times(to string) error {
	times := []unix.Timespec{unix.Timespec(it.atime), unix.Timespec(it.mtime)}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, to, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("cannot set the times of %s: %w", to, err)
	}
	return nil
}

// directoryTimes sets the times of directories last: making files in them changed them.
func directoryTimes(dir string, items []item) error {
	for _, it := range slices.Backward(items) {
		if !it.mode.IsDir() {
			continue
		}
		if err := it.times(filepath.Join(dir, it.path)); err != nil {
			return err
		}
	}
	return nil
}
