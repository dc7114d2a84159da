package daemon

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/daemon/edit"
	"docker-harden/remediate/internal/atomic"
)

// newMode is the mode of a file that was not there.
const newMode = 0o644

// observe reads a file and all that is around its bytes.
func observe(path string) (content, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return content{Mode: newMode}, nil
	}
	if err != nil {
		return content{}, fmt.Errorf("cannot read daemon.json: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return content{}, fmt.Errorf("cannot read daemon.json: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !info.Mode().IsRegular() || !ok {
		return content{}, fmt.Errorf("cannot read daemon.json: %s is no regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(file, edit.MaxSize+1))
	if err != nil {
		return content{}, fmt.Errorf("cannot read daemon.json: %w", err)
	}
	attributes, err := atomic.ReadXattrs(path)
	if err != nil {
		return content{}, fmt.Errorf("cannot read the extended attributes of daemon.json: %w", err)
	}
	const bits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	return content{
		Exists: true, Bytes: data, Mode: info.Mode() & bits, UID: int(stat.Uid), GID: int(stat.Gid), Xattrs: attributes,
	}, nil
}

// replace writes new bytes in the place of those that are expected there, with the owner, mode and
// attributes given. nil removes the file.
func (f *flow) replace(expected, doc []byte) error {
	now, err := observe(f.memo.Resolved)
	if err != nil {
		return err
	}
	if !same(now.doc(), expected) {
		return fmt.Errorf("%w: daemon.json was changed by somebody else just now; nothing was overwritten", plan.ErrStale)
	}
	return f.write(doc)
}

// write makes the file have these bytes, whatever it has. It writes nothing when it has them already.
func (f *flow) write(doc []byte) error {
	now, err := observe(f.memo.Resolved)
	if err != nil {
		return err
	}
	if same(now.doc(), doc) {
		return nil
	}
	if doc == nil {
		return f.remove()
	}
	if err := f.makeDirs(); err != nil {
		return err
	}
	o := f.memo.Original
	// Keep: somebody may have tightened the mode since; that is not ours to undo.
	return atomic.WriteFile(f.memo.Resolved, doc, atomic.Options{Keep: true, Mode: o.Mode, UID: o.UID, GID: o.GID, Xattrs: o.Xattrs})
}

// remove deletes the file and the directories that were made for it, if nobody put anything else there.
func (f *flow) remove() error {
	if err := atomic.Remove(f.memo.Resolved); err != nil {
		return err
	}
	for i := len(f.memo.Dirs) - 1; i >= 0; i-- {
		if os.Remove(f.memo.Dirs[i]) != nil {
			return nil
		}
		if err := atomic.SyncDir(filepath.Dir(f.memo.Dirs[i])); err != nil {
			return err
		}
	}
	return nil
}

func (f *flow) makeDirs() error {
	for _, dir := range f.memo.Dirs {
		const mode = 0o755
		if err := atomic.Mkdir(dir, mode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// sweep removes the temporary files that a killed write left beside the file.
func (f *flow) sweep() error { return atomic.Sweep(f.memo.Resolved) }

// missingDirs are the directories above a path that do not exist, outermost first.
func missingDirs(path string) []string {
	var missing []string
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			return missing
		}
		missing = append([]string{dir}, missing...)
	}
}

// firstExisting is the nearest directory above a path that exists.
func firstExisting(path string) string {
	dir := filepath.Dir(path)
	if missing := missingDirs(path); len(missing) > 0 {
		dir = filepath.Dir(missing[0])
	}
	return dir
}

// checkPlace refuses a file that somebody else than root could replace while we work: whoever writes to one
// of its directories is root on this host anyway, and should not be.
func checkPlace(path string) error {
	for dir := firstExisting(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("cannot look at the directory of daemon.json: %w", err)
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		const othersWrite = 0o022
		sticky := info.Mode()&fs.ModeSticky != 0 && dir != filepath.Dir(path)
		if info.Mode().Perm()&othersWrite != 0 && !sticky {
			return fmt.Errorf("%w: others than root may write to %s, which leads to daemon.json; chmod go-w %s first", remediate.ErrRefused, dir, dir)
		}
		if ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
			return fmt.Errorf("%w: %s, which leads to daemon.json, belongs to user %d; chown root %s first", remediate.ErrRefused, dir, stat.Uid, dir)
		}
		if dir == "/" {
			return nil
		}
	}
}

// replaceable refuses a file that could not be replaced when it comes to it.
func replaceable(path string) error {
	dir := firstExisting(path)
	if err := unix.Access(dir, unix.W_OK); err != nil {
		return fmt.Errorf("%w: nothing can be written into %s, where daemon.json is: %w", remediate.ErrRefused, dir, err)
	}
	for _, name := range []string{dir, path} {
		var st unix.Statx_t
		if unix.Statx(unix.AT_FDCWD, name, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS, &st) != nil {
			continue // it does not exist yet, or the kernel does not tell
		}
		switch {
		case st.Attributes&unix.STATX_ATTR_IMMUTABLE != 0:
			return fmt.Errorf("%w: %s is immutable, which somebody wanted; chattr -i %s first", remediate.ErrRefused, name, name)
		case st.Attributes&unix.STATX_ATTR_APPEND != 0:
			return fmt.Errorf("%w: %s is append-only, which somebody wanted; chattr -a %s first", remediate.ErrRefused, name, name)
		case name == path && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0:
			return fmt.Errorf("%w: %s is a mount point (a bind-mounted file), which cannot be replaced; change the file that is mounted there", remediate.ErrRefused, name)
		case name == path && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink > 1:
			return fmt.Errorf("%w: %s has %d hard links, and its other names would keep the old content; make it a file of its own first (cp -p, mv)",
				remediate.ErrRefused, name, st.Nlink)
		}
	}
	return nil
}

// same compares contents; nil is a file that does not exist, which is not an empty one.
func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func digest(doc []byte) string {
	sum := sha256.Sum256(doc)
	return hex.EncodeToString(sum[:])
}
