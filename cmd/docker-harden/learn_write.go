package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"docker-harden/plan/evidence"
)

// addEvidence writes what was seen to a file, and gives what stands in it then: beside what is there now, unless that is to
// be replaced. Another run may have written since this one looked.
func addEvidence(path string, f *evidence.File, replace bool) (*evidence.File, error) {
	err := alone(path, func() error {
		now, err := readEvidence(path)
		switch {
		case replace || errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("cannot add to %s: %w", path, err)
		default:
			if f, err = evidence.Merge(now, f); err != nil {
				return fmt.Errorf("cannot add to %s: %w", path, err)
			}
		}
		data, err := f.Encode()
		if err != nil {
			return err
		}
		return writePrivate(path, data, isEvidence)
	})
	return f, err
}

// alone does something to a file while no other run does: its directory is locked meanwhile.
func alone(path string, do func() error) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	defer dir.Close() //nolint:errcheck // it ends the lock
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("cannot lock the directory of %s: %w", path, err)
	}
	return do()
}
