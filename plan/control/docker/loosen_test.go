package docker

import (
	"encoding/json"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// A plan that somebody edited makes no container less confined than it is, whatever it says of the old value.
func TestEditedPlanLoosensNothing(t *testing.T) {
	c := ordinaryContainer("web")
	c.Inspect.HostConfig.CapDrop = []string{"CAP_NET_RAW", "MKNOD"}
	c.Inspect.HostConfig.CapAdd = []string{"SYS_TIME"}
	c.Inspect.HostConfig.SecurityOpt = []string{"no-new-privileges", "apparmor=mine", "seccomp=unconfined"}
	for _, tt := range []struct {
		path, to string
		may      bool
	}{
		{"HostConfig.CapDrop", `["NET_RAW","CAP_MKNOD","CHOWN"]`, true},
		{"HostConfig.CapDrop", `["ALL"]`, true}, // and with it those that are dropped now
		{"HostConfig.CapDrop", `["NET_RAW"]`, false},
		{"HostConfig.CapDrop", `null`, false},
		{"HostConfig.CapDrop", `"ALL"`, false},
		{"HostConfig.CapAdd", `[]`, true},
		{"HostConfig.CapAdd", `["SYS_TIME"]`, true},
		{"HostConfig.CapAdd", `["SYS_TIME","SYS_ADMIN"]`, false},
		{"HostConfig.SecurityOpt", `["apparmor=mine","no-new-privileges:true"]`, true},
		{"HostConfig.SecurityOpt", `["no-new-privileges","apparmor=mine","seccomp=unconfined"]`, true},
		{"HostConfig.SecurityOpt", `["no-new-privileges:true"]`, false},
		{"HostConfig.SecurityOpt", `["apparmor=mine","no-new-privileges:false"]`, false},
		{"HostConfig.SecurityOpt", `["apparmor=mine","no-new-privileges:true","label=disable"]`, false},
		{"HostConfig.SecurityOpt", `["apparmor=mine","apparmor=other","no-new-privileges:true"]`, false},
		{"HostConfig.ReadonlyRootfs", `true`, false}, // without the answer that it may be
		{"HostConfig.Tmpfs", `{"/srv/data":""}`, false},
		{"Mounts[/srv/data].Volume", `"volume"`, false}, // which the profile does not name
		{"HostConfig.RestartPolicy", `{"Name":"always","MaximumRetryCount":0}`, false},
		{"HostConfig.ReadonlyRootfs", `false`, false},
		{"HostConfig.Memory", `134217728`, true},
		{"HostConfig.Memory", `0`, false},
		{"HostConfig.MemorySwap", `-1`, true}, // as it is without a limit
		{"HostConfig.MemorySwap", `0`, false},
		{"HostConfig.PidsLimit", `-1`, false},
		{"HostConfig.PidsLimit", `null`, false},
		{"HostConfig.CpuShares", `512`, true},
		{"HostConfig.CpuShares", `0`, false},
	} {
		change := plan.Change{Path: tt.path, From: json.RawMessage(`[]`), To: json.RawMessage(tt.to)}
		if got := ChangesContainer(&inventory.Host{Containers: []inventory.Container{c}}, &c, load(t, []byte("extends: baseline\n")), change); got != tt.may {
			t.Errorf("%s to %s: %t", tt.path, tt.to, got)
		}
	}
}

// Beside a CapAdd of ALL the engine takes a CapDrop of ALL for none: what was dropped by name would be back.
func TestDropOfAllBesideAddOfAll(t *testing.T) {
	c := ordinaryContainer("web")
	c.Inspect.HostConfig.CapAdd, c.Inspect.HostConfig.CapDrop = []string{"ALL"}, []string{"NET_RAW"}
	if !loosens(&c, plan.Change{Path: "HostConfig.CapDrop", To: json.RawMessage(`["ALL"]`)}) {
		t.Error("NET_RAW is given back")
	}
	if loosens(&c, plan.Change{Path: "HostConfig.CapDrop", To: json.RawMessage(`["NET_RAW","SYS_ADMIN"]`)}) {
		t.Error("more is dropped")
	}
}
