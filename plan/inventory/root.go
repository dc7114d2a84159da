package inventory

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// hostRoot is where the host's own / is found: "" for this machine, else a directory such as
// /proc/PID/root. Symlinks are followed inside it, as a process living there would.
type hostRoot string

// maxLinks is how many symlinks one path may run through, as in the kernel.
const maxLinks = 40

// join is the host path as this process opens it. It resolves nothing: for paths without links
// (everything below /proc and /sys) and for paths that resolve returned.
func (r hostRoot) join(name string) string {
	return strings.TrimSuffix(string(r), "/") + path.Clean("/"+name)
}

// resolve follows every symlink of a host path and returns the real path, seen from inside the root,
// and the links it ran through in order. What does not exist is kept as it is written.
func (r hostRoot) resolve(name string) (real string, links []string, err error) {
	rest, real := strings.Split(path.Clean("/"+name), "/"), "/"
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			real = path.Dir(real)
			continue
		}
		next := path.Join(real, part)
		target, err := os.Readlink(r.join(next))
		if err != nil {
			// Not a link, or not there: the caller's own open tells which.
			real = next
			continue
		}
		if links = append(links, next); len(links) > maxLinks {
			return "", links, fmt.Errorf("cannot resolve %s: %w", name, syscall.ELOOP)
		}
		if path.IsAbs(target) {
			real = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return real, links, nil
}

// readFile reads a host file through its symlinks, at most limit bytes.
func (r hostRoot) readFile(name string, limit int64) ([]byte, error) {
	real, _, err := r.resolve(name)
	if err != nil {
		return nil, err
	}
	return readLimited(r.join(real), limit)
}

// maxProcFile bounds what is read of one file in /proc or /sys.
const maxProcFile = 4 << 20

// readProcFile reads a file of /proc or /sys; these paths hold no links to resolve. It is not for
// mountinfo, see records.
func (r hostRoot) readProcFile(parts ...string) ([]byte, error) {
	return readUntil(r.join(path.Join(parts...)), maxProcFile, records)
}

// proc is the path of a file of a process, as this process opens it.
func (r hostRoot) proc(pid int, parts ...string) string {
	return r.join(path.Join("/proc", strconv.Itoa(pid), path.Join(parts...)))
}

// holder is the pid, in this process's own /proc, of the process whose root this is: 0 when the
// root is not of the form /proc/PID/root.
func (r hostRoot) holder() int {
	parts := strings.Split(path.Clean(string(r)), "/")
	if len(parts) != 4 || parts[0] != "" || parts[1] != "proc" || parts[3] != "root" {
		return 0
	}
	pid, err := strconv.Atoi(parts[2])
	if err != nil {
		return 0
	}
	return pid
}

// page is what the kernel hands out of a generated file at once.
const page = 4096

// records is how short a first read of a generated file must be to be all of it. The kernel hands
// out whole records until the next one does not fit: whatever ends in the first half of a page has
// ended, unless a record can be half a page long, as those of mountinfo.
const records = page / 2

// readLimited reads a whole file.
func readLimited(name string, limit int64) ([]byte, error) { return readUntil(name, limit, 0) }

// readUntil reads a file to its end, or to a first read of at most enough bytes. It asks the kernel
// directly: an observation reads thousands of small files of /proc, where most of the time of
// package os is spent on preparing to wait.
func readUntil(name string, limit int64, enough int) ([]byte, error) {
	failed := func(op string, err error) error { return &os.PathError{Op: op, Path: name, Err: err} }
	fd, err := retry(func() (int, error) { return unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0) })
	if err != nil {
		return nil, failed("open", err)
	}
	defer unix.Close(fd)
	var first [page]byte // most files fit, and take only as much memory as they have
	n, err := retry(func() (int, error) { return unix.Read(fd, first[:]) })
	if err != nil {
		return nil, failed("read", err)
	}
	data := slices.Clone(first[:n])
	for n > 0 && (n > enough || len(data) > n) {
		data = slices.Grow(data, page)
		if n, err = retry(func() (int, error) { return unix.Read(fd, data[len(data):cap(data)]) }); err != nil {
			return nil, failed("read", err)
		}
		data = data[:len(data)+n]
		if int64(len(data)) > limit {
			break
		}
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("cannot read %s: larger than %d bytes", name, limit)
	}
	return data, nil
}

// retry repeats a system call that a signal interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
