package container

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"docker-harden/plan"
	"docker-harden/remediate"
)

func TestUndoDrift(t *testing.T) {
	h := Here(t)
	image := h.Image(t, "busybox")
	tests := []struct {
		name string
		make func(was before)
		want string
	}{
		{"new one reconfigured", func(before) { h.Docker(t, "update", "--cpu-shares", "300", "web") }, "CpuShares"},
		{"new one connected", func(before) { h.Docker(t, "network", "connect", "other", "web") }, "Networks.other"},
		{"old one reconfigured", func(was before) { h.Docker(t, "update", "--cpu-shares", "300", was.c.ID) }, "the old container"},
		{"another one has the name", func(before) {
			h.Docker(t, "rm", "-f", "web")
			h.Docker(t, "run", "-d", "--name", "web", "--restart", "always", image)
		}, "neither the old one"},
	}
	h.Docker(t, "network", "create", "other")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h.Docker(t, "run", "-d", "--name", "web", "--restart", "always", image)
			was := remember(t, h, "web")
			r := recreator(t, h)
			step := hardening(t, h, "web")
			rec := done(t, r, step)
			tt.make(was)
			all := list(t, h)
			if _, err := r.Undo(t.Context(), step, rec); !errors.Is(err, remediate.ErrDrifted) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Undo: %v, want ErrDrifted about %q", err, tt.want)
			}
			if got := list(t, h); got != all {
				t.Errorf("a refused Undo changed something:\n%s\nbefore:\n%s", got, all)
			}
			rec.Force = true
			if tt.name == "old one reconfigured" {
				h.Docker(t, "update", "--cpu-shares", "1024", was.c.ID) // still not 0: it cannot be as it was
				if _, err := r.Undo(t.Context(), step, rec); err == nil {
					t.Error("a forced Undo calls a changed container exact")
				}
			} else {
				undone(t, r, step, rec)
				if now := look(t, h, "web"); now.ID != was.c.ID || !now.State.Running {
					t.Errorf("after a forced undo:\n%s", list(t, h))
				}
				oneOnly(t, h)
			}
			for _, id := range containers(t, h) {
				h.Docker(t, "rm", "-f", id)
			}
		})
	}
}

func TestCommit(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", "-v", "/data", h.Image(t, "busybox"))
	h.Docker(t, "exec", "web", "touch", "/data/file")
	was := look(t, h, "web")
	r := recreator(t, h)
	step := hardening(t, h, "web")
	rec := done(t, r, step)
	for range 2 {
		if err := r.Commit(t.Context(), step, rec); err != nil {
			t.Fatal(err)
		}
	}
	if got := containers(t, h); len(got) != 1 || got[0] == was.ID {
		t.Errorf("after commit:\n%s", list(t, h))
	}
	out := undone(t, r, step, rec)
	if out.How != plan.Functional || !strings.Contains(strings.Join(out.Notes, ";"), "new id") {
		t.Errorf("Undo after commit: %+v", out)
	}
	now := look(t, h, "web")
	if len(now.HostConfig.SecurityOpt) > 0 || len(containers(t, h)) != 1 {
		t.Errorf("Undo after commit left %v\n%s", now.HostConfig.SecurityOpt, list(t, h))
	}
	h.Docker(t, "exec", "web", "test", "-e", "/data/file")
	if out := undone(t, r, step, rec); out.How != plan.Functional || !out.Nothing {
		t.Errorf("second Undo: %+v", out)
	}
}

// A live change of the new container that was rolled back leaves its limits lifted, not unset. That
// is no drift: going back two generations must work.
func TestLiftedLimitsAreNoDrift(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", h.Image(t, "busybox"))
	was := remember(t, h, "web")
	r := recreator(t, h)
	step := hardening(t, h, "web")
	step.Changes = slices.DeleteFunc(step.Changes, func(c plan.Change) bool { return c.Path != "HostConfig.CapDrop" })
	rec := done(t, r, step)
	h.Docker(t, "update", "--cpu-shares", "1024", "--memory", "9223372036854771712", "--memory-swap", "9223372036854771712", "--pids-limit", "-1", "web")
	if out := undone(t, r, step, rec); out.How != plan.Exact {
		t.Errorf("Undo: %+v", out)
	}
	was.isBack(t, h)
}

// A container that cannot start a second time cannot be brought back whole by anybody. Force leaves
// it in its place, and says so.
func TestForceAcceptsWhatCannotRunAgain(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "once", "--stop-signal", "KILL", h.Image(t, "busybox"), "sh", "-c", "mkdir /once || exit 5; exec sleep 600")
	eventually(t, "it has written", func() bool { return strings.Contains(h.Docker(t, "diff", "once"), "/once") })
	was := look(t, h, "once")
	r := recreator(t, h)
	r.Options.Stable = 3 * time.Second // on a busy machine it needs its time to fail
	step := hardening(t, h, "once")
	undo, err := r.Prepare(t.Context(), step)
	if err != nil {
		t.Fatal(err)
	}
	log := &memory{}
	if err := r.Do(t.Context(), step, undo, log); err == nil {
		t.Fatal("its layer was carried over, so it should not start")
	}
	rec := remediate.Record{Undo: undo, Notes: log.notes}
	if _, err := r.Undo(t.Context(), step, rec); !errors.Is(err, errDown) {
		t.Errorf("Undo: %v", err)
	}
	rec.Force = true
	out, err := r.Undo(t.Context(), step, rec)
	if err != nil || out.How != plan.Functional || !strings.Contains(strings.Join(out.Notes, ";"), "does not run again") {
		t.Errorf("Undo with force: %v %+v", err, out)
	}
	if got := containers(t, h); len(got) != 1 || got[0] != was.ID || look(t, h, "once").ID != was.ID {
		t.Errorf("left behind:\n%s", list(t, h))
	}
}

// A container that was made before the engine had no-new-privileges as its default takes it when it
// is made again, and only the kernel shows that.
func TestMadeAgainUnderAnotherDefault(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", h.Image(t, "busybox"))
	h.WriteDaemonJSON(t, `{"live-restore": true, "no-new-privileges": true}`)
	h.Reload(t)
	h.Restart(t)
	r := recreator(t, h)
	step := hardening(t, h, "web")
	rec := done(t, r, step)
	if err := r.Commit(t.Context(), step, rec); err != nil {
		t.Fatal(err)
	}
	out := undone(t, r, step, rec)
	if text := strings.Join(out.Notes, ";"); out.How != plan.Functional || !strings.Contains(text, "no-new-privileges from the engine's default") {
		t.Errorf("Undo: %+v", out)
	}
}

// The plan must say when a new container takes that default; the gate does not let it pass unsaid.
func TestUnsaidDefaultFailsTheGate(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", h.Image(t, "busybox"))
	was := remember(t, h, "web")
	h.WriteDaemonJSON(t, `{"live-restore": true, "no-new-privileges": true}`)
	h.Reload(t)
	h.Restart(t)
	r := recreator(t, h)
	step := hardening(t, h, "web")
	step.Changes = slices.DeleteFunc(step.Changes, func(c plan.Change) bool { return c.Path == "HostConfig.SecurityOpt" })
	undo, err := r.Prepare(t.Context(), step)
	if err != nil {
		t.Fatal(err)
	}
	log := &memory{}
	if err := r.Do(t.Context(), step, undo, log); err == nil || !strings.Contains(err.Error(), "engine's default") {
		t.Errorf("Do: %v", err)
	}
	undone(t, r, step, remediate.Record{Undo: undo, Notes: log.notes})
	was.isBack(t, h)
}

func TestCommitKeepsTheLastOne(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", h.Image(t, "busybox"))
	was := remember(t, h, "web")
	r := recreator(t, h)
	step := hardening(t, h, "web")
	rec := done(t, r, step)
	h.Docker(t, "rm", "-f", "web")
	if err := r.Commit(t.Context(), step, rec); !errors.Is(err, remediate.ErrRefused) {
		t.Errorf("Commit without the new container: %v", err)
	}
	undone(t, r, step, rec)
	was.isBack(t, h)
}

// Compose finds containers by their labels: a stopped old one beside the new one would be started.
func TestComposeKeepsNoOldContainer(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "shop-web-1", "-l", "com.docker.compose.project=shop", "-l", "com.docker.compose.service=web",
		"--restart", "always", "-v", "/data", h.Image(t, "busybox"))
	h.Docker(t, "exec", "shop-web-1", "touch", "/data/file")
	was := look(t, h, "shop-web-1")
	r := recreator(t, h)
	step := hardening(t, h, "shop-web-1")
	rec := done(t, r, step)
	if got := containers(t, h); len(got) != 1 || got[0] == was.ID {
		t.Errorf("after the step:\n%s", list(t, h))
	}
	out := undone(t, r, step, rec)
	if out.How != plan.Functional || len(out.Notes) != 1 {
		t.Errorf("Undo: %+v", out)
	}
	now := look(t, h, "shop-web-1")
	if now.HostConfig.RestartPolicy.Name != "always" || now.Config.Labels["com.docker.compose.service"] != "web" || len(containers(t, h)) != 1 {
		t.Errorf("after undo: %s\n%s", now.HostConfig.RestartPolicy.Name, list(t, h))
	}
	h.Docker(t, "exec", "shop-web-1", "test", "-e", "/data/file")
}

func TestImageGoneWhenMakingAgain(t *testing.T) {
	h := Here(t)
	h.Exec(t, "sh", "-c", `printf 'FROM `+h.Image(t, "busybox")+`\nLABEL a=b\n' | docker build -q -t short-lived -`)
	h.Docker(t, "run", "-d", "--name", "web", "short-lived")
	r := recreator(t, h)
	step := hardening(t, h, "web")
	rec := done(t, r, step)
	h.Docker(t, "rm", "-f", "web")
	if err := r.Commit(t.Context(), step, rec); !errors.Is(err, remediate.ErrRefused) {
		t.Fatal(err)
	}
	h.Docker(t, "rm", look(t, h, step.Resource.ID).ID)
	h.Docker(t, "rmi", "short-lived")
	if _, err := r.Undo(t.Context(), step, rec); err == nil || !strings.Contains(err.Error(), "short-lived") {
		t.Errorf("Undo without container and image: %v", err)
	}
}

func TestRecordsAreReadStrictly(t *testing.T) {
	for _, undo := range []string{"", "{}", `{"format":"docker-harden/recreate/v9","id":"x"}`, "["} {
		if _, _, err := readRecord(remediate.Record{Undo: json.RawMessage(undo)}); err == nil {
			t.Errorf("readRecord takes %q", undo)
		}
		if _, err := readUpdate(json.RawMessage(undo)); err == nil {
			t.Errorf("readUpdate takes %q", undo)
		}
	}
	good := `{"format":"` + recordFormat + `","id":"x","new":{},"old":{}}`
	if _, _, err := readRecord(remediate.Record{Undo: json.RawMessage(good), Notes: []json.RawMessage{json.RawMessage("[")}}); err == nil {
		t.Error("readRecord takes a broken note")
	}
	_, n, err := readRecord(remediate.Record{Undo: json.RawMessage(good), Notes: []json.RawMessage{
		json.RawMessage(`{"new":"a"}`), json.RawMessage(`{"live":true,"filled":{"/x":"y"}}`), json.RawMessage(`{"new":"b"}`), json.RawMessage(`{"filled":{"/a":"b"}}`),
		json.RawMessage(`{"carried":true}`),
	}})
	if err != nil || !reflect.DeepEqual(n[0], note{New: "b", Carried: true, Filled: map[string]string{"/a": "b"}}) {
		t.Errorf("readRecord: %+v, %v", n, err)
	}
}
