//go:build engines

package acceptance

import (
	"os"
	"slices"
	"strings"
	"testing"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
)

// engineVersion is the version of the engine these tests are about. They fail on another one: a test that was
// meant for a newer engine and ran on this machine's proves nothing.
func engineVersion(t *testing.T, h *host.Host) string {
	t.Helper()
	got := h.Docker(t, "version", "-f", "{{.Server.Version}}")
	if release := os.Getenv(host.EngineVariable); release == "" || strings.HasPrefix(got, "20.10.") {
		t.Fatalf("these tests are for newer engines than %s: set %s to one of %q", got, host.EngineVariable, host.Releases())
	}
	t.Logf("engine %s", got)
	return got
}

// recordEngine ties a test to a row of the reliability report.
func recordEngine(t *testing.T, h *host.Host, id, what, apply, rollback string) {
	t.Helper()
	version := engineVersion(t, h)
	row.Record(t, row.Row{
		Table: row.Engine, ID: id + " " + version, Case: what + ", engine " + version, Apply: apply, Rollback: rollback,
	})
}

// odd adds to the eight containers those that need a newer engine, or are treated differently by one.
func odd(o *operator) {
	t, h := o.t, o.host
	busybox := h.Image(t, "busybox")
	run := func(name string, args ...string) {
		t.Helper()
		h.Docker(t, append([]string{"run", "-d", "--name", name, "--stop-signal", "KILL"}, args...)...)
	}
	run("powerful", "--privileged", busybox, "sleep", "3600")
	run("fixedmac", "--network", "front", "--ip", "10.90.1.20", "--mac-address", "02:42:0a:5a:01:99", busybox, "sleep", "3600")
	run("provider", "--network", "back", "--ip", "10.90.2.20", busybox, "sleep", "3600")
	run("dependent", "--network", "container:provider", busybox, "sleep", "3600")
}

// What people run goes to the profile and comes back, also on newer engines.
func TestEngineThereAndBack(t *testing.T) {
	o := newOperator(t)
	recordEngine(t, o.host, "there and back", "twelve varied containers", "applied, verified, a second plan is empty", "equal")
	eight(o)
	odd(o)
	before := o.record("before")
	o.run(0, "plan", "-o", "host.plan")
	o.run(0, "apply", "host.plan", "--yes", "--stable", "2s")
	changed := recreated(o.plan("host.plan"))
	if len(changed) < 9 {
		t.Errorf("only %d containers are recreated", len(changed))
	}
	for _, step := range changed {
		if step.Resource.Name != "powerful" { // a privileged container ignores what is dropped
			provePrivileges(o, step)
		}
	}
	if again := o.run(0, "plan"); !strings.Contains(again.stdout, "No changes") {
		t.Error("a plan after the apply still changes something")
	}
	o.run(0, "verify")
	holdsTogether(o)
	privilegedRuns(o, changed)
	o.run(0, "rollback", "--yes")
	o.script("check", before, o.record("after"))
	holdsTogether(o)
}

// holdsTogether checks what a user of these containers would notice first.
func holdsTogether(o *operator) {
	t, h := o.t, o.host
	t.Helper()
	for name, want := range map[string]string{
		"twonets":  "front 10.90.1.10 back 10.90.2.10 ",
		"fixedmac": "front 10.90.1.20 ",
		"provider": "back 10.90.2.20 ",
	} {
		got := h.Docker(t, "inspect", "-f", "{{range $name, $end := .NetworkSettings.Networks}}{{$name}} {{$end.IPAddress}} {{end}}", name)
		if !sameWords(got, want) {
			t.Errorf("%s has the addresses %s, want %s", name, got, want)
		}
	}
	if got := h.Docker(t, "exec", "fixedmac", "cat", "/sys/class/net/eth0/address"); got != "02:42:0a:5a:01:99" {
		t.Errorf("the fixed MAC address is %s", got)
	}
	if got := h.Docker(t, "exec", "dependent", "ip", "-o", "-4", "addr"); !strings.Contains(got, "10.90.2.20/") {
		t.Errorf("the dependent is not on its provider's network: %s", got)
	}
	if got := h.Docker(t, "exec", "anonvol", "cat", "/data/precious"); got != "precious" {
		t.Errorf("the anonymous volume holds %q", got)
	}
	if got := h.Docker(t, "exec", "written", "sh", "-c", "cat /root-file /d/x; stat -c %a /d/x"); got != "mine\nx\n4711" {
		t.Errorf("the writable layer holds %q", got)
	}
	for alias, from := range map[string]string{"db": "fixedmac", "db-back": "provider"} {
		if got := h.Docker(t, "exec", from, "nslookup", alias); !strings.Contains(got, "10.90.") {
			t.Errorf("the alias %s is not known: %s", alias, got)
		}
	}
}

func sameWords(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// privilegedRuns: nobody said which capabilities the container needs, so it stays privileged and runs, while
// what can be had besides is there.
func privilegedRuns(o *operator, changed []plan.Step) {
	t, h := o.t, o.host
	t.Helper()
	if !slices.ContainsFunc(changed, func(s plan.Step) bool { return s.Resource.Name == "powerful" }) {
		t.Error("the privileged container is not recreated")
	}
	st := status(t, h.Docker(t, "inspect", "-f", "{{.State.Pid}}", "powerful"))
	own := status(t, "1")
	if st["NoNewPrivs"] != "1" || st["CapBnd"] != own["CapBnd"] {
		t.Errorf("the privileged container: NoNewPrivs %s, capabilities %s of %s", st["NoNewPrivs"], st["CapBnd"], own["CapBnd"])
	}
}

// Somebody answered: the privileged container becomes an ordinary one, while it runs, and is privileged
// again afterwards.
func TestEnginePrivilegedGivenUp(t *testing.T) {
	o := newOperator(t)
	recordEngine(t, o.host, "privileged", "running privileged container", "asked about, left privileged", "equal")
	o.host.Docker(t, "run", "-d", "--name", "powerful", "--privileged", "--stop-signal", "KILL", o.host.Image(t, "busybox"), "sleep", "3600")
	before := o.record("before")
	planned := o.run(0, "plan", "container/powerful", "-o", "one.plan")
	for _, want := range []string{"docker/privileged", "Which capabilities and devices does it need?"} {
		if !strings.Contains(planned.stdout, want) {
			t.Errorf("the plan does not say %q", want)
		}
	}
	o.run(0, "apply", "one.plan", "--yes")
	if got := o.host.Docker(t, "inspect", "-f", "{{.HostConfig.Privileged}} {{.State.Running}}", "powerful"); got != "true true" {
		t.Errorf("privileged and running: %s", got)
	}
	o.run(0, "rollback", "--yes")
	o.script("check", before, o.record("after"))
}
