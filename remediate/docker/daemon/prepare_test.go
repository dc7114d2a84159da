package daemon

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	testhost "docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
	"docker-harden/remediate/host"
)

func TestPrepareRefuses(t *testing.T) {
	r := newRig(t, "{}\n")
	seen := r.handler.Daemon
	usual := stepOf(plan.KindRestart, set("icc", "null", "false"))
	write := func(text string) func(*testing.T) {
		return func(t *testing.T) { r.WriteDaemonJSON(t, text) }
	}
	tests := []struct {
		name    string
		step    plan.Step
		arrange func(*testing.T)
		daemon  func(*inventory.Daemon)
		is      error // nil: any
		want    string
	}{
		{"not for the engine", plan.Step{ID: "x", Kind: plan.KindRestart, Resource: plan.File("/x")}, nil, nil, nil, "internal error"},
		{"no change", stepOf(plan.KindReload), nil, nil, nil, "internal error"},
		{"reload of what needs a restart", stepOf(plan.KindReload, set("icc", "null", "false")), nil, nil, nil, "icc cannot be made effective by a reload"},
		{"unknown key", stepOf(plan.KindRestart, set("no-such-key", "null", "1")), nil, nil, nil, "would not start with the changed daemon.json: unable to configure"},
		{"wrong type", stepOf(plan.KindRestart, set("icc", "null", `"no"`)), nil, nil, nil, "of type bool"},
		{"invalid before", usual, write(`{"no-such-key":1}`), nil, nil, "without any change"},
		{"comment", usual, write("{\n// x\n}"), nil, nil, "/etc/docker/daemon.json: line 2, column 1: JSON has no comments"},
		{"duplicate", usual, write(`{"icc":true,"icc":true}`), nil, nil, `"icc" stands twice`},
		{"planned on another value", usual, write(`{"icc":true}`), nil, plan.ErrStale, "make the plan again"},
		{"log level", stepOf(plan.KindRestart, set("log-level", "null", `"loud"`)), nil, nil, remediate.ErrRefused, "no log level"},
		{"not on this machine", usual, nil, func(d *inventory.Daemon) { d.PID = 0 }, remediate.ErrRefused, "run docker-harden on the host"},
		{"cannot be read", usual, nil, func(d *inventory.Daemon) { d.ParseError = "line 3: x" }, remediate.ErrRefused, "line 3: x"},
		{"edited since the start", usual, nil, func(d *inventory.Daemon) { d.Pending = true }, remediate.ErrRefused, "restart the engine yourself first"},
		{"engine gone", usual, nil, func(d *inventory.Daemon) { d.PID = 1 << 30 }, plan.ErrStale, "is gone"},
		{"no binary", usual, nil, func(d *inventory.Daemon) { d.Exe = "/nonexistent/dockerd" }, nil, "/nonexistent/dockerd"},
		{"named and missing", usual, func(t *testing.T) { r.must(os.Remove(testhost.DaemonJSON)) }, func(d *inventory.Daemon) { d.ConfigExplicit = true }, remediate.ErrRefused, "does not exist"},
		{"link led elsewhere", usual, nil, func(d *inventory.Daemon) { d.Resolved = "/etc/other.json" }, plan.ErrStale, "leads to /etc/docker/daemon.json now"},
		{
			"dangling link", usual, func(t *testing.T) {
				r.must(errors.Join(os.Remove(testhost.DaemonJSON), os.Symlink("/nowhere", testhost.DaemonJSON)))
			},
			nil, remediate.ErrRefused, "link to a file that cannot be reached",
		},
		{
			"directory open to all", usual, func(t *testing.T) {
				r.must(os.Chmod(filepath.Dir(testhost.DaemonJSON), 0o777))
				t.Cleanup(func() { r.must(os.Chmod(filepath.Dir(testhost.DaemonJSON), 0o755)) })
			}, nil, remediate.ErrRefused, "chmod go-w /etc/docker first",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r.must(os.RemoveAll(testhost.DaemonJSON))
			r.WriteDaemonJSON(t, "{}\n")
			r.handler.Daemon = seen
			if tt.arrange != nil {
				tt.arrange(t)
			}
			if tt.daemon != nil {
				tt.daemon(&r.handler.Daemon)
			}
			before, _ := os.ReadFile(testhost.DaemonJSON)
			undo, err := r.handler.Prepare(t.Context(), tt.step)
			if err == nil || undo != nil || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("Prepare = %s, %v; want %v with %q", undo, err, tt.is, tt.want)
			}
			if after, _ := os.ReadFile(testhost.DaemonJSON); string(after) != string(before) {
				t.Errorf("Prepare changed the file to %q", after)
			}
		})
	}
}

func TestPrepareWithoutAServiceManager(t *testing.T) {
	r := newRig(t, "{}\n")
	r.handler.Service = host.Service{Manager: "unknown"}
	_, err := r.handler.Prepare(t.Context(), stepOf(plan.KindRestart, set("icc", "null", "false")))
	if !errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), "restart it by hand") {
		t.Errorf("Prepare = %v, want a refusal", err)
	}
}

// An engine whose flags come from its unit: the step is refused, and what needs no such flag is done.
func TestEngineWithAFlag(t *testing.T) {
	r := newRig(t, "{}\n")
	r.Stop(t)
	engine := exec.Command("/bin/sh", "-c", `setsid dockerd --log-level=warn </dev/null >>/var/log/docker-engine.log 2>&1 & cd /`)
	r.must(engine.Run())
	for !answers(t.Context(), r.client) {
		r.must(pause(t.Context()))
	}
	r.look()
	if got := r.handler.Daemon.Flags["log-level"]; len(got) != 1 || got[0] != "warn" {
		t.Fatalf("the inventory sees %v", got)
	}
	before := r.state()
	_, err := r.handler.Prepare(t.Context(), stepOf(plan.KindRestart, set("log-level", "null", `"info"`)))
	if !errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), "given to the engine by flag (warn)") {
		t.Errorf("Prepare = %v, want a refusal", err)
	}
	p := r.prepare(stepOf(plan.KindRestart, set("icc", "null", "false")))
	r.must(p.do())
	r.look()
	if got := r.handler.Daemon.Flags["log-level"]; len(got) != 1 {
		t.Errorf("after the restart the engine has the flags %v", r.handler.Daemon.Argv)
	}
	p.mustUndo()
	r.expect(before)
}

func TestRecordMustBeReadable(t *testing.T) {
	r := newRig(t, "{}\n")
	for _, undo := range []string{"", "null", "{}", `{"resolved":1}`} {
		if _, err := r.handler.Undo(t.Context(), reloadStep(), remediate.Record{Undo: json.RawMessage(undo)}); err == nil || !strings.Contains(err.Error(), "cannot read the record") {
			t.Errorf("Undo with the record %q = %v, want an error", undo, err)
		}
	}
	r.expectFile("{}\n")
}
