package inventory

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// unixSocket is the path of an endpoint's socket on this machine, or why the engine is not a local one.
func unixSocket(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", fmt.Errorf("cannot read endpoint %q: %w", endpoint, err)
	}
	if u.Scheme != "unix" {
		return "", fmt.Errorf("the engine is reached over %s: its process, files and containers' processes are out of sight; run docker-harden on that host", u.Scheme)
	}
	return path.Clean(u.Path), nil
}

// isEngine tells by its binary whether a process is a Docker engine.
func (r hostRoot) isEngine(p process) bool {
	if !strings.Contains(p.name, "dockerd") && p.name != "exe" {
		// Spares reading a link for every process: comm is the name of the binary, or "exe" for
		// one that was started through /proc/self/exe.
		return false
	}
	base := r.base(p)
	return strings.Contains(base, "dockerd") && !strings.Contains(base, "rootless")
}

// findEngine finds the process behind a socket of this machine.
//
// The socket's peer names it, unless systemd listens on the engine's behalf or the peer lives in a
// pid namespace we do not see. Then it is the engine that holds the listening socket open, or the only one.
func (r hostRoot) findEngine(socket string, table []process) (process, error) {
	peer, err := r.peer(socket)
	if err != nil {
		return process{}, err
	}
	return r.findEngineOf(socket, table, peer)
}

// findEngineOf finds the engine behind a socket whose peer is known; 0: the kernel does not tell.
func (r hostRoot) findEngineOf(socket string, table []process, peer int) (process, error) {
	var engines []process
	for _, p := range table {
		if !r.isEngine(p) {
			continue
		}
		if p.pid == peer {
			return p, nil
		}
		engines = append(engines, p)
	}
	engines = grown(engines)
	inside := strings.TrimPrefix(socket, strings.TrimSuffix(string(r), "/"))
	for _, p := range engines {
		if r.holdsSocket(p.pid, inside) {
			return p, nil
		}
	}
	if at := slices.DeleteFunc(slices.Clone(engines), r.passing); len(at) > 0 {
		engines = at
	}
	switch {
	case peer > 1:
		return process{}, fmt.Errorf("the socket %s is served by process %d%s, which is not a Docker engine; use the engine's own socket", socket, peer, nameOf(table, peer))
	case len(engines) == 1:
		return engines[0], nil
	case len(engines) == 0:
		return process{}, fmt.Errorf("no dockerd process is in sight behind the socket %s; run docker-harden on the host itself, not in a container", socket)
	default:
		return process{}, fmt.Errorf("%d dockerd processes run and none could be tied to the socket %s; run docker-harden as root", len(engines), socket)
	}
}

// grown leaves out what an engine has started and is its copy until it runs another program: it has the engine's name,
// arguments and sockets for that moment.
func grown(engines []process) []process {
	return slices.DeleteFunc(slices.Clone(engines), func(p process) bool {
		return slices.ContainsFunc(engines, func(parent process) bool { return parent.pid == p.parent })
	})
}

// passing reports whether the engine's binary runs as something else for a moment: as a helper of the engine, whose
// first argument is the helper's name (libnetwork-setkey, set-ipv6), or to check a configuration.
func (r hostRoot) passing(p process) bool {
	args, err := r.args(p.pid)
	return err != nil || len(args) == 0 || !strings.Contains(path.Base(args[0]), "dockerd") || slices.Contains(args, "--validate")
}

func nameOf(table []process, pid int) string {
	for _, p := range table {
		if p.pid == pid {
			return fmt.Sprintf(" (%q)", p.name)
		}
	}
	return ""
}

// peer is the pid, in the host's pid namespace, of the process that listens on a socket; 0 when the
// kernel does not tell.
func (r hostRoot) peer(socket string) (int, error) {
	conn, err := net.DialTimeout("unix", socket, 10*time.Second)
	if err != nil {
		return 0, fmt.Errorf("cannot connect to %s: %w", socket, err)
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("cannot ask for the peer of %s: %w", socket, err)
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil || credErr != nil {
		return 0, fmt.Errorf("cannot ask for the peer of %s: %w", socket, errors.Join(err, credErr))
	}
	return r.inner(int(cred.Pid)), nil
}

// inner translates a pid of this process's /proc into the pid namespace of the host below the root.
func (r hostRoot) inner(pid int) int {
	if r.holder() == 0 {
		return pid
	}
	status, err := hostRoot("").readProcFile("/proc", strconv.Itoa(pid), "status")
	if err != nil {
		return 0
	}
	pids := strings.Fields(statusField(status, "NSpid"))
	if len(pids) == 0 {
		return pid
	}
	last, _ := strconv.Atoi(pids[len(pids)-1])
	return last
}

// holdsSocket reports whether a process has the socket bound to a host path open.
func (r hostRoot) holdsSocket(pid int, socket string) bool {
	table, err := r.readProcFile("/proc", strconv.Itoa(pid), "net/unix")
	if err != nil {
		return false
	}
	real, _, err := r.resolve(socket)
	if err != nil {
		return false
	}
	inodes := map[string]bool{}
	for line := range strings.Lines(string(table)) {
		const inode, name = 6, 7
		fields := strings.Fields(line)
		if len(fields) <= name {
			continue
		}
		if bound, _, err := r.resolve(fields[name]); err == nil && bound == real {
			inodes["socket:["+fields[inode]+"]"] = true
		}
	}
	fds, err := os.ReadDir(r.proc(pid, "fd"))
	if err != nil {
		return false
	}
	for _, fd := range fds {
		if link, err := os.Readlink(r.proc(pid, "fd", fd.Name())); err == nil && inodes[link] {
			return true
		}
	}
	return false
}

// explain says why something of the host could not be read, without the path as this process sees
// it, and what helps.
func explain(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w; run docker-harden as root", cause(err))
	}
	return cause(err)
}
