package host

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// stat is what /proc/PID/stat says of a process.
type stat struct {
	state byte // 'Z' and 'X' have ended
	ticks uint64
}

func (s stat) ended() bool { return s.state == 'Z' || s.state == 'X' }

// statOf reads a process; its error matches fs.ErrNotExist when there is none.
func statOf(root string, pid int) (stat, error) {
	data, err := os.ReadFile(filepath.Join(root, "/proc", strconv.Itoa(pid), "stat"))
	if errors.Is(err, unix.ESRCH) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return stat{}, fmt.Errorf("cannot look at process %d: %w", pid, err)
	}
	// The name stands in parentheses and may itself hold any. Fields are counted behind it.
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	const state, start = 0, 19
	if len(fields) <= start {
		return stat{}, fmt.Errorf("cannot look at process %d: unknown form of /proc/%d/stat", pid, pid)
	}
	ticks, err := strconv.ParseUint(string(fields[start]), 10, 64)
	if err != nil {
		return stat{}, fmt.Errorf("cannot look at process %d: %w", pid, err)
	}
	return stat{state: fields[state][0], ticks: ticks}, nil
}

// alive says whether process pid still is the one that started at these ticks.
func alive(pid int, ticks uint64) bool {
	p, err := statOf("", pid)
	return pid > 0 && err == nil && p.ticks == ticks && !p.ended()
}

// handle is a process that cannot be mistaken for another, whatever happens to its number.
type handle struct {
	fd  int // a pidfd; -1 where the kernel has none
	pid int
}

var errEnded = errors.New("it does not run any more")

// hold opens a process, and makes sure that it is the one that started at these ticks.
func hold(pid int, ticks uint64) (handle, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	switch {
	case errors.Is(err, unix.ESRCH):
		return handle{}, errEnded
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM):
		fd = -1
	case err != nil:
		return handle{}, os.NewSyscallError("pidfd_open", err)
	}
	h := handle{fd: fd, pid: pid}
	if !alive(pid, ticks) {
		h.close()
		return handle{}, errEnded
	}
	return h, nil
}

func (h handle) signal(sig unix.Signal) error {
	if h.fd < 0 {
		return os.NewSyscallError("kill", unix.Kill(h.pid, sig))
	}
	return os.NewSyscallError("pidfd_send_signal", unix.PidfdSendSignal(h.fd, sig, nil, 0))
}

func (h handle) close() {
	if h.fd >= 0 {
		_ = unix.Close(h.fd)
	}
}

// ticksPerSecond is USER_HZ, which is 100 on every architecture Docker runs on.
const ticksPerSecond = 100

// startTime is the wall clock time of a start in clock ticks after boot.
func startTime(ticks uint64) time.Time {
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(ticks)*(time.Second/ticksPerSecond) - time.Duration(up.Nano()))
}

func sameMounts(proc string) bool {
	theirs, err1 := os.Readlink(proc + "/ns/mnt")
	mine, err2 := os.Readlink("/proc/self/ns/mnt")
	return err1 == nil && err2 == nil && theirs == mine
}

// readStrings reads strings that each end with a zero byte.
func readStrings(name string) ([]string, error) {
	data, err := os.ReadFile(name)
	if err != nil || len(data) == 0 {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00"), nil
}

// credentials reads effective user, group and umask.
func (s *Service) credentials(proc string) error {
	data, err := os.ReadFile(proc + "/status")
	if err != nil {
		return err
	}
	s.Umask = 0o022 // kernels before 4.7 do not tell
	found := 0
	for line := range strings.Lines(string(data)) {
		name, rest, _ := strings.Cut(line, ":")
		fields := strings.Fields(rest)
		var target *int
		field, base := 1, 10 // real, effective, saved, file system
		switch name {
		case "Uid":
			target = &s.UID
		case "Gid":
			target = &s.GID
		case "Umask":
			target, field, base = &s.Umask, 0, 8
		default:
			continue
		}
		if len(fields) <= field {
			return fmt.Errorf("%s of process %d is %q", name, s.PID, rest)
		}
		n, err := strconv.ParseInt(fields[field], base, 32)
		if err != nil {
			return fmt.Errorf("%s of process %d is %q", name, s.PID, rest)
		}
		*target = int(n)
		found++
	}
	if found < 2 {
		return fmt.Errorf("the user of process %d is not known", s.PID)
	}
	return nil
}
