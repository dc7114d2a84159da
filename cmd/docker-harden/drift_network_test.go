package main

import (
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// A container that somebody connects to the default bridge again, or to one network more, is not as the apply left it.
func TestDriftOfAMove(t *testing.T) {
	on := func(networks string, names ...string) *inventory.Host {
		h := driftHost(`{"Image":"i","NetworkSettings":{"Networks":`+networks+`}}`, nil)
		h.Containers[0].Inspect.NetworkSettings.Networks = map[string]inventory.Network{}
		for _, name := range names {
			h.Containers[0].Inspect.NetworkSettings.Networks[name] = inventory.Network{}
		}
		return h
	}
	web := plan.Container("web", "0123456789abcdef")
	basis, _ := on(`{"bridge":{}}`, "bridge").Basis(web)
	move := plan.Step{
		ID: "container/web", Kind: plan.KindNetwork, Resource: web, Basis: basis,
		Changes: []plan.Change{{Path: plan.NetworksPath, From: raw(`["bridge"]`), To: raw(`["shop"]`), Kind: plan.KindNetwork}},
	}
	for _, tt := range []struct {
		now   *inventory.Host
		field []string
	}{
		{on(`{"shop":{}}`, "shop"), nil},
		{on(`{"bridge":{}}`, "bridge"), []string{plan.NetworksPath}},
		{on(`{"bridge":{},"shop":{}}`, "bridge", "shop"), []string{plan.NetworksPath}},
		{on(`{"more":{},"shop":{}}`, "more", "shop"), []string{plan.NetworksPath, "Networks.more"}},
	} {
		got := driftOfStep(move, tt.now)
		if len(got) != len(tt.field) {
			t.Errorf("%v", got)
			continue
		}
		for i, d := range got {
			if d.Field != tt.field[i] {
				t.Errorf("%v", d)
			}
		}
	}
}
