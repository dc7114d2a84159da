package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	testhost "docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
)

func reloadStep() plan.Step {
	return stepOf(plan.KindReload, set("live-restore", "null", "true"), set("debug", "null", "true"), set("insecure-registries", "null", `["10.1.2.3/8","reg:5000"]`))
}

func TestReload(t *testing.T) {
	record(t, "57", "a key that the file did not have, made effective by a reload", "in effect, the reload event seen", "the engine's old value is in effect again, the file has no key")
	r := newRig(t, "{}\n")
	r.run("web")
	before := r.state()
	p := r.prepare(reloadStep())
	r.expect(before) // Prepare changes nothing
	r.must(p.do())
	r.expectFile("{\n  \"live-restore\": true,\n  \"debug\": true,\n  \"insecure-registries\": [\"10.1.2.3/8\",\"reg:5000\"]\n}\n")
	if got, want := r.info(), `live-restore:true`; !strings.Contains(got, want) || !strings.Contains(got, `insecure-registries:["10.0.0.0/8","reg:5000"]`) || !strings.Contains(got, "debug:true") {
		t.Errorf("after the reload the engine says %s", got)
	}
	r.expectSettled()
	p.mustUndo()
	r.expect(before)
	r.expectSettled()
	if restored := p.mustUndo(); !restored.Nothing {
		t.Errorf("second Undo = %+v, want nothing to undo", restored)
	}
	r.expect(before)
}

// A reload does not revert a key that the file no longer has: the premise of undoing with explicit values.
func TestReloadKeepsWhatTheFileNoLongerSays(t *testing.T) {
	r := newRig(t, "{}\n")
	r.WriteDaemonJSON(t, `{"live-restore":true}`)
	r.Reload(t)
	r.WriteDaemonJSON(t, `{}`)
	r.Reload(t)
	if got := r.info(); !strings.Contains(got, "live-restore:true") {
		t.Errorf("the engine says %s; it reverts absent keys now, which makes the detour in Undo unneeded", got)
	}
}

func TestReloadOfExplicitValues(t *testing.T) {
	r := newRig(t, "{\"live-restore\" : false, \"debug\":true}")
	before := r.state()
	p := r.prepare(stepOf(plan.KindReload, set("live-restore", "false", "true"), set("debug", "true", "null")))
	err := p.do()
	// Removing debug does not make it ineffective; the plan should have asked for false.
	if err == nil || !strings.Contains(err.Error(), "debug is true, not false") {
		t.Errorf("Do = %v, want to be told that debug stays on", err)
	}
	p.mustUndo()
	r.expect(before)
}

func TestReloadInterrupted(t *testing.T) {
	r := newRig(t, "{}\n")
	r.run("web")
	before := r.state()
	for _, point := range []string{phaseWriting, phaseWriting + " done", "reloaded"} {
		r.sub(t, point, func(t *testing.T) {
			p := r.prepare(reloadStep())
			p.doAndDieAt(point)
			p.mustUndo()
			r.expect(before)
			r.expectSettled()
		})
	}
	for _, point := range []string{"undo: explicit values written", "undo: reloaded"} {
		r.sub(t, point, func(t *testing.T) {
			p := r.prepare(reloadStep())
			r.must(p.do())
			p.undoAndDieAt(point)
			p.mustUndo()
			r.expect(before)
			r.expectSettled()
		})
	}
}

func TestReloadJournalFails(t *testing.T) {
	record(t, "48", "no space left, at the rollback file", "fails before the file is touched, or at the next record", "byte for byte")
	r := newRig(t, "{}\n")
	before := r.state()
	for fail := 1; fail <= 2; fail++ {
		r.look()
		p := r.prepare(reloadStep())
		p.log.fail = fail
		if err := p.do(); !errors.Is(err, errFull) {
			t.Fatalf("Do = %v, want the journal's error", err)
		}
		p.mustUndo()
		r.expect(before)
	}
}

func TestReloadWithoutFile(t *testing.T) {
	r := newRig(t, "")
	before := r.state()
	p := r.prepare(stepOf(plan.KindReload, set("live-restore", "null", "true")))
	r.must(p.do())
	r.expectFile("{\n  \"live-restore\": true\n}\n")
	if info, err := os.Stat(testhost.DaemonJSON); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("new file: %v, %v; want mode 0644", info.Mode(), err)
	}
	p.mustUndo()
	r.expect(before)
}

func TestReloadWithoutDirectory(t *testing.T) {
	record(t, "2", "the directory of daemon.json is missing", "made with the file", "both are gone again")
	r := newRig(t, "")
	r.must(os.RemoveAll(filepath.Dir(testhost.DaemonJSON)))
	r.look()
	before := r.state()
	p := r.prepare(stepOf(plan.KindReload, set("live-restore", "null", "true")))
	r.must(p.do())
	p.mustUndo()
	r.expect(before)
	if _, err := os.Stat(filepath.Dir(testhost.DaemonJSON)); !os.IsNotExist(err) {
		t.Errorf("the directory that was made for the file is still there (%v)", err)
	}
	// The harness looks for the file at the end.
	r.must(os.MkdirAll(filepath.Dir(testhost.DaemonJSON), 0o755))
}

func TestReloadKeepsOwnerModeAndAttributes(t *testing.T) {
	record(t, "50", "owner, mode and extended attributes (a SELinux label is one)", "kept", "as before")
	r := newRig(t, "{}\n")
	r.must(os.Chown(testhost.DaemonJSON, 65534, 7))
	r.must(os.Chmod(testhost.DaemonJSON, 0o640))
	r.must(syscall.Setxattr(testhost.DaemonJSON, "trusted.note", []byte("keep me"), 0))
	r.Restart(t)
	r.look()
	before := r.state()
	if !strings.Contains(before.File, "keep me") {
		t.Fatalf("the attribute cannot be seen: %s", before.File)
	}
	p := r.prepare(reloadStep())
	r.must(p.do())
	after := r.state()
	if want := "-rw-r----- 65534:7 " + `map["trusted.note":"keep me"]`; !strings.HasSuffix(after.File, want) {
		t.Errorf("after Do the file is %s, want it to end in %s", after.File, want)
	}
	p.mustUndo()
	r.expect(before)
}

func TestReloadThroughLink(t *testing.T) {
	record(t, "44", "daemon.json is a link", "the link stays, the file behind it is edited", "byte for byte")
	r := newRig(t, "{}\n")
	real := "/etc/docker/real/daemon.json"
	r.must(os.Mkdir(filepath.Dir(real), 0o755))
	r.must(os.Rename(testhost.DaemonJSON, real))
	r.must(os.Symlink(real, testhost.DaemonJSON))
	r.Restart(t)
	r.look()
	before := r.state()
	p := r.prepare(reloadStep())
	r.must(p.do())
	if target, err := os.Readlink(testhost.DaemonJSON); err != nil || target != real {
		t.Errorf("the link was replaced: %q, %v", target, err)
	}
	if raw, err := os.ReadFile(real); err != nil || !strings.Contains(string(raw), "live-restore") {
		t.Errorf("the file behind the link is %q, %v", raw, err)
	}
	p.mustUndo()
	r.expect(before)
}

func TestReloadEngineDownAtUndo(t *testing.T) {
	record(t, "81", "rollback with the engine down", "", "the engine is started, file and settings as before, containers keep their processes")
	r := newRig(t, "{}\n")
	r.run("web")
	before := r.state()
	p := r.prepare(reloadStep())
	r.must(p.do())
	r.KillEngine(t)
	p.mustUndo()
	r.expect(before) // the container too, with the same process
}

// The default may be written down without a restart; anything else of log-level needs one.
func TestReloadOfADefaultWrittenDown(t *testing.T) {
	r := newRig(t, "{}\n")
	before, engine := r.state(), r.PID(t)
	_, err := r.handler.Prepare(t.Context(), stepOf(plan.KindReload, set("log-level", "null", `"warn"`)))
	if err == nil || !strings.Contains(err.Error(), "log-level cannot be made effective by a reload") {
		t.Errorf("Prepare = %v, want an error", err)
	}
	p := r.prepare(stepOf(plan.KindReload, set("log-level", "null", `"info"`)))
	r.must(p.do())
	r.expectFile("{\n  \"log-level\": \"info\"\n}\n")
	r.expectSettled()
	p.mustUndo()
	r.expect(before)
	if r.PID(t) != engine {
		t.Error("the engine was restarted")
	}
}

func TestObservedFileIsNoEditAfterAChangeOfMode(t *testing.T) {
	r := newRig(t, "{}\n")
	time.Sleep(1500 * time.Millisecond) // the inventory forgives changes right after the start
	r.must(Observed(stateDir, r.handler.Daemon))
	r.must(os.Chmod(testhost.DaemonJSON, 0o600))
	r.expectSettled()
	r.WriteDaemonJSON(t, "{ }\n")
	r.look()
	if !r.handler.Daemon.Pending {
		t.Error("an edit that the engine has not read is taken for read")
	}
	r.must(Observed(stateDir, r.handler.Daemon))
	r.look()
	if !r.handler.Daemon.Pending {
		t.Error("looking at a pending edit made it look read")
	}
}

func TestReloadUndoneAfterAReboot(t *testing.T) {
	r := newRig(t, "{}\n")
	before := r.state()
	p := r.prepare(reloadStep())
	r.must(p.do())
	r.PowerLoss(t)
	engine := r.PID(t)
	p.mustUndo()
	r.expect(before)
	if r.PID(t) != engine {
		t.Error("the engine was restarted where a reload is enough")
	}
}

func TestUndoOfForeignEdit(t *testing.T) {
	record(t, "83", "a foreign edit after the apply", "", "refused; with --force only our keys are set back, the edit stays")
	r := newRig(t, "{\n  \"debug\": false,\n  \"labels\": [\"a=b\"]\n}\n")
	p := r.prepare(stepOf(plan.KindReload, set("live-restore", "null", "true"), set("debug", "false", "true")))
	r.must(p.do())
	foreign := "{\n  \"debug\": true,\n  \"labels\": [\"a=c\"],\n  \"live-restore\": true, \"log-level\": \"warn\"\n}\n"
	r.WriteDaemonJSON(t, foreign)
	if _, err := p.undoIt(false); !errors.Is(err, remediate.ErrDrifted) {
		t.Fatalf("Undo = %v, want ErrDrifted", err)
	}
	r.expectFile(foreign)
	restored, err := p.undoIt(true)
	if err != nil || restored.How != plan.Functional || len(restored.Notes) != 1 {
		t.Errorf("forced Undo = %+v, %v; want functional with one note", restored, err)
	}
	r.expectFile("{\n  \"debug\": false,\n  \"labels\": [\"a=c\"], \"log-level\": \"warn\"\n}\n")
	if got := r.info(); !strings.Contains(got, "live-restore:false") || !strings.Contains(got, "debug:false") {
		t.Errorf("after the forced Undo the engine says %s", got)
	}
	r.WriteDaemonJSON(t, "{ broken")
	if restored, err := p.undoIt(true); err != nil || len(restored.Notes) != 1 || !strings.Contains(restored.Notes[0], "line 1, column") {
		t.Errorf("forced Undo of a broken file = %+v, %v; want the place and where it is kept", restored, err)
	}
	r.expectFile("{\n  \"debug\": false,\n  \"labels\": [\"a=b\"]\n}\n")
}

func TestUndoKeepsATightenedMode(t *testing.T) {
	r := newRig(t, "{}\n")
	p := r.prepare(reloadStep())
	r.must(p.do())
	r.must(os.Chmod(testhost.DaemonJSON, 0o600))
	restored, err := p.undoIt(false)
	if err != nil || restored.How != plan.Functional || len(restored.Notes) != 1 {
		t.Errorf("Undo = %+v, %v; want the kept mode to be named", restored, err)
	}
	if info, err := os.Stat(testhost.DaemonJSON); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v, %v; want 0600", info.Mode(), err)
	}
	r.expectFile("{}\n")
}

func TestDoRefusesAnEditMadeMeanwhile(t *testing.T) {
	record(t, "51", "an editor saves between the plan and the write", "refused, the edit is kept", "")
	r := newRig(t, "{}\n")
	p := r.prepare(reloadStep())
	r.WriteDaemonJSON(t, `{"labels":["a=b"]}`)
	if err := p.do(); !errors.Is(err, plan.ErrStale) {
		t.Errorf("Do = %v, want ErrStale", err)
	}
	r.expectFile(`{"labels":["a=b"]}`)
}

func TestReloadThatTheEngineRefuses(t *testing.T) {
	record(t, "55", "a reload that the engine refuses silently", "fails for want of the reload event, with the engine's own words", "as before")
	r := newRig(t, "{}\n")
	before := r.state()
	p := r.prepare(stepOf(plan.KindReload, set("live-restore", "null", "true")))
	p.handler.Timeout = 3 * time.Second
	p.handler.hook = func(point string) error {
		if point == phaseWriting+" done" {
			r.WriteDaemonJSON(t, `{"no-such-key":1}`) // somebody is quick
		}
		return nil
	}
	err := p.do()
	if err == nil || !strings.Contains(err.Error(), "no-such-key") {
		t.Errorf("Do = %v, want the engine's own words", err)
	}
	p.handler.hook = nil
	// Nothing of the step is left, and the file is somebody else's business.
	if out, err := p.undoIt(false); err != nil || !out.Nothing || out.How != plan.Functional || len(out.Notes) != 1 {
		t.Errorf("Undo = %+v, %v", out, err)
	}
	if got, err := os.ReadFile(testhost.DaemonJSON); err != nil || string(got) != `{"no-such-key":1}` {
		t.Errorf("daemon.json holds %s, %v", got, err)
	}
	r.WriteDaemonJSON(t, "{}\n")
	p.mustUndo()
	r.expect(before)
}

func TestReloadFlagsThatAReloadWouldReset(t *testing.T) {
	record(t, "56", "authorization plugins given by flag", "a reload is refused", "")
	r := newRig(t, "{}\n")
	r.handler.Daemon.Flags = map[string][]string{"authorization-plugins": {"opa"}}
	_, err := r.handler.Prepare(t.Context(), reloadStep())
	if !errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), "authorization-plugins by flag") {
		t.Errorf("Prepare = %v, want a refusal", err)
	}
}

func TestPrepareWithAFlagOfTheNextStart(t *testing.T) {
	r := newRig(t, "{}\n")
	r.handler.Daemon.NextArgv = append(r.handler.Daemon.NextArgv, "--log-level=warn")
	step := stepOf(plan.KindRestart, set("log-level", "null", `"info"`))
	_, err := r.handler.Prepare(t.Context(), step)
	if err == nil || !strings.Contains(err.Error(), "from flag: warn, from file: info") {
		t.Errorf("Prepare = %v, want the engine's own refusal", err)
	}
	r.handler.Daemon.Flags = inventory.ParseFlags(r.handler.Daemon.NextArgv)
	_, err = r.handler.Prepare(t.Context(), step)
	if !errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), "log-level is given to the engine by flag (warn)") {
		t.Errorf("Prepare = %v, want a refusal", err)
	}
	r.expectFile("{}\n")
}
