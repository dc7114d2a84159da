package inventory

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/network"
)

// DefaultBridge is the name of the engine's default network, docker0.
const DefaultBridge = "bridge"

// HostNetwork is a network of the engine.
type HostNetwork struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Driver   string `json:"driver"`
	Scope    string `json:"scope"`              // "local", "swarm", "global"
	Internal bool   `json:"internal,omitempty"` // nothing outside is reached from it
	// Isolated is true when containers on it do not reach each other.
	Isolated bool     `json:"isolated,omitempty"`
	Subnets  []string `json:"subnets,omitempty"`
}

// SubnetsOf are the subnets of every network of that name: names need not be unique.
func (h *Host) SubnetsOf(name string) []string {
	var out []string
	for _, n := range h.Networks {
		if n.Name == name {
			out = append(out, n.Subnets...)
		}
	}
	return out
}

// readNetworks lists the engine's networks. bridge is the answer for the default one, nil where there is none.
func readNetworks(ctx context.Context, reader Reader) (list []HostNetwork, bridge *network.Summary, err error) {
	all, err := reader.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return nil, nil, fmt.Errorf("cannot list networks: %w", err)
	}
	for i := range all {
		if all[i].Name == DefaultBridge && all[i].Driver == "bridge" {
			bridge = &all[i]
		}
		list = append(list, NetworkOf(&all[i]))
	}
	slices.SortFunc(list, func(a, b HostNetwork) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	return list, bridge, nil
}

// NetworkOf reads the engine's answer for a network.
func NetworkOf(n *network.Summary) HostNetwork {
	out := HostNetwork{
		ID: n.ID, Name: n.Name, Driver: n.Driver, Scope: n.Scope, Internal: n.Internal,
		Isolated: n.Options["com.docker.network.bridge.enable_icc"] == "false",
	}
	for _, pool := range n.IPAM.Config {
		if prefix, err := netip.ParsePrefix(pool.Subnet); err == nil {
			out.Subnets = append(out.Subnets, prefix.Masked().String())
		}
	}
	slices.Sort(out.Subnets)
	return out
}

// ReadSubnets reads which IPv4 networks a process is connected to, from the routes of its network namespace.
// root is where the host's own / is found ("" for this machine).
func ReadSubnets(root string, pid int) ([]string, error) {
	return hostRoot(strings.TrimSuffix(root, "/")).subnets(pid)
}

func (r hostRoot) subnets(pid int) ([]string, error) {
	data, err := r.readProcFile("/proc", fmt.Sprint(pid), "net/route")
	if err != nil {
		return nil, cause(err)
	}
	return connected(string(data)), nil
}

// connected are the networks that a table of the kernel's IPv4 routes reaches without a gateway.
func connected(table string) []string {
	const destination, gateway, mask, columns = 1, 2, 7, 8
	out := []string{}
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < columns || f[gateway] != "00000000" {
			continue
		}
		addr, ok := routeAddr(f[destination])
		bits, isMask := routeAddr(f[mask])
		if !ok || !isMask {
			continue
		}
		long := 0
		for b := binary.BigEndian.Uint32(bits.AsSlice()); b != 0; b <<= 1 {
			long++
		}
		if long > 0 { // else it is a default route through an interface
			out = append(out, netip.PrefixFrom(addr, long).String())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// routeAddr reads an address of that table: eight hexadecimal digits in the order of this machine's bytes.
func routeAddr(digits string) (netip.Addr, bool) {
	raw, err := hex.DecodeString(digits)
	if err != nil || len(raw) != 4 {
		return netip.Addr{}, false
	}
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], binary.BigEndian.Uint32(raw))
	return netip.AddrFrom4(b), true
}
