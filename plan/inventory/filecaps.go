package inventory

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// FileCapabilities are those that the kernel gives a process when it executes a file of the container whose first
// process is pid, a bit each; 0 when the file has none, or is not there any more. With them in the file the program
// does not start in a container that may not have them. Source: capabilities(7), struct vfs_cap_data.
func FileCapabilities(pid int, file string) (uint64, error) {
	root, err := retry(func() (int, error) {
		return unix.Open(hostRoot("").proc(pid, "root"), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return 0, fmt.Errorf("cannot look at programs of process %d: %w", pid, explain(err))
	}
	defer unix.Close(root)
	fd, err := entryFinder{root: root}.open(file)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cannot look at program %s: %w", file, explain(err))
	}
	defer unix.Close(fd)
	var data [24]byte
	n, err := unix.Getxattr(fmt.Sprintf("/proc/self/fd/%d", fd), "security.capability", data[:])
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.ENOTSUP):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("cannot read the capabilities of program %s: %w", file, explain(err))
	}
	return permitted(data[:n])
}

// permitted reads the permitted set out of the value of the attribute.
func permitted(data []byte) (uint64, error) {
	const revision, first, later = 0xff000000, 0x01000000, 0x02000000
	if len(data) < 12 {
		return 0, errors.New("cannot read the capabilities of a program: the attribute is too short")
	}
	mask := uint64(binary.LittleEndian.Uint32(data[4:]))
	switch version := binary.LittleEndian.Uint32(data) & revision; {
	case version == first:
		return mask, nil
	case version >= later && len(data) >= 20:
		return mask | uint64(binary.LittleEndian.Uint32(data[12:]))<<32, nil
	default:
		return 0, fmt.Errorf("cannot read the capabilities of a program: version %#x of %d bytes is not known", version, len(data))
	}
}
