// Package casetest plays odd daemon.json files and odd engines through the engine's steps, on a real engine,
// and checks that every numbered case of the reliability report has its test.
package casetest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
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

func TestMain(m *testing.M) { testhost.Main(m) }

const stateDir = "/var/lib/docker-harden"

// rig is a real engine and what a run of the program needs to change it.
type rig struct {
	*testing.T
	host   *testhost.Host
	client *client.Client
	notes  []json.RawMessage
	said   []string
	// at is called with each line of progress: where a test may meddle.
	at func(text string)
}

func newRig(t *testing.T) *rig {
	t.Helper()
	h := testhost.Here(t)
	return &rig{T: t, host: h, client: h.Client(t)}
}

func (r *rig) Note(v any) error {
	raw, err := json.Marshal(v)
	r.notes = append(r.notes, raw)
	return err
}

func (r *rig) Progress(text string) {
	r.said = append(r.said, text)
	if r.at != nil {
		r.at(text)
	}
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) record(id, what, apply, rollback string) {
	r.Helper()
	row.Record(r.T, row.Row{Table: row.Daemon, ID: id, Case: what, Apply: apply, Rollback: rollback})
}

// write puts a file in place without telling the engine; nil removes it.
func (r *rig) write(doc []byte) {
	r.Helper()
	if doc == nil {
		r.must(os.Remove(testhost.DaemonJSON))
		return
	}
	r.host.WriteDaemonJSON(r.T, string(doc))
}

// observe looks at the host as a plan does.
func (r *rig) observe() *inventory.Host {
	r.Helper()
	h, err := inventory.Collect(r.Context(), r.client, inventory.Options{Effective: daemon.Effective(stateDir)})
	r.must(err)
	return h
}

// handler is that of a new run of the program.
func (r *rig) handler() *daemon.Handler {
	r.Helper()
	h := r.observe()
	service, err := host.Describe(h.Daemon, "")
	r.must(err)
	return &daemon.Handler{Engine: r.client, Daemon: h.Daemon, Service: service, Open: host.Open, StateDir: stateDir}
}

// step is a step in the middle of its life.
type step struct {
	plan.Step
	handler *daemon.Handler
	undo    json.RawMessage
}

func stepOf(kind plan.Kind, changes ...plan.Change) plan.Step {
	return plan.Step{ID: "daemon", Kind: kind, Resource: plan.Daemon(), Changes: changes}
}

func set(path, from, to string) plan.Change {
	return plan.Change{Path: path, From: json.RawMessage(from), To: json.RawMessage(to)}
}

func (r *rig) prepare(s plan.Step) *step {
	r.Helper()
	h := r.handler()
	undo, err := h.Prepare(r.Context(), s)
	r.must(err)
	r.notes, r.said = nil, nil
	return &step{s, h, undo}
}

func (r *rig) do(s *step) error {
	r.Helper()
	return s.handler.Do(r.Context(), s.Step, s.undo, r)
}

// back undoes with nothing but the record, as a later run does.
func (r *rig) back(s *step) remediate.Restored {
	r.Helper()
	later := &daemon.Handler{Engine: r.client, Open: host.Open, StateDir: stateDir}
	restored, err := later.Undo(context.Background(), s.Step, remediate.Record{Undo: s.undo, Notes: r.notes})
	r.must(err)
	return restored
}

// state is what a refusal must leave and a rollback bring back.
func (r *rig) state() string {
	r.Helper()
	doc, err := os.ReadFile(testhost.DaemonJSON)
	if err != nil && !os.IsNotExist(err) {
		r.Fatal(err)
	}
	info, err := r.client.Info(r.Context())
	r.must(err)
	return fmt.Sprintf("file %q exists %v\nlive-restore %v debug %v\n%s", doc, doc != nil, info.LiveRestoreEnabled, info.Debug,
		r.host.Docker(r.T, "ps", "-a", "--no-trunc", "--format", "{{.Names}} {{.State}}"))
}

func (r *rig) expect(before string) {
	r.Helper()
	if now := r.state(); now != before {
		r.Errorf("there is\n%s\nand there was\n%s", now, before)
	}
}

// restart restarts the engine with a file; nil is none.
func (r *rig) restart(doc []byte) {
	r.Helper()
	r.write(doc)
	r.host.Restart(r.T)
}

// refuses insists that a step is not begun, and that nothing changed.
func (r *rig) refuses(s plan.Step, want string) {
	r.Helper()
	before, pid := r.state(), r.host.PID(r.T)
	_, err := r.handler().Prepare(r.Context(), s)
	if err == nil || !strings.Contains(err.Error(), want) {
		r.Errorf("Prepare = %v, want %q", err, want)
	}
	r.expect(before)
	if r.host.PID(r.T) != pid {
		r.Error("the engine was restarted")
	}
}

// sub is a test of its own on the same engine.
func (r *rig) sub(name string, test func(r *rig)) {
	r.Run(name, func(t *testing.T) {
		test(&rig{T: t, host: r.host, client: r.client})
	})
}

func (r *rig) run(name string, args ...string) {
	r.Helper()
	args = append([]string{"run", "-d", "--name", name, "--stop-timeout", "1"}, args...)
	r.host.Docker(r.T, args...)
}

func (r *rig) image() string { r.Helper(); return r.host.Image(r.T, "busybox") }

func (r *rig) inspect(name, format string) string {
	r.Helper()
	return r.host.Docker(r.T, "inspect", "-f", format, name)
}
