package container

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"docker-harden/cmd/testhost/host"
	"docker-harden/remediate"
)

// immutable keeps the engine from removing a layer, until the end or until it is lifted.
func immutable(t *testing.T, h *host.Host, c *state) (lift func()) {
	t.Helper()
	file := h.Path(c.GraphDriver.Data["UpperDir"] + "/stuck")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	set := func(flag string) {
		if out, err := exec.Command("chattr", flag, file).CombinedOutput(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Logf("chattr %s: %v %s", flag, err, out)
		}
	}
	set("+i")
	t.Cleanup(func() { set("-i") })
	return func() { set("-i") }
}

// A removal that was cut off leaves a container that can be neither started nor changed, and a part of its layer. The next
// undo ends it, and does not take the rest for all that there was.
func TestKeptBeforeACutRemoval(t *testing.T) {
	r, step, rec, was := served(t)
	h := Here(t)
	now := look(t, h, "web")
	lift := immutable(t, h, now)
	if _, err := r.Undo(t.Context(), step, rec); err == nil {
		t.Fatal("the container could be removed")
	}
	if half := look(t, h, now.ID); half == nil || !half.dead() {
		t.Fatalf("it is not half removed: %s", list(t, h))
	}
	if serves := look(t, h, "web"); serves.ID != was.c.ID || !serves.State.Running {
		t.Errorf("the old container does not serve: %s", list(t, h))
	}
	lift()
	out := undone(t, r, step, rec)
	was.isBack(t, h)
	dir := filepath.Join(stateDir, keptName, "web."+now.ID[:12])
	contains(t, strings.Join(out.Notes, " "), "is kept in "+dir)
	for name, want := range map[string]string{"files/data/sub/new": "news\n", "files/data/old": "changed\n"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// The same with the old container, at the end of an apply to one of Compose: the undo makes it again.
func TestCutRemovalOfACompose(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", "--restart", "always", "-l", "com.docker.compose.project=shop", "-l", "com.docker.compose.service=web", h.Image(t, "busybox"))
	was := look(t, h, "web")
	r, step := recreator(t, h), hardening(t, h, "web")
	undo, err := r.Prepare(t.Context(), step)
	if err != nil {
		t.Fatal(err)
	}
	lift, log := func() {}, &notebook{}
	log.at = func(said string) {
		if said == "starting" {
			lift = immutable(t, h, was)
		}
	}
	if err := r.Do(t.Context(), step, undo, log); err == nil {
		t.Fatal("the old container could be removed")
	}
	rec := remediate.Record{Undo: undo, Notes: log.notes}
	if _, err := r.Undo(t.Context(), step, rec); err == nil {
		t.Fatal("the old container could be removed by the undo")
	}
	if serves := look(t, h, "web"); serves == nil || !serves.State.Running || serves.HostConfig.RestartPolicy.Name != "always" {
		t.Errorf("nothing serves, or not after a reboot: %s", list(t, h))
	}
	lift()
	undone(t, r, step, rec)
	if now := look(t, h, "web"); now == nil || !now.State.Running || len(now.HostConfig.SecurityOpt) > 0 || now.HostConfig.RestartPolicy.Name != "always" || len(containers(t, h)) != 1 {
		t.Errorf("it was not made again: %s", list(t, h))
	}
}

// A container that is bound to one that is gone has to be made again, and what its hardened one wrote is kept all the same.
func TestKeptOfOneWhoseProviderIsGone(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "vpn", h.Image(t, "busybox"))
	h.Docker(t, "run", "-d", "--name", "web", "--network", "container:vpn", h.Image(t, "busybox"))
	h.Docker(t, "exec", "web", "sh", "-c", "echo old >/before")
	r := recreator(t, h)
	step := with(t, h, hardening(t, h, "vpn"), "web network vpn")
	rec := done(t, r, step)
	h.Docker(t, "exec", "web", "sh", "-c", "echo news >/since")
	now := look(t, h, "web")
	recs, _, err := readRecord(rec)
	if err != nil {
		t.Fatal(err)
	}
	h.Docker(t, "rm", recs[0].TempOld)
	undone(t, r, step, rec)
	if got := h.Docker(t, "exec", "web", "cat", "/before"); got != "old" || len(containers(t, h)) != 2 {
		t.Errorf("/before holds %q; there are:\n%s", got, list(t, h))
	}
	name := filepath.Join(stateDir, keptName, "web."+now.ID[:12], "files/since")
	if got, err := os.ReadFile(name); err != nil || string(got) != "news\n" {
		t.Errorf("%s: %q, %v", name, got, err)
	}
}

// What the hardened container wrote cannot be told: that keeps the old one from nothing, and the hardened one stays.
func TestRollbackOfALayerThatCannotBeRead(t *testing.T) {
	r, step, rec, was := served(t)
	h := Here(t)
	h.Docker(t, "exec", "web", "sh", "-c", `n=0; while [ $n -lt 20 ]; do d=$(printf '%0200d' 0); mkdir $d && cd $d || exit 1; n=$((n+1)); done`)
	out := undone(t, r, step, rec)
	if now := look(t, h, "web"); now.ID != was.c.ID || !now.State.Running {
		t.Fatalf("the old container does not serve: %s", list(t, h))
	}
	left := "web.dh-" + mark(t, rec) + "-new"
	contains(t, strings.Join(out.Notes, " "), "container "+left+" stays, stopped: ")
	h.Docker(t, "rm", left)
	was.isBack(t, h)
}

// Another storage driver: what is written while a container stops is not dropped, and a hardened one that wrote stays.
func TestKeptWithAnotherStorageDriver(t *testing.T) {
	h := Here(t)
	h.WriteDaemonJSON(t, `{"storage-driver": "vfs"}`)
	h.Restart(t)
	h.Docker(t, "run", "-d", "--name", "late", h.Image(t, "busybox"), "sh", "-c", "trap 'echo state >/state; exit' TERM; sleep 10000 & wait")
	h.Docker(t, "run", "-d", "--name", "web", h.Image(t, "busybox"))
	r := recreator(t, h)

	was, step := remember(t, h, "late"), hardening(t, h, "late")
	undo, err := r.Prepare(t.Context(), step)
	if err != nil {
		t.Fatal(err)
	}
	log := &notebook{}
	if err := r.Do(t.Context(), step, undo, log); err == nil || !strings.Contains(err.Error(), "it wrote /state into its layer") {
		t.Errorf("Do: %v", err)
	}
	undone(t, r, step, remediate.Record{Undo: undo, Notes: log.notes})
	if got := h.Docker(t, "exec", "late", "cat", "/state"); got != "state" || look(t, h, "late").ID != was.c.ID {
		t.Errorf("/state holds %q; there are:\n%s", got, list(t, h))
	}

	was, step = remember(t, h, "web"), hardening(t, h, "web")
	rec := done(t, r, step)
	h.Docker(t, "exec", "web", "sh", "-c", "echo news >/since")
	out := undone(t, r, step, rec)
	left := "web.dh-" + mark(t, rec) + "-new"
	contains(t, strings.Join(out.Notes, " "), "container "+left+" stays, stopped: what it wrote and logged could not be kept elsewhere (/since, in a layer that cannot be read here)")
	h.Docker(t, "cp", left+":/since", filepath.Join(t.TempDir(), "since"))
	h.Docker(t, "rm", left)
	was.isBack(t, h)
}
