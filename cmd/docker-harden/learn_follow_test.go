package main

import (
	"testing"
	"time"

	told "github.com/docker/docker/api/types/events"

	"docker-harden/plan/learn"
)

func TestEventOf(t *testing.T) {
	for name, m := range map[string]told.Message{
		"an image's":      {Type: told.ImageEventType, Action: told.ActionCreate, Actor: told.Actor{ID: "x"}},
		"no id":           {Type: told.ContainerEventType, Action: told.ActionStart},
		"something else":  {Type: told.ContainerEventType, Action: "exec_create: sh", Actor: told.Actor{ID: "x"}},
		"not healthy yet": {Type: told.ContainerEventType, Action: told.ActionHealthStatusRunning, Actor: told.Actor{ID: "x"}},
	} {
		if e, ok := eventOf(m); ok {
			t.Errorf("%s: %+v", name, e)
		}
	}
	of := func(action told.Action, name, value string) learn.Event {
		e, ok := eventOf(told.Message{
			Type: told.ContainerEventType, Action: action, TimeNano: 5,
			Actor: told.Actor{ID: "x", Attributes: map[string]string{"name": "/web", name: value}},
		})
		if !ok || e.Name != "web" || e.Container != "x" || e.Action != string(action) || !e.At.Equal(time.Unix(0, 5)) {
			t.Errorf("%+v", e)
		}
		return e
	}
	if e := of(told.ActionDie, "exitCode", "3"); e.Exit != 3 {
		t.Errorf("%+v", e)
	}
	if e := of(told.ActionDie, "", ""); e.Exit != learn.UnknownExit {
		t.Errorf("an end of which nothing is said: %+v", e)
	}
	if e := of(told.ActionKill, "signal", "15"); e.Signal != 15 {
		t.Errorf("%+v", e)
	}
	for _, action := range []told.Action{told.ActionCreate, told.ActionStart, told.ActionStop, told.ActionRename, told.ActionHealthStatusHealthy} {
		of(action, "", "")
	}
}
