// Package systemdtest runs the engine's steps on a host where systemd starts the engine, with Debian's own
// docker.service. It is a package of its own because the tests of the handler run on hosts without systemd.
package systemdtest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/client"

	"docker-harden/cmd/reliability/row"
	testhost "docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/daemon"
	"docker-harden/remediate/host"
)

const (
	inside   = "DOCKER_HARDEN_SYSTEMD_IMAGE" // set on the host itself, to the image to run
	config   = "/etc/docker/daemon.json"
	stateDir = "/var/lib/docker-harden"
	sleep    = "10000"
)

// TestUnderSystemd runs itself once more on a host of its own.
func TestUnderSystemd(t *testing.T) {
	if image := os.Getenv(inside); image != "" {
		scenario(t, image)
		return
	}
	exe, err := os.Executable()
	must(t, err)
	h := testhost.Start(t, testhost.Systemd())
	h.Start(t)
	image := h.Image(t, "busybox")
	const there = "/usr/local/bin/steps"
	h.CopyIn(t, exe, there)
	out, err := h.Command(t.Context(), "env", inside+"="+image, there, "-test.run=^TestUnderSystemd$", "-test.v").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestUnderSystemd") {
		t.Errorf("on the host: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// machine is the host, from inside.
type machine struct {
	*testing.T
	client *client.Client
	notes  []json.RawMessage
}

func (m *machine) Note(v any) error {
	raw, err := json.Marshal(v)
	m.notes = append(m.notes, raw)
	return err
}

func (m *machine) Progress(text string) { m.Log(text) }

func (m *machine) run(name string, args ...string) string {
	m.Helper()
	out, err := exec.CommandContext(m.Context(), name, args...).CombinedOutput()
	if err != nil {
		m.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// observe looks at the host as a plan does.
func (m *machine) observe() *inventory.Host {
	m.Helper()
	seen, err := inventory.Collect(m.Context(), m.client, inventory.Options{Effective: daemon.Effective(stateDir)})
	must(m.T, err)
	return seen
}

// handler observes the host anew, as a new run of the program does.
func (m *machine) handler() *daemon.Handler {
	m.Helper()
	seen := m.observe()
	if seen.Daemon.Manager != host.Systemd || seen.Daemon.Pending {
		m.Errorf("manager %q, pending %v; want systemd and nothing pending", seen.Daemon.Manager, seen.Daemon.Pending)
	}
	service, err := host.Describe(seen.Daemon, "")
	must(m.T, err)
	return &daemon.Handler{Engine: m.client, Daemon: seen.Daemon, Service: service, Open: host.Open, StateDir: stateDir}
}

// state is what an Undo must bring back.
func (m *machine) state() string {
	m.Helper()
	text, err := os.ReadFile(config)
	if err != nil && !os.IsNotExist(err) {
		m.Fatal(err)
	}
	return fmt.Sprintf("file %q exists %v\n%s\n%s", text, err == nil,
		m.run("docker", "info", "-f", "{{.LiveRestoreEnabled}} {{.Debug}}"),
		m.run("docker", "inspect", "-f", "{{.Name}} {{.State.Pid}}", "web"))
}

func set(path, to string) plan.Change {
	return plan.Change{Path: path, From: json.RawMessage("null"), To: json.RawMessage(to)}
}

func scenario(t *testing.T, image string) {
	c, err := client.NewClientWithOpts(client.WithAPIVersionNegotiation())
	must(t, err)
	defer c.Close()
	first := &machine{T: t, client: c}
	first.run("docker", "run", "-d", "--name", "web", "--stop-timeout", "1", image, "sleep", sleep)
	live, nnp := set("live-restore", "true"), set("no-new-privileges", "true")
	missing := set("seccomp-profile", `"/nonexistent.json"`)
	tests := []struct {
		name    string
		rows    []row.Row
		kind    plan.Kind
		changes []plan.Change
		fails   string           // what Do says; "" is nothing
		before  func(m *machine) // Prepare
		between func(m *machine) // Do and Undo
	}{
		{name: "reload", kind: plan.KindReload, changes: []plan.Change{live, set("debug", "true")}},
		{name: "restart", kind: plan.KindRestart, changes: []plan.Change{live, nnp, set("icc", "false")}},
		{
			name: "start that fails", kind: plan.KindRestart, changes: []plan.Change{live, missing}, fails: "/nonexistent.json",
			rows:    []row.Row{{ID: "59", Case: "the engine accepts its file and fails later in its start (systemd)", Apply: "fails with the engine's words; systemd does not try on", Rollback: "as before, containers kept"}},
			between: func(m *machine) { m.atRest() },
		},
		{
			name: "engine killed", kind: plan.KindRestart, changes: []plan.Change{live, nnp},
			between: func(m *machine) {
				m.run("systemctl", "kill", "--signal=KILL", "--kill-who=main", "docker.service")
			},
		},
		{name: "engine stopped", kind: plan.KindReload, changes: []plan.Change{live}, between: func(m *machine) {
			m.run("systemctl", "stop", "docker.socket", "docker.service")
		}},
		{
			name: "restarted twice by others", kind: plan.KindRestart, changes: []plan.Change{live, nnp},
			rows: []row.Row{
				{ID: "61", Case: "two starts within a minute already: systemd refuses the fourth", Apply: "done: the count is reset first", Rollback: "as before"},
				{ID: "62", Case: "four restarts within a minute", Apply: "done", Rollback: "as before"},
			},
			before: func(m *machine) {
				m.run("systemctl", "reset-failed", "docker.service", "docker.socket")
				m.run("systemctl", "restart", "docker.service")
				m.run("systemctl", "restart", "docker.service")
				m.run("docker", "start", "web")
			},
		},
		{
			name: "engine in a loop of failing starts", kind: plan.KindRestart, changes: []plan.Change{live, missing}, fails: "/nonexistent.json",
			rows:    []row.Row{{ID: "64", Case: "systemd starts the engine again and again while the file is put back", Apply: "failed", Rollback: "as before, one engine, containers kept"}},
			between: func(m *machine) { m.run("systemctl", "start", "--no-block", "docker.service") },
		},
		{
			name: "clients without end", kind: plan.KindRestart, changes: []plan.Change{live, nnp},
			rows:   []row.Row{{ID: "63", Case: "clients connect to docker.socket all through the restart", Apply: "one restart, the planned one", Rollback: "as before"}},
			before: (*machine).storm,
		},
		{
			name: "engine replaced", kind: plan.KindRestart, changes: []plan.Change{live, nnp},
			rows: []row.Row{{ID: "67", Case: "the engine's program was replaced and not restarted", Apply: "the new program judges the file and is started; the plan says so, with risk HIGH", Rollback: "as before, with the new program"}},
			before: func(m *machine) {
				m.run("sh", "-c", "cp -p /usr/sbin/dockerd /usr/sbin/dockerd.new && mv /usr/sbin/dockerd.new /usr/sbin/dockerd")
				if seen := m.observe(); !seen.Daemon.ExeDeleted || seen.Daemon.Exe != "/usr/sbin/dockerd" {
					m.Errorf("the program is %s, replaced %v", seen.Daemon.Exe, seen.Daemon.ExeDeleted)
				}
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := &machine{T: t, client: c}
			for _, r := range tt.rows {
				r.Table = row.Daemon
				row.Record(t, r)
			}
			if tt.before != nil {
				tt.before(m)
			}
			before := m.state()
			h, step := m.handler(), plan.Step{ID: "daemon", Kind: tt.kind, Resource: plan.Daemon(), Changes: tt.changes}
			undo, err := h.Prepare(t.Context(), step)
			must(t, err)
			err = h.Do(t.Context(), step, undo, m)
			if (tt.fails == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("Do = %v, want %q", err, tt.fails)
			}
			if err == nil && !strings.Contains(m.state(), "\ntrue ") {
				t.Errorf("after Do: %s", m.state())
			}
			if tt.between != nil {
				tt.between(m)
			}
			later := &daemon.Handler{Engine: c, Open: host.Open, StateDir: stateDir}
			restored, err := later.Undo(context.Background(), step, remediate.Record{Undo: undo, Notes: slices.Clone(m.notes)})
			must(t, err)
			if restored.How != plan.Exact {
				t.Errorf("Undo = %+v, want exact", restored)
			}
			if after := m.state(); after != before {
				t.Errorf("after Undo\n%s\nand before\n%s", after, before)
			}
			m.handler() // nothing may be pending
		})
	}
	refusals(t, c)
	t.Run("signal before the engine is up", func(t *testing.T) { earlySignal(&machine{T: t, client: c}) })
}
