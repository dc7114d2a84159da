package control

import (
	"encoding/json"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// rawOf gives a container an inspect answer with some members.
func rawOf(c *inventory.Container, text string) { c.Raw = json.RawMessage(text) }

func TestWhatARecreateWouldTakeAlong(t *testing.T) {
	image := func(h *inventory.Host, c *inventory.Container, name string, tags ...string) {
		c.Inspect.Config.Image = name
		h.Images["image"] = inventory.Image{ID: "image", RepoTags: tags}
	}
	const moved = "names another image now, or none"
	for name, c := range map[string]struct {
		edit edit
		want string // in the notes; empty: there are none
	}{
		"tag as it was": {func(h *inventory.Host, c *inventory.Container) { image(h, c, "web", "docker.io/library/web:latest") }, ""},
		"one of several tags": {func(h *inventory.Host, c *inventory.Container) {
			image(h, c, "r.io:5000/web:2", "web:1", "r.io:5000/web:2")
		}, ""},
		"by its id":     {func(h *inventory.Host, c *inventory.Container) { image(h, c, "image", "web:1") }, ""},
		"by its digest": {func(h *inventory.Host, c *inventory.Container) { image(h, c, "web@sha256:"+strings.Repeat("a", 64)) }, ""},
		"tag moved":     {func(h *inventory.Host, c *inventory.Container) { image(h, c, "web:1", "web:2") }, "web:1 " + moved},
		"tag gone":      {func(h *inventory.Host, c *inventory.Container) { image(h, c, "web") }, "web " + moved},
		"odd name":      {func(h *inventory.Host, c *inventory.Container) { image(h, c, "Web\x1b[2J") }, ""},
		"range of ports": {func(_ *inventory.Host, c *inventory.Container) {
			c.Inspect.HostConfig.PortBindings = map[string][]inventory.Port{"80/tcp": {{HostPort: "18100-18102"}, {HostIP: "::", HostPort: "18100-18102"}}}
		}, "next free port of a range, which may be another one: 80/tcp on 18100-18102"},
		"mounts below a read-only bind": {func(h *inventory.Host, c *inventory.Container) {
			h.Engine.Version, c.Submounts = "26.1.5", []string{"/srv"}
		}, "below a read-only bind (/srv)"},
		"the same on an older engine": {func(h *inventory.Host, c *inventory.Container) {
			h.Engine.Version, c.Submounts = "20.10.24", []string{"/srv"}
		}, ""},
		"ulimit that comes with the next start": {func(h *inventory.Host, c *inventory.Container) {
			limits(h, c, "1048576:1048576", `[{"Name":"nofile","Hard":2,"Soft":1}]`)
		}, "it runs with ulimit nofile 1048576:1048576: the new container starts with 1:2"},
		"ulimit it has": {func(h *inventory.Host, c *inventory.Container) {
			limits(h, c, "1:2", `[{"Name":"nofile","Hard":2,"Soft":1}]`)
		}, ""},
		"ulimit of its own": {func(h *inventory.Host, c *inventory.Container) {
			limits(h, c, "1:9", `[{"Name":"nofile","Hard":9,"Soft":7}]`)
		}, ""},
		"exec runs":  {func(_ *inventory.Host, c *inventory.Container) { rawOf(c, `{"ExecIDs":["a","b"]}`) }, "docker exec runs in it now (2)"},
		"no exec":    {func(_ *inventory.Host, c *inventory.Container) { rawOf(c, `{"ExecIDs":null}`) }, ""},
		"foreground": {func(_ *inventory.Host, c *inventory.Container) { rawOf(c, `{"Config":{"AttachStdout":true}}`) }, "started in the foreground"},
		"created with a foreground": {func(_ *inventory.Host, c *inventory.Container) {
			stopped(c, "created")
			rawOf(c, `{"Config":{"AttachStdin":true}}`)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := hostOf(container("web"))
			c.edit(h, &h.Containers[0])
			f := only(t, h, wants("c", recreate))
			if got := strings.Join(f.Notes, "\n"); f.Blocked != "" || !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
				t.Errorf("notes %q, want %q (blocked %q)", got, c.want, f.Blocked)
			}
		})
	}
}

// limits are what the kernel holds of nofile and what docker inspect shows, under a default of 1:2.
func limits(h *inventory.Host, c *inventory.Container, kernel, shown string) {
	h.Daemon.Keys = map[string]json.RawMessage{"default-ulimits": json.RawMessage(`{"nofile":{"Name":"nofile","Hard":2,"Soft":1}}`)}
	c.Proc = &inventory.Proc{Ulimits: map[string]string{"nofile": kernel}}
	rawOf(c, `{"HostConfig":{"Ulimits":`+shown+`}}`)
}

func TestWritableLayerOfTheProfile(t *testing.T) {
	files := &inventory.Layer{Files: 2, Paths: []string{"/etc/app.conf", "/srv/x"}}
	for name, c := range map[string]struct {
		recreate profile.Recreate
		layer    *inventory.Layer
		blocked  string
		step     string // Finding.WritableLayer
	}{
		"carried unless told":    {profile.Recreate{}, files, "", ""},
		"carried":                {profile.Recreate{WritableLayer: plan.LayerCarry}, files, "", ""},
		"refused":                {profile.Recreate{WritableLayer: plan.LayerRefuse}, files, "2 files in the writable layer (/etc/app.conf, /srv/x) and the profile says writable_layer: refuse", ""},
		"refused should it come": {profile.Recreate{WritableLayer: plan.LayerRefuse}, &inventory.Layer{}, "", plan.LayerRefuse},
	} {
		t.Run(name, func(t *testing.T) {
			h := hostOf(container("web"))
			h.Containers[0].Layer = c.layer
			one := wants("c", recreate)
			p := profileOf(one)
			p.Recreate = c.recreate
			f := Evaluate(h, p, []Control{one}, today)[0]
			if (f.Blocked != "") != (c.blocked != "") || !strings.Contains(f.Blocked, c.blocked) || f.WritableLayer != c.step {
				t.Errorf("blocked %q, layer %q; want %q, %q", f.Blocked, f.WritableLayer, c.blocked, c.step)
			}
		})
	}
}

func TestSecretsOfCompose(t *testing.T) {
	for name, c := range map[string]struct {
		layer   inventory.Layer
		blocked bool
	}{
		"its secrets":          {inventory.Layer{Files: 2, Paths: []string{"/run/secrets/a", "/run/secrets/b"}}, false},
		"and something else":   {inventory.Layer{Files: 2, Paths: []string{"/etc/x", "/run/secrets/b"}}, true},
		"and what is not told": {inventory.Layer{Files: 3, Paths: []string{"/run/secrets/a", "/run/secrets/b"}}, true},
		"a name like it":       {inventory.Layer{Files: 1, Paths: []string{"/run/secretsx"}}, true},
		"one that was deleted": {inventory.Layer{Files: 1, Paths: []string{"/run/secrets/a (deleted)"}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := hostOf(container("web"))
			own(&h.Containers[0], inventory.OwnedByCompose, "shop/web")
			h.Containers[0].Layer = &c.layer
			if f := only(t, h, wants("c", recreate)); (f.Blocked != "") != c.blocked {
				t.Errorf("blocked %q", f.Blocked)
			}
		})
	}
}
