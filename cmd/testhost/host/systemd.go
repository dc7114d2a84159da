package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gofrs/flock"
)

// Systemd makes a host with a Debian root of its own in which systemd is PID 1
// and runs the engine as docker.service. It is seen from outside only; nothing of
// the machine's files is visible in it, so programs are brought in with CopyIn.
// Its engine starts again by itself after KillEngine.
func Systemd() Option { return func(o *options) { o.systemd = true } }

// systemdVersion moves when the root is made differently.
const systemdVersion = 1

var systemdPackages = []string{
	"systemd", "systemd-sysv", "dbus", "docker.io", "iproute2", "iptables", "procps", "kmod", "ca-certificates", "attr",
}

// maskedUnits would wait for devices, networks or terminals that a host has not.
var maskedUnits = []string{
	"getty.target", "console-getty.service", "systemd-udevd.service", "systemd-networkd-wait-online.service",
	"systemd-logind.service", "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_reap.service",
	"e2scrub_all.timer", "dpkg-db-backup.timer", "fstrim.timer", "apparmor.service",
}

// SystemdRoot builds the root of systemd hosts, or finds it in the cache. It is
// only ever read: each host lays an overlay over it.
func SystemdRoot(ctx context.Context) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	lock := flock.New(filepath.Join(cache, "systemd.lock"))
	if err := lock.Lock(); err != nil {
		return "", fmt.Errorf("cannot lock the image cache: %w", err)
	}
	defer func() { _ = lock.Unlock() }()
	packages := slices.Clone(systemdPackages)
	if appArmor() {
		packages = append(packages, "apparmor")
	}
	key := sha256.Sum256(fmt.Appendf(nil, "%d %s %s %v %v", systemdVersion, suite(), runtime.GOARCH, packages, maskedUnits))
	root := filepath.Join(cache, "systemd-"+hex.EncodeToString(key[:8]))
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	if debs := Missing(true); len(debs) > 0 {
		return "", fmt.Errorf("cannot build the root of systemd hosts: programs are missing; install them with: %s", AptCommand(debs))
	}
	if err := buildRoot(ctx, root, packages); err != nil {
		return "", fmt.Errorf("cannot build the root of systemd hosts: %w", err)
	}
	return root, nil
}

// buildRoot unpacks and configures Debian, under another name until it is whole.
func buildRoot(ctx context.Context, root string, packages []string) (err error) {
	young := root + ".building"
	if err := os.RemoveAll(young); err != nil { // of an interrupted build
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(young))
		}
	}()
	// From Debian 13 on the command line tool is a package of its own.
	if out, err := exec.CommandContext(ctx, "apt-cache", "show", "docker-cli").Output(); err == nil && len(out) > 0 {
		packages = append(packages, "docker-cli")
	}
	args := []string{"--quiet", "--mode=root", "--variant=minbase", "--format=directory", "--include=" + strings.Join(packages, ",")}
	args = append(append(args, aptOptions()...), debianSources(young)...)
	if out, err := withMachineNet(ctx, "mmdebstrap", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot run mmdebstrap: %w: %s", err, lastLines(string(out), 5))
	}
	if err := maskUnits(young); err != nil {
		return err
	}
	return os.Rename(young, root)
}

// maskUnits takes out of a root what a host in namespaces cannot run.
func maskUnits(root string) error {
	units := filepath.Join(root, "etc/systemd/system")
	for _, unit := range maskedUnits {
		if err := os.Symlink("/dev/null", filepath.Join(units, unit)); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("cannot mask %s: %w", unit, err)
		}
	}
	target := filepath.Join(units, "default.target")
	if err := os.Remove(target); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Symlink("/lib/systemd/system/multi-user.target", target)
}

// bootSystemd starts the engine and waits until it answers; right after Launch
// systemd itself is still starting, and the engine with it.
func (h *Host) bootSystemd(ctx context.Context) error {
	bound, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	for h.Command(bound, "systemctl", "show", "--property=Version").Run() != nil {
		if err := pause(bound); err != nil {
			return fmt.Errorf("cannot start the engine: systemd does not answer: %w", err)
		}
	}
	if err := h.systemctl(bound, "start", "docker.socket", "docker.service"); err != nil {
		return fmt.Errorf("%w: %s", err, h.journal(ctx))
	}
	for !h.answers(bound) {
		if err := pause(bound); err != nil {
			return fmt.Errorf("cannot start the engine under systemd: %w: %s", err, h.journal(ctx))
		}
	}
	return nil
}

// journal is the end of what systemd's engine has logged, on one line.
func (h *Host) journal(ctx context.Context) string {
	out, _ := h.Command(ctx, "journalctl", "-u", "docker", "-n", "5", "--no-pager", "-o", "cat").Output()
	return lastLines(string(out), 5)
}

// systemctl runs one verb on the engine's units. Their count of recent starts is
// cleared first: after three, systemd would refuse and leave the engine stopped.
func (h *Host) systemctl(ctx context.Context, verb string, units ...string) error {
	_ = h.Command(ctx, "systemctl", "reset-failed", "docker.service", "docker.socket").Run()
	out, err := h.Command(ctx, "systemctl", append([]string{verb}, units...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot %s the engine: %w: %s", verb, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// CopyIn copies a file of this machine, with its mode, into the host.
func (h *Host) CopyIn(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(h.Path(to)), 0o755)
	}
	if err == nil {
		err = os.WriteFile(h.Path(to), data, 0o600)
	}
	var info os.FileInfo
	if err == nil {
		info, err = os.Stat(from)
	}
	if err == nil {
		err = os.Chmod(h.Path(to), info.Mode().Perm())
	}
	if err != nil {
		t.Fatalf("cannot copy %s to %s in the host: %v", from, to, err)
	}
}
