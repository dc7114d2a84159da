package atomic

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// target is the file that is to be replaced, as it was found.
type target struct {
	exists bool
	stat   unix.Stat_t
	// flags are statx attributes; zero where the kernel or the file system does not tell.
	flags uint64
}

// errMountPoint is a file that is itself a mount: it has no name of its own to give to another file.
var errMountPoint = fmt.Errorf("it is a mount point (a bind-mounted file), which cannot be replaced: %w", unix.EBUSY)

func lookAt(dir *os.File, name string) (target, error) {
	if name == "." || name == ".." || name == "/" {
		return target{}, errors.New("it is no file name")
	}
	var t target
	err := unix.Fstatat(int(dir.Fd()), name, &t.stat, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, fs.ErrNotExist) {
		return target{}, nil
	}
	if err != nil {
		return target{}, os.NewSyscallError("stat", err)
	}
	t.exists = true
	var more unix.Statx_t
	if unix.Statx(int(dir.Fd()), name, unix.AT_SYMLINK_NOFOLLOW, 0, &more) == nil {
		t.flags = more.Attributes & more.Attributes_mask
	}
	return t, nil
}

// replaceable refuses what a rename would not replace faithfully.
func (t target) replaceable() error {
	switch {
	case !t.exists:
		return nil
	case t.stat.Mode&unix.S_IFMT == unix.S_IFLNK:
		return errors.New("it is a symlink; the file it leads to must be named")
	case t.stat.Mode&unix.S_IFMT != unix.S_IFREG:
		return errors.New("it is no regular file")
	case t.flags&unix.STATX_ATTR_IMMUTABLE != 0:
		return fmt.Errorf("it is immutable, and that is left as it is (chattr -i clears it): %w", unix.EPERM)
	case t.flags&unix.STATX_ATTR_APPEND != 0:
		return fmt.Errorf("it is append-only, and that is left as it is (chattr -a clears it): %w", unix.EPERM)
	case t.flags&unix.STATX_ATTR_MOUNT_ROOT != 0:
		return errMountPoint
	case t.stat.Nlink > 1:
		return fmt.Errorf("it has %d hard links, and its other names would keep the old content", t.stat.Nlink)
	}
	return nil
}

// options are owner, mode and extended attributes of the file.
func (t target) options(dir *os.File, name string) (Options, error) {
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return Options{}, os.NewSyscallError("open", err)
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	attrs, err := readXattrs(f)
	return Options{UID: int(t.stat.Uid), GID: int(t.stat.Gid), Mode: modeOf(&t.stat), Xattrs: attrs}, err
}

// unchanged fails when somebody wrote, replaced or made the file meanwhile: their work must not be lost.
func (t target) unchanged(dir *os.File, name string) error {
	now, err := lookAt(dir, name)
	if err != nil {
		return err
	}
	if now.exists != t.exists || now.stat.Dev != t.stat.Dev || now.stat.Ino != t.stat.Ino || now.stat.Ctim != t.stat.Ctim {
		return errors.New("somebody else changed it at the same moment; nothing was written")
	}
	return nil
}

// modeOf is the permission, setuid, setgid and sticky bits in Go's own layout.
func modeOf(st *unix.Stat_t) fs.FileMode {
	mode := fs.FileMode(st.Mode & 0o777)
	if st.Mode&unix.S_ISUID != 0 {
		mode |= fs.ModeSetuid
	}
	if st.Mode&unix.S_ISGID != 0 {
		mode |= fs.ModeSetgid
	}
	if st.Mode&unix.S_ISVTX != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}

// Replaceable fails when [WriteFile] would refuse the file as it is now.
func Replaceable(path string) error {
	dir, err := openDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	t, err := lookAt(dir, filepath.Base(path))
	if err != nil {
		return err
	}
	return t.replaceable()
}
