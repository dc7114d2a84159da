//go:build reliability

package faulttest

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
)

// request matches requests by method and end of path, from the n-th on.
func request(method, end string, n int) func(*http.Request) bool {
	count := 0
	return func(r *http.Request) bool {
		if r.Method == method && strings.HasSuffix(r.URL.Path, end) {
			count++
		}
		return count >= n
	}
}

// interrupt runs a command, sends a signal while the request is held, and gives how it ended.
func (g *rig) interrupt(p *proxy, sig syscall.Signal, at func(*http.Request) bool, args ...string) result {
	g.Helper()
	judge, held, release := hold(at)
	p.set(judge)
	r := g.start(args...)
	g.held(held)
	r.kill(sig)
	r.until("stopping at the next safe point")
	close(release)
	defer p.set(nil)
	return r.wait()
}

const (
	exitINT  = 130
	exitTERM = 143
)

// While nothing is changed yet, a signal ends the program at once, and nothing is begun.
func TestSignalBeforeTheFirstChange(t *testing.T) {
	g := newRig(t, "", "aa")
	g.prove("signal-before", "SIGINT, SIGTERM while planning, looking and preparing", "exit 130 or 143, nothing begun, no file left", "")
	p := g.between()
	before := g.look()
	r := g.interrupt(p, syscall.SIGINT, request("GET", "/containers/json", 1), "plan", "-o", "host.plan")
	if entries, err := os.ReadDir(g.dir); r.code != exitINT || err != nil || len(entries) != 0 {
		t.Errorf("plan: exit %d, left %v %v", r.code, entries, err)
	}
	plan := g.plan(append(recreate, "container/aa")...)
	if r := g.interrupt(p, syscall.SIGTERM, request("GET", "/containers/json", 1), "apply", plan, "--yes"); r.code != exitTERM || g.generations() != 0 {
		t.Errorf("looking: exit %d", r.code)
	}
	// A handler asks for the engine's version when it prepares its step.
	if r := g.interrupt(p, syscall.SIGINT, request("GET", "/_ping", 1), "apply", plan, "--yes"); r.code != exitINT || g.generations() != 0 {
		t.Errorf("preparing: exit %d, %d generations", r.code, g.generations())
	}
	g.same(before, "after three interrupted runs")
	g.run(0, "status")
}

// In the middle of a step the step is finished, and the run ends before the next one: exit 130 or 143. From
// there both ways work: resume to the end, rollback to the beginning.
func TestSignalInTheMiddle(t *testing.T) {
	g := newRig(t, "", "aa", "bb")
	p := g.between()
	plan := g.plan(append(recreate, "container/*")...)
	before := g.look()
	ways := [][]string{{"resume", "--stable", "100ms"}, {"rollback", "--yes"}}
	for i, test := range []struct {
		id, what string
		at       func() func(*http.Request) bool
	}{
		{"signal-create", "a signal while the new container is made", func() func(*http.Request) bool { return request("POST", "/containers/create", 1) }},
		{"signal-stop", "a signal while the old container stops", func() func(*http.Request) bool { return request("POST", "/stop", 1) }},
		{"signal-start", "a signal while the new container starts", func() func(*http.Request) bool { return request("POST", "/start", 1) }},
		{"signal-gate", "a signal while the new container is watched", gate},
	} {
		t.Run(test.id, func(t *testing.T) {
			g := g.in(t)
			g.plan(append(recreate, "container/*")...)
			g.prove(test.id, test.what, "the step is finished, exit 130 or 143; resume finishes the rest", "rollback brings everything back")
			sig, code := syscall.SIGINT, exitINT
			if i%2 == 1 {
				sig, code = syscall.SIGTERM, exitTERM
			}
			r := g.interrupt(p, sig, test.at(), "apply", plan, "--yes", "--stable", "100ms")
			if r.code != code {
				t.Fatalf("exit %d, want %d", r.code, code)
			}
			g.says(r, "Interrupted after 1 step", "docker-harden resume", "docker-harden rollback")
			g.says(g.run(7, "apply", plan, "--yes"), "unfinished", "docker-harden resume")
			g.run(0, ways[i%2]...)
			if i%2 == 0 {
				g.hardened("aa", "bb")
				g.run(0, "rollback", "--yes")
			}
			g.same(before, "in the end")
			g.run(0, "status")
		})
	}
}

// gate matches the first look at the new container after it was started.
func gate() func(*http.Request) bool {
	started := request("POST", "/start", 1)
	return func(r *http.Request) bool { return started(r) && r.Method == "GET" }
}

// The engine's own step is finished too: an engine between two configurations is no safe point. And a run whose
// last step is done has nothing left to be interrupted in: it proves its result and ends well.
func TestSignalWhileTheEngineRestarts(t *testing.T) {
	g := newRig(t, someKeys, "aa")
	g.prove("signal-daemon", "SIGTERM while the engine restarts, SIGINT while the result is verified",
		"the engine's step is finished, exit 143; resume goes on, and a finished run ends well", "a signal in a rollback: the step is finished, exit 143; rollback goes on")
	args := []string{"-p", "baseline", "--only", "docker/no-new-privileges", "--only", "docker/live-restore", "--only", "docker/daemon-no-new-privileges"}
	plan := g.plan(args...)
	before := g.look()
	r := g.start("apply", plan, "--yes", "--progress", "json", "--stable", "100ms")
	r.until("restarting the engine")
	r.kill(syscall.SIGTERM)
	out := r.wait()
	if out.code != exitTERM {
		t.Fatalf("exit %d", out.code)
	}
	g.says(out, "Interrupted after 1 step")
	if !strings.Contains(g.read("/etc/docker/daemon.json"), "live-restore") {
		t.Error("the engine's step was not finished")
	}
	g.run(0, "rollback", "--yes")
	g.same(before, "after the rollback")

	r = g.start("apply", plan, "--yes", "--progress", "json", "--stable", "100ms")
	r.until(`"phase":"verify"`)
	r.kill(syscall.SIGINT)
	if out := r.wait(); out.code != 0 {
		t.Errorf("interrupted when everything was done: exit %d", out.code)
	}
	g.run(0, "verify")

	r = g.start("rollback", "--yes", "--progress", "json")
	r.until(`"phase":"undo"`)
	r.kill(syscall.SIGTERM)
	out = r.wait()
	if out.code != exitTERM {
		t.Fatalf("rollback: exit %d", out.code)
	}
	g.says(out, "Interrupted: 1 step of generation 2 undone", "docker-harden rollback 2")
	g.says(g.run(2, "status"), "unfinished")
	g.run(0, "resume")
	g.same(before, "after the resumed rollback")
}
