package layer

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	continuity "github.com/containerd/continuity/fs"
	"golang.org/x/sys/unix"

	"docker-harden/remediate/internal/crash"
)

// reserve is what must stay free on the disk after a copy.
const reserve = 64 << 20

// Copy makes to hold exactly what from holds: content, owners, modes, times, extended attributes,
// hard links, devices and deletions. It checks the free space first, and compares both afterwards.
// to may hold empty directories already. Neither container may run.
func Copy(to, from Layer) error {
	var all Written
	if err := walk(from.Upper, func(e *entry) error { all.add(e); return nil }); err != nil {
		return err
	}
	if err := Room(to.Upper, all); err != nil {
		return err
	}
	crash.Point("before copying the layer")
	if err := continuity.CopyDir(to.Upper, from.Upper); err != nil {
		return fmt.Errorf("cannot copy the writable layer: %w", err)
	}
	crash.Point("layer copied, times not set")
	if err := directoryTimes(to.Upper, from.Upper); err != nil {
		return fmt.Errorf("cannot copy the writable layer: %w", err)
	}
	differ, err := Compare(to, from)
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

// Room fails when the disk below dir cannot take what w says.
func Room(dir string, w Written) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("cannot read the free space of %s: %w", dir, err)
	}
	if free := int64(st.Bavail) * st.Bsize; free < w.Bytes+reserve {
		return fmt.Errorf("no room to copy the writable layer: it holds %d bytes, %d are free", w.Bytes, free)
	}
	if st.Files > 0 && int64(st.Ffree) < w.Files {
		return fmt.Errorf("no room to copy the writable layer: it holds %d files, %d inodes are free", w.Files, st.Ffree)
	}
	return nil
}

// directoryTimes sets the times of directories last: making files in them changed them.
func directoryTimes(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		times := []unix.Timespec{st.Atim, st.Mtim}
		return unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(to, rel), times, unix.AT_SYMLINK_NOFOLLOW)
	})
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
