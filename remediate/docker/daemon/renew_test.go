package daemon

import (
	"context"
	"encoding/json"
	"errors"
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

// TestPrepareRenews: a resumed apply restarts the engine on its way, and plans on with its new process.
func TestPrepareRenews(t *testing.T) {
	r := newRig(t, "{}\n")
	seen, service := r.handler.Daemon, r.handler.Service
	step := stepOf(plan.KindRestart, set("icc", "null", "false"))
	gone := seen
	gone.PID = 1 << 30
	looks := 0
	observe := func(err error) func(context.Context) (inventory.Daemon, host.Service, error) {
		return func(context.Context) (inventory.Daemon, host.Service, error) { looks++; return seen, service, err }
	}
	broken := errors.New("no answer")
	tests := []struct {
		name    string
		before  inventory.Daemon
		observe func(context.Context) (inventory.Daemon, host.Service, error)
		looks   int
		is      error
	}{
		{"still there", seen, observe(broken), 0, nil},
		{"gone", gone, observe(nil), 1, nil},
		{"never seen", inventory.Daemon{}, observe(nil), 1, nil},
		{"cannot be seen", gone, observe(broken), 1, broken},
		{"an apply", gone, nil, 0, plan.ErrStale},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			looks = 0
			r.handler.Daemon, r.handler.Observe = tt.before, tt.observe
			undo, err := r.handler.Prepare(t.Context(), step)
			if looks != tt.looks || !errors.Is(err, tt.is) {
				t.Fatalf("%d looks, error %v", looks, err)
			}
			if tt.is != nil {
				return
			}
			var m memo
			if err := json.Unmarshal(undo, &m); err != nil {
				t.Fatal(err)
			}
			if m.Engine.PID != seen.PID || m.Service.PID != service.PID {
				t.Errorf("prepared for process %d of service %d, not %d", m.Engine.PID, m.Service.PID, seen.PID)
			}
		})
	}
}

// TestPrepareSeesWhatCannotBeReplaced: before anything is changed, and so in a dry run too.
func TestPrepareSeesWhatCannotBeReplaced(t *testing.T) {
	r := newRig(t, "{}\n")
	file, dir := testhost.DaemonJSON, filepath.Dir(testhost.DaemonJSON)
	tests := []struct {
		name     string
		do, undo [][]string
		want     string
		id       string
	}{
		{"immutable file", [][]string{{"chattr", "+i", file}}, [][]string{{"chattr", "-i", file}}, "chattr -i " + file + " first", "46"},
		{"append-only directory", [][]string{{"chattr", "+a", dir}}, [][]string{{"chattr", "-a", dir}}, "chattr -a " + dir + " first", "46"},
		{"bind-mounted file", [][]string{{"mount", "--bind", file, file}}, [][]string{{"umount", file}}, "mount point", "49"},
		{
			"read-only directory",
			[][]string{{"mount", "--bind", dir, dir}, {"mount", "-o", "remount,bind,ro", dir}},
			[][]string{{"umount", dir}},
			"read-only file system", "47",
		},
	}
	run := func(commands [][]string) {
		for _, c := range commands {
			if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil { //nolint:gosec // the words stand above
				t.Fatalf("%q: %v: %s", c, err, out)
			}
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			record(t, tt.id, tt.name+" of daemon.json", "refused before anything is changed", "")
			run(tt.do)
			defer run(tt.undo)
			_, err := r.handler.Prepare(t.Context(), stepOf(plan.KindRestart, set("icc", "null", "false")))
			if !errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Prepare = %v, want a refusal with %q", err, tt.want)
			}
		})
	}
	if _, err := r.handler.Prepare(t.Context(), stepOf(plan.KindRestart, set("icc", "null", "false"))); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
