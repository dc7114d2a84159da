package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	testhost "docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
)

// insideSystemd is set for the test binary when it runs on a host whose PID 1 is systemd.
const insideSystemd = "HOST_TEST_INSIDE_SYSTEMD"

// unitText is a unit like the engine's own: it says when it is ready, is restarted when it fails, and
// may be started three times a minute.
const unitText = `[Unit]
Description=plays an engine
StartLimitBurst=3
StartLimitIntervalSec=60

[Service]
Type=notify
ExecStart=%s --flag
Environment=` + asEngine + `=%s
WorkingDirectory=/run/engine
TimeoutStartSec=0
Restart=always
RestartSec=100ms
KillMode=process
`

const socketText = `[Socket]
ListenStream=/run/engine/socket
`

// unitHost is the real systemd with a unit of these tests.
type unitHost struct {
	t *testing.T
	Manager
}

func (h *unitHost) systemctl(args ...string) string {
	h.t.Helper()
	out, err := exec.Command("systemctl", args...).CombinedOutput()
	if err != nil {
		h.t.Fatalf("systemctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (h *unitHost) unit(how string) {
	h.t.Helper()
	exe, err := os.Executable()
	must(h.t, err)
	must(h.t, os.MkdirAll("/run/engine", 0o755))
	must(h.t, os.WriteFile("/run/systemd/system/engine.service", fmt.Appendf(nil, unitText, exe, how), 0o644))
	must(h.t, os.WriteFile("/run/systemd/system/engine.socket", []byte(socketText), 0o644))
	h.systemctl("daemon-reload")
}

func (h *unitHost) status() Status {
	h.t.Helper()
	s, err := h.Status(h.t.Context())
	must(h.t, err)
	return s
}

func (h *unitHost) logged(what string) {
	h.t.Helper()
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		text, err := h.Logs(h.t.Context(), time.Time{})
		must(h.t, err)
		if strings.Contains(text, what) {
			return
		}
		if time.Now().After(end) {
			h.t.Fatalf("the journal of the newest start has no %q:\n%s", what, text)
		}
	}
}

// onSystemd runs this test once more inside a host of its own, where it may do what it likes.
func onSystemd(t *testing.T) {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	const play = "/usr/local/bin/play"
	h := testhost.Start(t, testhost.Systemd())
	h.CopyIn(t, exe, play)
	out, err := h.Command(t.Context(), "env", insideSystemd+"=1", play, "-test.run=^"+t.Name()+"$", "-test.v").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestSystemdForReal(t *testing.T) {
	if os.Getenv(insideSystemd) == "" {
		onSystemd(t)
		return
	}
	h := &unitHost{t: t}
	h.unit("well")
	h.systemctl("start", "engine.socket")
	service, err := Describe(inventory.Daemon{Manager: Systemd, Unit: "engine.service"}, "")
	must(t, err)
	h.Manager, err = Open(service)
	must(t, err)
	for _, test := range []struct {
		name string
		run  func(*unitHost, *testing.T)
	}{
		{"start and restart", (*unitHost).restarts},
		{"reload", (*unitHost).reloads},
		{"failed start", (*unitHost).fails},
		{"deadline", (*unitHost).isLate},
		{"through the bus", (*unitHost).throughTheBus},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(&unitHost{t: t, Manager: h.Manager}, t)
		})
	}
	t.Run("the engine", realEngine)
	t.Run("the engine's socket", realSocket)
	t.Run("unknown unit", func(t *testing.T) {
		m, err := Open(Service{Manager: Systemd, Unit: "none.service"})
		must(t, err)
		if err := m.Restart(t.Context()); err == nil || !strings.Contains(err.Error(), "no such unit") {
			t.Errorf("got %v", err)
		}
	})
}

// More starts than systemd would allow in a minute.
func (h *unitHost) restarts(t *testing.T) {
	if s := h.status(); s.Active || s.PID != 0 {
		t.Errorf("%+v", s)
	}
	must(t, h.Start(t.Context()))
	before := h.status()
	if !before.Active || before.PID == 0 || before.SubState != "running" || len(before.InvocationID) != 32 || time.Since(before.Started).Abs() > time.Minute {
		t.Errorf("%+v", before)
	}
	must(t, h.Start(t.Context())) // nothing to do
	if now := h.status(); now.PID != before.PID {
		t.Errorf("%+v, before %+v", now, before)
	}
	for range 6 {
		must(t, h.Restart(t.Context()))
		now := h.status()
		if !now.Active || now.PID == before.PID || now.InvocationID == before.InvocationID || now.NeedDaemonReload {
			t.Errorf("%+v, before %+v", now, before)
		}
		before = now
	}
	if out := h.systemctl("is-active", "engine.service", "engine.socket"); out != "active\nactive" {
		t.Errorf("%s", out)
	}
}

func (h *unitHost) reloads(t *testing.T) {
	must(t, h.Reload(t.Context()))
	h.logged("heard hangup")
	before := h.status()
	must(t, h.Restart(t.Context()))
	h.logged("ready")
	text, err := h.Logs(t.Context(), before.Started)
	if err != nil || strings.Contains(text, "heard hangup") {
		t.Errorf("the log of an earlier start: %v\n%s", err, text)
	}
}

// A start that fails is left at rest, although systemd would try again; afterwards a start is possible.
func (h *unitHost) fails(t *testing.T) {
	for round := range 3 {
		must(t, os.WriteFile("/run/engine/config", []byte("broken"), 0o600))
		begin := time.Now()
		err := h.Restart(t.Context())
		if err == nil || !strings.Contains(err.Error(), "cannot restart engine.service") {
			t.Fatalf("got %v", err)
		}
		h.logged("config is broken")
		for range 10 {
			if s := h.status(); s.Active || s.PID != 0 || s.SubState == "auto-restart" {
				t.Fatalf("%s after the start it is not at rest: %+v", time.Since(begin), s)
			}
			time.Sleep(50 * time.Millisecond)
		}
		must(t, os.Remove("/run/engine/config"))
		if round == 1 {
			must(t, h.Start(t.Context()))
		} else {
			must(t, h.Restart(t.Context()))
		}
		if s := h.status(); !s.Active || s.Result != "success" {
			t.Errorf("%+v", s)
		}
	}
	if out := h.systemctl("is-active", "engine.socket"); out != "active" {
		t.Errorf("the socket is %s", out)
	}
}

// A start that takes longer than the caller waits goes on.
func (h *unitHost) isLate(t *testing.T) {
	h.unit("slow")
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	err := h.Restart(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "its state is start") {
		t.Errorf("got %v", err)
	}
	s := h.status()
	if s.Active || s.PID == 0 || s.SubState != "start" {
		t.Errorf("%+v", s)
	}
	if err := h.Reload(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("a signal to an engine that is not ready: %v", err)
	}
	h.unit("well")
	must(t, h.Restart(t.Context()))
	if s := h.status(); !s.Active {
		t.Errorf("%+v", s)
	}
}

// Where systemd cannot be reached directly, the system bus is used.
func (h *unitHost) throughTheBus(t *testing.T) {
	const direct = "/run/systemd/private"
	must(t, os.Rename(direct, direct+".away"))
	before := h.status()
	err := errors.Join(h.Restart(t.Context()), os.Rename(direct+".away", direct))
	if now := h.status(); err != nil || now.InvocationID == before.InvocationID {
		t.Errorf("%v %+v", err, now)
	}
}

// The engine itself, with its own units.
func realEngine(t *testing.T) {
	service, err := Describe(inventory.Daemon{Manager: Systemd, Unit: "docker.service"}, "")
	must(t, err)
	m, err := Open(service)
	must(t, err)
	h := &unitHost{t: t, Manager: m}
	const config = "/etc/docker/daemon.json"
	before := h.status()
	for range 4 {
		must(t, m.Restart(t.Context()))
	}
	must(t, m.Reload(t.Context()))
	h.logged("eload")
	must(t, os.MkdirAll("/etc/docker", 0o755))
	must(t, os.WriteFile(config, []byte(`{"no-such-key": 1}`), 0o644))
	if err := m.Restart(t.Context()); err == nil {
		t.Error("an engine with an unknown key in its configuration started")
	}
	h.logged("no-such-key")
	if s := h.status(); s.PID != 0 || s.SubState == "auto-restart" {
		t.Errorf("not at rest: %+v", s)
	}
	must(t, os.WriteFile(config, []byte("{}"), 0o644))
	must(t, m.Start(t.Context()))
	if s := h.status(); !s.Active || s.PID == before.PID {
		t.Errorf("%+v", s)
	}
	if out := h.systemctl("is-active", "docker.socket"); out != "active" {
		t.Errorf("the socket is %s", out)
	}
}

// The engine's own socket under a unit that opens it to everybody: closed at once and for every later one, while
// the engine goes on, and brought back.
func realSocket(t *testing.T) {
	h := &unitHost{t: t}
	const opened = "/etc/systemd/system/docker.socket.d/10-open.conf"
	must(t, os.MkdirAll(dropInDir, 0o755))
	must(t, os.WriteFile(opened, []byte("[Socket]\nSocketMode=0666\n"), 0o644))
	h.systemctl("daemon-reload")
	again := func() {
		h.systemctl("reset-failed", "docker.service", "docker.socket")
		h.systemctl("stop", "docker.service", "docker.socket")
		h.systemctl("start", "docker.socket", "docker.service")
	}
	again()
	access := func() string {
		out, err := exec.Command("stat", "-c", "%U:%G %a", "/run/docker.sock").CombinedOutput()
		must(t, err)
		return strings.TrimSpace(string(out)) + " " + h.systemctl("show", "docker.socket", "-p", "SocketMode", "--value")
	}
	state := func() string { return h.systemctl("is-active", "docker.service", "docker.socket") }
	if got := access(); got != "root:docker 666 0666" {
		t.Fatalf("before: %s", got)
	}
	s, step := &Socket{}, socketStep("SocketMode 0666 0660", "mode 0666 0660")
	undo, err := s.Prepare(t.Context(), step)
	must(t, err)
	pid := h.systemctl("show", "docker.service", "-p", "MainPID", "--value")
	must(t, s.Do(t.Context(), step, undo, nil))
	if got := access(); got != "root:docker 660 0660" || state() != "active\nactive" || h.systemctl("show", "docker.service", "-p", "MainPID", "--value") != pid {
		t.Errorf("applied: %s, %s", got, state())
	}
	again()
	if got := access(); got != "root:docker 660 0660" {
		t.Errorf("the next socket: %s", got)
	}
	restored, err := s.Undo(t.Context(), step, remediate.Record{Undo: undo})
	must(t, err)
	if got := access(); got != "root:docker 666 0666" || restored.How != plan.Exact || len(restored.Notes) != 0 {
		t.Errorf("undone: %s, %+v", got, restored)
	}
	if entries, err := os.ReadDir(dropInDir); err != nil || len(entries) != 1 || entries[0].Name() != "10-open.conf" {
		t.Errorf("left: %v, %v", entries, err)
	}
}
