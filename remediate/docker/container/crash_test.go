package container

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/remediate"
)

// stride is from which call to the next one a process is killed: each costs a stop and a start, of a group
// of all its containers. make reliability tries every one.
func stride(usual int) int {
	if os.Getenv("DOCKER_HARDEN_TEST_THOROUGH") != "" {
		return 1
	}
	return usual
}

// A process that is killed before any engine call or any note of Do leaves what Undo brings back
// exactly, and at no moment two containers that run, or would run after a reboot. The value of a variable that
// moves into a file goes along: no file of it is left either.
func TestKilledAnywhereInDo(t *testing.T) {
	h := Here(t)
	h.Docker(t, "network", "create", "back")
	h.Docker(t, "run", "-d", "--name", "web", "--restart", "unless-stopped", "-e", "DB_PASSWORD=hunter2", h.Image(t, "busybox"))
	h.Docker(t, "network", "connect", "back", "web")
	h.Docker(t, "exec", "web", "sh", "-c", "echo 1 >/file; rm /bin/uniq")
	was := remember(t, h, "web")
	step := hardening(t, h, "web")
	step.Changes = append(step.Changes, secretStep().Changes...)
	state := t.TempDir()
	kill := func(name string, calls, notes int) (finished bool) {
		ok := t.Run(fmt.Sprintf("%s %d", name, max(calls, notes)), func(t *testing.T) {
			finished = killed(t, h, step, death{calls, notes, state})
			was.isBack(t, h)
			if left := entries(t, filepath.Join(state, "secrets")); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
		return finished || !ok
	}
	for n := 1; !kill("call", n, 0); n += stride(14) {
	}
	for n := 1; !kill("note", 0, n); n += stride(14) {
	}
}

// death is when a process dies: before a call or a note; state is its directory for what must last.
type death struct {
	calls, notes int
	state        string
}

// killed makes a step whose process dies before a call or a note, checks what it leaves, and undoes it.
func killed(t *testing.T, h *host.Host, step plan.Step, d death) (finished bool) {
	t.Helper()
	r := recreator(t, h)
	r.Options.State = d.state
	undo, err := r.Prepare(t.Context(), step)
	if err != nil {
		t.Fatal(err)
	}
	engine, log := &mortal{Engine: h.Client(t), left: d.calls}, &notebook{fail: d.notes}
	err = (&Recreator{Engine: engine, Options: r.Options}).Do(t.Context(), step, undo, log)
	oneOnly(t, h)
	undone(t, r, step, remediate.Record{Undo: undo, Notes: log.notes})
	return err == nil
}

// oneOnly fails when two containers run or more than one would be started by a reboot.
func oneOnly(t *testing.T, h *host.Host) {
	t.Helper()
	running, revived := 0, 0
	for _, id := range containers(t, h) {
		c := look(t, h, id)
		if c.State.Running {
			running++
		}
		if c.HostConfig.RestartPolicy.revived() {
			revived++
		}
	}
	if running > 1 || revived > 1 {
		t.Errorf("%d containers run, %d have a restart policy:\n%s", running, revived, list(t, h))
	}
}

// An Undo that is killed before any of its calls is finished by the next one.
func TestKilledAnywhereInUndo(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", "--restart", "always", "-e", "DB_PASSWORD=hunter2", h.Image(t, "busybox"))
	was := remember(t, h, "web")
	step := hardening(t, h, "web")
	step.Changes = append(step.Changes, secretStep().Changes...)
	state := t.TempDir()
	for n, finished, ok := 1, false, true; ok && !finished; n += stride(14) {
		ok = t.Run(fmt.Sprint("call ", n), func(t *testing.T) {
			r := recreator(t, h)
			r.Options.State = state
			rec := done(t, r, step)
			if made := entries(t, filepath.Join(state, "secrets")); len(made) != 1 {
				t.Errorf("made: %q", made)
			}
			dying := &Recreator{Engine: &mortal{Engine: h.Client(t), left: n}, Options: r.Options}
			_, err := dying.Undo(t.Context(), step, rec)
			finished = err == nil
			oneOnly(t, h)
			undone(t, r, step, rec)
			was.isBack(t, h)
			if left := entries(t, filepath.Join(state, "secrets")); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}

// The old container was removed by somebody: Undo makes it again, and a killed Undo is finished.
func TestKilledAnywhereInRebuild(t *testing.T) {
	h := Here(t)
	h.Docker(t, "network", "create", "back")
	step, rec := plan.Step{}, remediate.Record{}
	for n, finished, ok := 1, false, true; ok && !finished; n += stride(14) {
		ok = t.Run(fmt.Sprint("call ", n), func(t *testing.T) {
			h.Docker(t, "run", "-d", "--name", "web", "--restart", "always", "--network", "back", "-v", "/data", h.Image(t, "busybox"))
			h.Docker(t, "exec", "web", "sh", "-c", "echo 1 >/file; ln -s file /link; echo 2 >/data/file")
			was := look(t, h, "web")
			r := recreator(t, h)
			step = hardening(t, h, "web")
			rec = done(t, r, step)
			h.Docker(t, "rm", was.ID)
			dying := &Recreator{Engine: &mortal{Engine: h.Client(t), left: n}, Options: fast()}
			_, err := dying.Undo(t.Context(), step, rec)
			finished = err == nil
			oneOnly(t, h)
			out := undone(t, r, step, rec)
			if out.How != plan.Functional || len(out.Notes) == 0 {
				t.Errorf("Undo: %+v", out)
			}
			now := look(t, h, "web")
			if len(containers(t, h)) != 1 || !now.State.Running || now.HostConfig.RestartPolicy.Name != "always" || len(now.HostConfig.SecurityOpt) > 0 {
				t.Errorf("after undo: %s\n%s", now.raw, list(t, h))
			}
			if got := h.Docker(t, "exec", "web", "cat", "/link", "/data/file"); got != "1\n2" {
				t.Errorf("files hold %q", got)
			}
			h.Docker(t, "rm", "-f", "-v", "web")
			h.Docker(t, "volume", "prune", "-f")
		})
	}
}

// A power loss, or an engine killed and started again, after any call leaves the service running once
// without this program (or, for an instant of the hand-over, not at all), and Undo brings the old
// container back.
func TestEngineLostAnywhere(t *testing.T) {
	for _, tt := range []struct {
		name string
		lose func(*testing.T, *host.Host)
		// down is how often nothing may run afterwards. A killed engine leaves a container with
		// policy unless-stopped down whatever this program does: before the guard and after the end.
		down int
	}{
		{"power", func(t *testing.T, h *host.Host) { h.PowerLoss(t) }, 1},
		{"engine", func(t *testing.T, h *host.Host) { h.KillEngine(t); h.Start(t) }, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := Here(t)
			h.Docker(t, "run", "-d", "--name", "web", "--restart", "unless-stopped", h.Image(t, "busybox"))
			was := remember(t, h, "web")
			step := hardening(t, h, "web")
			down := 0
			for n, finished := 1, false; !finished; n += stride(14) {
				undo, err := recreator(t, h).Prepare(t.Context(), step)
				if err != nil {
					t.Fatal(err)
				}
				log := &notebook{}
				err = (&Recreator{Engine: &mortal{Engine: h.Client(t), left: n}, Options: fast()}).Do(t.Context(), step, undo, log)
				finished = err == nil
				tt.lose(t, h)
				oneOnly(t, h)
				if h.Docker(t, "ps", "-q") == "" {
					down++
				}
				undone(t, recreator(t, h), step, remediate.Record{Undo: undo, Notes: log.notes})
				was.isBack(t, h)
			}
			if down > tt.down {
				t.Errorf("after %d losses nothing ran, %d may", down, tt.down)
			}
		})
	}
}
