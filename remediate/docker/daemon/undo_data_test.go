package daemon

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	testhost "docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/host"
)

// A restart without live restore removes running --rm containers for ever: a rollback refuses that as an apply does.
func TestUndoWouldRemoveContainers(t *testing.T) {
	r := newRig(t, "{}\n")
	p := r.prepare(stepOf(plan.KindRestart, set("log-level", "null", `"warn"`)))
	r.must(p.do())
	r.run("job", "--rm")
	before := r.state()
	_, err := p.undoIt(false)
	if !errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), `--rm containers "job"`) || !strings.Contains(err.Error(), "--force") {
		t.Errorf("Undo = %v, want a refusal that names the container", err)
	}
	r.expect(before)
	later := &Handler{Engine: r.client, Open: host.Open, StateDir: stateDir}
	if _, err := later.Undo(context.Background(), p.step, remediate.Record{Undo: p.undo, Notes: p.log.notes, Unattended: true}); err != nil {
		t.Errorf("the time to confirm is over: %v", err)
	}
	r.expectFile("{}\n")
}

// The same in an apply, for one that was started since it was prepared.
func TestDoWouldRemoveContainers(t *testing.T) {
	r := newRig(t, "{}\n")
	p := r.prepare(stepOf(plan.KindRestart, set("log-level", "null", `"warn"`)))
	r.run("job", "--rm")
	if err := p.do(); !errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), `--rm containers "job"`) {
		t.Errorf("Do = %v, want a refusal that names the container", err)
	}
	p.mustUndo()
	r.expectFile("{}\n")
	if got := r.containers("{{.State.Running}}"); got != "true" {
		t.Errorf("it does not run: %s", got)
	}
}

// The engine's restart takes its time, in which somebody may save the file: what he wrote stays.
func TestUndoBesideAnEditor(t *testing.T) {
	for _, at := range []string{"undo: written", "undo: restarted", "undo: engine back"} {
		t.Run(at, func(t *testing.T) {
			r := newRig(t, "{}\n")
			p := r.prepare(stepOf(plan.KindRestart, set("live-restore", "null", "true"), set("log-level", "null", `"warn"`)))
			r.must(p.do())
			const edit = "{\"labels\": [\"of=somebody\"]}"
			r.handler.hook = func(name string) error {
				if name == at {
					r.WriteDaemonJSON(t, edit)
				}
				return nil
			}
			if _, err := p.undoIt(false); !errors.Is(err, remediate.ErrDrifted) {
				t.Errorf("Undo = %v", err)
			}
			if got, err := os.ReadFile(testhost.DaemonJSON); err != nil || string(got) != edit {
				t.Errorf("the file holds %q, %v", got, err)
			}
			r.handler.hook = nil
			if _, err := p.undoIt(true); err != nil {
				t.Errorf("forced Undo: %v", err)
			}
		})
	}
}

// A canary that a killed apply has left is a container: an engine that starts beside one leaves its bridge alone.
func TestUndoBesideACanary(t *testing.T) {
	r := newRig(t, "{}\n")
	before := r.state()
	p := r.prepare(stepOf(plan.KindRestart, set("live-restore", "null", "true"), set("icc", "null", "false")))
	r.must(p.do())
	r.run("docker-harden-canary-left", "--label", "docker-harden.canary=1")
	p.mustUndo()
	r.expect(before)
	r.expectSettled()
}

// What the restart stopped is started again also when something else goes wrong behind it.
func TestUndoStartsWhatItStopped(t *testing.T) {
	r := newRig(t, "{}\n")
	r.run("web")
	p := r.prepare(stepOf(plan.KindRestart, set("log-level", "null", `"warn"`)))
	r.must(p.do())
	r.handler.hook = func(name string) error {
		if name == "undo: restarted" {
			return errFull
		}
		return nil
	}
	if _, err := p.undoIt(false); !errors.Is(err, errFull) {
		t.Errorf("Undo = %v", err)
	}
	if got := r.containers("{{.State.Running}}"); got != "true" {
		t.Errorf("web does not run: %s", got)
	}
	r.handler.hook = nil
	p.mustUndo()
	r.expectFile("{}\n")
}
