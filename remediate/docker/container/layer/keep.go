package layer

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"docker-harden/remediate/internal/crash"
)

// Keep copies these paths of a layer, and the directories above them, to an empty directory of the host, with all that
// they have, and says what it was. What the container deleted is left out. The container may not run. The copy takes
// at most half of what is free on the disk; it is there after a loss of power.
func (l Layer) Keep(dir string, paths []string) (Written, error) {
	wanted, above := make(map[string]bool), make(map[string]bool)
	for _, p := range paths {
		wanted[p] = true
		for up := path.Dir(p); !above[up]; up = path.Dir(up) {
			above[up] = true
		}
	}
	var (
		all   Written
		items []item
	)
	err := walk(l.Upper, func(e *entry) error {
		if e.whiteout() || !wanted[e.path] && !above[e.path] {
			return nil
		}
		if wanted[e.path] {
			if err := plainEntry(e); err != nil {
				return err
			}
			all.add(e)
		}
		// What the overlay file system notes for itself means something else outside of it.
		maps.DeleteFunc(e.xattrs, func(name, _ string) bool { return strings.HasPrefix(name, "trusted.overlay.") })
		items = append(items, item{e, filepath.Join(l.Upper, e.path)})
		return nil
	})
	if err != nil || all.Clean() {
		return all, err
	}
	if err := Spare(dir, all.Bytes); err != nil {
		return all, err
	}
	crash.Point("before keeping files in", dir)
	if err := copyItems(dir, items); err != nil {
		return all, fmt.Errorf("cannot copy what was written: %w", err)
	}
	if err := directoryTimes(dir, items); err != nil {
		return all, fmt.Errorf("cannot copy what was written: %w", err)
	}
	crash.Point("files kept, not on disk", dir)
	err = flush(dir)
	crash.Point("after keeping files in", dir)
	return all, err
}

// Spare fails when something of this size would take more than half of what is free on the disk below dir: for what is
// kept besides, no disk shall fill up.
func Spare(dir string, size int64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("cannot read the free space of %s: %w", dir, err)
	}
	if free := int64(st.Bavail) * st.Bsize; size > free/2 {
		return fmt.Errorf("it is %d bytes, and %s has %d free, of which half may be taken", size, dir, free)
	}
	return nil
}
