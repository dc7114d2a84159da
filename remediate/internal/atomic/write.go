package atomic

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"docker-harden/remediate/internal/crash"
)

// Options say what the new file looks like.
type Options struct {
	UID, GID int
	// Mode holds permission, setuid, setgid and sticky bits.
	Mode   fs.FileMode
	Xattrs map[string][]byte
	// Keep copies owner, mode and extended attributes of the present file. Where there is none, the
	// other fields count.
	Keep bool
}

// WriteFile replaces path with data, or makes it. When it returns nil, the file and its name are on
// disk. When it returns an error, the file is as it was and no temporary file remains, with one
// exception that the error names: the new file is in place, but the disk did not confirm its name.
func WriteFile(path string, data []byte, o Options) error {
	if err := writeFile(path, data, o); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}

func writeFile(path string, data []byte, o Options) error {
	dir, err := openDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	name := filepath.Base(path)
	before, err := lookAt(dir, name)
	if err != nil {
		return err
	}
	if err := before.replaceable(); err != nil {
		return err
	}
	if o.Keep && before.exists {
		if o, err = before.options(dir, name); err != nil {
			return err
		}
	}
	crash.Point("before writing", path)
	temp, err := create(dir, name)
	if err != nil {
		return explain(err)
	}
	err = temp.fill(data, o)
	crash.Point("temporary file ready for", path)
	if err == nil {
		err = before.unchanged(dir, name)
	}
	if err == nil {
		err = os.NewSyscallError("rename", unix.Renameat(int(dir.Fd()), temp.name, int(dir.Fd()), name))
	}
	if err != nil {
		return errors.Join(explain(err), temp.remove())
	}
	crash.Point("renamed, not on disk:", path)
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("the new file is in place, but its directory is not safely on disk: %w", err)
	}
	crash.Point("after writing", path)
	return nil
}

// Remove removes a file for good: when it returns nil, the name is gone from the disk too. A file
// that does not exist is no error.
func Remove(path string) error {
	dir, err := openDir(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		defer dir.Close()
		crash.Point("before removing", path)
		err = unix.Unlinkat(int(dir.Fd()), filepath.Base(path), 0)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = dir.Sync()
	}
	if err != nil {
		return fmt.Errorf("cannot remove %s: %w", path, explain(err))
	}
	crash.Point("after removing", path)
	return nil
}

// temporary is the new file before it has its name.
type temporary struct {
	file *os.File
	dir  *os.File
	name string
}

// fill makes the file whole. The order matters: a change of owner clears setuid bits and file
// capabilities, and an access control list rewrites the group's permission bits.
func (t *temporary) fill(data []byte, o Options) (err error) {
	defer func() { err = errors.Join(err, t.file.Close()) }()
	if _, err := t.file.Write(data); err != nil {
		return err
	}
	if err := t.file.Chown(o.UID, o.GID); err != nil {
		return err
	}
	if err := writeXattrs(t.file, o.Xattrs); err != nil {
		return err
	}
	if err := t.file.Chmod(o.Mode); err != nil {
		return err
	}
	if err := t.proven(int64(len(data)), o); err != nil {
		return err
	}
	return t.file.Sync()
}

// proven looks at what the file system really made of it: some ignore owners or modes.
func (t *temporary) proven(size int64, o Options) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(t.file.Fd()), &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if int(st.Uid) != o.UID || int(st.Gid) != o.GID || modeOf(&st) != o.Mode || st.Size != size {
		return fmt.Errorf("the file system made it %d:%d %v with %d bytes instead of %d:%d %v with %d bytes",
			st.Uid, st.Gid, modeOf(&st), st.Size, o.UID, o.GID, o.Mode, size)
	}
	return nil
}

func (t *temporary) remove() error {
	if err := unix.Unlinkat(int(t.dir.Fd()), t.name, 0); err != nil {
		return fmt.Errorf("cannot remove the temporary file %s: %w", t.name, err)
	}
	return nil
}

// explain says in words what the usual refusals of a file system mean.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("there is no space left for it; the file is as it was: %w", err)
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("its file system is mounted read-only: %w", err)
	case errors.Is(err, unix.EBUSY):
		return errMountPoint
	}
	return err
}

// ReadFile reads a whole regular file of at most most bytes without following a symlink at its end.
func ReadFile(path string, most int64) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot read %s: it is no regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("cannot read %s: it has more than %d bytes", path, most)
	}
	return data, nil
}
