package inventory

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/docker/docker/api/types/network"
	"github.com/google/go-cmp/cmp"
)

// routeTable is one of a container on two networks, as a little-endian kernel writes it.
const routeTable = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010011AC	0003	0	0	0	00000000	0	0	0
eth0	000011AC	00000000	0001	0	0	0	0000FFFF	0	0	0
eth1	0001580A	00000000	0001	0	0	0	00FFFFFF	0	0	0
eth1	0002580A	0101580A	0003	0	0	0	00FFFFFF	0	0	0
tun0	00000000	00000000	0001	0	0	0	00000000	0	0	0
`

func TestReadSubnets(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "proc", "42", "net")
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "route"), []byte(routeTable), 0o644)); err != nil {
		t.Fatal(err)
	}
	got, err := ReadSubnets(root, 42)
	if diff := cmp.Diff([]string{"10.88.1.0/24", "172.17.0.0/16"}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if _, err := ReadSubnets(root, 43); err == nil {
		t.Error("a process that is not there has subnets")
	}
	if _, err := ReadSubnets("", os.Getpid()); err != nil {
		t.Error(err)
	}
	for _, odd := range []string{"", "x", "a b c d e f g h\n", "eth0 zz 00000000 1 0 0 0 0000FFFF\n", "eth0 000011AC 00000000 1 0 0 0 FFFF\n"} {
		if got := connected(odd); len(got) > 0 {
			t.Errorf("%q: %v", odd, got)
		}
	}
}

// networksOf is a reader of networks alone.
type networksOf struct {
	Reader
	list []network.Summary
	err  error
}

func (n networksOf) NetworkList(context.Context, network.ListOptions) ([]network.Summary, error) {
	return n.list, n.err
}

func TestReadNetworks(t *testing.T) {
	reader := networksOf{list: []network.Summary{
		{Name: "shop", ID: "2", Driver: "bridge", Scope: "local", Options: map[string]string{"com.docker.network.bridge.enable_icc": "false"}},
		{
			Name: "bridge", ID: "3", Driver: "bridge", Options: map[string]string{"x": "y"},
			IPAM: network.IPAM{Config: []network.IPAMConfig{{Subnet: "fd00::/64"}, {Subnet: "172.17.0.1/16"}, {Subnet: "nonsense"}}},
		},
		{Name: "shop", ID: "1", Driver: "overlay", Internal: true},
	}}
	list, bridge, err := readNetworks(t.Context(), reader)
	if err != nil || bridge == nil || bridge.Options["x"] != "y" {
		t.Fatalf("%v %v", bridge, err)
	}
	want := []HostNetwork{
		{ID: "3", Name: "bridge", Driver: "bridge", Subnets: []string{"172.17.0.0/16", "fd00::/64"}},
		{ID: "1", Name: "shop", Driver: "overlay", Internal: true},
		{ID: "2", Name: "shop", Driver: "bridge", Scope: "local", Isolated: true},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
	h := Host{Networks: list}
	if got := h.SubnetsOf("bridge"); !slices.Equal(got, want[0].Subnets) || h.SubnetsOf("gone") != nil {
		t.Errorf("%v", got)
	}
	reader.err = errors.New("boom")
	if _, _, err := readNetworks(t.Context(), reader); err == nil {
		t.Error("an engine that does not answer has networks")
	}
	if _, bridge, err := readNetworks(t.Context(), networksOf{}); bridge != nil || err != nil {
		t.Errorf("%v %v", bridge, err)
	}
}
