package host

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Paths inside a host.
const (
	// DaemonJSON is the engine's configuration file.
	DaemonJSON = "/etc/docker/daemon.json"
	// EngineLog is where a bare engine's messages go.
	EngineLog = "/var/log/docker-engine.log"

	defaultConfig = "{}\n"
	pidFile       = "/run/docker.pid"
	socket        = "/run/docker.sock"
	machineNet    = "/run/testhost/machine-net"
	machineSuite  = "/run/testhost/machine-suite"
	rootRelease   = "/run/testhost/release"
	marker        = "DOCKER_HARDEN_TEST_HOST"
)

// A Host is an isolated Docker host, seen from inside it or from outside.
type Host struct {
	pid     int      // its PID 1 as this process knows it; 0 when this process is inside
	state   string   // the directory on the machine that holds its files; "" inside
	joins   []string // control group files that processes entering from outside write to
	systemd bool     // PID 1 is systemd and owns the engine
	keeper  *keeper  // removes the host; nil inside
}

// Path is where this process finds a file of the host. Do not use it for paths
// that lead through an absolute symbolic link: from outside that link would be
// followed on the machine.
func (h *Host) Path(path string) string {
	if h.pid == 0 {
		return path
	}
	return filepath.Join("/proc", strconv.Itoa(h.pid), "root", path)
}

// Socket is the engine's API address as this process can reach it.
func (h *Host) Socket() string { return "unix://" + h.Path(socket) }

// Command prepares a program that runs inside the host, in the current directory
// where that exists inside. It is killed when ctx ends.
func (h *Host) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	var cmd *exec.Cmd
	if h.pid == 0 {
		cmd = exec.CommandContext(ctx, name, args...)
	} else {
		cmd = exec.CommandContext(ctx, "/bin/sh", h.enter(name, args)...)
		// nsenter stands between; killing it alone would leave the program running.
		cmd.Cancel = func() error {
			for _, pid := range children(cmd.Process.Pid) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			return cmd.Process.Kill()
		}
	}
	cmd.Env = insideEnv(os.Environ())
	return cmd
}

// enter is the argument list of a shell that joins the host and becomes name.
func (h *Host) enter(name string, args []string) []string {
	var script strings.Builder
	// The number of a host that has died may be that of a process of this machine by now.
	script.WriteString("own=$(readlink /proc/self/ns/pid) its=$(readlink \"/proc/$0/ns/pid\") && [ \"$own\" != \"$its\" ] || {\n" +
		"echo 'the test host is gone' >&2; exit 125; }\n")
	for _, f := range h.joins {
		script.WriteString("echo 0 >'" + f + "' || exit 125\n")
	}
	script.WriteString(`exec nsenter -t "$0" -m -p -n -i -u -C -- /bin/sh -c 'cd "$0" 2>/dev/null || cd /; exec "$@"' "$@"`)
	dir, err := os.Getwd()
	if err != nil {
		dir = "/"
	}
	return append([]string{"-c", script.String(), strconv.Itoa(h.pid), dir, name}, args...)
}

// insideEnv is the environment for programs inside: nothing that would lead a
// Docker client elsewhere, and the marker by which Main knows where it is.
func insideEnv(env []string) []string {
	var out []string
	path := ""
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		switch {
		case name == "PATH":
			path = value
		case name == marker:
		case strings.HasPrefix(name, "DOCKER_") && !strings.HasPrefix(name, "DOCKER_HARDEN_"):
		default:
			out = append(out, kv)
		}
	}
	return append(out, "PATH="+systemPath(path), marker+"=1")
}

// inside tells whether this process already runs in an isolated host.
func inside() bool { return os.Getenv(marker) != "" }
