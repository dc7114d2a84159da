package control

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

func TestDefaultsAreSaid(t *testing.T) {
	const plainLog = `{"HostConfig":{"LogConfig":{"Type":"json-file","Config":{}}}}`
	for name, c := range map[string]struct {
		keys  string // of daemon.json
		flags map[string][]string
		raw   string
		init  string // the container's first process
		want  string // changes beside the control's own
		block string
	}{
		"no defaults":        {keys: `{}`, raw: plainLog},
		"log options":        {keys: `{"log-opts":{"max-size":"5m","max-file":"3"}}`, raw: plainLog, want: `LogConfig.Config.max-file null -> "3"; LogConfig.Config.max-size null -> "5m"`},
		"log options it has": {keys: `{"log-opts":{"max-size":"5m"}}`, raw: `{"HostConfig":{"LogConfig":{"Type":"json-file","Config":{"max-size":"1m"}}}}`},
		"log options by flag": {
			flags: map[string][]string{"log-opts": {"max-size=5m", "tag=a=b"}}, raw: plainLog,
			want: `LogConfig.Config.max-size null -> "5m"; LogConfig.Config.tag null -> "a=b"`,
		},
		"another log driver":    {keys: `{"log-opts":{"max-size":"5m"}}`, raw: `{"HostConfig":{"LogConfig":{"Type":"local"}}}`},
		"a secret option":       {keys: `{"log-opts":{"splunk-token":"hunter2"}}`, raw: plainLog, block: "were given splunk-token after"},
		"log options of no use": {keys: `{"log-opts":[]}`, raw: plainLog},
		"ulimits": {
			keys: `{"default-ulimits":{"nproc":{"Name":"nproc","Hard":9,"Soft":8},"nofile":{"Name":"nofile","Hard":2,"Soft":1}}}`, raw: `{"HostConfig":{"Ulimits":null}}`,
			want: `Ulimits null -> [{"Name":"nofile","Hard":2,"Soft":1},{"Name":"nproc","Hard":9,"Soft":8}]`,
		},
		"ulimits it has in part": {
			keys: `{"default-ulimits":{"core":{"Hard":-1,"Soft":-1},"nofile":{"Name":"nofile","Hard":2,"Soft":1}}}`, raw: `{"HostConfig":{"Ulimits":[{"Name":"nofile","Hard":7,"Soft":7}]}}`,
			want: `Ulimits [{"Name":"nofile","Hard":7,"Soft":7}] -> [{"Name":"nofile","Hard":7,"Soft":7},{"Name":"core","Hard":-1,"Soft":-1}]`,
		},
		"ulimits by flag": {
			flags: map[string][]string{"default-ulimits": {"nofile=5", "nproc=6:7", "broken", "core=x"}}, raw: `{}`,
			want: `Ulimits null -> [{"Name":"nofile","Hard":5,"Soft":5},{"Name":"nproc","Hard":7,"Soft":6}]`,
		},
		"init":                 {keys: `{"init":true}`, raw: `{"HostConfig":{"Init":null}}`, init: "nginx", want: "Init null -> false"},
		"init by flag":         {flags: map[string][]string{"init": {"true"}}, raw: `{}`, init: "nginx", want: "Init null -> false"},
		"init off by flag":     {flags: map[string][]string{"init": {"false"}}, raw: `{}`, init: "nginx"},
		"init it took already": {keys: `{"init":true}`, raw: `{}`, init: "docker-init"},
		"init it was given":    {keys: `{"init":true}`, raw: `{"HostConfig":{"Init":false}}`, init: "nginx"},
		"not seen running":     {keys: `{"init":true}`, raw: `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			h := hostOf(container("web"))
			h.Engine.LoggingDriver = "json-file"
			if c.keys != "" {
				if err := json.Unmarshal([]byte(c.keys), &h.Daemon.Keys); err != nil {
					t.Fatal(err)
				}
			}
			h.Daemon.Flags = c.flags
			rawOf(&h.Containers[0], c.raw)
			if c.init != "" {
				h.Containers[0].Proc = &inventory.Proc{Init: inventory.Process{Name: c.init}}
			}
			f := only(t, h, wants("c", recreate))
			var got []string
			for _, ch := range f.Changes[min(1, len(f.Changes)):] {
				if ch.Kind != plan.KindRecreate || ch.Note == "" || ch.Reversibility != plan.Exact {
					t.Errorf("%+v", ch)
				}
				got = append(got, fmt.Sprintf("%s %s -> %s", strings.TrimPrefix(ch.Path, "HostConfig."), ch.From, ch.To))
			}
			if text := strings.Join(got, "; "); text != c.want {
				t.Errorf("changes %s, want %s", text, c.want)
			}
			if (f.Blocked != "") != (c.block != "") || !strings.Contains(f.Blocked, c.block) || strings.Contains(f.Blocked, "hunter2") {
				t.Errorf("blocked %q, want %q", f.Blocked, c.block)
			}
		})
	}
}

// A container that is not recreated takes nothing, and nothing is said.
func TestDefaultsOfOthers(t *testing.T) {
	h := hostOf(container("web"))
	h.Daemon.Keys = map[string]json.RawMessage{"init": json.RawMessage("true"), "default-ulimits": json.RawMessage(`{"core":{"Name":"core"}}`)}
	if f := only(t, h, wants("c", live)); len(f.Changes) != 1 {
		t.Errorf("%+v", f.Changes)
	}
}

func TestTakesDefault(t *testing.T) {
	for path, want := range map[string]bool{
		ulimitsPath: true, initPath: true, logOptPath + "max-file": true, logOptPath + "splunk-token": false, logOptPath: false,
		"HostConfig.LogConfig": false, "HostConfig.InitPath": false, "": false,
	} {
		if got := TakesDefault(path); got != want {
			t.Errorf("%q: %t", path, got)
		}
	}
}
