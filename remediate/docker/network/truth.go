package network

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"docker-harden/plan/inventory"
)

// proven fails unless the engine shows exactly these networks, the kernel connects a running container to those that
// it came to and no longer to those that it left, and its ports are published as before. The kernel may lag behind.
func (m *Mover) proven(ctx context.Context, rec *record, want []string, arrived ...place) error {
	slices.Sort(want)
	for end := time.Now().Add(cmp.Or(m.Lag, defaultTime)); ; {
		c, err := m.inspect(ctx, rec.ID)
		if err != nil {
			return err
		}
		if c == nil {
			return fmt.Errorf("container %s has vanished", rec.Name)
		}
		doubt := m.doubt(c, rec, want, arrived)
		if doubt == "" {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("container %s was moved, but %s", rec.Name, doubt)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// doubt says what is not as it should be; empty: all is.
func (m *Mover) doubt(c *state, rec *record, want []string, arrived []place) string {
	if is := c.networks(); !slices.Equal(is, want) {
		return "the engine shows it on " + names(is)
	}
	if !c.running() {
		return ""
	}
	subnets, err := inventory.ReadSubnets(m.Root, c.State.Pid)
	if err != nil {
		return "the routes of its network namespace cannot be read: " + clean(err.Error())
	}
	within := func(p place) bool {
		return slices.ContainsFunc(p.Subnets, func(s string) bool { return slices.Contains(subnets, s) })
	}
	for _, p := range arrived {
		if len(p.Subnets) > 0 && !within(p) {
			return "the kernel does not connect it to " + p.Name
		}
	}
	for _, p := range rec.gone(want) {
		if within(p) {
			return "the kernel still connects it to " + p.Name
		}
	}
	now := published(c)
	for _, port := range slices.Sorted(maps.Keys(rec.Ports)) {
		lost := func(address string) bool { return !slices.Contains(now[port], address) }
		if len(now[port]) == 0 || fixed(c, port) && slices.ContainsFunc(rec.Ports[port], lost) {
			return fmt.Sprintf("port %s is no longer published on %s", port, clean(strings.Join(rec.Ports[port], ", ")))
		}
	}
	return ""
}

// gone are the networks of a move that a container must not be on.
func (rec *record) gone(want []string) []place {
	var out []place
	for _, p := range append(rec.arrived(), rec.Left) {
		if !slices.Contains(want, p.Name) {
			out = append(out, p)
		}
	}
	return out
}

// fixed reports whether a person chose every host port of a published port.
func fixed(c *state, port string) bool {
	for p, bindings := range c.HostConfig.PortBindings {
		if string(p) != port {
			continue
		}
		for _, b := range bindings {
			if n, err := strconv.Atoi(b.HostPort); err != nil || n == 0 {
				return false
			}
		}
		return true
	}
	return false // the engine publishes all there are
}

// published are the addresses on the host by port of the container.
func published(c *state) map[string][]string {
	out := map[string][]string{}
	for port, bindings := range c.NetworkSettings.Ports {
		for _, b := range bindings {
			out[string(port)] = append(out[string(port)], net.JoinHostPort(b.HostIP, b.HostPort))
		}
		slices.Sort(out[string(port)])
	}
	return out
}

// listens refuses a container in which a program listens on the very address that goes away: nobody could reach it
// afterwards, and nothing would show that.
func (m *Mover) listens(c *state) error {
	addr, err := netip.ParseAddr(c.address(bridge))
	if err != nil || !c.running() {
		return nil
	}
	for _, file := range []string{"tcp", "udp"} {
		table, err := os.ReadFile(filepath.Join("/", m.Root, "proc", strconv.Itoa(c.State.Pid), "net", file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot see where %s listens: %w", c.name(), err)
		}
		if port := bound(string(table), addr, file == "tcp"); port != 0 {
			return refused("a program in %s listens on its address on the default bridge (%s, %s port %d), which goes away: let it listen on 0.0.0.0, then plan again", c.name(), addr, file, port)
		}
	}
	return nil
}

// bound finds a socket that was bound to an address in a table of the kernel; 0: there is none. Of TCP only those
// that listen count: the others are connections, which end.
func bound(table string, addr netip.Addr, tcp bool) uint16 {
	const local, remote, status, columns = 1, 2, 3, 4
	const listening, unconnected = "0A", "00000000:0000"
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < columns || tcp && f[status] != listening || !tcp && f[remote] != unconnected {
			continue
		}
		host, port, ok := strings.Cut(f[local], ":")
		raw, err := hex.DecodeString(host)
		number, perr := strconv.ParseUint(port, 16, 16)
		if !ok || err != nil || perr != nil || len(raw) != 4 {
			continue
		}
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], binary.BigEndian.Uint32(raw))
		if netip.AddrFrom4(b) == addr {
			return uint16(number)
		}
	}
	return 0
}
