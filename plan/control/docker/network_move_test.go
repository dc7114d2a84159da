package docker

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// changeNetworks connects and disconnects a container of the model.
func changeNetworks(t *testing.T, c *inventory.Container, change plan.Change) {
	t.Helper()
	var to []string
	if have := raw(slices.Sorted(maps.Keys(c.Inspect.NetworkSettings.Networks))); string(have) != string(change.From) {
		t.Errorf("%s of %s is %s, the change says %s", change.Path, c.Name, have, change.From)
	}
	if err := json.Unmarshal(change.To, &to); err != nil {
		t.Fatal(err)
	}
	c.Inspect.NetworkSettings.Networks = map[string]inventory.Network{}
	for _, name := range to {
		c.Inspect.NetworkSettings.Networks[name] = inventory.Network{}
	}
	if c.Proc != nil && c.Proc.Subnets != nil {
		c.Proc.Subnets = []string{"172.18.0.0/16"}
	}
}

// A plan that somebody edited moves a container to the network that the profile names and to no other one.
func TestEditedPlanMovesNowhereElse(t *testing.T) {
	c := ordinaryContainer("web")
	c.Inspect.NetworkSettings.Networks = map[string]inventory.Network{"bridge": {}}
	h := &inventory.Host{Containers: []inventory.Container{c}, Networks: []inventory.HostNetwork{
		{Name: "bridge", Driver: "bridge"}, {Name: "host", Driver: "host"}, {Name: "other", Driver: "bridge"}, {Name: "shop", Driver: "bridge"}, {Name: "wide", Driver: "overlay"},
	}}
	const (
		bridge   = `["bridge"]`
		answered = "controls: {docker/default-bridge: {params: {network: shop}}}\n"
		gone     = "controls: {docker/default-bridge: {params: {network: gone}}}\n"
		wide     = "controls: {docker/default-bridge: {params: {network: wide}}}\n"
	)
	for _, tt := range []struct {
		profile, from, to string
		may               bool
	}{
		{answered, bridge, `["shop"]`, true},
		{answered, bridge, ` [ "shop" ] `, true},
		{answered, `["back","bridge"]`, `["back","shop"]`, true}, // stale, which whoever makes the step says
		{answered, `["bridge","shop"]`, `["shop"]`, true},
		{answered, `["back"]`, `["shop"]`, false},
		{answered, `["back","bridge"]`, `["shop"]`, false},
		{answered, `7`, `["shop"]`, false},
		{gone, bridge, `["gone"]`, true}, // it is not there any more
		{wide, bridge, `["wide"]`, false},
		{answered, bridge, `["host"]`, false},
		{answered, bridge, `["other"]`, false},
		{answered, bridge, `["other","shop"]`, false},
		{answered, bridge, `["bridge","shop"]`, false},
		{answered, bridge, `[]`, false},
		{answered, bridge, `null`, false},
		{"controls: {docker/default-bridge: {}}\n", bridge, `["shop"]`, false},
		{"controls: {docker/default-bridge: {params: {network: host}}}\n", bridge, `["host"]`, false},
		{"controls: {docker/icc: {}}\n", bridge, `["shop"]`, false},
	} {
		change := plan.Change{Path: plan.NetworksPath, From: json.RawMessage(tt.from), To: json.RawMessage(tt.to), Kind: plan.KindNetwork}
		if got := ChangesContainer(h, &c, load(t, []byte(tt.profile)), change); got != tt.may {
			t.Errorf("%s with %q: %t", tt.to, tt.profile, got)
		}
	}
	mode := plan.Change{Path: "HostConfig.NetworkMode", From: json.RawMessage(`"default"`), To: json.RawMessage(`"host"`), Kind: plan.KindRecreate}
	for _, text := range []string{answered, "controls: {docker/host-network: {params: {network: host}}}\n", "controls: {docker/host-network: {params: {network: shop}}}\n"} {
		if ChangesContainer(h, &c, load(t, []byte(text)), mode) {
			t.Errorf("with %q a plan may put a container on the host's network", text)
		}
	}
	if !Changes(plan.ResourceContainer, plan.NetworksPath) {
		t.Error("a plan may not change networks")
	}
}
