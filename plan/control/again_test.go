package control

import (
	"encoding/json"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// A recreate that changes nothing is refused for the reasons of any other, and says what it costs.
func TestAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		edit    edit
		blocked string
		changes string // paths
	}{
		"ordinary":    {func(*inventory.Host, *inventory.Container) {}, "", ""},
		"auto remove": {func(_ *inventory.Host, c *inventory.Container) { c.Inspect.HostConfig.AutoRemove = true }, "--rm", ""},
		"dead":        {func(_ *inventory.Host, c *inventory.Container) { stopped(c, "dead") }, "it is dead", ""},
		"not seen":    {func(_ *inventory.Host, c *inventory.Container) { c.Problem = "no answer" }, "could not be inspected: no answer", ""},
		"swarm":       {func(_ *inventory.Host, c *inventory.Container) { own(c, inventory.OwnedBySwarm, "web") }, "owned by swarm web, which would make it again", ""},
		"systemd":     {func(_ *inventory.Host, c *inventory.Container) { own(c, inventory.OwnedBySystemd, "web.service") }, "owned by systemd web.service", ""},
		"compose":     {func(_ *inventory.Host, c *inventory.Container) { own(c, inventory.OwnedByCompose, "shop/web") }, "", ""},
		"podman":      {func(h *inventory.Host, _ *inventory.Container) { h.Engine.Product = "podman" }, "the engine is podman", ""},
		"no provider": {func(_ *inventory.Host, c *inventory.Container) {
			c.Inspect.HostConfig.NetworkMode = "container:nobody"
		}, "shares a namespace of container nobody", ""},
		"a default since": {func(h *inventory.Host, _ *inventory.Container) {
			h.Engine.SecurityOptions = []string{"name=no-new-privileges"}
		}, "", securityOptPath},
		"a default that it has": {func(h *inventory.Host, c *inventory.Container) {
			h.Engine.SecurityOptions = []string{"name=no-new-privileges"}
			c.Proc = &inventory.Proc{Init: inventory.Process{NoNewPrivs: true}}
		}, "", ""},
		"an init since": {func(h *inventory.Host, c *inventory.Container) {
			h.Daemon.Keys = map[string]json.RawMessage{"init": json.RawMessage("true")}
			c.Proc = &inventory.Proc{Init: inventory.Process{Name: "serve"}}
		}, "", initPath},
	} {
		t.Run(name, func(t *testing.T) {
			h := hostOf(container("web"))
			c := &h.Containers[0]
			c.Proc = &inventory.Proc{}
			tt.edit(h, c)
			f := Again(h, profileOf(wants("c", recreate)), c)
			var paths []string
			for _, ch := range f.Changes {
				paths = append(paths, ch.Path)
			}
			if !strings.Contains(f.Blocked, tt.blocked) || (f.Blocked == "") != (tt.blocked == "") || strings.Join(paths, " ") != tt.changes {
				t.Errorf("blocked %q, changes %q", f.Blocked, paths)
			}
			if f.Resource != c.Resource() || f.Status != plan.Fail || (f.Downtime > 0) != (tt.blocked == "") {
				t.Errorf("%+v", f)
			}
		})
	}
}
