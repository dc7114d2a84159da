package atomic

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"docker-harden/remediate/internal/crash"
)

// marker stands in the name of every temporary file: .NAME.docker-harden-RANDOM.
const marker = ".docker-harden-"

// create makes a new empty file that only its owner may read: data may be a secret.
func create(dir *os.File, name string) (*temporary, error) {
	const longest = 255 // bytes of a file name
	random := rand.Text()
	name = name[:min(len(name), longest-len(marker)-len(random)-1)]
	temp := "." + name + marker + random
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(int(dir.Fd()), temp, flags, 0o600)
	if err != nil {
		return nil, &fs.PathError{Op: "create", Path: temp, Err: err}
	}
	return &temporary{file: os.NewFile(uintptr(fd), temp), dir: dir, name: temp}, nil
}

func openDir(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY, 0)
}

// Leftovers lists the temporary files that a crash left beside path. They are never in use by
// anybody who holds the host's lock, and may be removed with [Remove].
func Leftovers(path string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look for temporary files: %w", err)
	}
	var found []string
	for _, e := range entries {
		name, _, ok := strings.Cut(strings.TrimPrefix(e.Name(), "."), marker)
		if ok && strings.HasPrefix(e.Name(), ".") && name != "" && strings.HasPrefix(filepath.Base(path), name) && e.Type().IsRegular() {
			found = append(found, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	return found, nil
}

// Sweep removes what [Leftovers] lists.
func Sweep(path string) error {
	left, err := Leftovers(path)
	if err != nil {
		return err
	}
	for _, name := range left {
		if err := Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// Mkdir makes one directory with exactly this mode, and makes its name durable. A path that exists
// is an error that matches fs.ErrExist.
func Mkdir(path string, mode fs.FileMode) error {
	const private = 0o700 // until the mode is set: the process's umask decides about Mkdir's
	crash.Point("before making", path)
	if err := os.Mkdir(path, private); err != nil {
		return fmt.Errorf("cannot make directory: %w", err)
	}
	if err := os.Chmod(path, mode); err != nil {
		return errors.Join(fmt.Errorf("cannot make directory: %w", err), os.Remove(path))
	}
	crash.Point("after making", path)
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes the names in a directory durable.
func SyncDir(path string) error {
	dir, err := openDir(path)
	if err != nil {
		return fmt.Errorf("cannot open directory: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("cannot make directory %s durable: %w", path, err)
	}
	return nil
}
