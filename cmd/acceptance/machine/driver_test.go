//go:build vm

package machine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/vm"
)

const (
	program = "/usr/local/bin/docker-harden"
	compare = "/opt/demo/compare.sh"
	dir     = "/root/operator" // on the machine's disk: it is there after a reboot
	busybox = "testhost/busybox:latest"
)

// operator works on a machine of its own with a binary built from this tree.
type operator struct {
	*testing.T
	m *vm.Machine
}

// on starts a machine, lets the test work on it and records its row. The crash points are built in: without
// their variables in the environment they do nothing.
func on(t *testing.T, r row.Row, do func(*operator)) {
	t.Helper()
	o := &operator{T: t, m: vm.Boot(t)}
	r.Table = row.Machine
	r.Case += ", engine " + before(o.sh("docker version -f '{{.Server.Version}}'"), "+") + ", kernel " + o.sh("uname -r")
	row.Record(t, r)
	bin := filepath.Join(t.TempDir(), "docker-harden")
	build := exec.Command("go", "build", "-tags", "crashpoints", "-ldflags", "-s -w", "-o", bin, "../../docker-harden")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build: %v\n%s", err, out)
	}
	o.m.CopyIn(t, bin, program)
	for _, name := range []string{"compare.sh", "normalise.jq", "differences.jq"} {
		o.m.CopyIn(t, "../../../fixtures/demo/"+name, filepath.Join(filepath.Dir(compare), name))
	}
	o.sh("mkdir -p " + dir)
	do(o)
}

func before(s, sep string) string {
	s, _, _ = strings.Cut(s, sep)
	return s
}

// sh runs a shell script that has to succeed, and returns what it printed.
func (o *operator) sh(script string) string {
	o.Helper()
	return o.m.Exec(o.T, script)
}

// start starts a container that sleeps, and stops at once when it is told to.
func (o *operator) start(name, args string) {
	o.Helper()
	o.sh("docker run -d --name " + name + " --stop-signal KILL " + args + " " + busybox + " sleep 100000")
}

// harden runs the program and fails unless it ends with the wanted status.
func (o *operator) harden(code int, args string) string {
	o.Helper()
	out, got, err := o.m.Run(o.Context(), nil, "cd "+dir+" && "+program+" "+args)
	if err != nil {
		o.Fatal(err)
	}
	o.Logf("# docker-harden %s\n%s\nexit %d", args, out, got)
	if got != code {
		o.Fatalf("docker-harden %s: exit %d, want %d", args, got, code)
	}
	return out
}

func (o *operator) capture(name string) {
	o.Helper()
	o.sh("rm -rf " + dir + "/" + name + " && bash " + compare + " capture " + dir + "/" + name)
}

// equal compares the host now with a capture. What it accepts are the functional differences it is given.
func (o *operator) equal(name string, accepted ...string) {
	o.Helper()
	o.capture("now")
	out, code, err := o.m.Run(o.Context(), nil, "cd "+dir+" && bash "+compare+" check "+name+" now "+strings.Join(accepted, " "))
	if err != nil {
		o.Fatal(err)
	}
	if code != 0 {
		o.Error(out)
	}
}

// group is the directory of the container's control group.
func (o *operator) group(name string) string {
	o.Helper()
	pid := o.inspect(name, "{{.State.Pid}}")
	return o.sh("sed -n 's,^0::,/sys/fs/cgroup,p' /proc/" + pid + "/cgroup")
}

func (o *operator) inspect(name, form string) string {
	o.Helper()
	return o.sh("docker inspect -f '" + form + "' " + name)
}

// number reads a file that holds a number, or "max", which is -1.
func (o *operator) number(path string) int {
	o.Helper()
	text := o.sh("cat " + path)
	if text == "max" {
		return -1
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		o.Fatal(err)
	}
	return n
}

// contains fails for each part that is missing in a text.
func (o *operator) contains(text string, parts ...string) {
	o.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			o.Errorf("%q is missing in:\n%s", part, text)
		}
	}
}
