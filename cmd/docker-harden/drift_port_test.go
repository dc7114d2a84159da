package main

import (
	"encoding/json"
	"slices"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// Published ports are as the apply left them where all of its changes left them, whichever of them they are known by.
func TestDriftOfPorts(t *testing.T) {
	on := func(ports string) *inventory.Host {
		h := driftHost(`{"Image":"i","HostConfig":{"PortBindings":`+ports+`}}`, nil)
		if err := json.Unmarshal([]byte(ports), &h.Containers[0].Inspect.HostConfig.PortBindings); err != nil {
			t.Fatal(err)
		}
		return h
	}
	of := func(inside, number, setting, from, to string) plan.Change {
		p := plan.Port{Inside: inside, PortBinding: plan.PortBinding{HostPort: number}}
		return plan.Change{Path: plan.PortPath(p, setting), From: raw(from), To: raw(to), Kind: plan.KindRecreate}
	}
	step := plan.Step{ID: "container/web", Kind: plan.KindRecreate, Resource: plan.Container("web", "anotherid"), Changes: []plan.Change{
		of("80/tcp", "80", plan.PortAddress, `""`, `"127.0.0.1"`), of("80/tcp", "80", plan.PortNumber, `"80"`, `"8080"`),
		of("90/tcp", "90", plan.PortAddress, `""`, `"127.0.0.1"`), of("90/tcp", "90", plan.PortPublished, `true`, `false`),
	}}
	const left = `"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]`
	for ports, want := range map[string][]string{
		`{` + left + `}`: nil,
		`{"80/tcp":[{"HostIp":"","HostPort":"80"}]}`:                       {step.Changes[0].Path, step.Changes[1].Path},
		`{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"80"}]}`:              {step.Changes[0].Path, step.Changes[1].Path},
		`{` + left + `,"90/tcp":[{"HostIp":"127.0.0.1","HostPort":"90"}]}`: {step.Changes[3].Path},
	} {
		var got []string
		for _, d := range driftOfStep(step, on(ports)) {
			got = append(got, d.Field)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", ports, got, want)
		}
	}
	if got := portNow(on(`{}`), plan.Container("gone", "x"), plan.Port{}, plan.PortAddress, nil); got != nil {
		t.Errorf("of a container that is not there: %s", got)
	}
}
