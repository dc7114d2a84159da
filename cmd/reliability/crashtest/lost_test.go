//go:build reliability

package crashtest

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
)

// lasting are the kinds whose points are tried with an engine or a host that dies: every container has
// the policy that brings it up again whatever happens, so that nothing but the tool can keep it down.
func lasting() []kind {
	restart := func(t *testing.T, h *host.Host) {
		launch(t, h, "web", "--restart", "always")
		launch(t, h, "job", "--restart", "always")
		config(`{"log-level": "warn"}`)(t, h)
	}
	return []kind{
		{name: "daemon-restart", setup: restart, plan: []string{"daemon"}},
		{name: "recreate", setup: alone, plan: []string{"container/web"}},
		moved(), filed(), volumed(),
		// Locking is not among them: in the instant before the key is in its file, a host that dies locks for good.
		{name: "swarm", setup: manager(renewAnswer), plan: []string{"swarm", "-p", siteProfile}},
	}
}

// The engine is killed at every point of an apply. The tool goes on, as it can; the engine is started
// again, and resume or rollback finish.
func TestEngineKilled(t *testing.T) {
	for _, k := range lasting() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			lostRow(t, k, "the engine killed by SIGKILL after each step")
			r, there, _ := newRig(t, k)
			r.each(t, "engine", there, turns(1), func(t *testing.T, p point) string {
				r.stopped(t, p, false, func() { r.killEngine(t) }, apply()...)
				if _, err := r.engine.Ping(t.Context()); err != nil {
					r.host.Start(t)
				}
				return ""
			})
		})
	}
}

func lostRow(t *testing.T, k kind, what string) {
	t.Helper()
	if k.name == "recreate" {
		row.Record(t, row.Row{
			Table: row.Recreate, ID: "44", Case: what, Apply: "service up or recoverable, one container runs, right name and policy", Rollback: "exact",
		})
	}
}

// killEngine kills an engine that runs; on the way of a restart there is a moment without one. An engine
// that the tool has started is its child and not collected before the tool goes on.
func (r *rig) killEngine(t *testing.T) {
	t.Helper()
	pid, err := os.ReadFile(r.host.Path("/run/docker.pid"))
	if err != nil {
		return
	}
	process := string(bytes.TrimSpace(pid))
	runs := func() bool {
		status, err := os.ReadFile(r.host.Path("/proc/" + process + "/status"))
		return err == nil && bytes.Contains(status, []byte("dockerd")) && !bytes.Contains(status, []byte("Z (zombie)"))
	}
	if !runs() {
		return
	}
	r.host.Exec(t, "kill", "-KILL", process)
	for end := time.Now().Add(time.Minute); runs(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the engine survives SIGKILL")
		}
	}
}

// Everything is killed at every point of an apply, and the engine is started again as by a boot. The
// service is up without the tool; resume or rollback finish.
func TestPowerLost(t *testing.T) {
	for _, k := range lasting() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			r, there, _ := newRig(t, k)
			lostRow(t, k, "power lost after each step")
			gaps := map[string]bool{}
			r.each(t, "power", there, turns(2), func(t *testing.T, p point) string {
				r.stopped(t, p, true, func() { r.powerLoss(t, p) }, apply()...)
				if r.up(t) {
					return "up by itself, then "
				}
				gaps[p.name] = true
				return "down, then "
			})
			// Between the two calls that hand the restart policy over, and the record in between.
			if most := 1; len(gaps) > most {
				t.Errorf("after a power loss at %d points nothing ran, %d may: %v", len(gaps), most, gaps)
			}
		})
	}
}

// powerLoss ends everything. A record that was not on disk yet comes back torn.
func (r *rig) powerLoss(t *testing.T, p point) {
	t.Helper()
	if strings.HasPrefix(p.name, "written, not on disk: record") {
		r.tear(t)
	}
	r.host.PowerLoss(t)
}

func (r *rig) tear(t *testing.T) {
	t.Helper()
	path := r.host.Path(state + "/generations/1/rollback.jsonl")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := bytes.LastIndexByte(bytes.TrimSuffix(data, []byte("\n")), '\n') + 1
	if err := os.Truncate(path, int64(last+(len(data)-last)/2)); err != nil {
		t.Fatal(err)
	}
}

// up says whether exactly one container of each name runs after a boot. It may be none only where neither
// the old nor the new one has a restart policy. The engine starts containers before it answers; one that
// is just being started is waited for.
func (r *rig) up(t *testing.T) bool {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		now := r.look(t)
		up, excused := true, false
		for place := range r.old {
			name, ok := strings.CutPrefix(place, "state of ")
			if !ok {
				continue
			}
			running, policies := now.serving(name)
			if running > 1 {
				t.Fatalf("%d containers run as %s", running, name)
			}
			up = up && running == 1
			excused = excused || running == 0 && policies == 0
		}
		if up || excused {
			return up
		}
		if time.Now().After(end) {
			t.Fatalf("after the boot a service is down although it has a restart policy:\n%v", now)
		}
	}
}

// serving counts the containers that run for a name, and those that the engine would start.
func (v view) serving(name string) (running, policies int) {
	count := func(state string, policy bool) {
		if state == "running" {
			running++
		}
		if policy {
			policies++
		}
	}
	if state, ok := v["state of "+name]; ok {
		count(state, !strings.Contains(v[name+" HostConfig.RestartPolicy"], `"no"`))
	}
	for place, value := range v {
		if strings.HasPrefix(place, "kept "+name+" ") {
			state, _, _ := strings.Cut(value, ",")
			count(state, !strings.HasSuffix(value, "restart no"))
		}
	}
	return running, policies
}
