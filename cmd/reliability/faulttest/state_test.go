//go:build reliability

package faulttest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"docker-harden/plan"
)

// The rollback file is damaged in every way a disk or a person damages files. Only a torn last line is taken for
// what it is; with anything else nothing is touched, and the message names the file, the line and what to do.
func TestDamagedRollbackFile(t *testing.T) {
	shared := newRig(t, "", "aa")
	before := shared.look()
	shared.run(0, "apply", shared.plan(append(update, "container/aa")...), "--yes")
	applied := shared.look()
	file := filepath.Join(shared.state, "generations", "1", "rollback.jsonl")
	whole := shared.read(file)
	lines := bytes.SplitAfter([]byte(whole), []byte("\n"))
	for _, test := range []struct{ id, what, content, want string }{
		{"rollback-edited", "a line of the rollback file was edited", strings.Replace(whole, "on-failure", "always____", 1), ":1: its hash does not match"},
		{"rollback-line-gone", "a line in the middle is missing", strings.Replace(whole, string(lines[1]), "", 1), ":2: record 3 stands where record 2 belongs"},
		{"rollback-end-gone", "the last lines are missing", string(bytes.Join(lines[:2], nil)), ":3: lines are missing at its end: record "},
		{"rollback-cut", "the file is cut in the middle of an earlier line", whole[:len(lines[0])+len(lines[1])/2], ":2: lines are missing at its end"},
		{"rollback-empty", "the file is empty", "", ":1: the begin record is missing"},
		{"rollback-torn", "a power loss tore the line after the last one", whole + `{"seq":`, ""},
	} {
		t.Run(test.id, func(t *testing.T) {
			g := shared.in(t)
			rollback := "refused, the damage named, nothing touched"
			if test.want == "" {
				rollback = "works; the torn bytes are kept beside the file"
			}
			g.prove(test.id, test.what, "", rollback)
			g.write(file, test.content)
			if test.want == "" {
				g.run(0, "rollback", "--yes")
				g.same(before, "after the rollback")
				return
			}
			for _, command := range [][]string{{"rollback", "--yes"}, {"rollback", "1", "--yes", "--force"}, {"resume"}, {"confirm"}} {
				g.says(g.run(1, command...), file+test.want, "backup")
			}
			g.says(g.start("status").wait(), file)
			g.says(g.run(0, "history"), "damaged")
			g.same(applied, "with a damaged rollback file")
			g.write(file, whole)
		})
	}
}

// The state directory of one host, copied to another.
func TestRollbackFileOfAnotherHost(t *testing.T) {
	g := newRig(t, "", "aa")
	g.prove("rollback-foreign", "the generations of another host (another machine-id)", "", "refused with exit 5, both hosts named")
	g.run(0, "apply", g.plan(append(update, "container/aa")...), "--yes")
	applied := g.look()
	id := g.read("/etc/machine-id")
	g.write("/etc/machine-id", strings.Map(func(r rune) rune {
		if r == '0' {
			return 'f'
		}
		return r
	}, strings.Replace(id, "a", "b", -1)))
	for _, command := range [][]string{{"rollback", "--yes"}, {"confirm"}} {
		g.says(g.run(5, command...), "rollback file is of another host", "generation 1", "testhost")
	}
	g.same(applied, "on another host")
	g.write("/etc/machine-id", id)
	g.run(0, "rollback", "--yes")
}

// A state directory that is not the caller's own, or open to others, is not used at all.
func TestStateDirectoryOfOthers(t *testing.T) {
	shared := newRig(t, "", "aa")
	shared.run(0, "apply", shared.plan(append(update, "container/aa")...), "--yes")
	applied := shared.look()
	fresh := shared.plan(append(recreate, "container/aa")...)
	data, err := os.ReadFile(filepath.Join(shared.dir, fresh))
	if err != nil {
		t.Fatal(err)
	}
	state := shared.state
	for _, test := range []struct {
		id, what    string
		spoil, mend []string
		want        string
	}{
		{"state-mode", "the state directory is open to others", []string{"chmod", "755", state}, []string{"chmod", "700", state}, "chmod go="},
		{"state-owner", "the state directory belongs to somebody else", []string{"chown", "nobody", state}, []string{"chown", "root", state}, "chown"},
		{
			"state-generation", "a generation is open to others",
			[]string{"chmod", "777", state + "/generations/1"},
			[]string{"chmod", "700", state + "/generations/1"},
			"chmod go=",
		},
		{
			"state-file", "the rollback file may be written by others",
			[]string{"chmod", "666", state + "/generations/1/rollback.jsonl"},
			[]string{"chmod", "600", state + "/generations/1/rollback.jsonl"},
			"chmod go=",
		},
	} {
		t.Run(test.id, func(t *testing.T) {
			g := shared.in(t)
			g.prove(test.id, test.what, "refused with the command that helps", "refused with the command that helps")
			if err := os.WriteFile(filepath.Join(g.dir, "fresh.plan"), data, 0o600); err != nil {
				t.Fatal(err)
			}
			g.host.Exec(t, test.spoil[0], test.spoil[1:]...)
			g.says(g.run(1, "rollback", "--yes"), state, test.want)
			g.says(g.run(1, "apply", "fresh.plan", "--yes"), state, test.want)
			g.host.Exec(t, test.mend[0], test.mend[1:]...)
			g.same(applied, "with a state directory of others")
		})
	}
	shared.run(0, "rollback", "--yes")
}

// The clock is set back after a plan was made, a little and a lot, or forward beyond its end. Nothing but the plan's
// own times is judged by the clock: a rollback does not care.
func TestClock(t *testing.T) {
	g := newRig(t, "", "aa")
	g.prove("clock", "the clock is set back or forward between plan and apply", "refused with exit 5 beyond 5 minutes and after 24 hours; a little is well", "does not depend on the clock")
	file := g.plan(append(update, "container/aa")...)
	before := g.look()
	name := filepath.Join(g.dir, file)
	p, _, _, err := plan.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	made := p.Made
	moved := func(by time.Duration) {
		p.Made, p.Expires = made.Add(by), made.Add(by+plan.DefaultLifetime)
		data, _, err := plan.Encode(p)
		if err == nil {
			err = os.WriteFile(name, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	moved(time.Hour) // as if the clock had been set back since
	g.says(g.run(5, "apply", file, "--yes"), "later than this host's clock")
	moved(-25 * time.Hour)
	g.says(g.run(5, "apply", file, "--yes"), "plan has expired")
	g.same(before, "after two refusals")
	moved(time.Minute)
	g.run(0, "apply", file, "--yes")
	g.run(0, "rollback", "--yes")
	g.same(before, "after the rollback")
}

// While one apply works, others are told so, whatever they want to do.
func TestTwoAtOnce(t *testing.T) {
	g := newRig(t, "", "aa")
	g.prove("two-at-once", "a second apply, rollback, resume, confirm while one works", "exit 7 at once, or waits with --lock-timeout; the first ends well", "")
	p := g.between()
	file := g.plan(append(recreate, "container/aa")...)
	judge, held, release := hold(request("POST", "/containers/create", 1))
	p.set(judge)
	first := g.start("apply", file, "--yes", "--stable", "100ms")
	g.held(held)
	other := g.in(t)
	other.dir, other.flags = g.dir, nil // straight to the engine
	for _, command := range [][]string{{"apply", file, "--yes"}, {"rollback", "1", "--yes"}, {"resume"}, {"confirm"}, {"prune", "--yes"}} {
		other.says(other.run(7, command...), "another docker-harden is at work")
	}
	waiting := other.start("rollback", "1", "--yes", "--lock-timeout", "1m")
	close(release)
	if r := first.wait(); r.code != 0 {
		t.Errorf("the first: exit %d", r.code)
	}
	if r := waiting.wait(); r.code != 0 {
		t.Errorf("the one that waited: exit %d", r.code)
	}
	p.set(nil)
}
