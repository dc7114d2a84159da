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
	env := append([]string{}, s.Env...) // nil would be this program's own
	cmd := &exec.Cmd{Path: s.Exe, Args: s.Argv, Env: env, Dir: s.Dir, Stdout: stdout, Stderr: stderr,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true}}
	if s.UID != os.Geteuid() || s.GID != os.Getegid() {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(s.UID), Gid: uint32(s.GID)}
	}
	if err := inherit(s, cmd.Start); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // a zombie would keep the next engine from starting
	b.service.PID = cmd.Process.Pid
	p, err := statOf("", b.service.PID)
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

// limited are the limits that a process hands on to what it starts, and that installers of engines
// set. Limits of this program itself differ.
var limited = map[string]int{
	"Max open files": unix.RLIMIT_NOFILE, "Max processes": unix.RLIMIT_NPROC,
	"Max core file size": unix.RLIMIT_CORE, "Max locked memory": unix.RLIMIT_MEMLOCK,
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
			found[name] = Limit{Soft: soft, Hard: hard}
		}
	}
	return found, nil
}

func limitValue(text string) (uint64, error) {
	if text == "unlimited" {
		return unix.RLIM_INFINITY, nil
	}
	return strconv.ParseUint(text, 10, 64)
}

// inherit runs start while this process has the umask and limits of the service, which its children
// get, and puts its own back.
func inherit(s Service, start func() error) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer unix.Umask(unix.Umask(s.Umask))
	for name, want := range s.Limits {
		resource, ok := limited[name]
		if !ok {
			continue
		}
		var own syscall.Rlimit
		if err := syscall.Getrlimit(resource, &own); err != nil {
			return fmt.Errorf("cannot read %s: %w", strings.ToLower(name), err)
		}
		theirs := syscall.Rlimit{Cur: want.Soft, Max: want.Hard}
		if err := syscall.Setrlimit(resource, &theirs); err != nil {
			return fmt.Errorf("cannot give it its limit (%s): %w", strings.ToLower(name), err)
		}
		defer func() {
			if e := syscall.Setrlimit(resource, &own); e != nil && err == nil {
				err = fmt.Errorf("cannot put back %s: %w", strings.ToLower(name), e)
			}
		}()
	}
	return start()
}
