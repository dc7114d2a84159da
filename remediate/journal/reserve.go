package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"docker-harden/remediate/internal/atomic"
	"docker-harden/remediate/internal/crash"
)

// reserveName is a file that holds disk space free for the records of a rollback, so that a disk that
// fills up during an apply does not keep the apply from being undone. (A file system that writes
// every change elsewhere, such as btrfs, may not honour it.)
const reserveName = "reserve"

// maxError bounds the text of an error in a record.
const maxError = 4 << 10

// reserveSize is room for failed, undoing, undone and undo-failed of every step, twice over.
func reserveSize(steps int) int64 {
	const perStep, least = 2 * (4<<10 + 2*maxError), 128 << 10
	return max(least, int64(steps)*perStep)
}

// reserve takes the space. An apply that cannot get it is not begun.
func reserve(dir string, steps int) error {
	path := filepath.Join(dir, reserveName)
	crash.Point("before reserving space")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	size := reserveSize(steps)
	err = unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) {
		_, err = f.Write(make([]byte, size))
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("cannot reserve %d KiB for a rollback in %s: %w", size>>10, dir, err), os.Remove(path))
	}
	return atomic.SyncDir(dir)
}

// renew takes the space again after an earlier rollback used it.
func renew(gen *Generation) error {
	if _, err := os.Lstat(filepath.Join(gen.Dir, reserveName)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return reserve(gen.Dir, len(gen.Begin.Steps))
}

// release gives the space back.
func release(dir string) error { return atomic.Remove(filepath.Join(dir, reserveName)) }

// spend gives a part of the space back, and leaves what a rollback needs.
func spend(dir string) error {
	const part = 32 << 10
	path := filepath.Join(dir, reserveName)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // a rollback took it; whether the line fits now decides
	case err != nil || info.Size() <= 2*part:
		return err
	}
	return os.Truncate(path, info.Size()-part)
}

// last are the kinds of records that say that an apply is through. Everything is done by then: an apply that could not
// say so would be called unfinished for the sake of a line.
var last = map[Kind]bool{Verified: true, Applied: true}

// back are the kinds of records that the space is reserved for.
var back = map[Kind]bool{Failed: true, Undoing: true, Undone: true, UndoFailed: true, RollingBack: true, RolledBack: true, RollbackIncomplete: true}
