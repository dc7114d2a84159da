package acceptance

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"docker-harden/plan"
)

// eight makes the varied containers of a real host. All stop at once on SIGTERM, so that the test
// measures the tool and not their grace periods.
func eight(o *operator) {
	t, h := o.t, o.host
	busybox, anonvol := h.Image(t, "busybox"), h.Image(t, "anonvol")
	run := func(name string, args ...string) {
		t.Helper()
		h.Docker(t, append([]string{"run", "-d", "--name", name, "--stop-signal", "KILL"}, args...)...)
	}
	h.Docker(t, "network", "create", "--subnet", "10.90.1.0/24", "front")
	h.Docker(t, "network", "create", "--subnet", "10.90.2.0/24", "back")
	run("default", busybox, "sleep", "3600")
	run("limited", "--memory", "64m", "--memory-swap", "128m", "--restart", "unless-stopped", busybox, "sleep", "3600")
	h.Docker(t, "create", "--name", "privileged", "--privileged", busybox, "sleep", "3600")
	run("hostnet", "--network", "host", busybox, "sleep", "3600")
	run("readonly", "--read-only", "--tmpfs", "/tmp", busybox, "sleep", "3600")
	run("twonets", "--network", "front", "--ip", "10.90.1.10", "--network-alias", "db", busybox, "sleep", "3600")
	h.Docker(t, "network", "connect", "--ip", "10.90.2.10", "--alias", "db-back", "back", "twonets")
	run("anonvol", anonvol, "sleep", "3600")
	h.Docker(t, "exec", "anonvol", "sh", "-c", "echo precious > /data/precious")
	run("written", busybox, "sleep", "3600")
	h.Docker(t, "exec", "written", "sh", "-c", "echo mine > /root-file; mkdir /d; echo x > /d/x; chmod 4711 /d/x; rm /etc/group")
}

func TestHostThereAndBack(t *testing.T) {
	o := newOperator(t)
	eight(o)
	before := o.record("before")

	planned := o.run(0, "plan", "-p", "cis-level1", "-o", "host.plan")
	for _, want := range []string{"container/default", "daemon", "Plan:"} {
		if !strings.Contains(planned.stdout, want) {
			t.Errorf("the plan does not mention %q", want)
		}
	}
	o.run(0, "apply", "host.plan", "--yes", "--stable", "2s")
	changed := recreated(o.plan("host.plan"))
	if len(changed) < 7 {
		t.Errorf("only %v are recreated", changed)
	}
	for _, step := range changed {
		provePrivileges(o, step)
	}
	again := o.run(0, "plan", "-p", "cis-level1")
	if !strings.Contains(strings.ToLower(again.stdout), "no changes") {
		t.Error("a plan after the apply still changes something")
	}
	if got := o.host.Docker(t, "exec", "anonvol", "cat", "/data/precious"); got != "precious" {
		t.Errorf("the anonymous volume holds %q", got)
	}
	if got := o.host.Docker(t, "exec", "written", "sh", "-c", "cat /root-file /d/x; stat -c %a /d/x; ls /etc/group 2>&1 | grep -c 'No such'"); got != "mine\nx\n4711\n1" {
		t.Errorf("the writable layer holds %q", got)
	}
	if got := o.host.Docker(t, "inspect", "-f", `{{.NetworkSettings.Networks.front.IPAddress}} {{.NetworkSettings.Networks.back.IPAddress}}`, "twonets"); got != "10.90.1.10 10.90.2.10" {
		t.Errorf("addresses are %s", got)
	}
	if got := o.host.Docker(t, "inspect", "-f", "{{.State.Status}}", "privileged"); got != "created" {
		t.Errorf("the container that never ran is %s", got)
	}
	o.run(0, "verify")
	o.run(0, "status")

	o.run(0, "rollback", "--yes")
	o.script("check", before, o.record("after"))
	if got := o.host.Docker(t, "exec", "anonvol", "cat", "/data/precious"); got != "precious" {
		t.Errorf("after rollback the anonymous volume holds %q", got)
	}
}

func recreated(p *plan.Plan) []plan.Step {
	return slices.DeleteFunc(slices.Clone(p.Steps), func(s plan.Step) bool { return s.Kind != plan.KindRecreate })
}

// provePrivileges reads the kernel: NoNewPrivs is 1 and no dropped capability is in the bounding set.
func provePrivileges(o *operator, s plan.Step) {
	t := o.t
	t.Helper()
	pid := o.host.Docker(t, "inspect", "-f", "{{.State.Pid}}", s.Resource.Name)
	if pid == "0" {
		return // never ran
	}
	st := status(t, pid)
	if st["NoNewPrivs"] != "1" {
		t.Errorf("%s: NoNewPrivs is %s", s.ID, st["NoNewPrivs"])
	}
	bounding, err := strconv.ParseUint(st["CapBnd"], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[string]int{"NET_RAW": 13, "MKNOD": 27, "AUDIT_WRITE": 29, "SETFCAP": 31}
	dropped := 0
	for _, c := range s.Changes {
		if c.Path != "HostConfig.CapDrop" {
			continue
		}
		for _, name := range list(t, c.To) {
			name = strings.TrimPrefix(name, "CAP_")
			if bit, ok := numbers[name]; ok {
				dropped++
				if bounding&(1<<bit) != 0 {
					t.Errorf("%s: %s is still in the bounding set %x", s.ID, name, bounding)
				}
			}
		}
	}
	if dropped != len(numbers) {
		t.Errorf("%s: the plan drops %d of %d capabilities", s.ID, dropped, len(numbers))
	}
}

// The finding that started the project: the daemon's default alone does not reach a container that
// exists, and neither inspect nor the kernel shows it there.
func TestDaemonDefaultIsNotEnough(t *testing.T) {
	o := newOperator(t)
	o.host.Docker(t, "run", "-d", "--name", "old", "--stop-signal", "KILL", o.host.Image(t, "busybox"), "sleep", "3600")
	o.host.WriteDaemonJSON(t, "{\n  \"live-restore\": true,\n  \"no-new-privileges\": true\n}\n")
	o.host.Reload(t)
	o.host.Restart(t)
	pid := o.host.Docker(t, "inspect", "-f", "{{.State.Pid}}", "old")
	if got := status(t, pid)["NoNewPrivs"]; got != "0" {
		t.Fatalf("this engine gives old containers NoNewPrivs %s; the test has lost its point", got)
	}
	found := o.run(2, "check", "-p", "baseline", "container/old", "--only", "5.25")
	if !strings.Contains(found.stdout, "old") {
		t.Error("check does not name the container")
	}
	o.run(0, "plan", "-p", "baseline", "container/old", "-o", "old.plan")
	o.run(0, "apply", "old.plan", "-y")
	if got := o.host.Docker(t, "inspect", "-f", "{{.HostConfig.SecurityOpt}}", "old"); got != "[no-new-privileges:true]" {
		t.Errorf("inspect shows %s", got)
	}
	pid = o.host.Docker(t, "inspect", "-f", "{{.State.Pid}}", "old")
	if got := status(t, pid)["NoNewPrivs"]; got != "1" {
		t.Errorf("the kernel shows NoNewPrivs %s", got)
	}
	o.run(0, "check", "-p", "baseline", "container/old", "--only", "5.25")
}

// A container whose process needs what is dropped fails its gate, and everything is as before.
func TestNeededCapabilityRollsBack(t *testing.T) {
	o := newOperator(t)
	// mknod(1) needs MKNOD, which level 1 drops; the container exits when it cannot.
	o.host.Docker(t, "run", "-d", "--name", "needs-mknod", "--stop-signal", "KILL", "--restart", "unless-stopped", "--tmpfs", "/t:dev",
		o.host.Image(t, "busybox"), "sh", "-c", "mknod /t/null c 1 3 || exit 1; exec sleep 3600")
	o.host.Docker(t, "run", "-d", "--name", "bystander", "--stop-signal", "KILL", o.host.Image(t, "busybox"), "sleep", "3600")
	before := o.record("before")
	o.run(0, "plan", "-o", "host.plan")
	failed := o.run(3, "apply", "host.plan", "--yes")
	for _, want := range []string{"needs-mknod", "MKNOD"} {
		if !strings.Contains(failed.stderr+failed.stdout, want) {
			t.Errorf("the message does not name %s", want)
		}
	}
	o.script("check", before, o.record("after"))
	if got := o.host.Docker(t, "ps", "--format", "{{.Names}}"); !strings.Contains(got, "needs-mknod") {
		t.Errorf("running now: %s", got)
	}
}

func TestDryRunAfterThePlanDoesNotApply(t *testing.T) {
	o := newOperator(t)
	o.host.Docker(t, "run", "-d", "--name", "web", "--stop-signal", "KILL", o.host.Image(t, "busybox"), "sleep", "3600")
	before := o.record("before")
	o.run(0, "plan", "-o", "host.plan")
	o.run(0, "apply", "host.plan", "--dry-run")
	o.run(0, "apply", "host.plan", "-y", "--dry-run")
	o.script("check", before, o.record("after"))
	if _, err := os.Stat("/var/lib/docker-harden/generations/1"); err == nil {
		t.Error("a dry run began a generation")
	}
}

func TestSnapshotPlansElsewhere(t *testing.T) {
	o := newOperator(t)
	o.host.Docker(t, "run", "-d", "--name", "web", "--stop-signal", "KILL", "-e", "PASSWORD=hunter2-secret", o.host.Image(t, "busybox"), "sleep", "3600")
	o.run(0, "snapshot", "-o", "host.snapshot")
	data, err := os.ReadFile(filepath.Join(o.dir, "host.snapshot"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "hunter2-secret") {
		t.Error("the snapshot holds a secret")
	}
	o.run(0, "plan", "-o", "host.plan")
	o.host.Stop(t) // another machine has no engine
	o.run(0, "plan", "--from", "host.snapshot", "-o", "from.plan")
	if here, from := o.plan("host.plan").String(), o.plan("from.plan").String(); here != from {
		t.Errorf("from the snapshot:\n%son the host:\n%s", from, here)
	}
	o.host.Start(t)
	refused := o.run(5, "apply", "from.plan", "-y")
	if !strings.Contains(refused.stderr, "snapshot") {
		t.Error("the refusal does not say why")
	}
}

// A plan narrowed to one engine setting leaves live-restore out, so the restart stops containers: the
// plan has to say so, and not price it as if they kept running.
func TestNarrowedPlanPricesTheRestart(t *testing.T) {
	o := newOperator(t)
	o.host.Docker(t, "run", "-d", "--name", "web", "--stop-signal", "KILL", o.host.Image(t, "busybox"), "sleep", "3600")
	whole := o.run(0, "plan", "-p", "baseline", "daemon")
	if !strings.Contains(whole.stdout, "containers keep running") {
		t.Error("with live-restore the restart keeps containers running")
	}
	narrow := o.run(0, "plan", "-p", "baseline", "--only", "docker/daemon-no-new-privileges")
	if strings.Contains(narrow.stdout, "containers keep running") || !strings.Contains(narrow.stdout, "HIGH") {
		t.Error("without it they stop, at high risk")
	}
}

// Owner and mode of daemon.json alone: no engine step, and what was done is no pending edit afterwards.
func TestModeOfDaemonJSON(t *testing.T) {
	o := newOperator(t)
	o.host.WriteDaemonJSON(t, "{\"log-level\": \"info\"}\n")
	o.host.Restart(t)
	if err := os.Chmod("/etc/docker/daemon.json", 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown("/etc/docker/daemon.json", 65534, 65534); err != nil {
		t.Fatal(err)
	}
	// The engine has not read the file since, so a content edit cannot be told from a mode change here.
	o.host.Restart(t)
	before := o.record("before")
	o.run(0, "plan", "host", "-o", "host.plan")
	if p := o.plan("host.plan"); len(p.Steps) != 1 || p.Steps[0].Kind != plan.KindFile || len(p.Steps[0].Changes) != 2 {
		t.Fatalf("got\n%s", p)
	}
	o.run(0, "apply", "host.plan", "-y")
	info, err := os.Stat("/etc/docker/daemon.json")
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o644 {
		t.Errorf("mode is %v", info.Mode())
	}
	if got := o.run(0, "check", "--only", "docker/log-level"); !strings.Contains(got.stdout, "pass") {
		t.Error("the mode change looks like an edit that the engine has not read")
	}
	o.run(0, "rollback", "-y")
	o.script("check", before, o.record("after"))
}
