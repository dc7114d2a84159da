package control

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

var today = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// container is an ordinary running container that can be recreated.
func container(name string) inventory.Container {
	c := inventory.Container{ID: "id-of-" + name, Name: name, Layer: &inventory.Layer{}}
	c.Inspect.Image, c.Inspect.State.Running, c.Inspect.State.Status = "image", true, "running"
	return c
}

func hostOf(containers ...inventory.Container) *inventory.Host {
	return &inventory.Host{
		Engine:     inventory.Engine{Product: "docker", Version: "28.5.2", Local: true, StorageDriver: "overlay2"},
		Daemon:     inventory.Daemon{PID: 7, ConfigPath: "/etc/docker/daemon.json"},
		Images:     map[string]inventory.Image{"image": {ID: "image"}},
		Containers: containers,
	}
}

// wants is a control that wants changes of every container.
func wants(id string, changes ...plan.Change) Control {
	return Control{ID: id, Container: func(*inventory.Host, *inventory.Container, profile.Params) plan.Finding {
		return plan.Finding{Status: plan.Fail, Message: "wrong", Changes: slices.Clone(changes)}
	}}
}

// wantsOfEngine is a control that wants changes of daemon.json.
func wantsOfEngine(id string, changes ...plan.Change) Control {
	return Control{ID: id, Host: func(*inventory.Host, profile.Params) []plan.Finding {
		return []plan.Finding{{Resource: plan.Daemon(), Status: plan.Fail, Message: "wrong", Changes: slices.Clone(changes)}}
	}}
}

func profileOf(controls ...Control) *profile.Profile {
	p := &profile.Profile{Controls: map[string]profile.Setting{}}
	for _, c := range controls {
		p.Controls[c.ID] = profile.Setting{}
	}
	return p
}

var (
	recreate = plan.Change{Path: "HostConfig.CapDrop", To: []byte(`["ALL"]`), Kind: plan.KindRecreate}
	live     = plan.Change{Path: "HostConfig.Memory", To: []byte("1"), Kind: plan.KindUpdate}
)

// only judges one control on a host and gives its only finding.
func only(t *testing.T, h *inventory.Host, c Control) plan.Finding {
	t.Helper()
	findings := Evaluate(h, profileOf(c), []Control{c}, today)
	if len(findings) != 1 {
		t.Fatalf("%d findings, want 1: %v", len(findings), findings)
	}
	return findings[0]
}

func TestFindingsAreInOrder(t *testing.T) {
	file := Control{ID: "d", Host: func(*inventory.Host, profile.Params) []plan.Finding {
		return []plan.Finding{{Resource: plan.File("/b"), Status: plan.Pass}, {Resource: plan.File("/a"), Status: plan.Pass}}
	}}
	controls := []Control{wants("z"), wants("a"), file, wantsOfEngine("e")}
	h := hostOf(container("web"), container("db"))
	var got []string
	for _, f := range Evaluate(h, profileOf(controls...), controls, today) {
		got = append(got, f.Resource.String()+" "+f.Control)
	}
	want := []string{"daemon e", "host/a d", "host/b d", "container/db z", "container/db a", "container/web z", "container/web a"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyWhatTheProfileTurnsOn(t *testing.T) {
	on, off := wants("on"), wants("off")
	p := profileOf(on)
	p.Overrides = []profile.Override{{Match: "web*", Controls: map[string]profile.OverrideSetting{"on": {Off: true}}}}
	var got []string
	for _, f := range Evaluate(hostOf(container("db"), container("web1")), p, []Control{on, off, wantsOfEngine("engine")}, today) {
		got = append(got, f.Resource.String()+" "+f.Control)
	}
	if diff := cmp.Diff([]string{"container/db on"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestParamsReachTheCheck(t *testing.T) {
	c := Control{
		ID: "c", Params: []profile.Param{{Name: "n", Type: profile.TypeInt, Default: int64(1)}},
		Container: func(_ *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
			return plan.Finding{Status: plan.Pass, Message: strings.Repeat("x", int(p.Int("n")))}
		},
	}
	p := profileOf(c)
	p.Overrides = []profile.Override{{Match: "web", Controls: map[string]profile.OverrideSetting{"c": {Params: profile.Params{"n": int64(3)}}}}}
	var got []string
	for _, f := range Evaluate(hostOf(container("db"), container("web")), p, []Control{c}, today) {
		got = append(got, f.Message)
	}
	if diff := cmp.Diff([]string{"x", "xxx"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatCouldNotBeJudgedIsUnknown(t *testing.T) {
	broken := container("web")
	broken.Problem = "timeout"
	nilMap := func(*inventory.Host, *inventory.Container, profile.Params) plan.Finding {
		fill := func(m map[string]int) { m["x"] = 1 }
		fill(nil)
		return plan.Finding{}
	}
	secret := func(*inventory.Host, *inventory.Container, profile.Params) plan.Finding {
		panic(errors.New("PASSWORD=hunter2"))
	}
	none := func(*inventory.Host, profile.Params) []plan.Finding { return nil }
	for name, c := range map[string]struct {
		host    *inventory.Host
		control Control
		want    string
	}{
		"not inspected":  {hostOf(broken), wants("c"), "it could not be inspected: timeout"},
		"panic":          {hostOf(container("web")), Control{ID: "c", Container: nilMap}, "internal error in control c: assignment to entry in nil map"},
		"panic with any": {hostOf(container("web")), Control{ID: "c", Container: secret}, "internal error in control c: it stopped"},
		"no verdict":     {hostOf(), Control{ID: "c", Host: none}, "internal error in control c: it gave no verdict"},
	} {
		t.Run(name, func(t *testing.T) {
			f := only(t, c.host, c.control)
			if f.Status != plan.Unknown || f.Message != c.want || len(f.Changes) > 0 {
				t.Errorf("%s %q, want unknown %q", f.Status, f.Message, c.want)
			}
		})
	}
}

func TestNoContainers(t *testing.T) {
	if f := only(t, hostOf(), wants("c")); f.Status != plan.NotApplicable || f.Resource != plan.Daemon() {
		t.Errorf("%+v", f)
	}
	h := hostOf()
	h.Problems = []plan.Problem{{Subject: "containers", Reason: "permission denied", Fatal: true}}
	if f := only(t, h, wants("c")); f.Status != plan.Unknown || !strings.Contains(f.Message, "permission denied") {
		t.Errorf("%+v", f)
	}
}

func TestExceptions(t *testing.T) {
	at := func(day string) time.Time {
		d, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for name, c := range map[string]struct {
		exception profile.Exception
		status    plan.Status
		message   string
	}{
		"covers":            {profile.Exception{Control: "c", Target: "container/w*", Owner: "ops", Reason: "r"}, plan.Excepted, "wrong"},
		"until today":       {profile.Exception{Control: "c", Target: "container/web", Owner: "ops", Expires: at("2026-06-01")}, plan.Excepted, "wrong"},
		"expired":           {profile.Exception{Control: "c", Target: "container/web", Owner: "ops", Expires: at("2026-05-31")}, plan.Fail, "wrong; the exception by ops expired on 2026-05-31"},
		"another control":   {profile.Exception{Control: "d", Target: "container/web", Owner: "ops"}, plan.Fail, "wrong"},
		"another container": {profile.Exception{Control: "c", Target: "container/db", Owner: "ops"}, plan.Fail, "wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			control := wants("c", recreate)
			p := profileOf(control)
			p.Exceptions = []profile.Exception{c.exception}
			f := Evaluate(hostOf(container("web")), p, []Control{control}, today)[0]
			if f.Status != c.status || f.Message != c.message {
				t.Errorf("%s %q, want %s %q", f.Status, f.Message, c.status, c.message)
			}
			if excepted := c.status == plan.Excepted; (len(f.Changes) == 0) != excepted || (f.Exception != nil) != excepted || (f.Downtime == 0) != excepted {
				t.Errorf("changes %v exception %v downtime %g", f.Changes, f.Exception, f.Downtime)
			}
		})
	}
}

func TestAnExceptionDoesNotHideWhatIsUnknown(t *testing.T) {
	broken := container("web")
	broken.Problem = "timeout"
	p := profileOf(wants("c"))
	p.Exceptions = []profile.Exception{{Control: "c", Target: "container/web"}}
	if f := Evaluate(hostOf(broken), p, []Control{wants("c")}, today)[0]; f.Status != plan.Unknown {
		t.Errorf("%+v", f)
	}
}

func TestRulesAndCatalog(t *testing.T) {
	c := Control{ID: "c", Title: "t", Why: "w", Risk: "r", Refs: map[string]string{"stride": "E"}, Params: []profile.Param{{Name: "p"}}}
	rule := Rules([]Control{c})["c"]
	if diff := cmp.Diff(plan.Rule{ID: "c", Title: "t", Why: "w", Risk: "r", Refs: map[string]string{"stride": "E"}}, rule); diff != "" {
		t.Error(diff)
	}
	rule.Refs["stride"] = "changed"
	if c.Refs["stride"] != "E" {
		t.Error("a rule shares its references with the control")
	}
	if diff := cmp.Diff(profile.Catalog{"c": {{Name: "p"}}}, Catalog([]Control{c})); diff != "" {
		t.Error(diff)
	}
}

func exceptionFor(control, target string) profile.Exception {
	return profile.Exception{Control: control, Target: target, Owner: "ops", Reason: "r"}
}

func TestKeptContainersAreNotJudged(t *testing.T) {
	for name, c := range map[string]struct {
		name    string
		running bool
		kept    bool
	}{
		"old":                 {"web.dh-5b34b986-old", false, true},
		"new":                 {"web.dh-5b34b986-new", false, true},
		"put aside":           {"web.dh-5b34b986-aside", false, true},
		"running":             {"web.dh-5b34b986-old", true, false},
		"another name":        {"web-old", false, false},
		"in the middle":       {"web.dh-5b34b986-old.2", false, false},
		"not of the tool":     {"web.dh-production-old", false, false},
		"no container before": {".dh-5b34b986-older", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := hostOf(container(c.name))
			if !c.running {
				stopped(&h.Containers[0], "exited")
			}
			f := only(t, h, wants("c", live))
			if kept := f.Status == plan.NotApplicable; kept != c.kept || kept != (len(f.Changes) == 0) {
				t.Errorf("%s with changes %v", f.Status, f.Changes)
			}
		})
	}
}
