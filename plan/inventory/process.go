package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process is one line of the host's process table.
type process struct {
	pid, parent int
	name        string // comm
	state       byte
	start       uint64 // clock ticks after boot
}

// ticksPerSecond is USER_HZ, which is 100 on every architecture Docker runs on.
const ticksPerSecond = 100

// processes reads the host's process table. Processes that end meanwhile are left out.
func (r hostRoot) processes() ([]process, error) {
	dir, err := os.Open(r.join("/proc"))
	if err != nil {
		return nil, fmt.Errorf("cannot list processes: %w", cause(err))
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("cannot list processes: %w", cause(err))
	}
	var table []process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, err := r.process(pid); err == nil {
			table = append(table, p)
		}
	}
	return table, nil
}

func (r hostRoot) process(pid int) (process, error) {
	data, err := r.readProcFile("/proc", strconv.Itoa(pid), "stat")
	if err != nil {
		return process{}, err
	}
	return parseStat(data)
}

// parseStat reads /proc/PID/stat. The name stands in parentheses and may itself hold any of them.
func parseStat(data []byte) (process, error) {
	bad := errors.New("cannot read process status: unknown form of /proc/PID/stat")
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 0 || end < open {
		return process{}, bad
	}
	const state, parent, start = 0, 1, 19 // fields 3, 4 and 22 of proc(5)
	fields := strings.Fields(string(data[end+1:]))
	if len(fields) <= start {
		return process{}, bad
	}
	p := process{name: string(data[open+1 : end]), state: fields[state][0]}
	var errs [3]error
	p.pid, errs[0] = strconv.Atoi(strings.TrimSpace(string(data[:open])))
	p.parent, errs[1] = strconv.Atoi(fields[parent])
	p.start, errs[2] = strconv.ParseUint(fields[start], 10, 64)
	if errors.Join(errs[:]...) != nil {
		return process{}, bad
	}
	return p, nil
}

// args is the command line of a process.
func (r hostRoot) args(pid int) ([]string, error) {
	data, err := r.readProcFile("/proc", strconv.Itoa(pid), "cmdline")
	if err != nil {
		return nil, err
	}
	data = bytes.TrimSuffix(data, []byte{0})
	if len(data) == 0 {
		return nil, nil
	}
	return strings.Split(string(data), "\x00"), nil
}

// environ is the value of one variable of a process's first environment.
func (r hostRoot) environ(pid int, name string) string {
	data, err := r.readProcFile("/proc", strconv.Itoa(pid), "environ")
	if err != nil {
		return ""
	}
	for _, entry := range strings.Split(string(data), "\x00") {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// exe is the path of a process's binary in its own mount namespace, and whether that file was
// replaced or removed since.
func (r hostRoot) exe(pid int) (name string, deleted bool, err error) {
	name, err = os.Readlink(r.proc(pid, "exe"))
	if err != nil {
		return "", false, cause(err)
	}
	name, deleted = strings.CutSuffix(name, " (deleted)")
	return name, deleted, nil
}

// base is the file name of a process's binary, or its short name where the binary cannot be read.
func (r hostRoot) base(p process) string {
	if name, _, err := r.exe(p.pid); err == nil {
		return path.Base(name)
	}
	return p.name
}

// started is the wall clock time at which a process started, exact to about 10 ms.
func (r hostRoot) started(p process) (time.Time, error) {
	boot, err := r.bootTime()
	if err != nil {
		return time.Time{}, err
	}
	const tick = time.Second / ticksPerSecond
	return boot.Add(time.Duration(p.start) * tick).Truncate(tick).UTC(), nil
}

// bootTime reads btime of /proc/stat, which is a whole second, and sharpens it with the clocks of
// this process where both agree (they do not for a recorded /proc).
func (r hostRoot) bootTime() (time.Time, error) {
	data, err := r.readProcFile("/proc/stat")
	if err != nil {
		return time.Time{}, fmt.Errorf("cannot read the boot time: %w", cause(err))
	}
	for line := range strings.Lines(string(data)) {
		text, ok := strings.CutPrefix(line, "btime ")
		if !ok {
			continue
		}
		seconds, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("cannot read the boot time: %w", err)
		}
		boot := time.Unix(seconds, 0)
		var up unix.Timespec
		if unix.ClockGettime(unix.CLOCK_BOOTTIME, &up) == nil {
			exact := time.Now().Add(-time.Duration(up.Nano()))
			if exact.Sub(boot).Abs() < 2*time.Second {
				return exact, nil
			}
		}
		return boot, nil
	}
	return time.Time{}, errors.New("cannot read the boot time: /proc/stat has no btime")
}
