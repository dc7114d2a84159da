package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// Tests is what Main runs inside: a *testing.M, or anything that ends in one.
type Tests interface{ Run() int }

// Main is the whole TestMain of a package whose tests use Here. It runs the same
// test binary with the same arguments, streams and directory inside a fresh host,
// where it runs m; it exits with the status of that run, or 1 when the host could
// not be made or left something behind.
func Main(m Tests) {
	if inside() {
		os.Exit(m.Run())
	}
	os.Exit(outside())
}

// outside runs this very program again inside a host.
func outside() int {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot find the test binary:", err)
		return 1
	}
	h, err := Launch(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code, err := h.Run(self, os.Args[1:]...)
	if err := errors.Join(err, h.Close()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		if code == 0 {
			code = 1
		}
	}
	return code
}

// Run runs a program inside with this process's streams and returns its exit
// status. Signals meant for this process reach the program.
func (h *Host) Run(name string, args ...string) (int, error) {
	cmd := h.Command(context.Background(), name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return 1, fmt.Errorf("cannot run %s in the host: %w", name, err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case err := <-done:
			return exitStatus(err)
		case s := <-signals:
			h.pass(cmd, s)
		}
	}
}

// pass hands a signal to the program. nsenter stands between: it waits for the
// program, which is its only child, so the signal goes there.
func (h *Host) pass(cmd *exec.Cmd, s os.Signal) {
	sig, ok := s.(syscall.Signal)
	if !ok {
		return
	}
	for _, pid := range children(cmd.Process.Pid) {
		_ = syscall.Kill(pid, sig)
	}
}

// exitStatus turns what Wait returned into a shell's exit status.
func exitStatus(err error) (int, error) {
	var exit *exec.ExitError
	if err == nil {
		return 0, nil
	}
	if !errors.As(err, &exit) {
		return 1, err
	}
	if w, ok := exit.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal()), nil
	}
	return exit.ExitCode(), nil
}
