package host

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"

	"docker-harden/remediate/internal/atomic"
)

// largest bounds what is read of a file that was exchanged for another.
const largest = 16 << 20

// errMoved is a file that somebody else wrote meanwhile.
var errMoved = errors.New("somebody changed it meanwhile, and it is left as it is; try again")

// Rewrite replaces the content of a file that holds before: a crash leaves the old content or the new,
// whole. Owner, mode and extended attributes stay. A symlink is followed, and stays one: what it leads to is
// replaced. A file that does not hold before any more is left alone.
func Rewrite(name string, before, after []byte) error {
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	if real, err = filepath.Abs(real); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	have, err := atomic.ReadFile(real, largest)
	if err != nil {
		return err
	}
	if !bytes.Equal(have, before) {
		return fmt.Errorf("cannot write %s: %w", name, errMoved)
	}
	return atomic.WriteFile(real, after, atomic.Options{Keep: true})
}
