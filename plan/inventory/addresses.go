package inventory

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"docker-harden/plan/evidence"
)

// Reachable is what the network of the host has where the engine publishes ports.
type Reachable struct {
	// Addresses are those of its interfaces, sorted.
	Addresses []string `json:"addresses"`
	// Listeners are the ports on which anybody waits, also the engine for containers. Of whom they are nobody looked.
	Listeners []evidence.Listener `json:"listeners"`
}

// Has reports whether an address is one of the host's. All of 127.0.0.0/8 are.
func (r *Reachable) Has(addr netip.Addr) bool {
	return addr.Is4() && addr.IsLoopback() || slices.Contains(r.Addresses, addr.String())
}

// reachable reads the network of a process; nil: it cannot be read.
func (r hostRoot) reachable(pid int) *Reachable {
	trie, err := r.readProcFile("/proc", fmt.Sprint(pid), "net/fib_trie")
	if err != nil {
		return nil
	}
	six, _ := r.readProcFile("/proc", fmt.Sprint(pid), "net/if_inet6") // a kernel without IPv6 has none
	out := &Reachable{Addresses: append(addresses4(string(trie)), addresses6(string(six))...)}
	slices.Sort(out.Addresses)
	out.Addresses = slices.Compact(out.Addresses)
	for _, protocol := range []string{"tcp", "tcp6", "udp", "udp6"} {
		table, err := r.readProcFile("/proc", fmt.Sprint(pid), "net", protocol)
		if err != nil && !strings.HasSuffix(protocol, "6") {
			return nil
		}
		for _, s := range waiting(string(table), protocol) {
			out.Listeners = append(out.Listeners, evidence.Listener{Protocol: protocol, Address: s.at.Addr().String(), Port: int(s.at.Port())})
		}
	}
	out.Listeners = evidence.Ports(out.Listeners)
	return out
}

// addresses4 are the host's own in the kernel's table of IPv4 routes: each stands before the line that calls it local.
func addresses4(trie string) []string {
	var out []string
	last := ""
	for line := range strings.Lines(trie) {
		line = strings.TrimSpace(line)
		if text, ok := strings.CutPrefix(line, "|-- "); ok {
			last = text
		} else if addr, err := netip.ParseAddr(last); err == nil && line == "/32 host LOCAL" {
			out = append(out, addr.String())
		}
	}
	return out
}

func addresses6(table string) []string {
	var out []string
	for line := range strings.Lines(table) {
		digits, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		raw, err := hex.DecodeString(digits)
		if addr, ok := netip.AddrFromSlice(raw); err == nil && ok && addr.Is6() {
			out = append(out, addr.String())
		}
	}
	return out
}
