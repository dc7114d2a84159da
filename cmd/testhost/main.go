package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"docker-harden/cmd/testhost/host"
	"docker-harden/cmd/testhost/vm"
)

// Exit statuses of its own; those of a command in the host are passed on.
const (
	statusError = 1
	statusUsage = 64
)

const usage = `usage:
  testhost run [--workload] [-- COMMAND...]   start an isolated Docker host, run a command (or a shell) in it, remove it
  testhost images                             build the sample images into the cache
  testhost engines                            build the Debian roots with newer engines into the cache
  testhost vm                                 build the virtual machine into the cache
  testhost check                              say what this machine lacks, and how to install it
`

var errUsage = errors.New("cannot tell what to do")

func main() {
	code, err := run(context.Background(), os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testhost:", err)
	}
	if errors.Is(err, errUsage) {
		fmt.Fprint(os.Stderr, usage)
	}
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout io.Writer) (int, error) {
	verb := ""
	if len(args) > 0 {
		verb = args[0]
	}
	switch verb {
	case "run":
		return runHost(ctx, args[1:])
	case "images", "engines", "vm", "check":
		if len(args) > 1 {
			return statusUsage, fmt.Errorf("%w: %s takes no argument, there is %q", errUsage, verb, args[1])
		}
		switch verb {
		case "images":
			return status(buildImages(ctx, stdout))
		case "engines":
			return status(buildEngines(ctx, stdout))
		case "vm":
			return status(timed(ctx, stdout, "vm", vm.Build))
		}
		return status(check(stdout))
	case "-h", "--help", "help":
		fmt.Fprint(stdout, usage)
		return 0, nil
	}
	return statusUsage, fmt.Errorf("%w: %q is no command", errUsage, verb)
}

func status(err error) (int, error) {
	if err != nil {
		return statusError, err
	}
	return 0, nil
}

// runHost starts a host and runs the given command in it.
func runHost(ctx context.Context, args []string) (code int, err error) {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	workload := flags.Bool("workload", false, "start the sample workload")
	if err := flags.Parse(args); err != nil {
		return statusUsage, fmt.Errorf("%w: %w", errUsage, err)
	}
	command := flags.Args()
	if len(command) == 0 {
		command = []string{"/bin/sh"}
	}
	if err := addToPath(); err != nil {
		return statusError, err
	}
	h, err := host.Launch(ctx)
	if err != nil {
		return statusError, err
	}
	defer func() {
		if closed := h.Close(); closed != nil {
			err = errors.Join(err, closed)
			code = max(code, statusError)
		}
	}()
	if *workload {
		err = startWorkload(ctx, h)
	} else {
		err = h.Boot(ctx)
	}
	if err != nil {
		return statusError, err
	}
	return h.Run(command[0], command[1:]...)
}

// addToPath lets commands in the host find docker-harden where it was built.
func addToPath() error {
	dir, err := filepath.Abs("bin")
	if err != nil {
		return fmt.Errorf("cannot find the current directory: %w", err)
	}
	path := dir + ":" + os.Getenv("PATH")
	if self, err := os.Executable(); err == nil {
		path = dir + ":" + filepath.Dir(self) + ":" + os.Getenv("PATH")
	}
	return os.Setenv("PATH", path)
}

// buildImages fills the cache, so that tests need not wait for downloads.
func buildImages(ctx context.Context, stdout io.Writer) error {
	for _, image := range host.Images() {
		build := func(ctx context.Context) (string, error) { return host.Build(ctx, image) }
		if err := timed(ctx, stdout, image.Name, build); err != nil {
			return err
		}
	}
	return timed(ctx, stdout, "systemd", func(ctx context.Context) (string, error) { return host.Root(ctx, host.Own) })
}

// buildEngines fills the cache with the roots of newer engines, and says which engines these are.
func buildEngines(ctx context.Context, stdout io.Writer) error {
	for _, release := range host.Releases() {
		root := ""
		build := func(ctx context.Context) (path string, err error) {
			root, err = host.Root(ctx, release)
			return root, err
		}
		if err := timed(ctx, stdout, string(release), build); err != nil {
			return err
		}
		version, err := host.EngineOf(root)
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%-8s  docker.io %s\n", release, version)
	}
	return nil
}

// timed builds one thing and prints how long that took.
func timed(ctx context.Context, stdout io.Writer, name string, build func(context.Context) (string, error)) error {
	began := time.Now()
	path, err := build(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%-8s  %5.1f s  %s\n", name, time.Since(began).Seconds(), path)
	return nil
}

// check prints what is missing and what helps.
func check(stdout io.Writer) error {
	if debs := host.Missing(true); len(debs) > 0 {
		fmt.Fprintf(stdout, "missing packages; install them with:\n  %s\n", host.AptCommand(debs))
		return errors.New("this machine cannot run isolated Docker hosts yet")
	}
	if err := host.Check(); err != nil {
		return err
	}
	fmt.Fprintln(stdout, "this machine can run isolated Docker hosts")
	return nil
}
