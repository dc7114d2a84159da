package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/client"

	"docker-harden/cmd/reliability/row"
	testhost "docker-harden/cmd/testhost/host"
	"docker-harden/cmd/testhost/leak"
	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
	"docker-harden/remediate/host"
)

func TestMain(m *testing.M) { testhost.Main(leak.Checked(m, leak.Engines())) }

// record says which numbered case a test proves.
func record(t *testing.T, id, what, apply, rollback string) {
	t.Helper()
	row.Record(t, row.Row{Table: row.Daemon, ID: id, Case: what, Apply: apply, Rollback: rollback})
}

const stateDir = "/var/lib/docker-harden"

// rig is a real engine and the handler that changes it.
type rig struct {
	*testhost.Host
	t       *testing.T
	client  *client.Client
	handler *Handler
}

// newRig starts from a daemon.json; "" is no file at all.
func newRig(t *testing.T, config string) *rig {
	t.Helper()
	r := &rig{Host: testhost.Here(t), t: t}
	r.client = r.Client(t)
	if config != "{}\n" {
		r.configure(config)
	}
	r.look()
	return r
}

func (r *rig) configure(config string) {
	r.t.Helper()
	if config == "" {
		r.must(os.Remove(testhost.DaemonJSON))
	} else {
		r.WriteDaemonJSON(r.t, config)
	}
	r.Restart(r.t)
}

// look observes the host anew and gives the handler what it sees.
func (r *rig) look() {
	r.t.Helper()
	observed, err := inventory.Collect(r.t.Context(), r.client, inventory.Options{Effective: Effective(stateDir)})
	r.must(err)
	for _, p := range observed.Problems {
		r.t.Logf("inventory: %s: %s", p.Subject, p.Reason)
	}
	service, err := host.Describe(observed.Daemon, "")
	r.must(err)
	r.handler = &Handler{Engine: r.client, Daemon: observed.Daemon, Service: service, Open: host.Open, StateDir: stateDir}
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// run starts a sleeping container and returns its name.
func (r *rig) run(name string, args ...string) string {
	r.t.Helper()
	args = append([]string{"run", "-d", "--name", name, "--stop-timeout", "1"}, args...)
	r.Docker(r.t, append(args, r.Image(r.t, "busybox"), "sleep", "10000")...)
	return name
}

// state is what must be the same after an Undo.
type state struct {
	File       string
	Info       string
	Containers string
}

func (r *rig) state() state {
	r.t.Helper()
	var s state
	now, err := observe(testhost.DaemonJSON)
	if err != nil { // a link
		target, err := os.Readlink(testhost.DaemonJSON)
		r.must(err)
		now, err = observe(target)
		r.must(err)
		s.File = "link to " + target + " "
	}
	s.File += fmt.Sprintf("%v %q %v %d:%d %q", now.Exists, now.Bytes, now.Mode, now.UID, now.GID, now.Xattrs)
	s.Info = r.info()
	s.Containers = r.containers("{{.Name}} {{.State.Running}} {{.State.Pid}}")
	return s
}

func (r *rig) info() string {
	r.t.Helper()
	have, err := truthsOf(r.t.Context(), r.client, r.PID(r.t), slices.DeleteFunc(defaults.keys(), func(k string) bool { return k == "userland-proxy" }))
	r.must(err)
	return fmt.Sprint(map[string]string(have))
}

func (r *rig) containers(format string) string {
	r.t.Helper()
	ids := strings.Fields(r.Docker(r.t, "ps", "-aq", "--no-trunc"))
	if len(ids) == 0 {
		return ""
	}
	lines := strings.Split(r.Docker(r.t, append([]string{"inspect", "-f", format}, ids...)...), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func (r *rig) expect(want state) {
	r.t.Helper()
	got := r.state()
	for _, pair := range [][3]string{{"file", got.File, want.File}, {"info", got.Info, want.Info}, {"containers", got.Containers, want.Containers}} {
		if pair[1] != pair[2] {
			r.t.Errorf("%s is\n%s\nand was\n%s", pair[0], pair[1], pair[2])
		}
	}
}

func (r *rig) expectFile(want string) {
	r.t.Helper()
	raw, err := os.ReadFile(testhost.DaemonJSON)
	if err != nil || string(raw) != want {
		r.t.Errorf("daemon.json = %q, %v; want %q", raw, err, want)
	}
}

// expectSettled: the next plan sees no edit that the engine has not read.
func (r *rig) expectSettled() {
	r.t.Helper()
	r.look()
	if r.handler.Daemon.Pending {
		r.t.Error("the inventory takes our own file for an edit the engine has not read")
	}
}

func stepOf(kind plan.Kind, changes ...plan.Change) plan.Step {
	return plan.Step{ID: "daemon", Kind: kind, Resource: plan.Daemon(), Changes: changes}
}

func set(path, from, to string) plan.Change {
	return plan.Change{Path: path, From: json.RawMessage(from), To: json.RawMessage(to)}
}

// journal stands in for the rollback file.
type journal struct {
	t     *testing.T
	notes []json.RawMessage
	fail  int // the number of the note that fails, from 1; as a full disk would
	said  []string
}

var errFull = errors.New("no space left on device")

func (j *journal) Note(v any) error {
	if len(j.notes)+1 == j.fail {
		return errFull
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	j.notes = append(j.notes, raw)
	return nil
}

func (j *journal) Progress(text string) { j.said = append(j.said, text); j.t.Log(text) }

// prepared is a step that is ready to be done.
type prepared struct {
	*rig
	step plan.Step
	undo json.RawMessage
	log  *journal
}

func (r *rig) prepare(step plan.Step) *prepared {
	r.t.Helper()
	undo, err := r.handler.Prepare(r.t.Context(), step)
	r.must(err)
	return &prepared{rig: r, step: step, undo: undo, log: &journal{t: r.t}}
}

func (p *prepared) do() error {
	p.t.Helper()
	return p.handler.Do(p.t.Context(), p.step, p.undo, p.log)
}

// undoIt undoes as a later run of the program would: with nothing but the record.
func (p *prepared) undoIt(force bool) (remediate.Restored, error) {
	p.t.Helper()
	later := &Handler{Engine: p.client, Open: host.Open, StateDir: stateDir, hook: p.handler.hook}
	return later.Undo(context.Background(), p.step, remediate.Record{Undo: p.undo, Notes: p.log.notes, Force: force})
}

func (p *prepared) mustUndo() remediate.Restored {
	p.t.Helper()
	restored, err := p.undoIt(false)
	p.must(err)
	if restored.How != plan.Exact || len(restored.Notes) > 0 {
		p.t.Errorf("Undo = %+v, want exact and nothing to say", restored)
	}
	return restored
}

// sub runs a test of its own on an engine that the tests before it brought back to its start.
func (r *rig) sub(t *testing.T, name string, test func(*testing.T)) {
	t.Run(name, func(t *testing.T) {
		outer := r.t
		r.t = t
		defer func() { r.t = outer }()
		r.look()
		test(t)
	})
}

// some are every sixth point: each costs several restarts of the engine. make reliability tries all.
func some(points ...string) []string {
	if os.Getenv("DOCKER_HARDEN_TEST_THOROUGH") != "" {
		return points
	}
	var out []string
	for i := 0; i < len(points); i += 6 {
		out = append(out, points[i])
	}
	return out
}

// dieAt makes the handler stop at a point as a killed program would: nothing after it happens.
func (p *prepared) dieAt(point string) (died *bool, live func()) {
	died = new(bool)
	p.handler.hook = func(at string) error {
		if at != point {
			return nil
		}
		*died = true
		return errKilled
	}
	return died, func() { p.handler.hook = nil }
}

func (p *prepared) doAndDieAt(point string) {
	p.t.Helper()
	died, live := p.dieAt(point)
	defer live()
	if err := p.do(); !errors.Is(err, errKilled) || !*died {
		p.t.Fatalf("Do = %v, want the end at %q", err, point)
	}
}

func (p *prepared) undoAndDieAt(point string) {
	p.t.Helper()
	died, live := p.dieAt(point)
	defer live()
	if _, err := p.undoIt(false); !errors.Is(err, errKilled) || !*died {
		p.t.Fatalf("Undo = %v, want the end at %q", err, point)
	}
}

var errKilled = errors.New("killed")
