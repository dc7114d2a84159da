package daemon

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	testhost "docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/remediate"
)

// hardened is a usual step: containers keep running through the restart.
func hardened() plan.Step {
	return stepOf(plan.KindRestart,
		set("live-restore", "null", "true"), set("log-level", "null", `"info"`), set("no-new-privileges", "null", "true"),
		set("userland-proxy", "null", "false"), set("icc", "null", "false"))
}

const hardenedFile = `{
  "live-restore": true,
  "log-level": "info",
  "no-new-privileges": true,
  "userland-proxy": false,
  "icc": false
}
`

func TestRestartKeepsContainersRunning(t *testing.T) {
	record(t, "66", "no init system: the engine is a bare process", "restarted with its own arguments, environment and limits", "restarted again")
	record(t, "68", "live restore, turned on by the same step", "every container keeps its process", "every container keeps its process")
	record(t, "73", "icc while a container lives", "written and said to be pending, not done", "as before")
	record(t, "82", "rollback twice", "", "the second finds nothing to do and restarts nothing")
	r := newRig(t, "{}\n")
	r.run("plain")
	r.run("port", "-p", "127.0.0.1:18080:80", "--restart", "unless-stopped")
	before := r.state()
	if n := proxies(r.PID(t)); n != 1 {
		t.Errorf("the engine has %d docker-proxy children, want 1", n)
	}
	engine := r.PID(t)
	p := r.prepare(hardened())
	r.must(p.do())
	r.expectFile(hardenedFile)
	if r.PID(t) == engine {
		t.Error("the engine was not restarted")
	}
	if got := r.containers("{{.Name}} {{.State.Running}} {{.State.Pid}}"); got != before.Containers {
		t.Errorf("containers are\n%s\nand were\n%s", got, before.Containers)
	}
	if n := proxies(r.PID(t)); n != 0 {
		t.Errorf("the engine has %d docker-proxy children, want none", n)
	}
	if said := strings.Join(p.log.said, "\n"); !strings.Contains(said, "icc when it starts while no container runs") {
		t.Errorf("progress does not say that icc waits: %s", said)
	}
	if got := r.Docker(t, "run", "--rm", r.Image(t, "busybox"), "grep", "NoNewPrivs", "/proc/self/status"); got != "NoNewPrivs:\t1" {
		t.Errorf("a new container has %q", got)
	}
	r.expectSettled()
	p.mustUndo()
	r.expect(before)
	if n := proxies(r.PID(t)); n != 1 {
		t.Errorf("after Undo the engine has %d docker-proxy children, want 1", n)
	}
	r.expectSettled()
	engine = r.PID(t)
	if restored := p.mustUndo(); !restored.Nothing || r.PID(t) != engine {
		t.Errorf("second Undo = %+v, want nothing to undo and no restart", restored)
	}
}

func TestRestartWithoutLiveRestore(t *testing.T) {
	record(t, "75", "containers without a restart policy, live restore off", "started again, paused ones paused", "started again")
	r := newRig(t, "{\"log-level\":\"warn\"}\n")
	r.run("plain")
	r.run("policy", "--restart", "unless-stopped")
	r.run("joined", "--network", "container:plain")
	r.run("paused")
	r.Docker(t, "pause", "paused")
	r.Docker(t, "create", "--name", "made", r.Image(t, "busybox"))
	const running = "{{.Name}} {{.State.Status}}"
	before, containers := r.state(), r.containers(running)
	p := r.prepare(stepOf(plan.KindRestart, set("log-level", `"warn"`, `"info"`), set("icc", "null", "false")))
	r.must(p.do())
	r.expectFile("{\"log-level\":\"info\",\"icc\":false}\n")
	if got := r.containers(running); got != containers {
		t.Errorf("containers are\n%s\nand were\n%s", got, containers)
	}
	if got := r.info(); !strings.Contains(got, "icc:false") {
		t.Errorf("the engine says %s, want icc:false", got)
	}
	p.mustUndo()
	before.Containers = r.containers("{{.Name}} {{.State.Running}} {{.State.Pid}}") // they were stopped and started
	if got := r.containers(running); got != containers {
		t.Errorf("after Undo containers are\n%s\nand were\n%s", got, containers)
	}
	before.Info = strings.Replace(before.Info, "icc:true", "icc:", 1)
	after := r.state()
	if after.File != before.File {
		t.Errorf("after Undo the file is %s and was %s", after.File, before.File)
	}
	if !strings.Contains(after.Info, "icc:true") {
		t.Errorf("after Undo the engine says %s, want icc:true", after.Info)
	}
}

func TestRestartInterrupted(t *testing.T) {
	record(t, "78", "the tool ends after any record or write of a restart", "half done", "as before, containers kept")
	r := newRig(t, "{}\n")
	r.run("web")
	before := r.state()
	for _, point := range some(
		phaseStaging, phaseStaging+" done", "staged and reloaded", phaseWriting, phaseWriting+" done", "restarted",
	) {
		r.sub(t, point, func(t *testing.T) {
			p := r.prepare(hardened())
			p.doAndDieAt(point)
			p.mustUndo()
			r.expect(before)
			r.expectSettled()
		})
	}
}

func TestRestartInterruptedAndEngineKilled(t *testing.T) {
	r := newRig(t, "{}\n")
	r.run("web")
	before := r.state()
	for _, point := range []string{"staged and reloaded", phaseWriting + " done", "restarted"} {
		r.sub(t, point, func(t *testing.T) {
			p := r.prepare(hardened())
			p.doAndDieAt(point)
			r.KillEngine(t)
			p.mustUndo()
			r.expect(before)
		})
	}
}

func TestRestartUndoInterrupted(t *testing.T) {
	r := newRig(t, "{}\n")
	r.run("web")
	before := r.state()
	for _, point := range some(
		"undo: written", "undo: restarted", "undo: explicit values written", "undo: reloaded", "undo: engine back",
	) {
		r.sub(t, point, func(t *testing.T) {
			p := r.prepare(hardened())
			r.must(p.do())
			p.undoAndDieAt(point)
			p.mustUndo()
			r.expect(before)
		})
	}
}

// An Undo is killed while the engine goes down and stops the containers: the next one still knows what ran.
func TestRestartUndoKilledAsContainersStop(t *testing.T) {
	r := newRig(t, "{}\n")
	r.run("web")
	r.Docker(t, "stop", "-t", "0", r.run("stopped"))
	step := stepOf(plan.KindRestart, set("userland-proxy", "null", "false"))
	p := r.prepare(step)
	r.must(p.do())
	p.undoAndDieAt("undo: written")
	r.Restart(t) // without live restore
	if got := r.Docker(t, "inspect", "-f", "{{.State.Running}}", "web"); got != "false" {
		t.Fatalf("web runs: %s", got)
	}
	_, err := p.undoIt(false)
	r.must(err)
	if got := r.Docker(t, "inspect", "-f", "{{.State.Running}}", "web", "stopped"); got != "true\nfalse" {
		t.Errorf("web and stopped run: %q", got)
	}
	if _, err := os.Stat(filepath.Join(stateDir, keptFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what ran is still remembered: %v", err)
	}
}

func TestRestartUndoneAfterAReboot(t *testing.T) {
	r := newRig(t, "{}\n")
	r.run("web", "--restart", "always")
	before := r.state()
	p := r.prepare(hardened())
	r.must(p.do())
	r.PowerLoss(t)
	before.Containers = r.containers("{{.Name}} {{.State.Running}} {{.State.Pid}}")
	restored, err := p.undoIt(false)
	r.must(err)
	if restored.How != plan.Functional || len(restored.Notes) != 1 || !strings.Contains(restored.Notes[0], "icc follows") {
		t.Errorf("Undo = %+v, want it to say that icc waits", restored)
	}
	after := r.state()
	// icc was taken up at the boot, when no container ran yet; live containers freeze it until the next.
	after.Info = strings.Replace(after.Info, "icc:false", "icc:true", 1)
	if after != before {
		t.Errorf("after Undo:\n%+v\nwant\n%+v", after, before)
	}
}

func TestRestartThatFails(t *testing.T) {
	record(t, "36", "seccomp-profile names a file that is missing", "the engine does not start: fails with its own words", "as before, containers kept")
	r := newRig(t, "{}\n")
	r.run("web")
	before := r.state()
	// The engine's own check does not look for the file.
	p := r.prepare(stepOf(plan.KindRestart, set("live-restore", "null", "true"), set("seccomp-profile", "null", `"/nonexistent.json"`)))
	err := p.do()
	if err == nil || !strings.Contains(err.Error(), "/nonexistent.json") {
		t.Errorf("Do = %v, want the engine's own words", err)
	}
	p.mustUndo()
	r.expect(before)
	r.expectSettled()
}

func TestRestartEngineDownAtUndo(t *testing.T) {
	r := newRig(t, "{\n  \"live-restore\": true\n}\n")
	r.run("web")
	before := r.state()
	p := r.prepare(stepOf(plan.KindRestart, set("userland-proxy", "null", "false")))
	r.must(p.do())
	r.Stop(t)
	p.mustUndo()
	r.expect(before)
}

func TestRestartWithoutFile(t *testing.T) {
	r := newRig(t, "")
	r.run("web")
	before := r.state()
	p := r.prepare(hardened())
	r.must(p.do())
	r.expectFile(hardenedFile)
	p.mustUndo()
	r.expect(before)
	if _, err := os.Lstat(testhost.DaemonJSON); !os.IsNotExist(err) {
		t.Errorf("the file is still there (%v)", err)
	}
}

func TestUndoLeavesAloneWhatPeopleStoppedSince(t *testing.T) {
	r := newRig(t, "{}\n")
	r.run("web")
	p := r.prepare(stepOf(plan.KindReload, set("live-restore", "null", "true")))
	r.must(p.do())
	r.Docker(t, "stop", "web")
	p.mustUndo()
	if got := r.containers("{{.State.Running}}"); got != "false" {
		t.Errorf("the container that was stopped after the apply is running: %s", got)
	}
}

func TestRestartWouldRemoveContainers(t *testing.T) {
	record(t, "69", "running containers with --rm on an engine before 24.0.8", "refused by name", "")
	r := newRig(t, "{}\n")
	r.run("job", "--rm")
	step := stepOf(plan.KindRestart, set("icc", "null", "false"))
	_, err := r.handler.Prepare(t.Context(), step)
	if !errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), `--rm containers "job"`) {
		t.Errorf("Prepare = %v, want a refusal that names the container", err)
	}
	r.handler.DropAutoRemoved = true
	p := r.prepare(step)
	r.must(p.do())
	p.mustUndo()
	r.expectFile("{}\n")
}

func TestForcedUndoOfAForeignEdit(t *testing.T) {
	r := newRig(t, "{}\n")
	r.run("web")
	before := r.state()
	p := r.prepare(hardened())
	r.must(p.do())
	r.WriteDaemonJSON(t, "{\"live-restore\": true, \"icc\": false, \"labels\": [\"a=b\"]}")
	restored, err := p.undoIt(true)
	if err != nil || restored.How != plan.Functional {
		t.Errorf("forced Undo = %+v, %v; want functional", restored, err)
	}
	r.expectFile("{\"labels\": [\"a=b\"]}")
	after := r.state()
	before.File = after.File
	r.expect(before)
	r.expectSettled()
}

// A file with which no engine starts does not stand in the way of a forced rollback, and is not lost.
func TestForcedUndoOfAnInvalidEdit(t *testing.T) {
	r := newRig(t, "{}\n")
	r.run("web")
	before := r.state()
	for name, doc := range map[string]string{
		"no JSON":       "{ broken\n",
		"unknown key":   "{\"live-restore\": true, \"no-such-key\": 1}",
		"duplicate key": "{\"icc\": true, \"icc\": false}",
	} {
		r.sub(t, name, func(t *testing.T) {
			p := r.prepare(hardened())
			r.must(p.do())
			r.WriteDaemonJSON(t, doc)
			engine := r.PID(t)
			if _, err := p.undoIt(false); !errors.Is(err, remediate.ErrDrifted) || r.PID(t) != engine {
				t.Errorf("Undo = %v, want ErrDrifted and no restart", err)
			}
			r.expectFile(doc)
			if name == "no JSON" {
				r.Stop(t) // and nothing but the rollback starts it again
			}
			restored, err := p.undoIt(true)
			if err != nil || restored.How != plan.Exact || len(restored.Notes) != 1 {
				t.Fatalf("forced Undo = %+v, %v; want exact with one note", restored, err)
			}
			r.expect(before)
			r.expectSettled()
			_, path, _ := strings.Cut(restored.Notes[0], "kept as ")
			path, _, _ = strings.Cut(path, ",")
			kept, err := os.ReadFile(path)
			if info, serr := os.Stat(path); err != nil || serr != nil || string(kept) != doc || info.Mode().Perm() != 0o600 {
				t.Errorf("the note is %q; kept: %q, %v", restored.Notes[0], kept, err)
			}
			if restored, err := p.undoIt(true); err != nil || !restored.Nothing {
				t.Errorf("second Undo = %+v, %v; want nothing to undo", restored, err)
			}
		})
	}
}

func TestRestartUndoInterruptedWithExplicitLiveRestore(t *testing.T) {
	r := newRig(t, "{\"live-restore\": false}\n")
	r.run("web")
	before := r.state()
	for _, point := range []string{"undo: reloaded", "undo: engine back"} {
		r.sub(t, point, func(t *testing.T) {
			p := r.prepare(stepOf(plan.KindRestart, set("live-restore", "false", "true"), set("icc", "null", "false")))
			r.must(p.do())
			p.undoAndDieAt(point)
			p.mustUndo()
			r.expect(before)
		})
	}
}
