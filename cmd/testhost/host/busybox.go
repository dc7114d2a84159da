package host

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// findBusybox returns the path of a statically linked busybox: the machine's own,
// or the one of Debian's package, fetched into the cache without installing it.
func findBusybox(ctx context.Context, cache string) (string, error) {
	fetched := filepath.Join(cache, "busybox-static", "bin", "busybox")
	for _, path := range []string{"/bin/busybox", "/usr/bin/busybox", fetched, filepath.Join(cache, "busybox-static", "usr", "bin", "busybox")} {
		if isStatic(path) {
			return path, nil
		}
	}
	if err := Fetch(ctx, "busybox-static", filepath.Join(cache, "busybox-static")); err != nil {
		return "", fmt.Errorf("cannot get a static busybox (or install it with: %s): %w", AptCommand([]string{"busybox-static"}), err)
	}
	for _, path := range []string{fetched, filepath.Join(cache, "busybox-static", "usr", "bin", "busybox")} {
		if isStatic(path) {
			return path, nil
		}
	}
	return "", errors.New("cannot find a static busybox in Debian's package busybox-static")
}

// isStatic tells whether path is a program that needs no other file to run.
func isStatic(path string) bool {
	f, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return false
		}
	}
	return true
}

// Fetch unpacks a Debian package into dir without installing it.
func Fetch(ctx context.Context, name, dir string) error {
	tmp, err := os.MkdirTemp("", "docker-harden-deb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil { // apt downloads as a user of its own
		return err
	}
	get := withMachineNet(ctx, "apt-get", "download", name)
	get.Dir = tmp
	if out, err := get.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot download %s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	debs, err := filepath.Glob(filepath.Join(tmp, name+"_*.deb"))
	if err != nil || len(debs) != 1 {
		return fmt.Errorf("cannot find the downloaded package %s", name)
	}
	if out, err := exec.CommandContext(ctx, "dpkg", "-x", debs[0], dir).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot unpack %s: %w: %s", debs[0], err, strings.TrimSpace(string(out)))
	}
	return nil
}

// withMachineNet prepares a program that may need the machine's network, which an
// isolated host does not have but remembers for this.
func withMachineNet(ctx context.Context, name string, args ...string) *exec.Cmd {
	if _, err := os.Stat(machineNet); inside() && err == nil {
		args = append([]string{"--net=" + machineNet, "--", name}, args...)
		name = "nsenter"
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "PATH="+systemPath(os.Getenv("PATH")), "LC_ALL=C")
	return cmd
}

// applets lists the names busybox answers to.
func applets(ctx context.Context, busybox string) ([]string, error) {
	out, err := exec.CommandContext(ctx, busybox, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("cannot list the tools of %s: %w", busybox, err)
	}
	return strings.Fields(string(out)), nil
}
