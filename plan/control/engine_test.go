package control

import (
	"encoding/json"
	"io/fs"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

var (
	restart    = plan.Change{Path: "log-level", To: []byte(`"info"`), Kind: plan.KindRestart}
	reload     = plan.Change{Path: "insecure-registries", To: []byte("[]"), Kind: plan.KindReload}
	keepAlive  = plan.Change{Path: "live-restore", To: []byte("true"), Kind: plan.KindReload}
	brokenJSON = `line 2: key "icc" is there twice`
)

// place gives the directory of daemon.json an owner and a mode.
func place(uid int, mode fs.FileMode) func(h *inventory.Host) {
	return func(h *inventory.Host) {
		h.Daemon.Resolved = "/etc/docker/daemon.json"
		h.Files = map[string]inventory.File{"/etc/docker": {Exists: true, Type: inventory.TypeDirectory, UID: uid, Mode: mode}}
	}
}

func TestWhatBlocksTheEngine(t *testing.T) {
	for name, c := range map[string]struct {
		edit            func(h *inventory.Host)
		restart, reload string // in Blocked; empty: not blocked
	}{
		"ordinary":      {func(*inventory.Host) {}, "", ""},
		"remote":        {func(h *inventory.Host) { h.Engine.Local = false }, "run docker-harden there", "run docker-harden there"},
		"podman":        {func(h *inventory.Host) { h.Engine.Product = "podman" }, "podman", "podman"},
		"invalid file":  {func(h *inventory.Host) { h.Daemon.ParseError = brokenJSON }, brokenJSON, brokenJSON},
		"pending":       {func(h *inventory.Host) { h.Daemon.Pending = true }, "was changed after the engine started", "was changed after the engine started"},
		"loose place":   {place(0, 0o775), "others than root may write to /etc/docker", "others than root may write to /etc/docker"},
		"user's place":  {place(1000, 0o755), "others than root may write to /etc/docker", "others than root may write to /etc/docker"},
		"root's place":  {place(0, 0o755), "", ""},
		"flag":          {flags("log-level"), "the flag --log-level on the engine's command line (process 7)", ""},
		"list flag":     {flags("insecure-registries"), "", "the flag --insecure-registry"},
		"authorization": {flags("authorization-plugins"), "", "--authorization-plugin"},
		"downloads":     {flags("max-concurrent-downloads"), "", "--max-concurrent-downloads"},
		"uploads":       {flags("max-concurrent-uploads"), "", "--max-concurrent-uploads"},
		"attempts":      {flags("max-download-attempts"), "", "--max-download-attempts"},
		"feature":       {flags("features"), "", "--feature"},
		"harmless flag": {flags("hosts"), "", ""},
		"manager":       {func(h *inventory.Host) { h.Daemon.Manager = "unknown" }, "how this engine is restarted", ""},
		"swarm":         {func(h *inventory.Host) { h.Engine.Swarm, h.Engine.LiveRestore = "active", true }, "would not start again", ""},
		"swarm, file": {func(h *inventory.Host) {
			h.Engine.Swarm, h.Daemon.Keys = "pending", map[string]json.RawMessage{"live-restore": []byte("true")}
		}, "would not start again", ""},
		"running flag": {func(h *inventory.Host) {
			h.Daemon.Argv = []string{"dockerd", "--authorization-plugin=opa"}
			h.Daemon.NextArgv = []string{"dockerd"}
		}, "line was changed after it started (--authorization-plugin; see process 7): the restart would also activate that", "a reload would drop or reset what the flag --authorization-plugin gives"},
		"edited options": {func(h *inventory.Host) {
			h.Daemon.Unit = "docker.service"
			h.Daemon.Argv = []string{"dockerd", "-H", "fd://", "--debug"}
			h.Daemon.NextArgv = []string{"dockerd", "-H", "fd://", "--label=a=b", "--debug=false"}
		}, "(--debug, --label; see systemctl cat docker.service)", ""},
		"same options in other words": {func(h *inventory.Host) {
			h.Daemon.Argv = []string{"/usr/bin/dockerd", "-D", "-H", "fd://"}
			h.Daemon.NextArgv = []string{"dockerd", "--host=fd://", "--debug"}
		}, "", ""},
		"unit": {func(h *inventory.Host) {
			h.Daemon.Unit = "docker.service"
			flags("log-level")(h)
		}, "(systemctl cat docker.service)", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, want := range map[*plan.Change]string{&restart: c.restart, &reload: c.reload} {
				h := hostOf()
				c.edit(h)
				f := only(t, h, wantsOfEngine("c", *kind))
				if (f.Blocked != "") != (want != "") || !strings.Contains(f.Blocked, want) || (len(f.Changes) == 0) != (want != "") {
					t.Errorf("%s: blocked %q with %d changes, want %q", kind.Kind, f.Blocked, len(f.Changes), want)
				}
			}
		})
	}
}

func flags(keys ...string) func(h *inventory.Host) {
	return func(h *inventory.Host) {
		h.Daemon.Flags = map[string][]string{}
		for _, key := range keys {
			h.Daemon.Flags[key] = []string{"x"}
		}
	}
}

// TestContainersLiveThroughARestart when live-restore is on, or turned on by the same plan.
func TestContainersLiveThroughARestart(t *testing.T) {
	turnsOn, wrong := wantsOfEngine("live", keepAlive), wantsOfEngine("level", restart)
	for name, c := range map[string]struct {
		edit     func(h *inventory.Host)
		controls []Control
		downtime float64
		level    plan.RiskLevel
	}{
		"turned on":    {func(*inventory.Host) {}, []Control{turnsOn, wrong}, 0, ""},
		"is on":        {func(h *inventory.Host) { h.Engine.LiveRestore = true }, []Control{wrong}, 0, ""},
		"stays off":    {func(*inventory.Host) {}, []Control{wrong}, 13, plan.RiskHigh},
		"is blocked":   {flags("authorization-plugins"), []Control{turnsOn, wrong}, 13, plan.RiskHigh},
		"turned off":   {func(*inventory.Host) {}, []Control{wantsOfEngine("live", plan.Change{Path: "live-restore", To: []byte("false"), Kind: plan.KindReload}), wrong}, 13, plan.RiskHigh},
		"nothing runs": {func(h *inventory.Host) { stopped(&h.Containers[0], "exited") }, []Control{wrong}, 0, ""},
		"upgrades": {func(h *inventory.Host) {
			h.Engine.LiveRestore, h.Daemon.ExeDeleted, h.Daemon.Exe = true, true, "/usr/bin/dockerd"
		}, []Control{wrong}, 0, plan.RiskHigh},
		"stops slowly": {func(h *inventory.Host) {
			slow := 60
			h.Containers[0].Inspect.Config.StopTimeout = &slow
		}, []Control{wrong}, 63, plan.RiskHigh},
	} {
		t.Run(name, func(t *testing.T) {
			h := hostOf(container("web"))
			c.edit(h)
			for _, f := range Evaluate(h, profileOf(c.controls...), c.controls, today) {
				if f.Control != "level" {
					continue
				}
				if f.Downtime != c.downtime || f.Risk.Level != c.level {
					t.Errorf("downtime %g risk %v, want %g and %q", f.Downtime, f.Risk, c.downtime, c.level)
				}
			}
		})
	}
}

// TestAnExceptedLiveRestoreIsNotTurnedOn: the restart then stops the containers.
func TestAnExceptedLiveRestoreIsNotTurnedOn(t *testing.T) {
	controls := []Control{wantsOfEngine("live", keepAlive), wantsOfEngine("level", restart)}
	p := profileOf(controls...)
	p.Exceptions = append(p.Exceptions, exceptionFor("live", "daemon"))
	for _, f := range Evaluate(hostOf(container("web")), p, controls, today) {
		if f.Control == "level" && f.Downtime == 0 {
			t.Errorf("the restart is said to stop nothing: %+v", f)
		}
	}
}

func TestContainersThatARestartRemoves(t *testing.T) {
	for name, c := range map[string]struct {
		version string
		live    bool
		blocked bool
	}{
		"old":               {"20.10.24+dfsg1", true, true},
		"just before":       {"24.0.7", true, true},
		"repaired":          {"24.0.8", true, false},
		"new":               {"28.5.2", true, false},
		"without":           {"28.5.2", false, true},
		"unreadable":        {"dev", true, true},
		"old without":       {"20.10.24", false, true},
		"two numbers":       {"25.0", true, false},
		"first of a series": {"25.0.0-rc.1", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := hostOf(container("job"), container("web"))
			h.Containers[0].Inspect.HostConfig.AutoRemove = true
			h.Engine.Version, h.Engine.LiveRestore = c.version, c.live
			f := only(t, h, wantsOfEngine("c", restart))
			if blocked := strings.Contains(f.Blocked, "--rm: job;"); blocked != c.blocked {
				t.Errorf("blocked %q, want %v", f.Blocked, c.blocked)
			}
		})
	}
}

func TestSecretsOfFlagsAreNotPrinted(t *testing.T) {
	h := hostOf()
	h.Daemon.NextArgv = []string{"dockerd", "--log-level=debug", "--log-opt", "splunk-token=hunter2"}
	flags("log-level", "log-opts")(h)
	if f := only(t, h, wantsOfEngine("c", restart)); strings.Contains(f.Blocked, "hunter2") || f.Blocked == "" {
		t.Errorf("blocked %q", f.Blocked)
	}
}

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]struct {
		v  [3]int
		ok bool
	}{
		"20.10.24+dfsg1": {[3]int{20, 10, 24}, true}, "24.0.9-1": {[3]int{24, 0, 9}, true}, "28.5": {[3]int{28, 5, 0}, true},
		"29.0.0-rc.1": {[3]int{29, 0, 0}, true}, "25.0.x": {[3]int{25, 0, 0}, true}, "28": {[3]int{28, 0, 0}, false}, "": {[3]int{}, false}, "dev": {[3]int{}, false}, "24.x": {[3]int{24, 0, 0}, false},
	} {
		if v, ok := ParseVersion(text); v != want.v || ok != want.ok {
			t.Errorf("%q: %v %v, want %v %v", text, v, ok, want.v, want.ok)
		}
	}
}
