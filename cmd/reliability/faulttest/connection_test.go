//go:build reliability

package faulttest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// The connection to the engine breaks at every changing call of an update, of a recreate and of the engine's
// own step: the request is lost on its way, or made and its answer lost. The run undoes itself, and the host
// is as before; what was made and not told is found.
func TestLostConnection(t *testing.T) {
	g := newRig(t, "", "aa")
	g.prove("connection-lost", "the connection to the engine breaks at the n-th changing call of an update and of a recreate (request lost, or answer lost)",
		"undone at once, or applied where the call was not needed", "")
	p := g.between()
	for _, kind := range [][]string{update, recreate} {
		plan := g.plan(append(kind, "container/aa")...)
		before := g.look()
		p.set(nil)
		g.run(0, "apply", plan, "--yes", "--stable", "100ms")
		calls := slices.DeleteFunc(p.set(nil), func(s string) bool { return strings.HasPrefix(s, "GET ") || strings.HasPrefix(s, "HEAD ") })
		t.Logf("changing calls: %q", calls)
		if len(calls) == 0 {
			t.Fatal("no changing call was seen")
		}
		g.run(0, "rollback", "--yes")
		g.same(before, "after an undisturbed run")
		for n := 1; n <= len(calls); n++ {
			for _, f := range []fate{lose, mute} {
				p.set(nth(n, f, false))
				r := g.start("apply", plan, "--yes", "--stable", "100ms").wait()
				p.set(nil)
				what := fmt.Sprintf("with call %d of %d (%s) broken (%d)", n, len(calls), calls[n-1], f)
				if r.code != 3 {
					t.Errorf("%s: exit %d", what, r.code)
				}
				g.same(before, what)
				if t.Failed() {
					return
				}
			}
		}
	}
}

// The connection breaks at a changing call and stays away: nothing can be undone then. Exit status 4 says so with
// the next command, and that command brings everything back once the engine can be reached.
func TestLostConnectionForGood(t *testing.T) {
	g := newRig(t, "", "aa")
	g.prove("connection-gone", "the connection breaks in the middle of a recreate and stays away",
		"exit 4 with the rollback file and the next command, or refused", "brings everything back once the engine is there")
	p := g.between()
	plan := g.plan(append(recreate, "container/aa")...)
	before := g.look()
	for n := 1; n <= 7; n += 2 {
		for _, f := range []fate{lose, mute}[n/2%2 : n/2%2+1] {
			p.set(nth(n, f, true))
			r := g.start("apply", plan, "--yes", "--stable", "100ms").wait()
			p.set(nil)
			if r.code != 4 {
				t.Fatalf("call %d: exit %d", n, r.code)
			}
			g.says(r, "ROLLBACK IS INCOMPLETE for container/aa", "rollback.jsonl", "docker-harden rollback")
			g.run(7, "apply", plan, "--yes")
			g.run(0, "rollback", "--yes")
			g.same(before, fmt.Sprintf("with call %d gone", n))
			g.run(0, "status")
		}
	}
}

// A broken answer of a reading call while a plan is made: no plan, or one that says what could not be read.
func TestLostAnswersWhilePlanning(t *testing.T) {
	g := newRig(t, "", "aa")
	g.prove("connection-plan", "the n-th answer is lost while a plan is made", "no plan, or one that says what could not be read", "")
	p := g.between()
	g.run(0, "plan", "-p", "baseline")
	calls := p.set(nil)
	for n := range calls {
		count := 0
		p.set(func(*http.Request) fate {
			count++
			if count == n+1 {
				return lose
			}
			return pass
		})
		r := g.start("plan", "-p", "baseline", "--format", "json").wait()
		switch {
		case r.code == 1:
			if !strings.Contains(r.stderr, "docker-harden: cannot") {
				t.Errorf("answer %d (%s): %s", n, calls[n], r.stderr)
			}
		case r.code != 0:
			t.Errorf("answer %d (%s): exit %d", n, calls[n], r.code)
		}
	}
	p.set(nil)
	g.says(g.run(0, "plan", "-p", "baseline"), "-/+ container/aa")
}
