package main

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"docker-harden/plan"
)

func TestAgainIsJudged(t *testing.T) {
	for name, tt := range map[string]struct {
		state        container.State
		restarts     int
		stable, late bool
		done         bool
		want         string
	}{
		"up for long enough":        {state: container.State{Running: true}, stable: true, done: true},
		"up for a moment":           {state: container.State{Running: true}},
		"not healthy yet":           {state: container.State{Running: true, Health: &container.Health{Status: container.Starting}}, stable: true},
		"healthy":                   {state: container.State{Running: true, Health: &container.Health{Status: container.Healthy}}, stable: true, done: true},
		"never healthy":             {state: container.State{Running: true, Health: &container.Health{Status: container.Starting}}, stable: true, late: true, want: "not healthy in time"},
		"unhealthy":                 {state: container.State{Running: true, Health: &container.Health{Status: container.Unhealthy}}, want: "says unhealthy"},
		"ended":                     {state: container.State{ExitCode: 3}, want: "ended with status 3"},
		"killed for its memory":     {state: container.State{OOMKilled: true, ExitCode: 137}, want: "lack of memory"},
		"in a loop":                 {state: container.State{Running: true, Restarting: true}, want: "its restart policy started it again"},
		"started again by a policy": {state: container.State{Running: true}, restarts: 1, want: "its restart policy started it again"},
	} {
		is := container.InspectResponse{ContainerJSONBase: &container.ContainerJSONBase{State: &tt.state, RestartCount: tt.restarts}}
		done, err := again(is, tt.stable, tt.late)
		if done != tt.done || (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: done %t, %v", name, done, err)
		}
	}
}

// One that would lose a namespace at the second start is not rehearsed; one that only starts later may be.
func TestSharesNothing(t *testing.T) {
	vpn := plan.Container("vpn", "1")
	member := func(by string) plan.Step {
		return plan.Step{Resource: vpn, Members: []plan.Member{{Resource: plan.Container("guest", "2"), Binds: []plan.Bind{{To: vpn, By: by}}}}}
	}
	for by, refused := range map[string]bool{"network": true, "pid": true, "ipc": true, "depends_on": false, "links": false} {
		if err := sharesNothing(member(by)); (err != nil) != refused || err != nil && !strings.Contains(err.Error(), "guest uses the "+by+" namespace of vpn") {
			t.Errorf("%s: %v", by, err)
		}
	}
}

func TestRehearsalIsDescribed(t *testing.T) {
	var b strings.Builder
	(&rehearsal{}).describe(&b, plan.Step{
		ID: "container/web", Kind: plan.KindRecreate, Effect: plan.Effect{Text: "recreate, about 2 s downtime"},
		Members: []plan.Member{{Resource: plan.Container("app", "2"), Action: plan.ActionRestart}},
		Changes: []plan.Change{{Path: "HostConfig.Init", From: []byte("null"), To: []byte("false"), Note: "keeps it\x1b[31m"}},
		Risk:    plan.Risk{Reasons: []string{"it stops others too: app"}}, Notes: []string{"its ports may be others"},
	})
	for _, want := range []string{"-/+ container/web  recreate, about 2 s downtime, then a restart\n", "container/app goes along", "HostConfig.Init  null -> false", "# it stops others too: app", "# its ports may be others"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "\x1b") {
		t.Errorf("a terminal's code is printed: %q", b.String())
	}
}
