package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"docker-harden/plan/inventory"
)

// starts are the lines in which a played engine says how it was started.
func (e *engine) starts() []string {
	var found []string
	for line := range strings.Lines(e.log()) {
		if strings.HasPrefix(line, "start ") {
			found = append(found, line)
		}
	}
	return found
}

func TestDescribeBare(t *testing.T) {
	e := launch(t, "well")
	s := e.described()
	if s.PID != e.cmd.Process.Pid || s.StartTicks == 0 || s.Dir != e.dir || s.Stdout != e.path("log") || s.Stderr != e.path("log") ||
		s.PidFile != e.path("pid") || s.Umask != 0o027 || s.UID != os.Geteuid() || s.GID != os.Getegid() {
		t.Errorf("%#v %+v", s, s.Limits)
	}
	if got := s.Limits["Max open files"]; got != (Limit{Soft: 1024, Hard: 2000}) {
		t.Errorf("limits %v", s.Limits)
	}
	if want := []string{"--pidfile", e.path("pid"), "--flag", "two words"}; fmt.Sprint(s.Argv[1:]) != fmt.Sprint(want) {
		t.Errorf("argv %q", s.Argv)
	}
	if !slices.Contains(s.Env, "EMPTY=") || !slices.Contains(s.Env, "SECRET=hunter2") {
		t.Errorf("env has %d entries", len(s.Env))
	}
	for _, verb := range []string{"%v", "%+v", "%s", "%#v"} {
		if text := fmt.Sprintf(verb, s); strings.Contains(text, "hunter2") || !strings.Contains(text, s.Exe) {
			t.Errorf("%s prints %s", verb, text)
		}
	}
	raw, err := json.Marshal(s)
	must(t, err)
	var back Service
	must(t, json.Unmarshal(raw, &back))
	again, err := json.Marshal(back)
	if err != nil || string(again) != string(raw) || !strings.Contains(string(raw), "hunter2") {
		t.Errorf("the record does not survive: %v", err)
	}
}

func TestDescribeRefuses(t *testing.T) {
	for _, d := range []inventory.Daemon{{Manager: Bare}, {Manager: "unknown", PID: 1 << 22}, {Manager: Systemd, Unit: "docker.service", PID: 1 << 22}} {
		if s, err := Describe(d, ""); err == nil {
			t.Errorf("%+v: %v", d, s)
		}
	}
	s, err := Describe(inventory.Daemon{Manager: Systemd, Unit: "docker.service", PID: os.Getpid()}, "")
	if err != nil || s.Socket != "docker.socket" || s.StartTicks == 0 || s.Env != nil {
		t.Errorf("%v %v", s, err)
	}
	for _, s := range []Service{{Manager: "unknown"}, {Manager: Systemd}, {Manager: Bare}, {Manager: Bare, Exe: "/x"}} {
		if _, err := Open(s); err == nil || !strings.Contains(err.Error(), "cannot manage the engine") {
			t.Errorf("%v: %v", s, err)
		}
	}
}

func TestPidFile(t *testing.T) {
	for _, test := range []struct {
		argv []string
		key  string
		want string
	}{
		{[]string{"dockerd"}, "", "/var/run/docker.pid"},
		{[]string{"dockerd", "--pidfile=/a"}, "", "/a"},
		{[]string{"dockerd", "-p", "/b", "-D"}, `"/c"`, "/b"},
		{[]string{"dockerd"}, `"/c"`, "/c"},
		{[]string{"dockerd"}, `7`, "/var/run/docker.pid"},
	} {
		d := inventory.Daemon{Argv: test.argv}
		if test.key != "" {
			d.Keys = map[string]json.RawMessage{"pidfile": json.RawMessage(test.key)}
		}
		if got := pidFile(d); got != test.want {
			t.Errorf("%v %s: %s", test.argv, test.key, got)
		}
	}
}

func TestBareRestart(t *testing.T) {
	e := launch(t, "well")
	m := e.manager(e.described())
	before := e.status(m)
	if !before.Active || before.PID != e.cmd.Process.Pid || time.Since(before.Started) > time.Minute || time.Since(before.Started) < 0 {
		t.Errorf("%+v", before)
	}
	for range 2 { // the second restarts a process that the manager started itself
		must(t, m.Restart(t.Context()))
		now := e.status(m)
		if !now.Active || now.PID == before.PID || now.StartTicks < before.StartTicks {
			t.Errorf("%+v after %+v", now, before)
		}
		before = now
	}
	starts := e.starts()
	if len(starts) != 3 || strings.Count(e.log(), "end\n") != 2 {
		t.Fatalf("log:\n%s", e.log())
	}
	first := strings.Replace(starts[0], "leader=false", "leader=true", 1)
	for _, line := range starts[1:] {
		if line != first {
			t.Errorf("started otherwise than before:\n%s%s", first, line)
		}
	}
	if !strings.Contains(first, `umask=0027`) || !strings.Contains(first, `limits=["1024" "2000"]`) || !strings.Contains(first, "secret=hunter2") {
		t.Errorf("%s", first)
	}
	text, err := m.Logs(t.Context(), time.Time{})
	if err != nil || strings.Count(text, "start ") != 1 || !strings.HasSuffix(text, "ready") {
		t.Errorf("the log of the newest start: %v\n%s", err, text)
	}
}

func TestBareReload(t *testing.T) {
	e := launch(t, "well")
	m := e.manager(e.described())
	must(t, m.Reload(t.Context()))
	e.until("it heard", func() bool { return strings.Contains(e.log(), "heard hangup") })
	e.kill(e.cmd.Process.Pid)
	if err := m.Reload(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("got %v", err)
	}
	// Another process with the same number must not be signalled.
	s := e.described2(t)
	s.StartTicks++
	if err := e.manager(s).Reload(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("got %v", err)
	}
}

// described2 describes this test itself, as a process that has nothing to do with the engine.
func (e *engine) described2(t *testing.T) Service {
	t.Helper()
	s, err := Describe(inventory.Daemon{PID: os.Getpid(), Manager: Bare, Argv: []string{"x", "--pidfile", e.path("none")}}, "")
	must(t, err)
	return s
}

func TestBareStartsADeadEngine(t *testing.T) {
	e := launch(t, "well")
	recorded := e.described()
	e.kill(e.cmd.Process.Pid)
	for _, how := range []func(Manager) error{
		func(m Manager) error { return m.Start(t.Context()) },
		func(m Manager) error { return m.Restart(t.Context()) },
	} {
		m := e.manager(recorded)
		if s := e.status(m); s.Active || s.PID != 0 || s.SubState != "dead" {
			t.Errorf("%+v", s)
		}
		must(t, how(m))
		s := e.status(m)
		if !s.Active {
			t.Errorf("%+v", s)
		}
		must(t, m.Start(t.Context())) // it runs: nothing to do
		if again := e.status(m); again.PID != s.PID {
			t.Errorf("started twice: %d, %d", s.PID, again.PID)
		}
		e.kill(s.PID)
	}
}

// Long after the plan, the engine runs as another process, started with other flags by its administrator.
func TestBareFollowsTheEngine(t *testing.T) {
	e := launch(t, "well")
	recorded := e.described()
	e.kill(e.cmd.Process.Pid)
	e.run("well", "--pidfile", e.path("pid"), "--other")
	m := e.manager(recorded)
	if s := e.status(m); s.PID != e.cmd.Process.Pid {
		t.Errorf("%+v", s)
	}
	must(t, m.Restart(t.Context()))
	if starts := e.starts(); len(starts) != 3 || !strings.Contains(starts[2], `"--other"`) {
		t.Errorf("log:\n%s", e.log())
	}
}

// A pid file that names a process which is no engine is not believed.
func TestBareStalePidFile(t *testing.T) {
	e := launch(t, "well")
	s := e.described()
	e.kill(e.cmd.Process.Pid)
	s.Exe = "/usr/bin/dockerd"
	for _, text := range []string{fmt.Sprint(os.Getpid()), "x", "", "-1", "0", "4194304"} {
		must(t, os.WriteFile(e.path("pid"), []byte(text), 0o600))
		m := e.manager(s)
		if got := e.status(m); got.PID != 0 {
			t.Errorf("pid file %q: %+v", text, got)
		}
	}
}

func TestBareStubbornEngineIsLeftRunning(t *testing.T) {
	e := launch(t, "stubborn")
	m := e.manager(e.described())
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	err := m.Restart(ctx)
	if !errors.Is(err, ErrStillRunning) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), fmt.Sprint(e.cmd.Process.Pid)) {
		t.Errorf("got %v", err)
	}
	if s := e.status(m); s.PID != e.cmd.Process.Pid || len(e.starts()) != 1 {
		t.Errorf("%+v", s)
	}
}

func TestBareFailedStart(t *testing.T) {
	e := launch(t, "well")
	m := e.manager(e.described())
	must(t, os.WriteFile(e.path("config"), []byte("broken"), 0o600))
	err := m.Restart(t.Context())
	if err == nil || !strings.Contains(err.Error(), "it ended at once") || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("got %v", err)
	}
	if s := e.status(m); s.Active || s.PID != 0 {
		t.Errorf("%+v", s)
	}
	text, err := m.Logs(t.Context(), time.Now())
	if err != nil || !strings.HasPrefix(text, "unable to configure the engine: config is broken") {
		t.Errorf("%q %v", text, err)
	}
	must(t, os.Remove(e.path("config")))
	must(t, m.Start(t.Context()))
}

// What a start needs is looked at before the running engine is ended.
func TestBareChecksBeforeItStops(t *testing.T) {
	for name, spoil := range map[string]func(e *engine, s *Service){
		"program gone":   func(_ *engine, s *Service) { s.Exe = "/no/such/dockerd" },
		"no program":     func(_ *engine, s *Service) { s.Exe = "/etc/passwd" },
		"directory gone": func(_ *engine, s *Service) { s.Dir = "/no/such/dir" },
		"log gone":       func(e *engine, s *Service) { s.Stderr = e.path("no/such/log") },
	} {
		t.Run(name, func(t *testing.T) {
			e := launch(t, "well")
			s := e.described()
			spoil(e, &s)
			m := e.manager(s)
			if err := m.Restart(t.Context()); err == nil || !strings.Contains(err.Error(), "it was left as it is") {
				t.Errorf("got %v", err)
			}
			if got := e.status(m); got.PID != e.cmd.Process.Pid || strings.Contains(e.log(), "heard") {
				t.Errorf("%+v\n%s", got, e.log())
			}
		})
	}
}

func TestOutput(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "log")
	must(t, os.WriteFile(real, nil, 0o600))
	for target, want := range map[string]string{real: real, "/dev/null": "/dev/null", "/dev/pts/0": "", "pipe:[1]": "", real + " (deleted)": "", dir: ""} {
		link := filepath.Join(dir, "link")
		must(t, os.Symlink(target, link))
		if got := output(link); got != want {
			t.Errorf("%s: %q", target, got)
		}
		must(t, os.Remove(link))
	}
	if got := output(filepath.Join(dir, "none")); got != "" {
		t.Errorf("%q", got)
	}
}

func TestLogs(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	b := &bare{service: Service{Stderr: name}}
	if _, err := b.Logs(t.Context(), time.Time{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	var lines []string
	for i := range 5000 {
		lines = append(lines, fmt.Sprintf("line %d", i))
	}
	must(t, os.WriteFile(name, []byte(strings.Join(lines, "\n\n")+"\n\xff\n"), 0o600))
	text, err := b.Logs(t.Context(), time.Time{})
	if err != nil || !strings.HasSuffix(text, "line 4999\n?") || strings.Count(text, "\n") > maxLines || strings.Contains(text, "\n\n") {
		t.Errorf("%v\n%s", err, text)
	}
	must(t, os.WriteFile(name, []byte("rotated"), 0o600))
	b.started, b.logged = true, 1<<20
	if text, err := b.Logs(t.Context(), time.Time{}); err != nil || text != "rotated" {
		t.Errorf("%q %v", text, err)
	}
	b.service.Stderr = os.DevNull
	if _, err := b.Logs(t.Context(), time.Time{}); err == nil || !strings.Contains(err.Error(), os.DevNull) {
		t.Errorf("got %v", err)
	}
}
