package layer

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"docker-harden/remediate/internal/crash"
)

// reserve is what must stay free on the disk after a copy.
const reserve = 64 << 20

// Copy makes to hold exactly what from holds: content, owners, modes, times, extended attributes,
// hard links, devices and deletions; but for what is in directories of without. It checks the free space first, and
// compares both afterwards. to may hold empty directories already. Neither container may run.
func Copy(to, from Layer, without ...string) error {
	var (
		all   Written
		items []item
	)
	err := walk(from.Upper, func(e *entry) error {
		if !anyInside(e.path, without) {
			all.add(e)
			items = append(items, item{e, filepath.Join(from.Upper, e.path)})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := Room(to.Upper, "the writable layer", all); err != nil {
		return err
	}
	crash.Point("before copying the layer")
	if err := copyItems(to.Upper, items); err != nil {
		return fmt.Errorf("cannot copy the writable layer: %w", err)
	}
	crash.Point("layer copied, times not set")
	if err := directoryTimes(to.Upper, items); err != nil {
		return fmt.Errorf("cannot copy the writable layer: %w", err)
	}
	differ, err := Compare(to, from, without...)
	if err != nil {
		return err
	}
	if len(differ) > 0 {
		return fmt.Errorf("the copy of the writable layer differs in %d places, first %s", len(differ), differ[0])
	}
	crash.Point("layer copied, not on disk")
	err = flush(to.Upper)
	crash.Point("after copying the layer")
	return err
}

// Room fails when the disk below dir cannot take what w says of something.
func Room(dir, what string, w Written) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("cannot read the free space of %s: %w", dir, err)
	}
	if free := int64(st.Bavail) * st.Bsize; free < w.Bytes+reserve {
		return fmt.Errorf("no room to copy %s: it holds %d bytes, %d are free", what, w.Bytes, free)
	}
	if st.Files > 0 && int64(st.Ffree) < w.Files {
		return fmt.Errorf("no room to copy %s: it holds %d files, %d inodes are free", what, w.Files, st.Ffree)
	}
	return nil
}

// flush makes the copy survive a power loss.
func flush(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("cannot flush the copied layer: %w", err)
	}
	return nil
}
