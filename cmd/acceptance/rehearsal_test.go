package acceptance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	told "github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

const stateDir = "/var/lib/docker-harden"

// forget makes the tool's own state as it is on a host that never saw it: what it does then is always the same.
func (o *operator) forget() {
	o.t.Helper()
	entries, err := os.ReadDir(stateDir)
	if err != nil {
		o.t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(stateDir, e.Name())); err != nil {
			o.t.Fatal(err)
		}
	}
}

// points are the instants at which the tool could be ended, as it passed them.
func (o *operator) points() []string {
	o.t.Helper()
	data, err := os.ReadFile(filepath.Join(o.dir, "trace"))
	if err != nil {
		o.t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

// rehearse rehearses the container web from the same state as ever; at is the instant at which it is killed, 0 for none.
func (o *operator) rehearse(at int) result {
	o.t.Helper()
	o.forget()
	trace := filepath.Join(o.dir, "trace")
	if err := os.RemoveAll(trace); err != nil {
		o.t.Fatal(err)
	}
	o.t.Setenv("DOCKER_HARDEN_CRASH_TRACE", trace)
	o.t.Setenv("DOCKER_HARDEN_CRASH_AT", fmt.Sprint(at))
	defer os.Unsetenv("DOCKER_HARDEN_CRASH_TRACE")
	defer os.Unsetenv("DOCKER_HARDEN_CRASH_AT")
	return o.try("learn", "web", "--rehearse", "--yes", "--stable", "100ms", "--exercise", "true", "-o", "learnt", "--replace")
}

// one fails unless there are so many containers, exactly one of them runs, and that one is called web. It gives its id.
func (o *operator) one(containers int) string {
	o.t.Helper()
	all := o.host.Docker(o.t, "ps", "-a", "--no-trunc", "--format", "{{.State}} {{.Names}} {{.ID}}")
	var running []string
	for line := range strings.Lines(all) {
		if strings.HasPrefix(line, "running ") {
			running = append(running, strings.TrimSpace(line))
		}
	}
	if len(running) != 1 || !strings.HasPrefix(running[0], "running web ") || strings.Count(all, "\n")+1 != containers {
		o.t.Fatalf("want %d containers, of which web alone runs:\n%s", containers, all)
	}
	return strings.TrimPrefix(running[0], "running web ")
}

// A rehearsal that is killed in the middle of its recreate is finished by resume, and taken back by rollback, from there
// and from where it was killed: the very container is there, alone.
func TestRehearsalKilled(t *testing.T) {
	o := newOperator(t, "-tags", "crashpoints") // it ends itself where the environment says so
	o.host.Docker(t, "run", "-d", "--restart", "unless-stopped", "--name", "web", o.host.Image(t, "busybox"))
	o.host.Docker(t, "exec", "web", "sh", "-c", "echo mine >/file")
	before, old := o.record("before"), o.one(1)
	times := 0
	isBack := func() {
		t.Helper()
		if id := o.one(1); id != old {
			t.Errorf("the container is %s, it was %s", id, old)
		}
		times++
		o.script("check", before, o.record(fmt.Sprint("after-", times)))
	}
	if r := o.rehearse(0); r.code != 0 {
		t.Fatalf("a rehearsal that nobody kills: exit %d", r.code)
	}
	points := o.points()
	o.run(0, "rollback", "--yes", "--stable", "100ms")
	isBack()
	evidence := filepath.Join(o.dir, "learnt", "web.evidence.json")
	if err := os.Remove(evidence); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		at     string // the last instant of the recreate with this name
		resume bool
	}{
		{"before engine call POST /stop", false}, // the new one is made, the old one runs
		{"before engine call POST /start", true}, // none runs
		{"before engine call POST /start", false},
		{"before record done", true}, // the new one runs, which is not written down
	} {
		n := last(t, points, tt.at)
		if r := o.rehearse(n); r.code != -1 {
			t.Fatalf("killed %s: exit %d", tt.at, r.code)
		}
		if got := o.points(); last(t, got, tt.at) != len(got) {
			t.Fatalf("it was killed at %q, not %s", got[len(got)-1], tt.at)
		}
		if said := o.run(2, "status"); !strings.Contains(said.stdout, "It is unfinished") {
			t.Error("status does not say that it is unfinished")
		}
		if again := o.run(7, "learn", "web", "--rehearse", "--yes"); !strings.Contains(again.stderr, "docker-harden resume") {
			t.Error("learn does not say how to go on")
		}
		if tt.resume {
			o.run(0, "resume", "--stable", "100ms")
			if id := o.one(2); id == old {
				t.Error("resume did not finish the recreate")
			}
			if got := o.host.Docker(t, "exec", "web", "cat", "/file"); got != "mine" {
				t.Errorf("its file holds %q", got)
			}
		}
		o.run(0, "rollback", "--yes", "--stable", "100ms")
		isBack()
		if _, err := os.Stat(evidence); err == nil {
			t.Error("a rehearsal that was not finished left evidence")
		}
	}
}

// last is the number of the last instant with this name, from 1; names of calls are given without what is between
// method and action.
func last(t *testing.T, points []string, name string) int {
	t.Helper()
	head, tail := name, ""
	if i := strings.Index(name, "/"); i >= 0 {
		head, tail = name[:i], name[i:]
	}
	for i := len(points) - 1; i >= 0; i-- {
		_, point, _ := strings.Cut(points[i], "\t")
		if strings.HasPrefix(point, head) && strings.HasSuffix(point, tail) {
			return i + 1
		}
	}
	t.Fatalf("no instant is %q:\n%s", name, strings.Join(points, "\n"))
	return 0
}

// slow is a shell that ends when it is asked to, but only as soon as /go is there.
const slow = `rm -f /go; trap 'until [ -e /go ]; do sleep 0.1; done; exit 0' TERM; while :; do sleep 0.1; done`

// A rehearsal that is killed between stop and start of the second start: the engine starts the container all the same.
func TestRehearsalKilledBeforeTheSecondStart(t *testing.T) {
	o := newOperator(t)
	o.host.Docker(t, "run", "-d", "--stop-timeout", "300", "--name", "web", o.host.Image(t, "busybox"), "sh", "-c", slow)
	before, old := o.record("before"), o.one(1)
	next := o.listen()
	cmd := exec.Command(o.bin, "learn", "web", "--rehearse", "--yes", "--stable", "100ms", "--exercise", "true")
	cmd.Dir = o.dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if id := next(told.ActionKill); id != old {
		t.Errorf("asked to end was %s first", id)
	}
	o.host.Docker(t, "exec", "web", "touch", "/go")
	fresh := next(told.ActionStart)
	if id := next(told.ActionKill); id != fresh || fresh == old {
		t.Errorf("the second start is of %s, new is %s, old %s", id, fresh, old)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("it was not killed: %v", err)
	}
	// Still the process of its first start: the tool is gone before it is stopped.
	first := o.host.Docker(t, "inspect", "-f", "{{.State.StartedAt}}", fresh)
	o.host.Docker(t, "exec", "web", "touch", "/go")
	if id := next(told.ActionStart); id != fresh {
		t.Errorf("started was %s", id)
	}
	if second := o.host.Docker(t, "inspect", "-f", "{{.State.StartedAt}}", fresh); o.one(2) != fresh || second == first {
		t.Errorf("web is not the new one, started once more (%s, then %s)", first, second)
	}
	if _, err := os.Stat(filepath.Join(o.dir, "web.evidence.json")); err == nil {
		t.Error("a rehearsal that was not finished left evidence")
	}
	if said := o.run(0, "resume"); !strings.Contains(said.stdout+said.stderr, "Nothing to resume") {
		t.Error("the recreate was finished, and resume does something")
	}
	o.host.Docker(t, "exec", "web", "touch", "/go") // it ends at once when rollback asks for it
	o.run(0, "rollback", "--yes", "--stable", "100ms")
	if id := o.one(1); id != old {
		t.Errorf("the container is %s, it was %s", id, old)
	}
	o.script("check", before, o.record("after"))
}

// listen gives a function that waits for the engine to tell of the next action of this kind, and gives the container's id.
func (o *operator) listen() func(told.Action) string {
	o.t.Helper()
	messages, errs := o.host.Client(o.t).Events(o.t.Context(), told.ListOptions{Filters: filters.NewArgs(filters.Arg("type", "container"))})
	return func(action told.Action) string {
		o.t.Helper()
		for {
			select {
			case m := <-messages:
				if m.Action == action {
					return m.Actor.ID
				}
			case err := <-errs:
				o.t.Fatalf("the engine tells nothing any more: %v", err)
			}
		}
	}
}
