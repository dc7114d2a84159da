package inventory

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"docker-harden/plan/evidence"
)

const (
	firstFreePort = 1024  // the kernel's own ip_unprivileged_port_start
	maxSockets    = 4096  // of one process
	maxListeners  = 10000 // lines looked at
)

// Listeners are the ports below 1024 on which processes of a running container of this machine wait.
func (c *Container) Listeners() []evidence.Listener {
	if c.Proc == nil {
		return nil
	}
	all, _ := hostRoot("").listeners(c.Proc)
	return slices.DeleteFunc(all, func(l evidence.Listener) bool { return l.Port >= firstFreePort })
}

// listeners are the ports on which processes of a container wait, and why there may be more.
func (r hostRoot) listeners(c *Proc) (list []evidence.Listener, problem string) {
	holders := make(map[string]string)
	for _, p := range c.All {
		inodes, all := r.sockets(p.PID)
		if !all {
			problem = fmt.Sprintf("process %d has too many files open, or they could not be read", p.PID)
		}
		for _, inode := range inodes {
			holders[inode] = p.Name
		}
	}
	var out []evidence.Listener
	read := 0
	for _, protocol := range []string{"tcp", "tcp6", "udp", "udp6"} {
		table, err := r.readProcFile("/proc", fmt.Sprint(c.Init.PID), "net", protocol)
		if err != nil {
			continue // a kernel without IPv6
		}
		read++
		sockets := waiting(string(table), protocol)
		if len(sockets) >= maxListeners {
			problem = "there are too many sockets on its network"
		}
		for _, s := range sockets {
			if name, its := holders[s.inode]; its && s.at.Port() > 0 {
				out = append(out, evidence.Listener{Protocol: protocol, Address: s.at.Addr().String(), Port: int(s.at.Port()), Process: name})
			}
		}
	}
	if read == 0 {
		problem = "the kernel's tables of sockets could not be read"
	}
	return evidence.Ports(out), problem
}

// ReadTCPListeners reads where anybody waits for TCP connections in the network namespace of a process. root is where
// the host's own / is found ("" for this machine).
func ReadTCPListeners(root string, pid int) ([]netip.AddrPort, error) {
	return ReadListeners(root, pid, "tcp")
}

// ReadListeners reads the same of one protocol, "tcp" or "udp".
func ReadListeners(root string, pid int, transport string) ([]netip.AddrPort, error) {
	r := hostRoot(strings.TrimSuffix(root, "/"))
	var out []netip.AddrPort
	for _, protocol := range []string{transport, transport + "6"} {
		table, err := r.readProcFile("/proc", fmt.Sprint(pid), "net", protocol)
		if errors.Is(err, fs.ErrNotExist) && protocol != transport {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, cause(err)
		}
		for _, s := range waiting(string(table), protocol) {
			out = append(out, netip.AddrPortFrom(s.at.Addr().Unmap(), s.at.Port()))
		}
	}
	return out, nil
}

// sockets are the inodes of the sockets that a process has open; false: there may be more.
func (r hostRoot) sockets(pid int) (inodes []string, all bool) {
	dir, err := os.Open(r.proc(pid, "fd"))
	if err != nil {
		return nil, errors.Is(err, fs.ErrNotExist) // it has ended
	}
	defer dir.Close() //nolint:errcheck // read only
	names, err := dir.Readdirnames(maxSockets)
	all = len(names) < maxSockets && (err == nil || errors.Is(err, io.EOF) || errors.Is(err, unix.ESRCH))
	var out []string
	for _, name := range names {
		link, err := os.Readlink(r.proc(pid, "fd", name))
		if inode, is := strings.CutPrefix(link, "socket:["); err == nil && is {
			out = append(out, strings.TrimSuffix(inode, "]"))
		}
	}
	return out, all
}

// socket is one line of the kernel's tables of sockets.
type socket struct {
	at    netip.AddrPort
	inode string
}

// waiting are the sockets of a table that wait for whoever comes.
func waiting(table, protocol string) []socket {
	const local, state, inode, columns = 1, 3, 9, 10
	wanted := "0A" // TCP_LISTEN
	if strings.HasPrefix(protocol, "udp") {
		wanted = "07" // TCP_CLOSE, which is a socket that is connected to nobody
	}
	var out []socket
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < columns || f[state] != wanted || len(out) >= maxListeners {
			continue
		}
		if at, ok := socketAddr(f[local]); ok {
			out = append(out, socket{at: at, inode: f[inode]})
		}
	}
	return out
}

// socketAddr reads an address of such a table: words of four bytes in this machine's order, and the port.
func socketAddr(text string) (netip.AddrPort, bool) {
	const word, base, bits = 4, 16, 16
	host, number, ok := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	port, err2 := strconv.ParseUint(number, base, bits)
	if !ok || err != nil || err2 != nil || len(raw)%word != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += word {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	addr, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr, uint16(port)), ok
}

// NetworkSettings are the settings of the kernel in a running container's own network. What could not be read stays
// empty.
func (c *Container) NetworkSettings() evidence.Sysctls {
	if c.Proc == nil {
		return evidence.Sysctls{}
	}
	done := make(chan evidence.Sysctls)
	go func() {
		// The kernel shows a process the settings of its own network. A thread that could not come back from another
		// one is given up with the goroutine: nothing else may run on it.
		runtime.LockOSThread()
		out, back := hostRoot("").inNetwork(c.Proc.Init.PID)
		if back {
			runtime.UnlockOSThread()
		}
		done <- out
	}()
	return <-done
}

// inNetwork reads the settings of the network of a process, and reports whether this thread is back in its own.
func (r hostRoot) inNetwork(pid int) (out evidence.Sysctls, back bool) {
	own, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return out, true
	}
	defer unix.Close(own)
	other, err := unix.Open(r.proc(pid, "ns/net"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return out, true
	}
	defer unix.Close(other)
	if err := unix.Setns(other, unix.CLONE_NEWNET); err != nil {
		return out, true
	}
	out = r.networkSettings()
	return out, unix.Setns(own, unix.CLONE_NEWNET) == nil
}

func (r hostRoot) networkSettings() evidence.Sysctls {
	var out evidence.Sysctls
	if data, err := r.readProcFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); err == nil {
		if port, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil {
			out.UnprivilegedPortStart = &port
		}
	}
	if data, err := r.readProcFile("/proc/sys/net/ipv4/ping_group_range"); err == nil {
		out.PingGroupRange = strings.Join(strings.Fields(string(data)), " ")
	}
	return out
}
