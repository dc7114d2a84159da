package control

import (
	"strings"
	"testing"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// edit is what makes a container special.
type edit func(h *inventory.Host, c *inventory.Container)

func TestWhatBlocksARecreate(t *testing.T) {
	dirty := &inventory.Layer{Files: 1, Paths: []string{"/etc/app.conf"}}
	for name, c := range map[string]struct {
		edit edit
		want string // in Blocked; empty: not blocked
	}{
		"ordinary":     {func(*inventory.Host, *inventory.Container) {}, ""},
		"paused":       {func(_ *inventory.Host, c *inventory.Container) { c.Inspect.State.Paused = true }, ""},
		"created":      {func(_ *inventory.Host, c *inventory.Container) { stopped(c, "created") }, ""},
		"exited":       {func(_ *inventory.Host, c *inventory.Container) { stopped(c, "exited") }, "would lose its exit status"},
		"dead":         {func(_ *inventory.Host, c *inventory.Container) { stopped(c, "dead") }, "it is dead"},
		"restart loop": {func(_ *inventory.Host, c *inventory.Container) { c.Inspect.State.Restarting = true }, "restart loop"},
		"auto remove":  {func(_ *inventory.Host, c *inventory.Container) { c.Inspect.HostConfig.AutoRemove = true }, "--rm"},
		"image gone":   {func(_ *inventory.Host, c *inventory.Container) { c.Inspect.Image = "other" }, "its image other is gone"},
		"image known to be gone": {func(h *inventory.Host, _ *inventory.Container) {
			h.Images["image"] = inventory.Image{Missing: true}
		}, "its image image is gone"},
		"runtime gone": {func(h *inventory.Host, c *inventory.Container) {
			h.Engine.Runtimes, c.Inspect.HostConfig.Runtime = []string{"runc"}, "runsc"
		}, "no longer knows its runtime runsc"},
		"runtime known": {func(h *inventory.Host, c *inventory.Container) {
			h.Engine.Runtimes, c.Inspect.HostConfig.Runtime = []string{"runc"}, "runc"
		}, ""},
		"reservation above limit": {func(_ *inventory.Host, c *inventory.Container) {
			c.Inspect.HostConfig.Memory, c.Inspect.HostConfig.MemoryReservation = 100, 200
		}, "reservation is above its memory limit"},
		"flapping": {func(h *inventory.Host, c *inventory.Container) {
			flapping(h, c, 5*time.Second)
		}, "it again (4 times) and it is up for 5s only"},
		"first turn": {func(h *inventory.Host, c *inventory.Container) {
			flapping(h, c, 5*time.Second)
			c.Inspect.RestartCount = 1
		}, "it again (once) and it is up for 5s only"},
		"restarted long ago": {func(h *inventory.Host, c *inventory.Container) { flapping(h, c, time.Hour) }, ""},
		"links":              {func(_ *inventory.Host, c *inventory.Container) { c.Inspect.HostConfig.Links = []string{"/db:/web/db"} }, ""},
		"provider gone": {func(_ *inventory.Host, c *inventory.Container) {
			c.Inspect.HostConfig.NetworkMode = "container:nobody"
		}, "shares a namespace of container nobody, which does not exist any more"},
		"layer unread":       {func(_ *inventory.Host, c *inventory.Container) { c.Layer, c.LayerProblem = nil, "btrfs" }, "could not be read: btrfs"},
		"layer not recorded": {func(_ *inventory.Host, c *inventory.Container) { c.Layer = nil }, "could not be read: reason not recorded"},
		"dirty on overlay2":  {func(_ *inventory.Host, c *inventory.Container) { c.Layer = dirty }, ""},
		"dirty on another driver": {func(_ *inventory.Host, c *inventory.Container) {
			c.Layer, c.Inspect.GraphDriver.Name = dirty, "vfs"
		}, "1 file in the writable layer cannot be carried over with storage driver vfs"},
		"clean on another driver": {func(_ *inventory.Host, c *inventory.Container) { c.Inspect.GraphDriver.Name = "vfs" }, ""},
		"compose":                 {func(_ *inventory.Host, c *inventory.Container) { own(c, inventory.OwnedByCompose, "shop/web") }, ""},
		"compose and dirty": {func(_ *inventory.Host, c *inventory.Container) {
			own(c, inventory.OwnedByCompose, "shop/web")
			c.Layer = dirty
		}, "(/etc/app.conf) would be lost at the next docker compose up"},
		"swarm":      {func(_ *inventory.Host, c *inventory.Container) { own(c, inventory.OwnedBySwarm, "web") }, "docker service update --cap-drop ALL web"},
		"kubernetes": {func(_ *inventory.Host, c *inventory.Container) { own(c, inventory.OwnedByKubernetes, "ns/pod") }, "pod ns/pod"},
		"systemd":    {func(_ *inventory.Host, c *inventory.Container) { own(c, inventory.OwnedBySystemd, "web.service") }, "add --cap-drop=ALL to docker run (systemctl edit --full web.service)"},
		"nomad":      {func(_ *inventory.Host, c *inventory.Container) { own(c, inventory.OwnedByNomad, "web") }, "owned by Nomad task web"},
		"podman":     {func(h *inventory.Host, _ *inventory.Container) { h.Engine.Product = "podman" }, "the engine is podman"},
		"bind source missing": {func(h *inventory.Host, c *inventory.Container) {
			c.Inspect.Mounts = []inventory.Mount{{Type: "bind", Source: "/srv/x"}}
			h.Files = map[string]inventory.File{"/srv/x": {}}
		}, "bind source /srv/x is missing"},
		"bind source there": {func(h *inventory.Host, c *inventory.Container) {
			c.Inspect.Mounts = []inventory.Mount{{Type: "bind", Source: "/srv/x"}}
			h.Files = map[string]inventory.File{"/srv/x": {Exists: true}}
		}, ""},
		"this tool": {func(_ *inventory.Host, c *inventory.Container) {
			c.Proc = &inventory.Proc{All: []inventory.Process{{Name: "sh"}, {Name: "docker-harden"}}}
		}, "this tool runs in it"},
		"this tool by its control group": {func(_ *inventory.Host, c *inventory.Container) { c.Self = true }, "this tool runs in it"},
		"several": {func(_ *inventory.Host, c *inventory.Container) {
			c.Inspect.HostConfig.AutoRemove, c.Inspect.Image = true, "other"
		}, "anonymous volumes; its image"},
	} {
		t.Run(name, func(t *testing.T) {
			h := hostOf(container("web"))
			c.edit(h, &h.Containers[0])
			f := only(t, h, wants("c", recreate))
			blocked := c.want != ""
			if (f.Blocked != "") != blocked || !strings.Contains(f.Blocked, c.want) {
				t.Errorf("blocked %q, want %q", f.Blocked, c.want)
			}
			if f.Status != plan.Fail || (len(f.Changes) == 0) != blocked {
				t.Errorf("%s with changes %v", f.Status, f.Changes)
			}
			if wanted := strings.Contains(f.Blocked, "web.service") || strings.Contains(f.Blocked, "owned by"); wanted != (len(f.Wanted) == 1) {
				t.Errorf("wanted of its owner: %v", f.Wanted)
			}
			if blocked && (f.Downtime != 0 || f.Risk.Level != "") {
				t.Errorf("a blocked finding has downtime %g and risk %v", f.Downtime, f.Risk)
			}
		})
	}
}

func stopped(c *inventory.Container, status string) {
	c.Inspect.State.Running, c.Inspect.State.Status = false, status
}

func own(c *inventory.Container, kind inventory.OwnerKind, name string) {
	c.Owner = inventory.Owner{Kind: kind, Name: name}
}

// TestLiveUpdates are possible where a recreate is not, except where another tool owns the container.
func TestLiveUpdates(t *testing.T) {
	for name, c := range map[string]struct {
		edit edit
		want string
	}{
		"exited":      {func(_ *inventory.Host, c *inventory.Container) { stopped(c, "exited") }, ""},
		"auto remove": {func(_ *inventory.Host, c *inventory.Container) { c.Inspect.HostConfig.AutoRemove = true }, ""},
		"dirty":       {func(_ *inventory.Host, c *inventory.Container) { c.Layer = nil }, ""},
		"compose":     {func(_ *inventory.Host, c *inventory.Container) { own(c, inventory.OwnedByCompose, "shop/web") }, ""},
		"swarm":       {func(_ *inventory.Host, c *inventory.Container) { own(c, inventory.OwnedBySwarm, "web") }, "docker service update --limit-memory 1b web"},
		"systemd":     {func(_ *inventory.Host, c *inventory.Container) { own(c, inventory.OwnedBySystemd, "web.service") }, "web.service"},
		"dead":        {func(_ *inventory.Host, c *inventory.Container) { stopped(c, "dead") }, "dead"},
	} {
		t.Run(name, func(t *testing.T) {
			h := hostOf(container("web"))
			c.edit(h, &h.Containers[0])
			f := only(t, h, wants("c", live))
			if (f.Blocked != "") != (c.want != "") || !strings.Contains(f.Blocked, c.want) {
				t.Errorf("blocked %q, want %q", f.Blocked, c.want)
			}
			if f.Downtime != 0 {
				t.Errorf("a live update has downtime %g", f.Downtime)
			}
		})
	}
}

func TestPriceOfARecreate(t *testing.T) {
	timeout := func(s int) *int { return &s }
	for name, c := range map[string]struct {
		edit     edit
		downtime float64
		level    plan.RiskLevel
		want     string // in reasons or notes
	}{
		"running": {func(*inventory.Host, *inventory.Container) {}, 1.5, "", ""},
		"created": {func(_ *inventory.Host, c *inventory.Container) { stopped(c, "created") }, 0, "", ""},
		"paused":  {func(_ *inventory.Host, c *inventory.Container) { c.Inspect.State.Paused = true }, 1.5, "", "paused again"},
		"dirty": {func(_ *inventory.Host, c *inventory.Container) {
			c.Layer = &inventory.Layer{Files: 7, Truncated: true, Paths: []string{"/a", "/b\n", "/c", "/d", "/e", "/f"}}
		}, 1.5, plan.RiskMedium, `at least 7 files in the writable layer carried over: /a, "/b\n", /c, /d, /e, …`},
		"compose":         {func(_ *inventory.Host, c *inventory.Container) { own(c, inventory.OwnedByCompose, "shop/web") }, 1.5, plan.RiskMedium, "undone by: docker compose up if the file of Compose project shop changes"},
		"stops slowly":    {func(_ *inventory.Host, c *inventory.Container) { c.Inspect.Config.StopTimeout = timeout(120) }, 1.5, "", "up to 120 s to stop"},
		"stops as others": {func(_ *inventory.Host, c *inventory.Container) { c.Inspect.Config.StopTimeout = timeout(5) }, 1.5, "", ""},
		"port of the engine's choice": {func(_ *inventory.Host, c *inventory.Container) {
			c.Inspect.HostConfig.PortBindings = map[string][]inventory.Port{"80/tcp": {{HostPort: "80"}}, "53/udp": {{}}, "22/tcp": {{HostPort: "0"}}}
		}, 1.5, "", "will be another one: 22/tcp, 53/udp"},
		"all ports": {func(_ *inventory.Host, c *inventory.Container) { c.Inspect.HostConfig.PublishAllPorts = true }, 1.5, "", "will be others"},
	} {
		t.Run(name, func(t *testing.T) {
			h := hostOf(container("web"))
			c.edit(h, &h.Containers[0])
			f := only(t, h, wants("c", recreate))
			words := append(append([]string(nil), f.Risk.Reasons...), f.Notes...)
			if f.Downtime != c.downtime || f.Risk.Level != c.level {
				t.Errorf("downtime %g risk %q, want %g and %q", f.Downtime, f.Risk.Level, c.downtime, c.level)
			}
			if !strings.Contains(strings.Join(words, "\n"), c.want) || (c.want == "") != (len(words) == 0) {
				t.Errorf("said %q, want %q", words, c.want)
			}
		})
	}
}

// flapping makes a container that its restart policy brought back four times, the last time so long ago.
func flapping(h *inventory.Host, c *inventory.Container, up time.Duration) {
	c.Inspect.State.Running, c.Inspect.RestartCount = true, 4
	c.Inspect.State.StartedAt = h.Taken.Add(-up).Format(time.RFC3339Nano)
}
