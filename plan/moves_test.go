package plan

import (
	"encoding/json"
	"testing"
)

func TestMountOf(t *testing.T) {
	for _, target := range []string{"/data", "/a b", "/odd].RW", "/", "/x]"} {
		for _, setting := range []string{MountPropagation, MountWritable} {
			if got, s, ok := MountOf(MountPath(target, setting)); got != target || s != setting || !ok {
				t.Errorf("%q %s is read as %q %q %t", target, setting, got, s, ok)
			}
		}
	}
	for _, path := range []string{"", "Mounts", "Mounts[].RW", "Mounts[/data]", "Mounts[/data].", "Mounts[/data].Source", "HostConfig.Mounts", "mounts[/data].RW"} {
		if target, setting, ok := MountOf(path); ok {
			t.Errorf("%q is read as %q %q", path, target, setting)
		}
	}
}

func TestMoveOfNetworks(t *testing.T) {
	move := Change{Path: NetworksPath, From: json.RawMessage(`["back","bridge"]`), To: json.RawMessage(`["back","shop"]`)}
	for field, want := range map[string]bool{
		"Networks.bridge": true, "Networks.shop": true, "Networks.back": false, "Networks.other": false, "HostConfig.NetworkMode": false, "Networks": false,
	} {
		if got := move.Moves(field); got != want {
			t.Errorf("it moves %s: %t", field, got)
		}
	}
	if (Change{Path: NetworksPath, From: json.RawMessage(`7`), To: move.To}).Moves("Networks.shop") || (Change{Path: "HostConfig.Memory"}).Moves("Networks.shop") {
		t.Error("what is no move moves a network")
	}
}

func TestModeMoves(t *testing.T) {
	move := Change{Path: NetworkModePath, From: json.RawMessage(`"host"`), To: json.RawMessage(`"default"`)}
	for field, want := range map[string]bool{"Networks.host": true, "Networks.bridge": true, "Networks.default": false, "Networks.shop": false, NetworkModePath: true} {
		if got := move.Moves(field); got != want {
			t.Errorf("%s: %t, want %t", field, got, want)
		}
	}
}

func TestChangeMoves(t *testing.T) {
	for path, want := range map[string]map[string]bool{
		"owner":                               {"uid": true, "gid": true, "mode": false, "owner": true},
		"HostConfig.Memory":                   {"HostConfig.Memory": true, "HostConfig.MemorySwap": true, "HostConfig.CapAdd": false},
		MountPath("/data", MountPropagation):  {"Mounts": true, "HostConfig.Binds": true, "HostConfig.Mounts": true, "HostConfig.Tmpfs": false},
		"HostConfig.Privileged":               {"HostConfig.Privileged": true, "HostConfig.SecurityOpt": true, "HostConfig.MaskedPaths": true, "HostConfig.CapAdd": false},
		"HostConfig.UTSMode":                  {"Config.Hostname": true, "HostConfig.SecurityOpt": false},
		NetworkModePath:                       {"Config.Hostname": true, "Networks.shop": false, "HostConfig.PortBindings": false},
		"HostConfig.MountsOfSomebodyElse[/x]": {"Mounts": false},
	} {
		for field, moves := range want {
			if got := (Change{Path: path}).Moves(field); got != moves {
				t.Errorf("a change of %s moves %s: %t, want %t", path, field, got, moves)
			}
		}
	}
}
