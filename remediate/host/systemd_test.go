package host

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	godbus "github.com/godbus/dbus/v5"
)

// fakeUnits plays systemd with one unit.
type fakeUnits struct {
	active, sub, result, load string
	pid                       uint32
	invocation                byte
	job                       uint32
	calls                     []string
	// verdict is the result that a start or restart job tells; "" tells nothing.
	verdict string
	// during runs when a job is queued.
	during func(*fakeUnits)
	fail   map[string]error
	open   int
}

func (f *fakeUnits) connect(context.Context) (units, error) {
	f.open++
	return f, f.fail["connect"]
}

func (f *fakeUnits) Close() { f.open-- }

func (f *fakeUnits) GetAllPropertiesContext(_ context.Context, unit string) (map[string]any, error) {
	if err := f.fail["properties"]; err != nil {
		return nil, err
	}
	return map[string]any{
		"ActiveState": f.active, "SubState": f.sub, "Result": f.result, "MainPID": f.pid, "LoadState": f.load,
		"InvocationID": []byte{f.invocation}, "Job": []any{f.job, godbus.ObjectPath("/")}, "NeedDaemonReload": true,
	}, nil
}

func (f *fakeUnits) ResetFailedUnitContext(_ context.Context, unit string) error {
	f.calls = append(f.calls, "reset "+unit)
	return f.fail["reset "+unit]
}

func (f *fakeUnits) queue(verb, unit, mode string, done chan<- string) (int, error) {
	f.calls = append(f.calls, verb+" "+unit+" "+mode)
	if err := f.fail[verb]; err != nil {
		return 0, err
	}
	if verb == "stop" {
		f.active, f.sub, f.pid = "inactive", "dead", 0
		done <- "done"
		return 1, nil
	}
	if f.during != nil {
		f.during(f)
	}
	if f.verdict != "" {
		done <- f.verdict
	}
	return 1, nil
}

func (f *fakeUnits) StartUnitContext(_ context.Context, unit, mode string, done chan<- string) (int, error) {
	return f.queue("start", unit, mode, done)
}

func (f *fakeUnits) RestartUnitContext(_ context.Context, unit, mode string, done chan<- string) (int, error) {
	return f.queue("restart", unit, mode, done)
}

func (f *fakeUnits) StopUnitContext(_ context.Context, unit, mode string, done chan<- string) (int, error) {
	return f.queue("stop", unit, mode, done)
}

func fakeSystemd() (*systemd, *fakeUnits) {
	f := &fakeUnits{
		active: "active", sub: "running", result: "success", load: "loaded", pid: uint32(os.Getpid()), invocation: 1,
		verdict: "done", during: func(f *fakeUnits) { f.invocation++ }, fail: map[string]error{},
	}
	return &systemd{service: Service{Manager: Systemd, Unit: "docker.service", Socket: "docker.socket"}, connect: f.connect}, f
}

var wholeRestart = []string{"reset docker.service", "reset docker.socket", "restart docker.service replace"}

func TestSystemdStatus(t *testing.T) {
	s, f := fakeSystemd()
	got, err := s.Status(t.Context())
	must(t, err)
	if !got.Active || got.PID != os.Getpid() || got.SubState != "running" || got.Result != "success" || !got.NeedDaemonReload ||
		got.InvocationID != hex.EncodeToString([]byte{1}) || got.StartTicks == 0 || time.Since(got.Started) > time.Hour {
		t.Errorf("%+v", got)
	}
	f.load = "not-found"
	if _, err := s.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "no such unit") {
		t.Errorf("got %v", err)
	}
	f.fail["connect"] = errors.New("no systemd here")
	f.open = 0
	if _, err := s.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "no systemd here") {
		t.Errorf("got %v", err)
	}
}

func TestSystemdRestart(t *testing.T) {
	for _, test := range []struct {
		name  string
		set   func(*fakeUnits)
		calls []string // after the whole restart
		says  string   // "" is success
	}{
		{"done", func(*fakeUnits) {}, nil, ""},
		{"no socket unit", func(f *fakeUnits) {
			f.fail["reset docker.socket"] = fmt.Errorf("x: %w", godbus.Error{Name: "org.freedesktop.systemd1.NoSuchUnit"})
		}, nil, ""},
		{"was down", func(f *fakeUnits) {
			f.active, f.sub, f.pid, f.invocation = "failed", "failed", 0, 0
			f.during = func(f *fakeUnits) { f.active, f.sub, f.pid, f.invocation = "active", "running", 1, 9 }
		}, nil, ""},
		{"failed for good", func(f *fakeUnits) {
			f.verdict = "failed"
			f.during = func(f *fakeUnits) { f.active, f.sub, f.result, f.pid = "failed", "failed", "exit-code", 0 }
		}, nil, `the job's result is "failed", the unit is failed (exit-code)`},
		{"failed and tries again", func(f *fakeUnits) {
			f.verdict = "failed"
			f.during = func(f *fakeUnits) { f.active, f.sub, f.result, f.pid = "activating", "auto-restart", "exit-code", 0 }
		}, []string{"stop docker.service replace"}, "auto-restart"},
		{"done and dead at once", func(f *fakeUnits) {
			f.during = func(f *fakeUnits) { f.active, f.sub, f.result, f.pid = "activating", "auto-restart", "exit-code", 0 }
		}, []string{"stop docker.service replace"}, "auto-restart"},
		{"done, but the old process", func(f *fakeUnits) { f.during = nil }, nil, "still the one before"},
		{"no word, the job ends", func(f *fakeUnits) { f.verdict = "" }, nil, ""},
		{"no word, the job fails", func(f *fakeUnits) {
			f.verdict = ""
			f.during = func(f *fakeUnits) { f.active, f.sub, f.result, f.pid = "failed", "failed", "timeout", 0 }
		}, nil, "(timeout)"},
		{"cannot stop the loop", func(f *fakeUnits) {
			f.verdict = "failed"
			f.fail["stop"] = errors.New("denied")
			f.during = func(f *fakeUnits) { f.active, f.sub, f.pid = "activating", "auto-restart", 0 }
		}, []string{"stop docker.service replace"}, "may still try to restart: denied"},
		{"cannot queue", func(f *fakeUnits) { f.fail["restart"] = errors.New("denied") }, nil, "cannot restart docker.service: denied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, f := fakeSystemd()
			test.set(f)
			err := s.Restart(t.Context())
			if want := append(slices.Clone(wholeRestart), test.calls...); !slices.Equal(f.calls, want) {
				t.Errorf("calls %q", f.calls)
			}
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
			if f.open != 0 {
				t.Errorf("%d connections left open", f.open)
			}
		})
	}
}

func TestSystemdRefusesToStartBlindly(t *testing.T) {
	for what, says := range map[string]string{"reset docker.service": "start count", "properties": "cannot look at", "connect": "denied"} {
		s, f := fakeSystemd()
		f.fail[what] = errors.New("denied")
		if err := s.Restart(t.Context()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", what, err)
		}
		if slices.Contains(f.calls, wholeRestart[2]) {
			t.Errorf("%s: it was restarted: %q", what, f.calls)
		}
	}
}

func TestSystemdStart(t *testing.T) {
	s, f := fakeSystemd()
	f.during = nil // it runs already
	must(t, s.Start(t.Context()))
	if want := []string{"reset docker.service", "reset docker.socket", "start docker.service replace"}; !slices.Equal(f.calls, want) {
		t.Errorf("calls %q", f.calls)
	}
	f.active, f.sub, f.pid = "inactive", "dead", 0
	f.verdict = "dependency"
	if err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), `"dependency"`) {
		t.Errorf("got %v", err)
	}
}

func TestSystemdDeadline(t *testing.T) {
	s, f := fakeSystemd()
	f.verdict = ""
	f.during = func(f *fakeUnits) { f.active, f.sub, f.job, f.pid = "activating", "start", 77, 0 }
	ctx, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond)
	defer cancel()
	err := s.Restart(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "its state is start") {
		t.Errorf("got %v", err)
	}
	if !slices.Equal(f.calls, wholeRestart) {
		t.Errorf("a start that still works on it was disturbed: %q", f.calls)
	}
}

func TestSystemdReload(t *testing.T) {
	e := launch(t, "well")
	s, f := fakeSystemd()
	f.pid = uint32(e.cmd.Process.Pid)
	must(t, s.Reload(t.Context()))
	e.until("it heard", func() bool { return strings.Contains(e.log(), "heard hangup") })
	// A signal to an engine that is not ready yet would end it.
	f.active, f.sub = "activating", "start"
	if err := s.Reload(t.Context()); !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "is start") {
		t.Errorf("got %v", err)
	}
	f.active, f.pid = "active", 0
	if err := s.Reload(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("got %v", err)
	}
	if strings.Count(e.log(), "heard") != 1 {
		t.Errorf("log:\n%s", e.log())
	}
}
