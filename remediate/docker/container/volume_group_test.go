package container

import (
	"strings"
	"testing"

	"docker-harden/plan"
)

// Containers that go along have volumes of their own, and each comes back with its own files; one whose old container
// can never start again is made again with the files of that one.
func TestVolumesOfAGroup(t *testing.T) {
	h := Here(t)
	keeps(t, h)
	h.Docker(t, "run", "-d", "--name", "side", "--network", "container:web", "app")
	h.Docker(t, "exec", "side", "sh", "-c", "rm /srv/app/changed && echo side >/srv/app/own")
	was := rememberAll(t, h, "web", "side")
	web, side := files(t, h, "web", dataDir), files(t, h, "side", dataDir)
	step := with(t, h, keeping(t, h), "side network web")
	step.Members[0].Changes = step.Changes
	r := recreator(t, h)

	rec := done(t, r, step)
	sameFiles(t, "web after the apply", files(t, h, "web", dataDir), web)
	sameFiles(t, "side after the apply", files(t, h, "side", dataDir), side)
	was.shared(t, h)
	if got := volumes(t, h); len(got) != 2 {
		t.Errorf("volumes: %q", got)
	}
	h.Docker(t, "exec", "side", "sh", "-c", "echo since >/srv/app/since")
	out := undone(t, r, step, rec)
	left := volumes(t, h)
	if len(left) != 1 || !strings.HasPrefix(left[0], "docker-harden-side-") || len(out.Notes) != 1 || !strings.HasPrefix(out.Notes[0], "side: volume "+left[0]+" stays") {
		t.Errorf("Undo: %+v; left: %q", out, left)
	}
	was.isBack(t, h)
	sameFiles(t, "web after the rollback", files(t, h, "web", dataDir), web)
	sameFiles(t, "side after the rollback", files(t, h, "side", dataDir), side)
	h.Docker(t, "volume", "rm", left[0])

	// The old provider is gone, and the old container that was bound to it is not.
	rec = done(t, r, step)
	h.Docker(t, "exec", "web", "sh", "-c", "echo since >/srv/app/since")
	web = files(t, h, "web", dataDir)
	h.Docker(t, "rm", was[0].c.ID)
	out = undone(t, r, step, rec)
	if out.How != plan.Functional {
		t.Errorf("Undo: %+v", out)
	}
	sameFiles(t, "web made again", files(t, h, "web", dataDir), web)
	sameFiles(t, "side made again", files(t, h, "side", dataDir), side)
	was.shared(t, h)
	if left := volumes(t, h); len(left) != 1 || !strings.HasPrefix(left[0], "docker-harden-web-") {
		t.Errorf("left: %q", left)
	}
}
