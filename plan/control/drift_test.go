package control

import (
	"encoding/json"
	"strings"
	"testing"

	"docker-harden/plan/inventory"
)

func TestPendingKeys(t *testing.T) {
	keys := func(pairs ...string) map[string]json.RawMessage {
		out := map[string]json.RawMessage{}
		for i := 0; i < len(pairs); i += 2 {
			out[pairs[i]] = json.RawMessage(pairs[i+1])
		}
		return out
	}
	for name, c := range map[string]struct {
		file   map[string]json.RawMessage
		engine inventory.Engine
		flags  map[string][]string
		want   string
	}{
		"nothing":               {nil, inventory.Engine{}, nil, ""},
		"seen in effect":        {keys("live-restore", "true", "log-driver", `"local"`), inventory.Engine{LiveRestore: true, LoggingDriver: "local"}, nil, ""},
		"not in effect":         {keys("live-restore", "true"), inventory.Engine{}, nil, "live-restore"},
		"cannot be seen":        {keys("log-level", `"warn"`, "bip", `"10.0.0.1/8"`), inventory.Engine{}, nil, "bip, log-level"},
		"null is absent":        {keys("log-level", "null"), inventory.Engine{}, nil, ""},
		"removed":               {keys(), inventory.Engine{LiveRestore: true, Debug: true}, nil, "debug, live-restore"},
		"removed, by flag":      {keys(), inventory.Engine{LiveRestore: true}, map[string][]string{"live-restore": {"true"}}, ""},
		"bridge":                {keys("icc", "false"), inventory.Engine{Bridge: map[string]string{"com.docker.network.bridge.enable_icc": "true"}}, nil, "icc"},
		"bridge, removed":       {keys(), inventory.Engine{Bridge: map[string]string{"com.docker.network.bridge.enable_icc": "false"}}, nil, "icc"},
		"registries":            {keys("insecure-registries", `["b", "a"]`), inventory.Engine{InsecureRegistries: []string{"a", "b"}}, nil, ""},
		"registries, others":    {keys("insecure-registries", `["b"]`), inventory.Engine{InsecureRegistries: []string{"a", "b"}}, nil, "insecure-registries"},
		"registries, removed":   {keys(), inventory.Engine{InsecureRegistries: []string{"a"}}, nil, "insecure-registries"},
		"registries, all taken": {keys("insecure-registries", "[]"), inventory.Engine{}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := &inventory.Host{Engine: c.engine, Daemon: inventory.Daemon{Keys: c.file, Flags: c.flags, ConfigPath: "/d.json"}}
			if got := strings.Join(pendingKeys(h), ", "); got != c.want {
				t.Errorf("pendingKeys = %s, want %s", got, c.want)
			}
			text := PendingText(h)
			if c.want != "" && !strings.Contains(text, "keys not seen in effect: "+c.want+")") || c.want == "" && !strings.Contains(text, "no key of it") {
				t.Errorf("PendingText = %s", text)
			}
		})
	}
}
