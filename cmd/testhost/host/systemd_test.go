package host

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestSystemdHost(t *testing.T) {
	began := time.Now()
	h := Start(t, Systemd())
	t.Logf("docker.service active and answering after %v", time.Since(began).Round(100*time.Millisecond))
	if got := h.Exec(t, "cat", "/proc/1/comm"); got != "systemd" {
		t.Errorf("PID 1 is %q", got)
	}
	if got := h.Exec(t, "systemctl", "is-system-running", "--wait"); got != "running" {
		t.Errorf("the system is %s:\n%s", got, h.Exec(t, "systemctl", "--failed", "--no-pager"))
	}
	h.WriteDaemonJSON(t, `{"live-restore": true}`)
	h.Exec(t, "systemctl", "reload", "docker")
	time.Sleep(200 * time.Millisecond)
	pid, engine := run(t, h, "kept", "-m", "64m"), h.PID(t)
	h.Exec(t, "systemctl", "restart", "docker")
	if h.PID(t) == engine {
		t.Error("systemctl restart docker did not restart the engine")
	}
	if got := h.Docker(t, "inspect", "-f", "{{.State.Pid}}", "kept"); got != pid {
		t.Errorf("container process after the restart: %s, want %s", got, pid)
	}
	for range 4 { // more often than systemd would allow without a reset
		h.Restart(t)
	}
	h.Reload(t)
	if got := h.Docker(t, "info", "-f", "{{.LiveRestoreEnabled}}"); got != "true" {
		t.Errorf("live-restore: %s", got)
	}
}

func TestSystemdHostHasItsOwnFiles(t *testing.T) {
	h := Start(t, Systemd())
	file := t.TempDir() + "/program"
	if err := os.WriteFile(file, []byte("#!/bin/sh\necho ran on $(hostname)\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	h.CopyIn(t, file, "/usr/local/bin/program")
	if got := h.Exec(t, "program"); got != "ran on testhost" {
		t.Errorf("the program says %q", got)
	}
	root, err := Root(t.Context(), Own)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{root + "/usr/local/bin/program", "/usr/local/bin/program"} {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: the program was written outside the host", path)
		}
	}
	if got := h.Exec(t, "sh", "-c", "ls /work /root/.cache 2>/dev/null; cat /proc/mounts"); strings.Contains(got, "/.old") {
		t.Errorf("the machine's files are visible:\n%s", got)
	}
}

// The host boots again on the same files, and on nothing that memory alone knew.
func TestSystemdHostPowerLoss(t *testing.T) {
	h := Start(t, Systemd())
	run(t, h, "comes", "--restart", "always")
	run(t, h, "stays-away")
	h.Exec(t, "sh", "-c", "echo kept >/etc/kept; sync; echo gone >/run/gone")
	const started = "cut -d' ' -f22 /proc/1/stat"
	machine, first := h.Exec(t, "cat", "/etc/machine-id"), h.Exec(t, "sh", "-c", started)
	h.PowerLoss(t)
	if got := h.Exec(t, "cat", "/etc/kept", "/etc/machine-id"); got != "kept\n"+machine {
		t.Errorf("after the power loss: %s", got)
	}
	if h.Command(t.Context(), "test", "-e", "/run/gone").Run() == nil {
		t.Error("/run is not that of a new boot")
	}
	if h.Exec(t, "sh", "-c", started) == first {
		t.Error("PID 1 is the one from before")
	}
	for end := time.Now().Add(time.Minute); h.Docker(t, "ps", "--format", "{{.Names}}") != "comes"; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("running after the power loss: %q", h.Docker(t, "ps", "-a"))
		}
	}
	h.PowerLoss(t)
}
