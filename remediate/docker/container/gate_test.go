package container

import (
	"strings"
	"testing"
	"time"

	"docker-harden/plan/inventory"
)

// quick containers end at once on SIGTERM.
const tail = "; trap exit TERM; sleep 999 & wait"

func TestGatePorts(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", "-p", "127.0.0.1:8090:80", "-p", "127.0.0.1:8091:81", h.Image(t, "busybox"),
		"sh", "-c", "mkdir -p /www; chown 5 /www && httpd -p 80 -h /www"+tail)
	eventually(t, "it answers", func() bool { return len(answering(t.Context(), look(t, h, "web"))) == 1 })
	was := remember(t, h, "web")
	r := recreator(t, h)
	step := hardening(t, h, "web")
	rec := done(t, r, step) // 81 did not answer before, so it need not now
	if got := answering(t.Context(), look(t, h, "web")); len(got) != 1 || got[0] != "80/tcp" {
		t.Errorf("ports that answer: %q", got)
	}
	undone(t, r, step, rec)
	was.isBack(t, h)

	gate := failed(t, r, stepFor(t, h, "web", change("CapDrop", "null", `["CAP_CHOWN"]`)))
	contains(t, gate.What, "lost httpd")
	if gate.Capability != "CHOWN" {
		t.Errorf("%v", gate)
	}
	was.isBack(t, h)
}

func TestGateHealth(t *testing.T) {
	h := Here(t)
	check := []string{"--health-interval", "100ms", "--health-retries", "8", "--health-cmd", "test -e /run/well", "--tmpfs", "/run"}
	h.Docker(t, append(append([]string{"run", "-d", "--name", "web"}, check...), h.Image(t, "busybox"), "sh", "-c", "sleep 0.3; mknod /run/new p; chown 5 /run/new && mv /run/new /run/well"+tail)...)
	eventually(t, "it is healthy", func() bool { return look(t, h, "web").health() == healthy })
	was := remember(t, h, "web")
	r := recreator(t, h)
	step := stepFor(t, h, "web", change("CapDrop", "null", `["CAP_MKNOD"]`))
	rec := done(t, r, step)
	if got := look(t, h, "web").health(); got != healthy {
		t.Errorf("the gate passed while it was %s", got)
	}
	undone(t, r, step, rec)
	eventually(t, "it is healthy", func() bool { return look(t, h, "web").health() == healthy })
	was.isBack(t, h)

	gate := failed(t, r, stepFor(t, h, "web", change("CapDrop", "null", `["CAP_CHOWN"]`)))
	contains(t, gate.What, "healthy") // it became unhealthy, or on a busy machine had no time to become even that
	eventually(t, "it is healthy", func() bool { return look(t, h, "web").health() == healthy })
	was.isBack(t, h)
}

// A server whose workers cannot start still runs and still accepts connections.
func TestGateLostWorker(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", "-p", "127.0.0.1:8092:80", h.Image(t, "nginx"))
	eventually(t, "its worker runs", func() bool { return len(users(procOf(t, look(t, h, "web")))["nginx"]) >= 2 })
	was := remember(t, h, "web")
	gate := failed(t, recreator(t, h), stepFor(t, h, "web", change("CapDrop", "null", `["CAP_SETGID"]`)))
	t.Log(gate)
	if gate.Capability != "SETGID" {
		t.Errorf("capability %q", gate.Capability)
	}
	was.isBack(t, h)
}

func TestHealthTime(t *testing.T) {
	x := &swap{r: &Recreator{Options: Options{HealthTimeout: 10 * time.Minute}}, new: &state{}}
	if got := x.healthTime(); got != 0 {
		t.Errorf("without a check: %s", got)
	}
	x.new.Config.Healthcheck = &healthcheck{}
	if got := x.healthTime(); got != 4*time.Minute {
		t.Errorf("with the engine's defaults: %s", got)
	}
	x.new.Config.Healthcheck = &healthcheck{StartPeriod: time.Hour, Interval: time.Second, Timeout: time.Second, Retries: 1}
	if got := x.healthTime(); got != 10*time.Minute {
		t.Errorf("with a long start: %s", got)
	}
}

func TestTruth(t *testing.T) {
	limit := func(n int64) *int64 { return &n }
	standardSet := mask(standard)
	before := &inventory.Proc{Init: inventory.Process{CapBnd: standardSet, Seccomp: 2}}
	tests := []struct {
		name    string
		old     func(*state)
		set     func(*state)
		after   inventory.Proc
		changed []string
		want    string
	}{
		{name: "as before", after: proc(standardSet, 2, false)},
		{name: "no process", after: inventory.Proc{Init: inventory.Process{CapBnd: standardSet, Seccomp: 2}}, want: "no process"},
		{name: "privileges may be gained", set: func(c *state) { c.HostConfig.SecurityOpt = []string{"no-new-privileges"} }, after: proc(standardSet, 2, false), want: "may gain privileges"},
		{name: "last option wins", set: func(c *state) { c.HostConfig.SecurityOpt = []string{"no-new-privileges", "no-new-privileges:false"} }, after: proc(standardSet, 2, false)},
		{
			name: "capability kept", set: func(c *state) { c.HostConfig.CapDrop = []string{"all"}; c.HostConfig.CapAdd = []string{"chown"} },
			after: proc(mask([]string{"CHOWN", "KILL"}), 2, false), want: "still has KILL",
		},
		{name: "capability dropped", set: func(c *state) { c.HostConfig.CapDrop = []string{"all"}; c.HostConfig.CapAdd = []string{"CAP_CHOWN"} }, after: proc(mask([]string{"CHOWN"}), 2, false)},
		{name: "more than before", after: proc(standardSet|mask([]string{"SYS_ADMIN"}), 2, false), want: "still has SYS_ADMIN"},
		{name: "given back", old: func(c *state) { c.HostConfig.CapDrop = []string{"KILL"} }, after: proc(standardSet, 2, false)},
		{name: "privileged says nothing", set: func(c *state) { c.HostConfig.Privileged = true }, after: proc(^uint64(0), 0, false)},
		{name: "no longer privileged", old: func(c *state) { c.HostConfig.Privileged = true }, after: proc(standardSet|mask([]string{"SYS_ADMIN"}), 2, false), want: "SYS_ADMIN"},
		{
			name: "privileged to what was answered", old: func(c *state) { c.HostConfig.Privileged = true },
			set: func(c *state) {
				c.HostConfig.CapAdd, c.HostConfig.CapDrop = []string{"NET_ADMIN"}, []string{"MKNOD", "NET_RAW"}
			},
			after: proc(standardSet&^mask([]string{"MKNOD", "NET_RAW"})|mask([]string{"NET_ADMIN"}), 2, false), changed: []string{"HostConfig.Privileged"},
		},
		{
			name: "privileged, and more left than was answered", old: func(c *state) { c.HostConfig.Privileged = true },
			set:   func(c *state) { c.HostConfig.CapDrop = []string{"ALL"} },
			after: proc(mask([]string{"NET_ADMIN"}), 2, false), want: "still has NET_ADMIN",
		},
		{name: "privileged, and no filter came back", old: func(c *state) { c.HostConfig.Privileged = true }, after: proc(standardSet, 0, false), want: "not filtered"},
		{name: "still root", after: proc(standardSet, 2, false), changed: []string{"Config.User"}, want: "runs as root"},
		{name: "another user", after: user(proc(standardSet, 2, false), 1000), changed: []string{"Config.User"}},
		{name: "host processes", after: shares(proc(standardSet, 2, false), "pid"), changed: []string{"HostConfig.PidMode"}, want: "host's pid"},
		{name: "filter missing", old: func(c *state) { c.HostConfig.SecurityOpt = []string{"seccomp=unconfined"} }, after: proc(standardSet, 0, false), want: "not filtered"},
		{name: "filter lost", after: proc(standardSet, 0, false), want: "not filtered"},
		{name: "unfiltered on purpose", set: func(c *state) { c.HostConfig.SecurityOpt = []string{"seccomp:unconfined"} }, after: proc(standardSet, 0, false)},
		{name: "writable root", set: func(c *state) { c.HostConfig.ReadonlyRootfs = true }, after: proc(standardSet, 2, false), want: "can be written"},
		{name: "host network", after: shares(proc(standardSet, 2, false), "net"), want: "host's net"},
		{name: "host network on purpose", set: func(c *state) { c.HostConfig.NetworkMode = "host" }, after: shares(proc(standardSet, 2, false), "net")},
		{name: "borrowed network", set: func(c *state) { c.HostConfig.NetworkMode = "container:x" }, after: shares(proc(standardSet, 2, false), "net")},
		{name: "memory", set: func(c *state) { c.HostConfig.Memory = mib64 }, after: limited(limit(mib128), nil), want: "Memory is 134217728"},
		{name: "memory rounded down", set: func(c *state) { c.HostConfig.Memory = mib64 + 5 }, after: limited(limit(mib64), nil)},
		{name: "memory not limited", set: func(c *state) { c.HostConfig.Memory = mib64 }, after: limited(limit(-1), nil), want: "Memory is -1"},
		{name: "memory not readable", set: func(c *state) { c.HostConfig.Memory = mib64 }, after: limited(nil, nil)},
		{name: "planned memory not readable", set: func(c *state) { c.HostConfig.Memory = mib64 }, after: limited(nil, nil), changed: []string{"HostConfig.Memory"}, want: "could not be read"},
		{name: "processes", set: func(c *state) { c.HostConfig.PidsLimit = limit(5) }, after: limited(nil, limit(6)), want: "PidsLimit is 6"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var old, c state
			if tt.old != nil {
				tt.old(&old)
			}
			if tt.set != nil {
				tt.set(&c)
			}
			got := strings.Join(truth(&old, &c, before, &tt.after, tt.changed), "; ")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("truth: %q, want %q", got, tt.want)
			}
		})
	}
}

func proc(bounding uint64, seccomp int, noNewPrivs bool) inventory.Proc {
	p := inventory.Process{PID: 7, CapBnd: bounding, Seccomp: seccomp, NoNewPrivs: noNewPrivs}
	return inventory.Proc{Init: p, All: []inventory.Process{p}}
}

func shares(p inventory.Proc, namespace string) inventory.Proc {
	p.SharedNamespaces = []string{namespace}
	return p
}

func user(p inventory.Proc, id int) inventory.Proc {
	p.Init.UID = id
	return p
}

func limited(memory, pids *int64) inventory.Proc {
	p := proc(mask(standard), 2, false)
	p.MemoryLimit, p.PidsLimit = memory, pids
	return p
}

func TestCapabilityFor(t *testing.T) {
	tests := []struct{ line, want string }{
		{"chown: /data: Operation not permitted", "CHOWN"},
		{"nginx: [emerg] setgid(33) failed (1: Operation not permitted)", "SETGID"},
		{"gosu: operation not permitted", "SETUID"},
		{"bind() to 0.0.0.0:80 failed (13: Permission denied)", "NET_BIND_SERVICE"},
		{"ping: permission denied (are you root?)", "NET_RAW"},
		{"mknod: /dev/x: Operation not permitted", "MKNOD"},
		{"chroot: cannot change root directory: Operation not permitted", "SYS_CHROOT"},
		{"kill: (7): Operation not permitted", "KILL"},
		{"chmod: changing permissions of '/x': Operation not permitted", "FOWNER"},
		{"cat: /secret: Permission denied", "DAC_OVERRIDE"},
		{"audit_log_acct_message() failed: Operation not permitted", "AUDIT_WRITE"},
		{"hello", ""},
	}
	for _, tt := range tests {
		if got := capabilityFor(tt.line, standard); got != tt.want {
			t.Errorf("capabilityFor(%q) = %q, want %q", tt.line, got, tt.want)
		}
		if got := capabilityFor(tt.line, nil); got != "" {
			t.Errorf("capabilityFor(%q) names %s although nothing was dropped", tt.line, got)
		}
	}
}

func TestClean(t *testing.T) {
	if got := clean("a\x1b[31mred\x00\nb\u202e \xff", 100); got != "a?[31mred? b? ?" {
		t.Errorf("clean: %q", got)
	}
	if got := clean(strings.Repeat("é", 10), 3); got != "ééé…" {
		t.Errorf("clean: %q", got)
	}
}

func TestRisenAndMissing(t *testing.T) {
	procs := func(list ...inventory.Process) *inventory.Proc { return &inventory.Proc{All: list} }
	p := func(name string, uid int) inventory.Process { return inventory.Process{Name: name, UID: uid} }
	before := procs(p("nginx", 0), p("nginx", 33), p("redis", 999))
	tests := []struct {
		name          string
		after         *inventory.Proc
		risen, missed bool
	}{
		{"the same", before, false, false},
		{"worker gone", procs(p("nginx", 0), p("redis", 999)), false, true},
		{"program gone", procs(p("nginx", 0), p("nginx", 33)), false, true},
		{"program as root", procs(p("nginx", 0), p("nginx", 33), p("redis", 0)), true, true},
		{"worker as root", procs(p("nginx", 0), p("nginx", 0), p("redis", 999)), true, true},
		{"a worker of two as root", procs(p("nginx", 0), p("nginx", 0), p("nginx", 33), p("redis", 999)), false, false},
		{"worker of another user", procs(p("nginx", 0), p("nginx", 34), p("redis", 999)), false, false},
		{"one more as root", procs(p("nginx", 0), p("nginx", 33), p("redis", 999), p("cron", 0)), false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := risen(before, tt.after); (got != "") != tt.risen {
				t.Errorf("risen: %q", got)
			}
			if got := missing(before, tt.after); (got != "") != tt.missed {
				t.Errorf("missing: %q", got)
			}
		})
	}
}

// A health check that just begins shows as the engine's own process, which the new container need not have.
func TestMissingIsNoHealthCheck(t *testing.T) {
	program := inventory.Process{Name: "nginx", UID: 33}
	before := &inventory.Proc{All: []inventory.Process{program, {Name: "runc:[2:INIT]"}}}
	if got := missing(before, &inventory.Proc{All: []inventory.Process{program}}); got != "" {
		t.Errorf("missing: %s", got)
	}
	if got := missing(before, &inventory.Proc{}); got != "nginx" {
		t.Errorf("missing: %q", got)
	}
}

// A complaint of the new container is laid at the door of the change that accounts for it.
func TestOtherCause(t *testing.T) {
	for _, tt := range []struct{ path, line, cause string }{
		{"HostConfig.Privileged", "modprobe: Operation not permitted", "privilege"},
		{"HostConfig.Privileged", "all is well", ""},
		{"Config.User", "open /data/db: Permission denied", "user"},
		{"Config.User", "no such file", ""},
		{"Mounts[/host].RW", "touch: /host/x: Read-only file system", "directory of the host"},
		{"Mounts[/host].Propagation", "touch: /host/x: Read-only file system", ""},
		{"HostConfig.PidMode", "open /data/db: Permission denied", ""},
	} {
		x := &swap{changes: changeList{{Path: tt.path}}, old: &state{}}
		cause, next := x.otherCause(tt.line)
		if (cause == "") != (tt.cause == "") || (next == "") != (cause == "") || !strings.Contains(cause, tt.cause) {
			t.Errorf("%s, %q: %q, %q", tt.path, tt.line, cause, next)
		}
	}
}
