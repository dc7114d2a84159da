//go:build engines

package acceptance

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"docker-harden/cmd/testhost/host"
)

// booted is a host of its own with systemd and the engine of the chosen release, seen from outside.
type booted struct {
	*testing.T
	h *host.Host
}

const compare = "/opt/demo/compare.sh"

func boot(t *testing.T) *booted {
	t.Helper()
	b := &booted{T: t, h: host.Start(t, host.Systemd())}
	engineVersion(t, b.h)
	bin := filepath.Join(t.TempDir(), "docker-harden")
	build := exec.Command("go", "build", "-o", bin, "../docker-harden")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build: %v\n%s", err, out)
	}
	b.h.CopyIn(t, bin, "/usr/local/bin/docker-harden")
	for _, name := range []string{"compare.sh", "normalise.jq", "differences.jq"} {
		b.h.CopyIn(t, "../../fixtures/demo/"+name, filepath.Join(filepath.Dir(compare), name))
	}
	return b
}

// harden runs the program in the host and fails unless it ends with the wanted status.
func (b *booted) harden(code int, args ...string) string {
	b.Helper()
	cmd := b.h.Command(b.Context(), "docker-harden", args...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		b.Fatal(err)
	}
	b.Logf("# docker-harden %s\n%sexit %d", strings.Join(args, " "), out, cmd.ProcessState.ExitCode())
	if got := cmd.ProcessState.ExitCode(); got != code {
		b.Fatalf("docker-harden %s: exit %d, want %d", strings.Join(args, " "), got, code)
	}
	return string(out)
}

func (b *booted) capture(name string) string {
	b.Helper()
	dir := "/run/" + name
	b.h.Exec(b.T, "bash", compare, "capture", dir)
	return dir
}

func (b *booted) equal(before, after string) {
	b.Helper()
	if out, err := b.h.Command(b.Context(), "bash", compare, "check", before, after).CombinedOutput(); err != nil {
		b.Errorf("%v\n%s", err, out)
	}
}

// used spends the starts that systemd allows within a minute: one more without a reset would be refused.
func (b *booted) used() {
	b.Helper()
	for {
		out, err := b.h.Command(b.Context(), "systemctl", "restart", "docker").CombinedOutput()
		if err == nil {
			continue
		}
		if got := b.h.Exec(b.T, "systemctl", "show", "-P", "Result", "docker.service"); got != "start-limit-hit" {
			b.Fatalf("%s: %s", got, out)
		}
		break
	}
	b.h.Exec(b.T, "systemctl", "reset-failed", "docker.service", "docker.socket")
	b.h.Exec(b.T, "systemctl", "start", "docker.service")
	for range 2 {
		b.h.Exec(b.T, "systemctl", "restart", "docker.service")
	}
}

const oddDaemonJSON = "{\n  \"log-level\": \"warn\",\n\t\"log-opts\": {\"max-size\": \"10m\"  }\n}\n"

// The engine's own steps under systemd: the restart keeps containers running, although systemd would refuse
// one start more; and everything is as before afterwards.
func TestEngineDaemonRestart(t *testing.T) {
	b := boot(t)
	recordEngine(t, b.h, "daemon restart", "systemd, live-restore off, start limit nearly reached", "restarted, container kept its process", "equal")
	b.h.WriteDaemonJSON(t, oddDaemonJSON)
	b.used()
	b.h.Docker(t, "run", "-d", "--name", "web", "--stop-signal", "KILL", b.h.Image(t, "busybox"), "sleep", "3600")
	pid := b.h.Docker(t, "inspect", "-f", "{{.State.Pid}}", "web")
	before := b.capture("before")
	b.harden(0, "plan", "daemon", "-o", "/run/daemon.plan")
	b.harden(0, "apply", "/run/daemon.plan", "--yes")
	if got := b.h.Docker(t, "inspect", "-f", "{{.State.Pid}}", "web"); got != pid {
		t.Errorf("the container's process is %s, was %s", got, pid)
	}
	if got := b.h.Docker(t, "info", "-f", "{{.LiveRestoreEnabled}} {{.SecurityOptions}}"); !strings.HasPrefix(got, "true ") || !strings.Contains(got, "no-new-privileges") {
		t.Errorf("the engine says %s", got)
	}
	b.harden(0, "verify")
	if again := b.harden(0, "plan", "daemon"); !strings.Contains(again, "No changes") {
		t.Error("a plan after the apply still changes something")
	}
	b.harden(0, "rollback", "--yes")
	b.equal(before, b.capture("after"))
	if got := b.h.Exec(t, "systemctl", "is-active", "docker.service", "docker.socket"); got != "active\nactive" {
		t.Errorf("the units are %s", got)
	}
}

// A single setting that the engine reloads: no restart, and the reload is undone.
func TestEngineReload(t *testing.T) {
	b := boot(t)
	recordEngine(t, b.h, "reload", "systemd, live-restore alone", "reloaded, same engine process", "equal")
	b.h.WriteDaemonJSON(t, oddDaemonJSON)
	b.h.Restart(t)
	engine, before := b.h.PID(t), b.capture("before")
	b.harden(0, "plan", "--only", "docker/live-restore", "-o", "/run/reload.plan")
	b.harden(0, "apply", "/run/reload.plan", "--yes")
	if got := b.h.Docker(t, "info", "-f", "{{.LiveRestoreEnabled}}"); got != "true" || b.h.PID(t) != engine {
		t.Errorf("live-restore %s, engine process %d, was %d", got, b.h.PID(t), engine)
	}
	b.harden(0, "rollback", "--yes")
	if b.h.PID(t) != engine {
		t.Error("the undo restarted the engine")
	}
	b.equal(before, b.capture("after"))
}

// A daemon.json that the engine itself would refuse at its next start is found by the engine's own
// --validate, before anything is touched.
func TestEngineRejectsDaemonJSON(t *testing.T) {
	b := boot(t)
	recordEngine(t, b.h, "rejected daemon.json", "the engine's --validate refuses what somebody wrote", "refused, nothing touched", "")
	engine := b.h.PID(t)
	began := b.h.Exec(t, "systemctl", "show", "-P", "ActiveEnterTimestampMonotonic", "docker.service")
	const bad = `{"log-opts": {"max-size": "10m"}, "default-address-pools": [{"base": "no-network", "size": 99}]}`
	b.h.WriteDaemonJSON(t, bad)
	time.Sleep(time.Second) // the file is younger than the engine, also by the clock of file systems
	planned := b.harden(0, "plan", "daemon", "-o", "/run/bad.plan")
	if strings.Contains(planned, "daemon  /etc/docker/daemon.json") {
		b.harden(8, "apply", "/run/bad.plan", "--yes")
	}
	if got := b.h.Exec(t, "cat", host.DaemonJSON); got != bad {
		t.Errorf("daemon.json is %s", got)
	}
	if got := b.h.Exec(t, "systemctl", "show", "-P", "ActiveEnterTimestampMonotonic", "docker.service"); got != began || b.h.PID(t) != engine {
		t.Error("the engine was restarted")
	}
}
