package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"docker-harden/remediate/internal/atomic"
)

// privateDir makes sure that a directory belongs to the caller and is closed to everybody else.
// Who can write here decides what rollback does as root, and who can read here sees secrets.
func privateDir(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("cannot use %s: %w", path, errors.Unwrap(err))
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("cannot use %s: it is a symlink; name the directory itself", path)
	case !info.IsDir():
		return fmt.Errorf("cannot use %s: it is no directory", path)
	}
	return private(path, info)
}

// private says what to do about a file or directory that others own or may open.
func private(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("internal error: %s has no owner", path)
	}
	if me := os.Geteuid(); int(st.Uid) != me {
		if st.Uid == 0 {
			return fmt.Errorf("cannot use %s: it belongs to root; use sudo", path)
		}
		return fmt.Errorf("cannot trust %s: it belongs to user %d, not to %d; if its content is yours: chown -R %d %q", path, st.Uid, me, me, path)
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return fmt.Errorf("cannot trust %s: others may open it (mode %04o); if nobody did: chmod go= %q", path, info.Mode().Perm(), path)
	}
	return nil
}

// makeDir makes a private directory unless there is one already.
func makeDir(path string) error {
	err := atomic.Mkdir(path, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// openPrivate opens a file of a generation with these flags of open(2).
func openPrivate(path string, flags int) (*os.File, error) {
	fd, err := unix.Open(path, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o600)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("cannot trust %s: it is a symlink", path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("cannot trust %s: it is no regular file", path)
	}
	if err == nil {
		err = private(path, info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
