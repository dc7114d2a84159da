//go:build engines

package engines

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
)

func TestMain(m *testing.M) { host.Main(m) }

// operator works on one host with a binary built from this tree.
type operator struct {
	*testing.T
	h       *host.Host
	bin     string
	dir     string // plans and captures, as the host sees it
	compare string // the demo's script that captures and compares hosts
	version string // of the engine
}

// here works on the host that the tests run in, whose engine is a bare process.
func here(t *testing.T, r row.Row, do func(*operator)) {
	t.Helper()
	o := &operator{T: t, h: host.Here(t), dir: t.TempDir(), compare: "../../../fixtures/demo/compare.sh"}
	o.bin = program(t, o.dir)
	t.Cleanup(func() { _ = os.RemoveAll("/var/lib/docker-harden/generations") })
	o.prove(r, do)
}

// booted works on a host of its own where systemd starts the engine.
func booted(t *testing.T, r row.Row, do func(*operator)) {
	t.Helper()
	o := &operator{T: t, h: host.Start(t, host.Systemd()), bin: "/usr/local/bin/docker-harden", dir: "/run/operator", compare: "/opt/demo/compare.sh"}
	o.h.CopyIn(t, program(t, t.TempDir()), o.bin)
	for _, name := range []string{"compare.sh", "normalise.jq", "differences.jq"} {
		o.h.CopyIn(t, "../../../fixtures/demo/"+name, filepath.Join(filepath.Dir(o.compare), name))
	}
	o.h.Exec(t, "mkdir", "-p", o.dir)
	o.prove(r, do)
}

func program(t *testing.T, dir string) string {
	t.Helper()
	bin := filepath.Join(dir, "docker-harden")
	build := exec.Command("go", "build", "-o", bin, "../../docker-harden")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build: %v\n%s", err, out)
	}
	return bin
}

// prove runs the test under the name of the engine's version, and records its row. It fails on the engines
// that all other tests run on: what was meant for a newer one would prove nothing there.
func (o *operator) prove(r row.Row, do func(*operator)) {
	o.Helper()
	o.version, _, _ = strings.Cut(o.docker("version", "-f", "{{.Server.Version}}"), "+")
	if os.Getenv(host.EngineVariable) == "" || strings.HasPrefix(o.version, "20.10.") {
		o.Fatalf("this is engine %s; set %s to one of %q", o.version, host.EngineVariable, host.Releases())
	}
	o.Run(o.version, func(t *testing.T) {
		inner := *o
		inner.T = t
		r.Case += ", engine " + o.version
		row.Record(t, r)
		do(&inner)
	})
}

// docker runs the engine's own command line.
func (o *operator) docker(args ...string) string {
	o.Helper()
	return o.h.Docker(o.T, args...)
}

// busybox starts a container that stops at once when it is told to.
func (o *operator) busybox(name string, args ...string) {
	o.Helper()
	args = append([]string{"run", "-d", "--name", name, "--stop-signal", "KILL"}, args...)
	o.docker(append(args, o.h.Image(o.T, "busybox"), "sleep", "3600")...)
}

// harden runs the program and fails unless it ends with the wanted status. It returns both streams.
func (o *operator) harden(code int, args ...string) string {
	o.Helper()
	cmd := o.h.Command(o.Context(), o.bin, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		o.Fatal(err)
	}
	o.Logf("# docker-harden %s\n%sexit %d", strings.Join(args, " "), out.String(), cmd.ProcessState.ExitCode())
	if got := cmd.ProcessState.ExitCode(); got != code {
		o.Fatalf("docker-harden %s: exit %d, want %d", strings.Join(args, " "), got, code)
	}
	return out.String()
}

// file is a path in the operator's directory.
func (o *operator) file(name string) string { return filepath.Join(o.dir, name) }

// apply plans what is asked for, applies it, and returns the plan.
func (o *operator) apply(args ...string) *plan.Plan {
	o.Helper()
	path := o.file("host.plan")
	o.harden(0, append(append([]string{"plan"}, args...), "-o", path)...)
	o.harden(0, "apply", path, "--yes", "--stable", "1s")
	p, _, err := plan.Decode([]byte(o.h.Exec(o.T, "cat", path) + "\n"))
	if err != nil {
		o.Fatal(err)
	}
	return p
}

// thereAndBack applies what is asked for, lets look see the result, rolls back and compares.
func (o *operator) thereAndBack(look func(*plan.Plan), args ...string) {
	o.Helper()
	before := o.capture("before")
	p := o.apply(args...)
	look(p)
	o.harden(0, "rollback", "--yes")
	o.equal(before, o.capture("after"))
}

func (o *operator) capture(name string) string {
	o.Helper()
	o.h.Exec(o.T, "bash", o.compare, "capture", o.file(name))
	return o.file(name)
}

func (o *operator) equal(before, after string) {
	o.Helper()
	if out, err := o.h.Command(o.Context(), "bash", o.compare, "check", before, after).CombinedOutput(); err != nil {
		o.Errorf("%v\n%s", err, out)
	}
}
