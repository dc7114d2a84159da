package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Systemd makes a host with a Debian root of its own in which systemd is PID 1
// and runs the engine as docker.service. It is seen from outside only; nothing of
// the machine's files is visible in it, so programs are brought in with CopyIn.
// Its engine starts again by itself after KillEngine.
func Systemd() Option { return func(o *options) { o.systemd = true } }

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
