package daemon

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"

	"docker-harden/remediate/host"
)

// fakeEngine is for what a real engine cannot be made to do at will.
type fakeEngine struct {
	Engine
	containers map[string]*container.State
	needs      map[string]string // starts only while the other runs
	started    []string
	ping       func() error
}

func (e *fakeEngine) Ping(context.Context) (types.Ping, error) { return types.Ping{}, e.ping() }

func (e *fakeEngine) ContainerInspect(_ context.Context, id string) (container.InspectResponse, error) {
	state, ok := e.containers[id]
	if !ok {
		return container.InspectResponse{}, errdefs.ErrNotFound
	}
	return container.InspectResponse{ContainerJSONBase: &container.ContainerJSONBase{ID: id, Name: "/" + id, State: state}}, nil
}

func (e *fakeEngine) ContainerStart(_ context.Context, id string, _ container.StartOptions) error {
	if other := e.needs[id]; other != "" && !e.containers[other].Running {
		return errors.New("cannot join the network of " + other)
	}
	e.started = append(e.started, id)
	e.containers[id].Running = true
	return nil
}

func (e *fakeEngine) ContainerPause(_ context.Context, id string) error {
	e.containers[id].Paused = true
	return nil
}

func TestKeepRunning(t *testing.T) {
	at := "2026-01-02T03:04:05Z"
	tests := []struct {
		name    string
		state   *container.State
		alive   bool
		want    string // "" is no error
		started bool
	}{
		{"still runs", &container.State{Running: true, Pid: 7, StartedAt: at}, true, "", false},
		{"restarted under live restore", &container.State{Running: true, Pid: 8}, true, "process 7 is now 8", false},
		{"restarted", &container.State{Running: true, Pid: 8}, false, "", false},
		{"killed under live restore", &container.State{ExitCode: 137, StartedAt: at}, true, "was to keep running", true},
		{"ended by itself", &container.State{ExitCode: 0, StartedAt: at}, true, "", false},
		{"stopped with the engine", &container.State{ExitCode: 137, StartedAt: at}, false, "", true},
		{"between two restarts", &container.State{Restarting: true}, false, "", false},
		{"gone", nil, false, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			engine := &fakeEngine{containers: map[string]*container.State{}}
			if tt.state != nil {
				engine.containers["web"] = tt.state
			}
			f := &flow{handler: &Handler{Engine: engine}, progress: func(string) {}}
			err := f.keepRunning(t.Context(), []running{{ID: "web", Name: "web", PID: 7, StartedAt: at}}, tt.alive)
			if got := errorText(err); (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("keepRunning = %q, want %q", got, tt.want)
			}
			if got := len(engine.started) == 1; got != tt.started {
				t.Errorf("started again: %v, want %v", got, tt.started)
			}
			if gone := tt.state == nil; gone != (len(f.gone) == 1) {
				t.Errorf("gone = %v", f.gone)
			}
		})
	}
}

func TestStartInTheOrderOfNeeds(t *testing.T) {
	stopped := func() *container.State { return &container.State{ExitCode: 137} }
	engine := &fakeEngine{
		containers: map[string]*container.State{"a": stopped(), "b": stopped(), "c": stopped(), "never": stopped(), "off": stopped()},
		needs:      map[string]string{"a": "b", "b": "c", "never": "off"},
	}
	f := &flow{handler: &Handler{Engine: engine}, progress: func(string) {}}
	err := f.keepRunning(t.Context(), []running{{ID: "a", Name: "a"}, {ID: "b", Name: "b", Paused: true}, {ID: "never", Name: "never"}, {ID: "c", Name: "c"}}, false)
	if err == nil || !strings.Contains(err.Error(), `cannot start container "never" again`) || strings.Contains(err.Error(), `container "a"`) {
		t.Errorf("keepRunning = %v, want only the container that cannot start", err)
	}
	if want := []string{"c", "b", "a"}; !slices.Equal(engine.started, want) {
		t.Errorf("started %v, want %v", engine.started, want)
	}
	if !engine.containers["b"].Paused {
		t.Error("a container that was paused was not paused again")
	}
}

// fakeManager starts processes that are no engine.
type fakeManager struct {
	host.Manager
	start func() int
	pid   int
	state string
}

func (m *fakeManager) Start(context.Context) error { m.pid = m.start(); return nil }

func (m *fakeManager) Status(context.Context) (host.Status, error) {
	return host.Status{PID: m.pid, SubState: m.state}, nil
}

func (m *fakeManager) Logs(context.Context, time.Time) (string, error) {
	return "old\n\nfailed to reach http://user:hunter2@proxy/\n", nil
}

// process runs a shell script as the engine's process.
func engineProcess(t *testing.T, script string) func() int {
	return func() int {
		cmd := exec.Command("/bin/sh", "-c", script)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { _ = cmd.Wait(); close(done) }()
		t.Cleanup(func() { _ = cmd.Process.Kill(); <-done })
		return cmd.Process.Pid
	}
}

func TestWaitForTheEngine(t *testing.T) {
	down := errors.New("connection refused")
	tests := []struct {
		name, script, state string
		timeout             time.Duration
		ready               time.Duration // 0: never
		want                string
		hang                time.Duration // how long a question waits before it fails
	}{
		{"comes up", "sleep 60", "", 5 * time.Second, 300 * time.Millisecond, "", 0},
		{"lets questions wait", "sleep 60", "", 20 * time.Second, 3 * time.Second, "", gone + time.Second/2},
		{"ends at once", "exit 1", "", 5 * time.Second, 0, "its process ended; the engine said: old | failed to reach http://***@proxy/", 0},
		{"hangs", "exec sleep 60", "", 500 * time.Millisecond, 0, "it does not answer", 0},
		{"manager tries again", "exit 1", "auto-restart", 3 * time.Second, 0, "it does not answer after 3s", 0},
		{"works beyond its time", "while :; do :; done", "", 500 * time.Millisecond, 1500 * time.Millisecond, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			switch tt.name {
			case "ends at once":
				record(t, "65", "a service manager that calls a start done which failed (SysV); its answer is played", "fails: the process is gone, with the engine's words", "")
			case "hangs":
				record(t, "60", "an engine that hangs in its start (containerd is dead: a minute); the hang is played", "fails when it neither answers nor works any more", "")
			}
			begin := time.Now()
			engine := &fakeEngine{ping: func() error {
				if tt.ready == 0 || time.Since(begin) < tt.ready {
					time.Sleep(tt.hang)
					return down
				}
				return nil
			}}
			f := &flow{handler: &Handler{Engine: engine, Timeout: tt.timeout}, manager: &fakeManager{start: engineProcess(t, tt.script), state: tt.state}, progress: func(string) {}}
			p, err := f.begin(t.Context(), nil)
			if got := errorText(err); (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) || strings.Contains(got, "hunter2") {
				t.Errorf("begin = %q, want %q", got, tt.want)
			}
			if err == nil {
				if started, err := p.started(); err != nil || time.Since(started).Abs() > 10*time.Second {
					t.Errorf("started = %v, %v; want about now", started, err)
				}
			}
		})
	}
}

func TestProcessOf(t *testing.T) {
	if p, ok := processOf(os.Getpid()); !ok || p.PID != os.Getpid() || p.Ticks == 0 {
		t.Errorf("processOf(self) = %+v, %v", p, ok)
	}
	for _, pid := range []int{0, -1, 1 << 30} {
		if p, ok := processOf(pid); ok || p != (process{}) {
			t.Errorf("processOf(%d) = %+v, %v; want nobody", pid, p, ok)
		}
	}
}

func TestEffective(t *testing.T) {
	dir := t.TempDir()
	f := &flow{handler: &Handler{StateDir: dir}, memo: memo{Resolved: "/etc/docker/daemon.json"}}
	p, _ := processOf(os.Getpid())
	if err := f.remember([]byte("{}"), p); err != nil {
		t.Fatal(err)
	}
	started, err := p.started()
	if err != nil {
		t.Fatal(err)
	}
	known, sha := Effective(dir), digest([]byte("{}"))
	for name, got := range map[string]bool{
		"same":           known("/etc/docker/daemon.json", sha, p.PID, started.Add(time.Second)),
		"other path":     !known("/etc/other.json", sha, p.PID, started),
		"other content":  !known("/etc/docker/daemon.json", digest([]byte("{ }")), p.PID, started),
		"other process":  !known("/etc/docker/daemon.json", sha, p.PID+1, started),
		"pid used again": !known("/etc/docker/daemon.json", sha, p.PID, started.Add(time.Minute)),
		"no record":      !Effective(t.TempDir())("/etc/docker/daemon.json", sha, p.PID, started),
	} {
		if !got {
			t.Errorf("Effective is wrong: %s", name)
		}
	}
	if err := os.WriteFile(dir+"/"+effectiveFile, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if known("/etc/docker/daemon.json", sha, p.PID, started) {
		t.Error("Effective believes a broken record")
	}
}
