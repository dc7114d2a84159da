// Package casetest makes every kind of container people run, lets it be recreated and brought back, and
// compares. It knows of the handlers what their callers know, and judges by what the engine and the
// kernel show: the comparison is its own and not the one the handlers use.
package casetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	types "github.com/docker/docker/api/types/container"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/container"
)

func TestMain(m *testing.M) { host.Main(m) }

// wait is how long a test waits for what must come; the machine may be busy.
const wait = time.Minute

// stateDir is the product's own, of the isolated host in which the tests run.
const stateDir = "/var/lib/docker-harden"

// options let a healthy container pass the gate in an instant. HealthTimeout bounds how long a gate
// that must fail waits.
func options() container.Options {
	n := new(atomic.Int32)
	const private = 0o700
	_ = os.MkdirAll(stateDir, private) // a test that needs it says that it is not there
	return container.Options{
		State: stateDir, Stable: 150 * time.Millisecond, HealthTimeout: 10 * time.Second,
		TX: func() string { return "t" + strconv.Itoa(int(n.Add(1))) },
	}
}

func recreator(t *testing.T, h *host.Host) *container.Recreator {
	t.Helper()
	return &container.Recreator{Engine: h.Client(t), Options: options()}
}

func updater(t *testing.T, h *host.Host) *container.Updater {
	t.Helper()
	return &container.Updater{Engine: h.Client(t), Options: options()}
}

// notebook is the journal of one step.
type notebook struct {
	notes []json.RawMessage
	said  []string
}

func (n *notebook) Note(v any) error {
	raw, err := json.Marshal(v)
	n.notes = append(n.notes, raw)
	return err
}

func (n *notebook) Progress(text string) { n.said = append(n.said, text) }

func change(path, from, to string) plan.Change {
	return plan.Change{Path: "HostConfig." + path, From: json.RawMessage(from), To: json.RawMessage(to), Kind: plan.KindRecreate, Reversibility: plan.Exact}
}

func live(path, from, to string) plan.Change {
	c := change(path, from, to)
	c.Kind, c.Reversibility = plan.KindUpdate, plan.Functional
	return c
}

// hardened is what most containers are given: no new privileges, and one capability less.
func hardened() []plan.Change {
	return []plan.Change{change("SecurityOpt", "null", `["no-new-privileges:true"]`), change("CapDrop", "null", `["CAP_MKNOD"]`)}
}

func step(t *testing.T, h *host.Host, name string, changes ...plan.Change) plan.Step {
	t.Helper()
	return plan.Step{ID: "container/" + name, Kind: changes[0].Kind, Resource: plan.Container(name, inspect(t, h, name).id()), Changes: changes}
}

// attempt prepares and makes a step, which may fail, and returns what the journal would hold.
func attempt(t *testing.T, r remediate.Handler, s plan.Step) (remediate.Record, error) {
	t.Helper()
	undo, err := r.Prepare(t.Context(), s)
	if err != nil {
		t.Fatalf("Prepare: %v", err)
	}
	log := &notebook{}
	err = r.Do(t.Context(), s, undo, log)
	return remediate.Record{Undo: undo, Notes: log.notes}, err
}

// done makes a step that must succeed.
func done(t *testing.T, r remediate.Handler, s plan.Step) remediate.Record {
	t.Helper()
	rec, err := attempt(t, r, s)
	if err != nil {
		t.Fatalf("Do: %v", err)
	}
	return rec
}

func undone(t *testing.T, r remediate.Handler, s plan.Step, rec remediate.Record) remediate.Restored {
	t.Helper()
	out, err := r.Undo(t.Context(), s, rec)
	if err != nil {
		t.Fatalf("Undo: %v", err)
	}
	return out
}

// refused fails unless Prepare refuses the step with these words and leaves the container alone.
func refused(t *testing.T, h *host.Host, r remediate.Handler, s plan.Step, want string) {
	t.Helper()
	before, all := inspect(t, h, s.Resource.Name), mine(t, h, s.Resource.Name)
	_, err := r.Prepare(t.Context(), s)
	if !errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), want) {
		t.Errorf("Prepare: %v, want a refusal that says %q", err, want)
	}
	after := inspect(t, h, s.Resource.Name)
	if after.started() != before.started() || after.status() != before.status() {
		t.Errorf("a refused step touched the container: it is %s since %s, was %s since %s", after.status(), after.started(), before.status(), before.started())
	}
	if got := mine(t, h, s.Resource.Name); got != all {
		t.Errorf("a refused step left something:\n%s\nbefore:\n%s", got, all)
	}
}

// mine are the containers whose name begins like this one's, with their states.
func mine(t *testing.T, h *host.Host, name string) string {
	t.Helper()
	list, err := h.Client(t).ContainerList(t.Context(), types.ListOptions{All: true})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range list {
		for _, n := range c.Names {
			if n = strings.TrimPrefix(n, "/"); n == name || strings.HasPrefix(n, name+".dh-") {
				lines = append(lines, c.ID+" "+n+" "+c.State)
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(wait); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("waited %s in vain until %s", wait, what)
}

func contains(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%q does not contain %q", text, part)
	}
}

// status is a line of /proc/PID/status of the container's first process.
func status(t *testing.T, h *host.Host, name, field string) string {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%v/status", inspect(t, h, name).of("State.Pid")))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// record is a row of the table of recreates.
func record(t *testing.T, r row.Row) {
	t.Helper()
	r.Table = row.Recreate
	row.Record(t, r)
}

// others are the notes of an undo that do not say what was kept of the hardened container.
func others(notes []string) []string {
	return slices.DeleteFunc(slices.Clone(notes), func(note string) bool { return strings.Contains(note, " is kept") })
}
