package control

import (
	"fmt"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// composed makes a container of a Compose project.
func composed(service, dependsOn string) inventory.Container {
	c := container(service)
	c.Inspect.Config.Labels = map[string]string{composeProject: "shop", composeService: service, composeDependsOn: dependsOn}
	return c
}

// said prints who is bound to whom.
func said(list []plan.Bound) string {
	var b strings.Builder
	for _, one := range list {
		for _, bind := range one.Binds {
			how := "restart"
			if bind.Remade {
				how = "remade"
			}
			fmt.Fprintf(&b, "%s: %s of %s, %s\n", one.Resource.Name, bind.By, bind.To.Name, how)
		}
	}
	return b.String()
}

func TestBound(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(c *inventory.Container)
		want string
	}{
		"network":           {func(c *inventory.Container) { c.Inspect.HostConfig.NetworkMode = "container:id-of-web" }, "network of web, remade"},
		"processes by name": {func(c *inventory.Container) { c.Inspect.HostConfig.PidMode = "container:web" }, "pid of web, remade"},
		"ipc":               {func(c *inventory.Container) { c.Inspect.HostConfig.IpcMode = "container:id-of-web" }, "ipc of web, remade"},
		"volumes by name":   {func(c *inventory.Container) { c.Inspect.HostConfig.VolumesFrom = []string{"web:ro"} }, "volumes-from of web, restart"},
		"volumes by id":     {func(c *inventory.Container) { c.Inspect.HostConfig.VolumesFrom = []string{"id-of-web"} }, "volumes-from of web, remade"},
		"link":              {func(c *inventory.Container) { c.Inspect.HostConfig.Links = []string{"/web:/side/w"} }, "link w of web, remade"},
		"a name on a network": {func(c *inventory.Container) {
			c.Inspect.HostConfig.NetworkMode, c.Inspect.HostConfig.Links = "front", []string{"web:w"}
		}, ""},
		"volumes, standing": {func(c *inventory.Container) {
			c.Inspect.HostConfig.VolumesFrom = []string{"web"}
			stopped(c, "created")
		}, ""},
		"network, created": {func(c *inventory.Container) {
			c.Inspect.HostConfig.NetworkMode = "container:web"
			stopped(c, "created")
		}, "network of web, remade"},
		"itself": {func(c *inventory.Container) { c.Inspect.HostConfig.NetworkMode = "container:side" }, ""},
		"kept for a rollback": {func(c *inventory.Container) {
			c.Name, c.Inspect.HostConfig.NetworkMode = "side.dh-0123abcd-old", "container:web"
			stopped(c, "exited")
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			side := container("side")
			test.edit(&side)
			got := strings.TrimSuffix(strings.TrimPrefix(said(Bound(hostOf(side, container("web")), nil, nil)), "side: "), "\n")
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestBoundByCompose(t *testing.T) {
	once := composed("migrate", "db:service_started:false")
	once.Inspect.Config.Labels[composeOneOff] = "True"
	other := composed("db", "")
	other.ID, other.Name, other.Inspect.Config.Labels[composeProject] = "other", "other", "blog"
	down := composed("cron", "db")
	stopped(&down, "exited")
	h := hostOf(composed("db", ""), composed("app", "db:service_healthy:true, cache"), composed("cache", ""), composed("web", "app:service_started:false"), once, other, down)
	want := "app: depends_on of db, restart\napp: depends_on of cache, restart\nweb: depends_on of app, restart\n"
	if got := said(Bound(h, nil, nil)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestShortIdAndNobody(t *testing.T) {
	long := container("web")
	long.ID = strings.Repeat("ab", 32)
	long.Inspect.HostConfig.NetworkMode = "container:" + long.ID
	short := container("side")
	short.Inspect.HostConfig.NetworkMode = "container:" + long.ID[:12]
	gone := container("gone")
	gone.Inspect.HostConfig.NetworkMode = "container:nobody"
	if got := said(Bound(hostOf(long, short, gone), nil, nil)); got != "side: network of web, remade\n" {
		t.Error(got)
	}
}

// Whatever would be taken along and cannot be, blocks the recreate, and the reason names the way to it.
func TestTakenAlongOrBlocked(t *testing.T) {
	guest := func(edit func(c *inventory.Container)) []inventory.Container {
		c := container("guest")
		c.Inspect.HostConfig.NetworkMode = "container:web"
		edit(&c)
		return []inventory.Container{c}
	}
	chain := func(edit func(c *inventory.Container)) []inventory.Container {
		c := container("far")
		c.Inspect.HostConfig.VolumesFrom = []string{"guest"}
		edit(&c)
		return append(guest(func(*inventory.Container) {}), c)
	}
	for name, test := range map[string]struct {
		others []inventory.Container
		want   string // in Blocked of web; empty: it can be made
	}{
		"compliant":      {guest(func(*inventory.Container) {}), ""},
		"created":        {guest(func(c *inventory.Container) { stopped(c, "created") }), ""},
		"a chain":        {chain(func(*inventory.Container) {}), ""},
		"exited":         {guest(func(c *inventory.Container) { stopped(c, "exited") }), "container guest is bound to it (network) and cannot be recreated with it: it has exited"},
		"auto remove":    {guest(func(c *inventory.Container) { c.Inspect.HostConfig.AutoRemove = true }), "it was started with --rm"},
		"foreign":        {guest(func(c *inventory.Container) { own(c, inventory.OwnedBySystemd, "guest.service") }), "it is owned by systemd guest.service"},
		"unread layer":   {guest(func(c *inventory.Container) { c.Layer = nil }), "its writable layer could not be read"},
		"dead":           {guest(func(c *inventory.Container) { stopped(c, "dead") }), "it is dead"},
		"not inspected":  {guest(func(c *inventory.Container) { c.Problem = "timeout" }), "could not be inspected: timeout"},
		"far --rm":       {chain(func(c *inventory.Container) { c.Inspect.HostConfig.AutoRemove = true }), "container far is bound to it through container guest (volumes-from) and cannot be stopped and started with it: it was started with --rm"},
		"far restarting": {chain(func(c *inventory.Container) { c.Inspect.State.Restarting = true }), "restart loop"},
		"far this tool": {chain(func(c *inventory.Container) {
			c.Proc = &inventory.Proc{All: []inventory.Process{{Name: "docker-harden"}}}
		}), "this tool runs in it"},
	} {
		t.Run(name, func(t *testing.T) {
			c := wants("c", recreate)
			h := hostOf(append(test.others, container("web"))...)
			findings := Evaluate(h, profileOf(c), []Control{c}, today)
			f := findings[len(findings)-1]
			if f.Resource.Name != "web" || (f.Blocked != "") != (test.want != "") || !strings.Contains(f.Blocked, test.want) {
				t.Errorf("%s blocked %q, want %q", f.Resource.Name, f.Blocked, test.want)
			}
		})
	}
}

// A circle does not end in an endless loop, and a better bond found later counts.
func TestTakenEnds(t *testing.T) {
	a, b, c := container("a"), container("b"), container("c")
	a.Inspect.HostConfig.VolumesFrom = []string{"c"}
	b.Inspect.HostConfig.VolumesFrom = []string{"a"}
	c.Inspect.HostConfig.VolumesFrom, c.Inspect.HostConfig.NetworkMode = []string{"b"}, "container:a"
	h := hostOf(a, b, c)
	taken := bondsOf(h).taken(&h.Containers[0])
	if len(taken) != 2 || taken[0].from.Name != "b" || taken[1].from.Name != "c" || !taken[1].Remade {
		t.Errorf("%+v", taken)
	}
}

// A live update of a provider takes nobody along.
func TestLiveUpdateOfAProvider(t *testing.T) {
	side := container("side")
	side.Inspect.HostConfig.NetworkMode, side.Inspect.HostConfig.AutoRemove = "container:web", true
	c := wants("c", live)
	for _, f := range Evaluate(hostOf(side, container("web")), profileOf(c), []Control{c}, today) {
		if f.Blocked != "" || len(f.Changes) == 0 {
			t.Errorf("%s: %q", f.Resource, f.Blocked)
		}
	}
}

// What is taken along costs what its own recreate would, and keeps the privileges it has.
func TestPriceOfTakingAlong(t *testing.T) {
	side := container("side")
	side.Inspect.HostConfig.NetworkMode = "container:web"
	side.Layer = &inventory.Layer{Files: 1, Paths: []string{"/a"}}
	own(&side, inventory.OwnedByCompose, "shop/side")
	side.Proc = &inventory.Proc{}
	h := hostOf(side, container("web"))
	engine := wantsOfEngine("e", plan.Change{Path: OptNoNewPrivileges, To: []byte("true"), Kind: plan.KindRestart})
	got := Bound(h, nil, Evaluate(h, profileOf(engine), []Control{engine}, today))
	if len(got) != 1 || got[0].Downtime != recreateDowntime || got[0].Reversibility != plan.Functional || len(got[0].Risk.Reasons) != 2 {
		t.Fatalf("%+v", got)
	}
	if keeps := got[0].Keeps; len(keeps) != 1 || keeps[0].Path != securityOptPath || string(keeps[0].To) != `["no-new-privileges:false"]` {
		t.Errorf("keeps %+v", keeps)
	}
	refuse := &profile.Profile{Recreate: profile.Recreate{WritableLayer: plan.LayerRefuse}}
	if got[0].WritableLayer != "" || Bound(h, refuse, nil)[0].WritableLayer != plan.LayerRefuse {
		t.Error("what the profile says of its writable layer is not in what it costs to take it along")
	}
	if got := Bound(h, nil, nil); len(got[0].Keeps) != 0 {
		t.Errorf("keeps %+v without a reason", got[0].Keeps)
	}
}
