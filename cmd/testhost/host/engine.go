package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
)

// How long an engine may take. It gives its containers 10 s to stop, and twice
// as much passes on a busy machine.
const (
	bootTime   = 90 * time.Second
	stopTime   = 60 * time.Second
	reloadTime = 10 * time.Second
	pollTime   = 10 * time.Millisecond
)

var errNotRunning = errors.New("the engine is not running")

// enginePID is the running engine's process ID inside the host. It comes from the
// engine's own file, so that an engine started by somebody else is found too.
func (h *Host) enginePID() (int, error) {
	data, err := os.ReadFile(h.Path(pidFile))
	if err != nil {
		return 0, errNotRunning
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0, fmt.Errorf("cannot read %s: %w", pidFile, err)
	}
	if p, err := readProcess(h.Path("/proc"), pid); err != nil || p.state == "Z" || p.name != "dockerd" {
		return 0, errNotRunning
	}
	return pid, nil
}

// Boot starts the engine and waits until it answers.
func (h *Host) Boot(ctx context.Context) error {
	if h.systemd {
		return h.bootSystemd(ctx)
	}
	if pid, err := h.enginePID(); err == nil {
		return fmt.Errorf("cannot start the engine: it runs already as process %d", pid)
	}
	dockerd, err := Find("dockerd")
	if err != nil {
		return err
	}
	// The shell leaves at once, so the engine becomes a child of the host's PID 1,
	// which reaps it, and not of this process, which might not.
	const detach = `cd /; setsid "$0" </dev/null >>"$1" 2>&1 & echo $!`
	cmd := h.Command(ctx, "/bin/sh", "-c", detach, dockerd, EngineLog)
	// Every start of a container starts dockerd, runc and the shim again, too short-lived to have garbage worth
	// collecting: without it the engine side of a test takes about a tenth less processor time.
	cmd.Env = []string{"PATH=" + systemPath(""), "HOME=/root", "GOGC=off", "GOMEMLIMIT=256MiB"}
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("cannot start the engine: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		return fmt.Errorf("cannot start the engine: %w", err)
	}
	return h.await(ctx, pid)
}

// await waits until the engine answers or its process ends.
func (h *Host) await(ctx context.Context, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	for !h.answers(ctx) {
		if p, err := readProcess(h.Path("/proc"), pid); err != nil || p.state == "Z" {
			return fmt.Errorf("cannot start the engine: it ended: %s", h.logTail(6))
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("cannot start the engine: it does not answer: %w: %s", err, h.logTail(6))
		}
	}
	return nil
}

// answers asks the engine for a sign of life.
func (h *Host) answers(ctx context.Context) bool {
	c := http.Client{Timeout: time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", h.Path(socket))
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine/_ping", nil)
	if err != nil {
		return false
	}
	resp, err := c.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pollTime):
		return nil
	}
}

// logTail is the end of the engine's log, on one line.
func (h *Host) logTail(n int) string {
	data, err := os.ReadFile(h.Path(EngineLog))
	if err != nil {
		return "no log"
	}
	all := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(all[max(0, len(all)-n):], " | ")
}

// signal sends a signal to a process of the host.
func (h *Host) signal(ctx context.Context, sig string, pids ...int) error {
	args := []string{"-" + sig}
	for _, p := range pids {
		args = append(args, strconv.Itoa(p))
	}
	if out, err := h.Command(ctx, "kill", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot signal %v: %w: %s", pids, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// end signals the engine and waits for the end of its process and of the
// containerd it manages. A silent socket would not do: it closes earlier, and an
// engine started then finds the old one's files.
func (h *Host) end(ctx context.Context, sig string) error {
	pid, err := h.enginePID()
	if err != nil {
		return fmt.Errorf("cannot stop the engine: %w", err)
	}
	if h.systemd && sig == "TERM" {
		err = h.systemctl(ctx, "stop", "docker.service", "docker.socket")
	} else {
		err = h.signal(ctx, sig, pid)
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	for h.engineAlive(pid) {
		if err := pause(ctx); err != nil {
			return fmt.Errorf("cannot stop the engine: it is still running: %w", err)
		}
	}
	return nil
}

// engineAlive tells whether the engine's process or its containerd exists, dead
// and unreaped ones included.
func (h *Host) engineAlive(pid int) bool {
	for _, p := range processes(h.Path("/proc")) {
		if p.pid == pid {
			return true
		}
		if h.systemd {
			continue // its containerd is a service of its own and stays
		}
		if p.name == "containerd" && strings.Contains(strings.Join(p.args, " "), "/run/docker/") {
			return true
		}
		if p.name == "containerd" && p.state == "Z" {
			return true // its arguments are gone already
		}
	}
	return false
}

// reload makes the engine read its configuration again and waits for it to say so.
func (h *Host) reload(ctx context.Context) error {
	pid, err := h.enginePID()
	if err != nil {
		return fmt.Errorf("cannot reload the engine: %w", err)
	}
	c, err := h.client()
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, reloadTime)
	defer cancel()
	now := time.Now()
	since := fmt.Sprintf("%d.%09d", now.Unix(), now.Nanosecond())
	if err := h.signal(ctx, "HUP", pid); err != nil {
		return err
	}
	seen, failed := c.Events(ctx, events.ListOptions{
		Since:   since,
		Filters: filters.NewArgs(filters.Arg("type", "daemon"), filters.Arg("event", "reload")),
	})
	select {
	case <-seen:
		return nil
	case err := <-failed:
		return fmt.Errorf("cannot reload the engine: %w: %s", err, h.logTail(3))
	}
}

func (h *Host) client() (*client.Client, error) {
	c, err := client.NewClientWithOpts(client.WithHost(h.Socket()), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("cannot make an engine client: %w", err)
	}
	return c, nil
}
