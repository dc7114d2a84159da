package docker

import (
	"encoding/json"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

func changeDaemon(t *testing.T, h *inventory.Host, step plan.Step) {
	t.Helper()
	if h.Daemon.Keys == nil {
		h.Daemon.Keys = map[string]json.RawMessage{}
	}
	for _, c := range step.Changes {
		if _, flag := h.Daemon.Flags[c.Path]; flag {
			t.Errorf("%s is a flag and was written into daemon.json: the engine would not start", c.Path)
		}
		if have := h.Daemon.Keys[c.Path]; string(c.From) != "null" && string(have) != string(c.From) {
			t.Errorf("%s is %s in daemon.json, the change says %s", c.Path, have, c.From)
		}
		h.Daemon.Keys[c.Path] = c.To
		on := string(c.To) == "true"
		switch c.Path {
		case "live-restore":
			h.Engine.LiveRestore = on
		case "debug":
			h.Engine.Debug = on
		case "hosts", "tlsverify":
			h.Engine.Warnings = nil
		case "experimental":
			h.Engine.Experimental = on
		case "insecure-registries":
			h.Engine.InsecureRegistries = nil
		case "userland-proxy":
			h.Daemon.ProxyProcesses = 0
		case "log-driver":
			h.Engine.LoggingDriver = strings.Trim(string(c.To), `"`)
		case "seccomp-profile":
			h.Engine.SecurityOptions = []string{"name=seccomp,profile=default"}
		case "icc":
			h.Engine.Bridge[optICC] = string(c.To)
		case optNoNewPrivileges:
			h.Engine.SecurityOptions = append(h.Engine.SecurityOptions, "name=no-new-privileges")
		case "userns-remap":
			h.Engine.UsernsRemap = string(c.To) != noRemap
		case "authorization-plugins":
			if err := json.Unmarshal(c.To, &h.Engine.Authorization); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func changeSwarm(t *testing.T, s *inventory.SwarmCluster, step plan.Step) {
	t.Helper()
	for _, c := range step.Changes {
		var into any
		switch c.Path {
		case plan.AutoLockPath:
			into = &s.AutoLock
		case plan.CertExpiryPath:
			into = &s.CertExpiry
		default:
			continue
		}
		if err := json.Unmarshal(c.To, into); err != nil {
			t.Fatal(err)
		}
	}
	if s.Disk != nil {
		s.Disk.Encrypted = s.AutoLock
	}
}
