package daemon

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/remediate"
)

func to(path, value string) plan.Change {
	return plan.Change{Path: path, From: json.RawMessage("null"), To: json.RawMessage(value)}
}

func TestLint(t *testing.T) {
	tests := []struct {
		name, doc string
		changes   []plan.Change
		facts     facts
		want      string // "" passes
	}{
		{"nothing odd", `{"icc":false}`, []plan.Change{to("icc", "false")}, facts{}, ""},
		{"absent file", ``, []plan.Change{to("icc", "null")}, facts{}, ""},
		{"flag and file", `{"log-level":"info"}`, []plan.Change{to("log-level", `"info"`)}, facts{Flags: map[string][]string{"log-level": {"warn"}}}, "log-level is given to the engine by flag (warn)"},
		{"flag of a key we remove", `{}`, []plan.Change{to("log-level", `null`)}, facts{Flags: map[string][]string{"log-level": {"warn"}}}, ""},
		{"other flag", `{"icc":false}`, []plan.Change{to("icc", "false")}, facts{Flags: map[string][]string{"hosts": {"fd://"}}}, ""},
		{"icc and iptables", `{"icc":false,"iptables":false}`, []plan.Change{to("icc", "false")}, facts{}, "icc false while iptables is false"},
		{"icc and iptables by flag", `{"icc":false}`, []plan.Change{to("icc", "false")}, facts{Flags: map[string][]string{"iptables": {"false"}}}, "iptables"},
		{"icc on again", `{"icc":true,"iptables":false}`, []plan.Change{to("icc", "true")}, facts{}, ""},
		{"not our change", `{"icc":false,"iptables":false,"debug":true}`, []plan.Change{to("debug", "true")}, facts{}, ""},
		{"swarm", `{"live-restore":true}`, []plan.Change{to("live-restore", "true")}, facts{Swarm: "active"}, "in a swarm (active)"},
		{"left the swarm", `{"live-restore":true}`, []plan.Change{to("live-restore", "true")}, facts{Swarm: "inactive"}, ""},
		{"swarm, live-restore off", `{"live-restore":false}`, []plan.Change{to("live-restore", "false")}, facts{Swarm: "active"}, ""},
		{"log level", `{"log-level":"loud"}`, []plan.Change{to("log-level", `"loud"`)}, facts{}, `"loud" in daemon.json is no log level`},
		{"log level type", `{"log-level":3}`, []plan.Change{to("log-level", `3`)}, facts{}, "must be a string"},
		{"log level case", `{"log-level":"INFO"}`, []plan.Change{to("log-level", `"INFO"`)}, facts{}, ""},
		{"nested twin", `{"icc":false,"foo":{"icc":true}}`, []plan.Change{to("icc", "false")}, facts{}, `icc inside of "foo"`},
		{"nested in a map of its own", `{"debug":true,"features":{"debug":true}}`, []plan.Change{to("debug", "true")}, facts{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := lint([]byte(tt.doc), tt.changes, tt.facts)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("lint = %v, want nil", err)
			case tt.want != "" && (!errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("lint = %v, want a refusal with %q", err, tt.want)
			}
		})
	}
}
