//go:build reliability

package faulttest

import (
	"net/http"
	"strings"
	"testing"

	"docker-harden/cmd/testhost/host"
)

// Somebody edits daemon.json, or a container, while docker-harden is about to. His work is never lost.
func TestEditorBetweenPlanAndApply(t *testing.T) {
	g := newRig(t, someKeys, "aa")
	g.prove("editor-before-apply", "daemon.json or a container is changed between plan and apply", "refused with exit 5, the field named; the edit stays", "")
	file := g.plan(append(update, "container/aa")...)
	g.host.Docker(t, "update", "--restart", "on-failure:60", "aa")
	now := g.look()
	g.says(g.run(5, "apply", file, "--yes"), "stale", "container/aa", "HostConfig.RestartPolicy")
	g.same(now, "after the refusal")
	file = g.plan(engine...)
	g.host.WriteDaemonJSON(t, strings.Replace(someKeys, "a=b", "edited=by-hand", 1))
	now = g.look()
	r := g.start("apply", file, "--yes").wait()
	if r.code != 5 || g.generations() != 0 {
		t.Errorf("exit %d with %d generations", r.code, g.generations())
	}
	g.says(r, "daemon")
	g.same(now, "after the refusal")
}

// The edit comes in the very moment between the last look and the write.
func TestEditorInTheMiddle(t *testing.T) {
	g := newRig(t, someKeys)
	g.prove("editor-in-between", "daemon.json is changed between the last look and the write", "the step fails and is undone; the edit stays, byte for byte", "")
	p := g.between()
	file := g.plan(engine...)
	edited := strings.Replace(someKeys, "a=b", "edited=by-hand", 1)
	// When the generation is begun, the step is prepared once more: it reads the file, then asks the engine.
	judge, held, release := hold(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/info") && g.generations() > 0 })
	p.set(judge)
	r := g.start("apply", file, "--yes")
	g.held(held)
	if got := g.read(host.DaemonJSON); got != someKeys {
		t.Errorf("too late: it is written already: %s", got)
	}
	g.host.WriteDaemonJSON(t, edited)
	close(release)
	out := r.wait()
	p.set(nil)
	if out.code != 3 {
		t.Errorf("exit %d", out.code)
	}
	if got := g.read(host.DaemonJSON); got != edited {
		t.Errorf("the edit is lost: %s", got)
	}
	g.run(0, "status")
}

// After the apply somebody adds a key of his own: the rollback takes ours back and leaves his.
func TestEditorBetweenApplyAndRollback(t *testing.T) {
	g := newRig(t, someKeys, "aa")
	g.prove("editor-before-rollback", "daemon.json or a container is changed between apply and rollback",
		"", "foreign keys stay; a changed setting of ours is refused with exit 4 unless --force")
	g.run(0, "apply", g.plan(reload...), "--yes")
	applied := g.read(host.DaemonJSON)
	theirs := strings.Replace(applied, "a=b", "edited=by-hand", 1)
	g.host.WriteDaemonJSON(t, theirs)
	g.says(g.run(4, "rollback", "--yes"), "changed since the apply", host.DaemonJSON, "--force")
	if got := g.read(host.DaemonJSON); got != theirs {
		t.Errorf("after the refusal daemon.json is %s", got)
	}
	g.says(g.run(0, "rollback", "--yes", "--force"), "rolled back")
	if got := g.read(host.DaemonJSON); got != strings.Replace(someKeys, "a=b", "edited=by-hand", 1) {
		t.Errorf("daemon.json is %s", got)
	}
	g.run(0, "apply", g.plan(append(update, "container/aa")...), "--yes")
	g.host.Docker(t, "update", "--restart", "on-failure:3", "aa")
	now := g.look()
	g.says(g.run(4, "rollback", "--yes"), "changed since the apply", "container/aa", "--force")
	g.same(now, "after the refusal")
	g.run(0, "rollback", "--yes", "--force")
	if got := g.host.Docker(t, "inspect", "-f", "{{.HostConfig.RestartPolicy.MaximumRetryCount}}", "aa"); got != "50" {
		t.Errorf("after --force: %s", got)
	}
}
