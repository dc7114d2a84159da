package acceptance

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
)

func TestMain(m *testing.M) { host.Main(m) }

// operator works on one isolated host with a binary built from this tree.
type operator struct {
	t    *testing.T
	host *host.Host
	bin  string
	dir  string // the operator's working directory
}

// newOperator builds the program, with more flags for the compiler where some are given.
func newOperator(t *testing.T, flags ...string) *operator {
	t.Helper()
	o := &operator{t: t, host: host.Here(t), dir: t.TempDir()}
	o.bin = filepath.Join(o.dir, "docker-harden")
	build := exec.Command("go", append(append([]string{"build", "-o", o.bin}, flags...), "../docker-harden")...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build: %v\n%s", err, out)
	}
	t.Cleanup(func() { _ = os.RemoveAll("/var/lib/docker-harden/generations") })
	return o
}

// result is what a command printed and how it ended.
type result struct {
	stdout, stderr string
	code           int
}

func (o *operator) try(args ...string) result {
	o.t.Helper()
	cmd := exec.Command(o.bin, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Dir = &stdout, &stderr, o.dir
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		o.t.Fatal(err)
	}
	r := result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
	o.t.Logf("$ docker-harden %s\n%s%sexit %d", strings.Join(args, " "), r.stdout, r.stderr, r.code)
	return r
}

// run fails the test unless the command ends with the wanted exit status.
func (o *operator) run(code int, args ...string) result {
	o.t.Helper()
	r := o.try(args...)
	if r.code != code {
		o.t.Fatalf("docker-harden %s: exit %d, want %d", strings.Join(args, " "), r.code, code)
	}
	return r
}

func (o *operator) plan(file string) *plan.Plan {
	o.t.Helper()
	p, _, _, err := plan.ReadFile(filepath.Join(o.dir, file))
	if err != nil {
		o.t.Fatal(err)
	}
	return p
}

// record and compare use the same script as the demo: every container's inspect answer, and bytes,
// owner and mode of daemon.json.
func (o *operator) record(name string) string {
	o.t.Helper()
	dir := filepath.Join(o.dir, name)
	o.script("capture", dir)
	return dir
}

func (o *operator) script(args ...string) string {
	o.t.Helper()
	out, err := exec.Command("bash", append([]string{"../../fixtures/demo/compare.sh"}, args...)...).CombinedOutput()
	if err != nil {
		o.t.Fatalf("compare.sh %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// status is one /proc/PID/status as a map.
func status(t *testing.T, pid string) map[string]string {
	t.Helper()
	data, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(line, ":")
		out[key] = strings.TrimSpace(value)
	}
	return out
}

func list(t *testing.T, raw json.RawMessage) []string {
	t.Helper()
	var out []string
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
