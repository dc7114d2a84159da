package host

import (
	"context"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// run starts a sleeping container and returns its process ID.
func run(t *testing.T, h *Host, name string, args ...string) string {
	t.Helper()
	args = append([]string{"run", "-d", "--name", name}, args...)
	h.Docker(t, append(args, h.Image(t, "busybox"))...)
	return h.Docker(t, "inspect", "-f", "{{.State.Pid}}", name)
}

func TestRestartKeepsContainersUnderLiveRestore(t *testing.T) {
	h := Here(t)
	h.WriteDaemonJSON(t, `{"live-restore": true}`)
	h.Reload(t)
	if got := h.Docker(t, "info", "-f", "{{.LiveRestoreEnabled}}"); got != "true" {
		t.Fatalf("live-restore after a reload: %s", got)
	}
	pid, engine := run(t, h, "kept"), h.PID(t)
	h.Restart(t)
	if h.PID(t) == engine {
		t.Error("the engine was not restarted")
	}
	if got := h.Docker(t, "inspect", "-f", "{{.State.Pid}} {{.State.Status}}", "kept"); got != pid+" running" {
		t.Errorf("container after the restart: %s, want %s running", got, pid)
	}
}

func TestKilledEngineStartsAgain(t *testing.T) {
	h := Here(t)
	h.WriteDaemonJSON(t, `{"live-restore": true}`)
	h.Reload(t)
	pid := run(t, h, "survivor")
	h.KillEngine(t)
	if _, err := h.enginePID(); err == nil {
		t.Fatal("the engine runs after kill -9")
	}
	began := time.Now()
	h.Start(t)
	// An unreaped containerd makes the next engine wait 15 s and give up.
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("start after kill -9 took %v", d)
	}
	if got := h.Docker(t, "inspect", "-f", "{{.State.Pid}}", "survivor"); got != pid {
		t.Errorf("container process after kill -9: %s, want %s", got, pid)
	}
}

func TestEngineStartedBySomebodyElseIsFound(t *testing.T) {
	h := Here(t)
	args, err := os.ReadFile("/proc/" + strconv.Itoa(h.PID(t)) + "/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	h.Stop(t)
	argv := strings.Split(strings.TrimRight(string(args), "\x00"), "\x00")
	if len(argv) != 1 {
		t.Errorf("the engine has flags: %q", argv)
	}
	h.Exec(t, "sh", append([]string{"-c", `setsid "$0" "$@" </dev/null >/dev/null 2>&1 &`}, argv...)...)
	ctx, cancel := context.WithTimeout(t.Context(), bootTime)
	defer cancel()
	for !h.answers(ctx) {
		if err := pause(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if h.PID(t) == 0 {
		t.Error("no process ID for an engine that answers")
	}
	h.Restart(t)
}

func TestBrokenConfigurationIsReported(t *testing.T) {
	h := Here(t)
	h.Stop(t)
	h.WriteDaemonJSON(t, `{"no-such-key": 1}`)
	err := h.Boot(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no-such-key") {
		t.Errorf("Boot on a broken configuration: %v", err)
	}
}

func TestPowerLoss(t *testing.T) {
	h := Here(t)
	run(t, h, "stays-down")
	run(t, h, "comes-back", "--restart", "always", "-p", "127.0.0.1:8001:80", "-v", "kept:/kept")
	h.Docker(t, "exec", "comes-back", "sh", "-c", "echo layer >/written; echo volume >/kept/written; sync")
	h.PowerLoss(t)
	if got := h.Docker(t, "inspect", "-f", "{{.State.Status}}", "stays-down"); got != "exited" {
		t.Errorf("container without restart policy after a power loss: %s", got)
	}
	if got := h.Docker(t, "inspect", "-f", "{{.State.Status}}", "comes-back"); got != "running" {
		t.Errorf("container with restart policy after a power loss: %s", got)
	}
	if got := h.Docker(t, "exec", "comes-back", "cat", "/written", "/kept/written"); got != "layer\nvolume" {
		t.Errorf("files after a power loss: %q", got)
	}
}

func TestPublishedPortAnswersOnLoopback(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", "-p", "127.0.0.1:8002:80", h.Image(t, "busybox"),
		"sh", "-c", "mkdir /www; echo hello >/www/index.html; exec httpd -f -h /www")
	if got := get(t, "http://127.0.0.1:8002/"); got != "hello" {
		t.Errorf("published port answers %q", got)
	}
}

// get asks until there is an answer.
func get(t *testing.T, url string) string {
	t.Helper()
	c := http.Client{Timeout: 2 * time.Second}
	var last error
	for range 100 {
		resp, err := c.Get(url)
		if err == nil {
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err == nil {
				return strings.TrimSpace(string(body))
			}
		}
		last = err
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal(last)
	return ""
}

func TestContainerLimitsReachTheKernel(t *testing.T) {
	h := Here(t)
	pid := run(t, h, "limited", "-m", "64m", "--pids-limit", "50")
	data, err := os.ReadFile("/proc/" + pid + "/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), ":/docker/") {
		t.Errorf("the container's control group is not below the host's own root:\n%s", data)
	}
	got := h.Docker(t, "exec", "limited", "sh", "-c",
		"cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max")
	if got != "67108864\n50" {
		t.Errorf("limits in the kernel: %q", got)
	}
}

func TestResetBringsEverythingBack(t *testing.T) {
	t.Run("meddle", func(t *testing.T) {
		h := Here(t)
		run(t, h, "forgotten", "-v", "volume-left:/v")
		h.Docker(t, "network", "create", "network-left")
		h.WriteDaemonJSON(t, `{"debug": true}`)
		h.Restart(t)
		if err := os.WriteFile("/var/lib/docker-harden/state", []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(DaemonJSON, 0o666); err != nil {
			t.Fatal(err)
		}
	})
	h := Here(t)
	if got := h.Docker(t, "info", "-f", "{{.Debug}} {{.Containers}}"); got != "false 0" {
		t.Errorf("debug, containers: %s, want false 0", got)
	}
	if got := h.Docker(t, "volume", "ls", "-q") + h.Docker(t, "network", "ls", "-q", "--filter", "type=custom"); got != "" {
		t.Errorf("volumes and networks left: %s", got)
	}
	if _, err := os.Stat("/var/lib/docker-harden/state"); err == nil {
		t.Error("the product's state is still there")
	}
	after, err := h.engineState()
	if err != nil || after.mode != 0o644 {
		t.Errorf("daemon.json: %v, %v", after.mode, err)
	}
}

func TestUntouchedEngineIsNotRestarted(t *testing.T) {
	var first int
	t.Run("only containers", func(t *testing.T) {
		h := Here(t)
		first = h.PID(t)
		run(t, h, "one")
	})
	if got := Here(t).PID(t); got != first {
		t.Errorf("the engine was restarted for nothing: %d, then %d", first, got)
	}
}

func TestEngineStoppedByATestRunsAgain(t *testing.T) {
	t.Run("stop", func(t *testing.T) { Here(t).Stop(t) })
	if _, err := (&Host{}).enginePID(); err != nil {
		t.Error(err)
	}
}
