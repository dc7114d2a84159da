package host

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/docker/docker/client"
)

// Start starts a further host with a running engine, to be looked at from
// outside. It is closed at the end of the test, which fails if anything is left.
func Start(t testing.TB, opts ...Option) *Host {
	t.Helper()
	h, err := Launch(t.Context(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	h.Start(t)
	return h
}

// Docker runs the docker command line and returns what it printed, without
// surrounding space.
func (h *Host) Docker(t testing.TB, args ...string) string {
	t.Helper()
	return h.Exec(t, "docker", args...)
}

// Exec runs a program inside and returns what it printed on its standard output,
// without surrounding space. The test fails when the program does.
func (h *Host) Exec(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := h.Command(t.Context(), name, args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("cannot run %s %q: %v: %s%s", name, args, err, out, exit.Stderr)
		}
		t.Fatalf("cannot run %s %q: %v", name, args, err)
	}
	return strings.TrimSpace(string(out))
}

// Client is an engine client, closed at the end of the test.
func (h *Host) Client(t testing.TB) *client.Client {
	t.Helper()
	c, err := h.client()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// Image makes sure that the named sample image is loaded and returns its
// reference. Images lists the names.
func (h *Host) Image(t testing.TB, name string) string {
	t.Helper()
	ref, err := h.Load(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// WriteDaemonJSON replaces the engine's configuration file; the engine is not told.
func (h *Host) WriteDaemonJSON(t testing.TB, text string) {
	t.Helper()
	if err := os.WriteFile(h.Path(DaemonJSON), []byte(text), 0o644); err != nil {
		t.Fatalf("cannot write %s: %v", DaemonJSON, err)
	}
}

// Start starts the engine; the test fails when it does not answer.
func (h *Host) Start(t testing.TB) { t.Helper(); h.must(t, h.Boot) }

// Stop ends the engine politely and waits until its process is gone.
func (h *Host) Stop(t testing.TB) {
	t.Helper()
	h.must(t, func(ctx context.Context) error { return h.end(ctx, "TERM") })
}

// Restart stops the engine and starts it.
func (h *Host) Restart(t testing.TB) { t.Helper(); h.Stop(t); h.Start(t) }

// Reload makes the engine read its configuration again, and waits for that.
func (h *Host) Reload(t testing.TB) { t.Helper(); h.must(t, h.reload) }

// KillEngine ends the engine with SIGKILL. Its containers keep running.
func (h *Host) KillEngine(t testing.TB) {
	t.Helper()
	h.must(t, func(ctx context.Context) error { return h.end(ctx, "KILL") })
}

// PID is the engine's process ID as seen inside the host.
func (h *Host) PID(t testing.TB) int {
	t.Helper()
	pid, err := h.enginePID()
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// PowerLoss ends the engine and all containers at once, drops what a reboot would
// drop, and starts the engine again.
func (h *Host) PowerLoss(t testing.TB) { t.Helper(); h.must(t, h.powerLoss) }

// must runs one engine action. It ignores the end of the test's own context, so
// that clean-up functions may use it.
func (h *Host) must(t testing.TB, do func(context.Context) error) {
	t.Helper()
	if err := do(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
}
