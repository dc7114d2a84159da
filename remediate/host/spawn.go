package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"docker-harden/remediate/internal/crash"
)

// defaultLog takes the output of an engine that wrote to a terminal or a pipe before.
const defaultLog = "/var/log/docker-harden-engine.log"

// log is the file with the engine's messages.
func (s Service) log() string { return cmp.Or(s.Stderr, defaultLog) }

// startable says whether everything is there that a start needs.
func (s Service) startable() error {
	info, err := os.Stat(s.Exe)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return fmt.Errorf("%s is no program", s.Exe)
	}
	if info, err := os.Stat(s.Dir); err != nil || !info.IsDir() {
		return fmt.Errorf("its working directory %s is gone", s.Dir)
	}
	for _, name := range []string{cmp.Or(s.Stdout, defaultLog), s.log()} {
		f, err := appendTo(name)
		if err != nil {
			return err
		}
		_ = f.Close()
	}
	return nil
}

func appendTo(name string) (*os.File, error) {
	const private = 0o640
	return os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, private)
}

// spawn starts the process in a session of its own, so that it outlives this program and its
// terminal, and waits a moment: a process that ends at once did not start.
func (b *bare) spawn(ctx context.Context) error {
	s := b.service
	if err := s.startable(); err != nil {
		return err
	}
	stdout, err := appendTo(cmp.Or(s.Stdout, defaultLog))
	if err != nil {
		return err
	}
	defer stdout.Close()
	stderr, err := appendTo(s.log())
	if err != nil {
		return err
	}
	defer stderr.Close()
	if info, err := stderr.Stat(); err == nil {
		b.logged, b.started = info.Size(), true
	}
	crash.Point("before starting the engine")
	cmd, err := s.launch(stdout, stderr)
	if err != nil {
		return err
	}
	crash.Point("engine started, not waited for")
	b.service.PID = cmd.Process.Pid
	p, err := statOf("", b.service.PID) // before it is waited for, as one that ended is there until then
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // a zombie would keep the next engine from starting
	if err != nil {
		return err
	}
	b.service.StartTicks = p.ticks
	return watch(ctx, ended)
}

func watch(ctx context.Context, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	select {
	case err := <-ended:
		if err == nil {
			err = errors.New("exit status 0")
		}
		return fmt.Errorf("it ended at once: %w", err)
	case <-ctx.Done():
		return nil
	}
}

// command is the process as it was started before, in a session of its own.
func (s Service) command(stdout, stderr *os.File) *exec.Cmd {
	env := append([]string{}, s.Env...) // nil would be this program's own
	cmd := &exec.Cmd{
		Path: s.Exe, Args: s.Argv, Env: env, Dir: s.Dir, Stdout: stdout, Stderr: stderr,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if s.UID != os.Geteuid() || s.GID != os.Getegid() {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(s.UID), Gid: uint32(s.GID)}
	}
	return cmd
}

// launch starts the process with its umask and limits. It is held until it has them, because it hands
// them on to whatever it starts first.
func (s Service) launch(stdout, stderr *os.File) (*exec.Cmd, error) {
	runtime.LockOSThread() // one thread traces
	defer runtime.UnlockOSThread()
	defer unix.Umask(unix.Umask(s.Umask))
	cmd := s.command(stdout, stderr)
	cmd.SysProcAttr.Ptrace = true
	err := cmd.Start()
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EACCES) { // no tracing here
		cmd = s.command(stdout, stderr)
		if err = cmd.Start(); err == nil {
			s.limit(cmd.Process.Pid)
		}
		return cmd, err
	}
	if err != nil {
		return nil, err
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(cmd.Process.Pid, &status, 0, nil); err != nil || !status.Stopped() {
		return nil, errors.Join(errors.New("it did not begin to run"), err, abandon(cmd))
	}
	s.limit(cmd.Process.Pid)
	if err := unix.PtraceDetach(cmd.Process.Pid); err != nil {
		return nil, errors.Join(fmt.Errorf("it cannot be let go: %w", err), abandon(cmd))
	}
	return cmd, nil
}

// abandon ends a process that has not run a single instruction yet.
func abandon(cmd *exec.Cmd) error {
	err := cmd.Process.Kill()
	_ = cmd.Wait()
	return err
}

// limited are the limits that a process hands on to what it starts, and that installers of engines set.
var limited = map[string]int{
	"Max open files": unix.RLIMIT_NOFILE, "Max processes": unix.RLIMIT_NPROC,
	"Max core file size": unix.RLIMIT_CORE, "Max locked memory": unix.RLIMIT_MEMLOCK,
}

// limit gives a process the limits of the service. What may not be raised stays as it is: an engine
// with a lower limit is better than none.
func (s Service) limit(pid int) {
	for name, want := range s.Limits {
		resource, ok := limited[name]
		if !ok {
			continue
		}
		limit := unix.Rlimit{Cur: want.Soft, Max: want.Hard}
		if unix.Prlimit(pid, resource, &limit, nil) == nil {
			continue
		}
		var now unix.Rlimit
		if unix.Prlimit(pid, resource, nil, &now) == nil {
			now.Cur = min(want.Soft, now.Max)
			_ = unix.Prlimit(pid, resource, &now, nil)
		}
	}
}

// limitsOf reads the limits of a process.
func limitsOf(proc string) (map[string]Limit, error) {
	data, err := os.ReadFile(proc + "/limits")
	if err != nil {
		return nil, err
	}
	found := make(map[string]Limit)
	for line := range strings.Lines(string(data)) {
		for name := range limited {
			rest, ok := strings.CutPrefix(line, name)
			fields := strings.Fields(rest)
			if !ok || len(fields) < 2 {
				continue
			}
			soft, err1 := limitValue(fields[0])
			hard, err2 := limitValue(fields[1])
			if err := errors.Join(err1, err2); err != nil {
				return nil, fmt.Errorf("cannot read the limits of a process: %w", err)
			}
			found[name] = Limit{Soft: given(name, soft, hard), Hard: hard}
		}
	}
	return found, nil
}

// given is the soft limit that a process was started with. The runtime of Go programs, such as the
// engine, raises its own limit of open files to just below the hard one and gives its children the
// former limit, which can be seen nowhere. It then is the kernel's default, unless somebody had chosen
// another without raising the hard one.
func given(name string, soft, hard uint64) uint64 {
	const kernelDefault = 1024
	if name == "Max open files" && soft == hard-1 {
		return min(kernelDefault, hard)
	}
	return soft
}

func limitValue(text string) (uint64, error) {
	if text == "unlimited" {
		return unix.RLIM_INFINITY, nil
	}
	return strconv.ParseUint(text, 10, 64)
}
