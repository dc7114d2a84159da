package host

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// These tests start hosts within the host that the package's tests run in, so a
// harness that is broken cannot harm the machine either.

func TestHostSeenFromOutside(t *testing.T) {
	h := Start(t)
	if got := h.Docker(t, "run", "--rm", h.Image(t, "busybox"), "cat", "/proc/self/comm"); got != "cat" {
		t.Errorf("a container in a further host: %q", got)
	}
	info, err := h.Client(t).Info(t.Context())
	if err != nil || info.Images != 1 {
		t.Errorf("the further host's engine: %d images, %v", info.Images, err)
	}
	if out := Here(t).Docker(t, "ps", "-aq"); out != "" {
		t.Errorf("the further host's containers show up here: %s", out)
	}
	h.WriteDaemonJSON(t, `{"debug": true}`)
	h.Reload(t)
	if got := h.Docker(t, "info", "-f", "{{.Debug}}"); got != "true" {
		t.Errorf("debug after a reload: %s", got)
	}
	pid := run(t, h, "victim", "--restart", "always")
	h.PowerLoss(t)
	if got := h.Docker(t, "inspect", "-f", "{{.State.Pid}}", "victim"); got == pid {
		t.Errorf("the container survived a power loss")
	}
	if data, err := os.ReadFile(DaemonJSON); err != nil || string(data) != defaultConfig {
		t.Errorf("this host's daemon.json was touched: %q, %v", data, err)
	}
}

func TestCommandIsKilledWithItsContext(t *testing.T) {
	h := Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	cmd := h.Command(ctx, "sleep", "4711")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for h.Command(t.Context(), "pgrep", "-f", "sleep 4711").Run() != nil {
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	_ = cmd.Wait()
	time.Sleep(50 * time.Millisecond)
	if out, err := h.Command(t.Context(), "pgrep", "-x", "sleep", "-a").Output(); err == nil && strings.Contains(string(out), "4711") {
		t.Errorf("still there: %s", out)
	}
}

func TestHostsInParallel(t *testing.T) {
	var wg sync.WaitGroup
	errs := make(chan error, 3)
	for range 3 {
		wg.Go(func() { errs <- liveOnce(t.Context()) })
	}
	wg.Wait()
	for range 3 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// liveOnce launches a host, runs a container in it and closes it.
func liveOnce(ctx context.Context) (err error) {
	h, err := Launch(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if closed := h.Close(); err == nil {
			err = closed
		}
	}()
	if err := h.Boot(ctx); err != nil {
		return err
	}
	image, err := h.Load(ctx, "busybox")
	if err != nil {
		return err
	}
	if out, err := h.Command(ctx, "docker", "run", "--rm", image, "true").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func TestCloseLeavesNothing(t *testing.T) {
	Here(t) // its engine makes interfaces too
	before, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	h, err := Launch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.Start(t)
	run(t, h, "running", "-p", "127.0.0.1:8004:80")
	ns, err := holdNamespace(h.pid)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.close()
	if left, err := lookFor(h.state, ns); err != nil || left.err() == nil {
		t.Fatalf("the check sees nothing of a running host: %v", err)
	} else if len(left.processes) < 4 || len(left.files) == 0 {
		t.Errorf("the check misses parts of a running host: %+v", left)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if err := h.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	gone(t, h.state, ns)
	if after, err := net.Interfaces(); err != nil || len(after) != len(before) {
		t.Errorf("interfaces before %v, after %v, %v", before, after, err)
	}
}

// gone waits until nothing of a host is left.
func gone(t *testing.T, state string, ns *namespace) {
	t.Helper()
	var left leftovers
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var err error
		if left, err = lookFor(state, ns); err != nil {
			t.Fatal(err)
		}
		if left.err() == nil {
			return
		}
	}
	t.Error(left.err())
}

// owner runs the helper test below in a process of its own and returns it with
// the directory and namespaces of the host it has started.
func owner(t *testing.T, mode string) (cmd *exec.Cmd, state string, ns *namespace) {
	t.Helper()
	cmd = exec.Command("/proc/self/exe", "-test.run", "^TestOwnerHelper$")
	cmd.Env = append(os.Environ(), "TESTHOST_OWNER="+mode)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	line, _ := bufio.NewReader(out).ReadString('\n')
	if _, err := fmt.Sscanf(line, "owns %s %d", &state, &pid); err != nil {
		t.Fatalf("the owner says %q: %v", line, err)
	}
	if ns, err = holdNamespace(pid); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ns.close)
	return cmd, state, ns
}

func TestOwnerHelper(t *testing.T) {
	mode := os.Getenv("TESTHOST_OWNER")
	if mode == "" {
		return // only of use as the child of the tests below
	}
	h, err := Launch(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	h.Start(t)
	run(t, h, "running")
	run(t, h, "paused")
	h.Docker(t, "pause", "paused") // frozen processes do not die before they thaw
	fmt.Printf("owns %s %d\n", h.state, h.pid)
	if mode == "panic" {
		time.Sleep(100 * time.Millisecond) // until the parent has looked
		panic("as a broken test would")
	}
	time.Sleep(time.Minute)
}

func TestOwnersDeathRemovesTheHost(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT, 0} {
		name, mode := sig.String(), "wait"
		if sig == 0 {
			name, mode = "panic", "panic"
		}
		t.Run(name, func(t *testing.T) {
			cmd, state, ns := owner(t, mode)
			if sig != 0 {
				if err := cmd.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
			}
			_ = cmd.Wait()
			gone(t, state, ns)
		})
	}
}

func TestNextStartSweepsAfterAKilledKeeper(t *testing.T) {
	cmd, state, ns := owner(t, "wait")
	keeper := ""
	for _, p := range processes("/proc") {
		if p.parent == cmd.Process.Pid {
			keeper = fmt.Sprint(p.pid)
		}
	}
	Here(t).Exec(t, "kill", "-KILL", keeper, fmt.Sprint(cmd.Process.Pid))
	_ = cmd.Wait()
	// The kernel ends every process but the frozen ones of the paused container.
	if _, err := os.Stat(state); err != nil {
		t.Fatalf("the directory is gone without a sweep: %v", err)
	}
	for range 100 { // the killed keeper holds its lock until it has died
		sweep(filepath.Dir(state))
		if _, err := os.Stat(state); err != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	gone(t, state, ns)
	if left, err := ns.processes(); err != nil || len(left) > 0 {
		t.Errorf("processes after the sweep: %v, %v", left, err)
	}
}

func TestSweepSparesTheLiving(t *testing.T) {
	h := Start(t)
	sweep(filepath.Dir(h.state))
	if got := h.Docker(t, "info", "-f", "{{.ID}}"); got == "" {
		t.Error("the engine is gone")
	}
	if _, err := os.Stat(filepath.Join(h.state, "lock")); err != nil {
		t.Error(err)
	}
}
