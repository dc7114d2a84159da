package container

import (
	"encoding/json"
	"slices"
	"testing"

	"docker-harden/plan/inventory"
)

// The numbers of both kinds of runtimes. Seen: 39 and 100 with runc 1.1.5, 77 with 1.3.1, 170 with 1.4.0-rc.1.
func TestWeights(t *testing.T) {
	for _, tt := range []struct{ shares, linear, curved int64 }{
		{0, 1, 1},
		{1, 1, 1},
		{2, 1, 1},
		{512, 20, 59},
		{1024, 39, 100},
		{2000, 77, 170},
		{2597, 99, 210},
		{2598, 100, 210},
		{262144, 10000, 10000},
		{1 << 40, 10000, 10000},
	} {
		if got := linearWeight(tt.shares); got != tt.linear {
			t.Errorf("%d shares are a weight of %d, want %d", tt.shares, got, tt.linear)
		}
		if got := curvedWeight(tt.shares); got != tt.curved {
			t.Errorf("%d shares are a weight of %d on the curve, want %d", tt.shares, got, tt.curved)
		}
	}
	for weight, want := range map[int64][]int64{100: {2598, 1024}, 1: {2}, 10000: {262144}} {
		if got := sharesFor(weight); !slices.Equal(got[:min(len(got), len(want))], want) {
			t.Errorf("a weight of %d comes of %v shares, want %v", weight, got, want)
		}
	}
	for weight := int64(1); weight <= mostWeight; weight++ {
		for _, shares := range sharesFor(weight) {
			if !slices.Contains(weightsOf(shares), weight) {
				t.Fatalf("%d shares were to give a weight of %d, runtimes make %v of them", shares, weight, weightsOf(shares))
			}
		}
	}
}

func TestWaysBack(t *testing.T) {
	number := func(n int64) *int64 { return &n }
	unset := map[string]json.RawMessage{
		"Memory": json.RawMessage("0"), "MemorySwap": json.RawMessage("0"), "PidsLimit": json.RawMessage("null"), "CpuShares": json.RawMessage("0"),
	}
	set := map[string]json.RawMessage{
		"Memory": json.RawMessage("1"), "MemorySwap": json.RawMessage("2"), "PidsLimit": json.RawMessage("3"), "CpuShares": json.RawMessage("4"),
	}
	for name, tt := range map[string]struct {
		from   map[string]json.RawMessage
		kernel *heldBefore
		want   map[string]string // the first way of each field
	}{
		"an old record":               {unset, nil, map[string]string{"Memory": "9223372036854771712", "MemorySwap": "-1", "PidsLimit": "-1", "CpuShares": "1024"}},
		"cgroup v1":                   {unset, &heldBefore{Pids: number(-1)}, map[string]string{"PidsLimit": "-1", "CpuShares": "1024"}},
		"systemd's limit":             {unset, &heldBefore{Pids: number(1155)}, map[string]string{"PidsLimit": "1155"}},
		"cgroup v2":                   {unset, &heldBefore{Pids: number(-1), Weight: number(100)}, map[string]string{"CpuShares": "2598"}},
		"what was set is set as such": {set, &heldBefore{Pids: number(3), Weight: number(100)}, map[string]string{"Memory": "1", "MemorySwap": "2", "PidsLimit": "3", "CpuShares": "4"}},
	} {
		ways := (&updateRecord{From: tt.from, Kernel: tt.kernel}).ways()
		for field, want := range tt.want {
			if got := string(ways[field][0]); got != want {
				t.Errorf("%s: %s goes back by %s, want %s", name, field, got, want)
			}
		}
	}
}

func TestSharesInTheKernel(t *testing.T) {
	number := func(n int64) *int64 { return &n }
	for _, tt := range []struct {
		want  int64
		p     inventory.Proc
		holds bool
	}{
		{0, inventory.Proc{CPUShares: number(1024)}, true},
		{512, inventory.Proc{CPUShares: number(512)}, true},
		{512, inventory.Proc{CPUShares: number(513)}, false},
		{1, inventory.Proc{CPUShares: number(2)}, true},
		{512, inventory.Proc{}, false},
		{0, inventory.Proc{CPUWeight: number(100)}, true},
		{0, inventory.Proc{CPUWeight: number(39)}, false},
		{1024, inventory.Proc{CPUWeight: number(39)}, true},
		{1024, inventory.Proc{CPUWeight: number(100)}, true},
		{512, inventory.Proc{CPUWeight: number(39), CPUShares: number(512)}, false},
	} {
		if wrong := sharesHeld(tt.want, &tt.p); (len(wrong) == 0) != tt.holds {
			t.Errorf("%d shares, weight %v, shares %v in the kernel: %q", tt.want, tt.p.CPUWeight, tt.p.CPUShares, wrong)
		}
	}
}
