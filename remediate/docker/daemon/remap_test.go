package daemon

import (
	"errors"
	"os"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/remediate"
)

func remapTo(user string) plan.Step {
	return stepOf(plan.KindRestart, set(keyRemap, "null", `"`+user+`"`))
}

// forget removes the data directories of remapped engines, which no step ever does.
func (r *rig) forget() {
	r.t.Helper()
	for _, dir := range remappedDirs("/var/lib/docker") {
		r.must(os.RemoveAll(dir))
	}
}

// mustUndoRemap undoes, and insists that what stays is said.
func (p *prepared) mustUndoRemap(force bool, says ...string) {
	p.t.Helper()
	restored, err := p.undoIt(force)
	p.must(err)
	notes := strings.Join(restored.Notes, "\n")
	for _, want := range append(says, "the data directory of the remapped engine stays: /var/lib/docker/") {
		if !strings.Contains(notes, want) {
			p.t.Errorf("Undo does not say %q: %+v", want, restored)
		}
	}
	if restored.How != plan.Functional {
		p.t.Errorf("Undo is %s", restored.How)
	}
}

// refusesToLeave insists that a step is not begun while something would get out of sight.
func (r *rig) refusesToLeave(want string) {
	r.t.Helper()
	if _, err := r.handler.Prepare(r.t.Context(), remapTo("default")); !errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), want) {
		r.t.Errorf("Prepare = %v, want a refusal for %s", err, want)
	}
}

// An engine with nothing but images remaps users, in a data directory of its own, and goes back to the old one with all
// that was in it. What was made since keeps it from that, unless it is forced.
func TestRemap(t *testing.T) {
	r := newRig(t, "{}\n")
	r.Image(t, "busybox")
	r.run("there")
	r.Docker(t, "volume", "create", "data")
	r.Docker(t, "network", "create", "shop")
	r.refusesToLeave(`containers ["there"], volumes ["data"], networks ["shop"]`)
	r.Docker(t, "rm", "-f", "there")
	r.refusesToLeave(`sight of volumes ["data"], networks ["shop"]`)
	r.Docker(t, "volume", "rm", "data")
	r.refusesToLeave(`sight of networks ["shop"]`)
	r.Docker(t, "network", "rm", "shop")

	before, images := r.state(), r.Docker(t, "images", "-q", "--no-trunc")
	p := r.prepare(remapTo("default"))
	r.must(p.do())
	r.expectFile("{\n  \"userns-remap\": \"default\"\n}\n")
	r.expectSettled()
	if got := r.Docker(t, "info", "-f", "{{.DockerRootDir}} {{.SecurityOptions}}"); !strings.HasPrefix(got, "/var/lib/docker/") || !strings.Contains(got, "name=userns") {
		t.Errorf("the engine is %s", got)
	}
	if got := r.Docker(t, "images", "-q"); got != "" {
		t.Errorf("the canary's image is left: %s", got)
	}
	if got := strings.Fields(r.Docker(t, "run", "--name", "made", r.Image(t, "busybox"), "cat", "/proc/self/uid_map")); len(got) != 3 || got[0] != "0" || got[1] == "0" {
		t.Errorf("users of a container are %q", got)
	}
	r.Docker(t, "volume", "create", "since")
	for _, want := range []string{`containers ["made"], volumes ["since"] were made since the apply`, `: volumes ["since"] were made`} {
		if _, err := p.undoIt(false); !errors.Is(err, remediate.ErrDrifted) || !strings.Contains(err.Error(), want) {
			t.Errorf("Undo = %v, want %q", err, want)
		}
		_ = r.Command(t.Context(), "docker", "rm", "-f", "made").Run()
	}
	p.mustUndoRemap(true, `volumes ["since"] were made since the apply and are left in /var/lib/docker/`, "images that were pulled or built since", "dockremap, which the engine made")
	r.expect(before)
	if now := r.Docker(t, "images", "-q", "--no-trunc"); now != images {
		t.Errorf("images are %s and were %s", now, images)
	}
	r.expectSettled()
	if restored, err := p.undoIt(false); err != nil || !restored.Nothing {
		t.Errorf("second Undo = %+v, %v", restored, err)
	}
	r.forget()
}

// Killed on its way there or back, and with a user who has no ids, the engine is as before in the end.
func TestRemapThatFails(t *testing.T) {
	r := newRig(t, "{\"live-restore\": true}\n")
	r.Image(t, "busybox")
	before, images := r.state(), r.Docker(t, "images", "-q", "--no-trunc")
	same := func(t *testing.T) {
		t.Helper()
		r.expect(before)
		if now := r.Docker(t, "images", "-q", "--no-trunc"); now != images {
			t.Errorf("images are %s and were %s", now, images)
		}
		r.expectSettled()
		r.forget()
	}
	r.sub(t, "a user without ids", func(t *testing.T) {
		p := r.prepare(remapTo("nobody:nogroup"))
		if err := p.do(); err == nil || !strings.Contains(err.Error(), "the engine did not start") {
			t.Errorf("Do = %v", err)
		}
		p.mustUndo()
		same(t)
	})
	r.sub(t, "a user with ids", func(t *testing.T) {
		r.Exec(t, "useradd", "apps")
		p := r.prepare(remapTo("apps"))
		r.must(p.do())
		p.mustUndoRemap(false)
		same(t)
	})
	r.sub(t, "killed after the restart, and in the undo", func(t *testing.T) {
		p := r.prepare(remapTo("default"))
		p.doAndDieAt("restarted")
		p.undoAndDieAt("undo: written")
		p.mustUndoRemap(false)
		same(t)
	})
}

// Engines from 23.0 try to make the user while they check a file that remaps users, which says nothing of the file.
func TestTheUserIsNotMadeByACheck(t *testing.T) {
	const said = `Error during "dockremap" user creation: error adding user "dockremap": failed to add user with error: exit status 54; output: "fatal: Only root may add a user or group to the system.\n"`
	if !needsRoot(said) || safeAsRoot([]byte(`{"userns-remap": "default"}`), nil) {
		t.Error("the check would be believed, or made as root, which makes the user")
	}
}
