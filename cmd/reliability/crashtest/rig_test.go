//go:build reliability

package crashtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/client"

	"docker-harden/cmd/testhost/host"
)

// state is where the tool keeps its generations.
const state = "/var/lib/docker-harden"

// Files of the tests in a host.
const (
	dir      = "/var/lib/crashtest"
	program  = dir + "/docker-harden"
	planFile = dir + "/host.plan"
	trace    = dir + "/trace"
)

// kind is one kind of step: what the host is like and what is planned on it.
type kind struct {
	name  string
	setup func(*testing.T, *host.Host)
	plan  []string // arguments of plan
	host  []host.Option
	// again: the containers are made and planned on anew for each point, because their rollback is not
	// exact and leaves the plan stale.
	again func(*testing.T, *host.Host)
	// start is done before each point, kept after each rollback; both may be nil.
	start, kept func(*testing.T, *host.Host)
}

// rig is one host on which one kind of step is made and undone again and again.
type rig struct {
	host     *host.Host
	engine   *client.Client
	kind     kind
	old, new view
}

// newRig starts a host, makes its containers and the plan, and learns from one whole apply and one whole
// rollback what the new state is and which points there are on both ways.
func newRig(t *testing.T, k kind) (r *rig, there, back []point) {
	t.Helper()
	r = &rig{host: host.Start(t, k.host...), kind: k}
	if err := os.MkdirAll(r.host.Path(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	r.host.CopyIn(t, tool, program)
	r.engine = r.host.Client(t)
	k.setup(t, r.host)
	for range 2 { // the first time some things are made that stay
		r.start(t)
		there = r.list(t, apply()...)
		r.new = r.look(t)
		back = r.list(t, rollback()...)
		r.isOld(t)
	}
	if k.name != "file-mode" {
		there = begun(there)
	}
	if len(there) == 0 || len(back) == 0 {
		t.Fatalf("%d points there, %d back: is the tool built with the tag?", len(there), len(back))
	}
	return r, there, back
}

// start makes the situation before an apply: the first time, and where it cannot be brought back exactly.
func (r *rig) start(t *testing.T) {
	t.Helper()
	first := r.old == nil
	if r.kind.again != nil {
		r.kind.again(t, r.host)
	}
	if first || r.kind.again != nil {
		if err := os.RemoveAll(r.host.Path(planFile)); err != nil {
			t.Fatal(err)
		}
		r.run(t, 0, append([]string{"plan", "-o", planFile}, r.kind.plan...)...)
		r.old = r.look(t)
	}
	if r.kind.start != nil {
		r.kind.start(t, r.host)
	}
	// What the tool remembers of the engine stays: a rollback by reload is known from there.
	if err := os.RemoveAll(r.host.Path(state + "/generations")); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) look(t *testing.T) view {
	t.Helper()
	v, err := observe(t.Context(), r.host, r.engine)
	if err != nil {
		t.Fatalf("cannot observe the host: %v", err)
	}
	return v
}

// isOld fails unless everything is as at the start: same containers, and no other.
func (r *rig) isOld(t *testing.T) {
	t.Helper()
	if d := differences(r.look(t), r.old, exactly); len(d) > 0 {
		t.Fatalf("the host is not as before:\n%s", strings.Join(d, "\n"))
	}
	if r.kind.kept != nil {
		r.kind.kept(t, r.host)
	}
}

// oldOrNew says which state the host is in and fails when it is neither.
func (r *rig) oldOrNew(t *testing.T) string {
	t.Helper()
	now := r.look(t)
	if len(differences(now, r.old, exactly)) == 0 {
		return "old"
	}
	if d := differences(now, r.new, made); len(d) > 0 {
		t.Fatalf("the host is neither as before nor as planned; of the plan it misses:\n%s\nof before:\n%s",
			strings.Join(d, "\n"), strings.Join(differences(now, r.old, exactly), "\n"))
	}
	return "new"
}

// result is how a run of the tool ended.
type result struct {
	code   int // -1: by SIGKILL
	output string
}

// start of a run of the tool; extra are variables of its environment.
func (r *rig) command(args, extra []string) (*exec.Cmd, *bytes.Buffer) {
	cmd := r.host.Command(context.Background(), program, args...)
	cmd.Env = append(cmd.Env, extra...)
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = 10 * time.Second // an engine that it started holds no pipe of ours, and must not
	return cmd, out
}

func (r *rig) try(t *testing.T, args []string, extra ...string) result {
	t.Helper()
	cmd, out := r.command(args, extra)
	return ended(t, cmd.Run(), cmd, out)
}

func ended(t *testing.T, err error, cmd *exec.Cmd, out *bytes.Buffer) result {
	t.Helper()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("cannot run %q: %v", cmd.Args, err)
	}
	res := result{code: cmd.ProcessState.ExitCode(), output: out.String()}
	if w, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && w.Signaled() && w.Signal() != syscall.SIGKILL {
		t.Fatalf("%q ended by %v\n%s", cmd.Args, w.Signal(), res.output)
	}
	return res
}

// run fails unless the tool ends with the wanted status.
func (r *rig) run(t *testing.T, code int, args ...string) string {
	t.Helper()
	res := r.try(t, args)
	if res.code != code {
		t.Fatalf("docker-harden %s: exit %d, want %d\n%s", strings.Join(args, " "), res.code, code, res.output)
	}
	return res.output
}

// finish runs resume or rollback, and once more: the second time it has nothing to do.
func (r *rig) finish(t *testing.T, verb string) {
	t.Helper()
	args := []string{verb, "--stable", "100ms"}
	nothing := "Nothing to resume"
	if verb == "rollback" {
		args, nothing = append(args, "-y"), "Nothing to roll back"
	}
	r.run(t, 0, args...)
	before := r.look(t)
	if out := r.run(t, 0, args...); !strings.Contains(out, nothing) {
		t.Errorf("a second %s does something:\n%s", verb, out)
	}
	if d := differences(r.look(t), before, exactly); len(d) > 0 {
		t.Errorf("a second %s changed something:\n%s", verb, strings.Join(d, "\n"))
	}
}

// at is the environment that ends the tool at a point.
func (r *rig) at(p point) []string {
	_ = os.Remove(r.host.Path(trace))
	return []string{fmt.Sprint("DOCKER_HARDEN_CRASH_AT=", p.n), "DOCKER_HARDEN_CRASH_TRACE=" + trace}
}

// reached fails unless the tool was ended at the very point that was listed.
func (r *rig) reached(t *testing.T, p point) {
	t.Helper()
	data, err := os.ReadFile(r.host.Path(trace))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	_, raw, _ := strings.Cut(lines[len(lines)-1], "\t")
	if len(lines) != p.n || r.words(raw) != p.last {
		t.Fatalf("the tool was ended at its point %d, %q, not at %d, %q", len(lines), r.words(raw), p.n, p.last)
	}
}

// killed runs the tool and ends it with SIGKILL at a point.
func (r *rig) killed(t *testing.T, p point, args ...string) {
	t.Helper()
	if res := r.try(t, args, r.at(p)...); res.code != -1 {
		t.Fatalf("docker-harden %s ended before point %d with exit %d\n%s", strings.Join(args, " "), p.n, res.code, res.output)
	}
	r.reached(t, p)
}

// stopped runs the tool and stops it at a point. do acts meanwhile; then the tool goes on, or ends by
// SIGKILL where kill is set, before do acts.
func (r *rig) stopped(t *testing.T, p point, kill bool, do func(), args ...string) result {
	t.Helper()
	cmd, out := r.command(args, append(r.at(p), "DOCKER_HARDEN_CRASH_HOW=stop"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Between the test and the tool stands nsenter, which stops together with its child and passes on
	// how it is continued and ends.
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("docker-harden %s was not stopped at point %d: %v %v\n%s", strings.Join(args, " "), p.n, err, status, out)
	}
	r.reached(t, p)
	inner := children(t, cmd.Process.Pid)
	if kill {
		for _, pid := range inner {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		_ = cmd.Process.Signal(syscall.SIGCONT)
		res := ended(t, cmd.Wait(), cmd, out)
		do()
		return res
	}
	do()
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	return ended(t, cmd.Wait(), cmd, out)
}

// children of a process.
func children(t *testing.T, parent int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var out []int
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it ended
		}
		var pid, ppid int
		var state string
		rest := string(data[bytes.LastIndexByte(data, ')')+1:])
		if _, err := fmt.Sscan(rest, &state, &ppid); err != nil || ppid != parent {
			continue
		}
		if _, err := fmt.Sscan(filepath.Base(filepath.Dir(path)), &pid); err == nil {
			out = append(out, pid)
		}
	}
	if len(out) == 0 {
		t.Fatal("the stopped tool has no process")
	}
	return out
}
