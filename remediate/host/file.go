package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// file is one regular file or directory, held so that nobody can put another in its place.
type file struct {
	path string
	fd   int // O_PATH: it names the file and does not open it
	stat unix.Stat_t
}

// open walks to a file or directory.
func (h *FileMode) open(name string) (*file, error) { return walk(h.Root, name, (*file).usable) }

// walk goes to a file without following any symlink on the way. usable closes what is of no use.
func walk(root, name string, usable func(*file) error) (*file, error) {
	if !path.IsAbs(name) || path.Clean(name) != name || name == "/" {
		return nil, fmt.Errorf("cannot open %q: it is no absolute, clean path of a file", name)
	}
	fd, err := unix.Open(root+"/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s/: %w", root, err)
	}
	walked := ""
	for part := range strings.SplitSeq(name[1:], "/") {
		walked += "/" + part
		next, err := unix.Openat(fd, part, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		_ = unix.Close(fd)
		if err != nil {
			return nil, fmt.Errorf("cannot open %s: %w", walked, err)
		}
		fd = next
		f := &file{path: name, fd: fd}
		if err := unix.Fstat(fd, &f.stat); err != nil {
			f.close()
			return nil, fmt.Errorf("cannot look at %s: %w", walked, err)
		}
		if f.stat.Mode&unix.S_IFMT == unix.S_IFLNK {
			f.close()
			return nil, fmt.Errorf("cannot use %s: %s is a symlink, and that was not so when the plan was made", name, walked)
		}
		if walked == name {
			return f, usable(f)
		}
	}
	return nil, fmt.Errorf("internal error: cannot walk to %q", name)
}

// usable closes anything but a directory and a regular file with one name.
func (f *file) usable() error {
	var problem string
	switch {
	case f.dir():
		return nil
	case f.stat.Mode&unix.S_IFMT != unix.S_IFREG:
		problem = "it is no regular file, and no directory"
	case f.stat.Nlink > 1:
		problem = fmt.Sprintf("it has %d hard links, and the change would show at its other names too", f.stat.Nlink)
	default:
		return nil
	}
	f.close()
	return fmt.Errorf("cannot use %s: %s", f.path, problem)
}

// dir reports whether it is a directory.
func (f *file) dir() bool { return f.stat.Mode&unix.S_IFMT == unix.S_IFDIR }

func (f *file) kind() string {
	if f.dir() {
		return "a directory"
	}
	return "a file"
}

func (f *file) close() { _ = unix.Close(f.fd) }

func (f *file) access() access {
	return access{UID: int(f.stat.Uid), GID: int(f.stat.Gid), Mode: fmt.Sprintf("%04o", f.stat.Mode&0o7777)}
}

func (f *file) changed() time.Time { return time.Unix(f.stat.Ctim.Unix()).UTC() }

// changeable finds out what would refuse a change later.
func (f *file) changeable() error {
	var more unix.Statx_t
	if unix.Statx(f.fd, "", unix.AT_EMPTY_PATH, 0, &more) == nil && more.Attributes&(unix.STATX_ATTR_IMMUTABLE|unix.STATX_ATTR_APPEND) != 0 {
		return errors.New("it is immutable or append-only, and that is left as it is (see lsattr)")
	}
	var fsys unix.Statfs_t
	if unix.Fstatfs(f.fd, &fsys) == nil && fsys.Flags&unix.ST_RDONLY != 0 {
		return errors.New("its file system is mounted read-only")
	}
	return nil
}

// link is a path to exactly this file, whatever its names lead to by now.
func (f *file) link() string { return "/proc/self/fd/" + strconv.Itoa(f.fd) }

func (f *file) chown(want access) error {
	if now := f.access(); now.UID == want.UID && now.GID == want.GID {
		return nil
	}
	if err := unix.Fchownat(f.fd, "", want.UID, want.GID, unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("cannot change the owner of %s: %w", f.path, err)
	}
	return nil
}

// chmod comes after chown, which clears setuid and setgid bits.
func (f *file) chmod(want access) error {
	bits, err := strconv.ParseUint(want.Mode, 8, 32)
	if err != nil {
		return fmt.Errorf("internal error: %q is no file mode", want.Mode)
	}
	if err := unix.Chmod(f.link(), uint32(bits)); err != nil {
		return &fs.PathError{Op: "cannot change the mode of", Path: f.path, Err: err}
	}
	return nil
}

// sync makes owner and mode durable.
func (f *file) sync() error {
	open, err := os.OpenFile(f.link(), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("cannot make the change of %s durable: %w", f.path, err)
	}
	if err := errors.Join(open.Sync(), open.Close()); err != nil {
		return fmt.Errorf("cannot make the change of %s durable: %w", f.path, err)
	}
	return nil
}
