package container

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"docker-harden/cmd/testhost/host"
	"docker-harden/cmd/testhost/leak"
	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/container/body"
)

func TestMain(m *testing.M) { host.Main(leak.Checked(m)) }

// stateDir is the product's own, of the isolated host in which the tests run.
const stateDir = "/var/lib/docker-harden"

// fast are options under which a healthy container passes the gate in an instant.
func fast() Options {
	n := new(atomic.Int32)
	_ = os.MkdirAll(stateDir, privateMode) // a test that needs it says that it is not there
	return Options{
		State: stateDir, Stable: 150 * time.Millisecond, HealthTimeout: 3 * time.Second,
		TX: func() string { return "t" + string('a'+rune(n.Add(1)%20)) },
	}
}

func recreator(t *testing.T, h *host.Host) *Recreator {
	t.Helper()
	return &Recreator{Engine: h.Client(t), Options: fast()}
}

// notebook is a journal that forgets nothing. From its fail-th note on it refuses.
type notebook struct {
	notes []json.RawMessage
	said  []string
	fail  int
	at    func(said string) // called with each line of progress; may be nil
}

var errKilled = errors.New("killed")

func (n *notebook) Note(v any) error {
	if n.fail > 0 && len(n.notes)+1 >= n.fail {
		return errKilled
	}
	raw, err := json.Marshal(v)
	n.notes = append(n.notes, raw)
	return err
}

func (n *notebook) Progress(text string) {
	n.said = append(n.said, text)
	if n.at != nil {
		n.at(text)
	}
}

// mortal is an engine whose caller dies before its left-th request that changes something: neither
// that one nor any later one gets through. Requests that only read are no place to die of their own.
type mortal struct {
	Engine
	left int // 0: immortal
	seen int
}

func (m *mortal) dead() bool { return m.left > 0 && m.seen >= m.left }

func (m *mortal) Dialer() func(context.Context) (net.Conn, error) {
	dial := m.Engine.Dialer()
	return func(ctx context.Context) (net.Conn, error) {
		if m.dead() {
			return nil, errKilled
		}
		conn, err := dial(ctx)
		return &mortalConn{Conn: conn, m: m}, err
	}
}

type mortalConn struct {
	net.Conn
	m     *mortal
	began bool
}

func (c *mortalConn) Write(p []byte) (int, error) {
	if !c.began {
		c.began = true
		if !bytes.HasPrefix(p, []byte("GET ")) {
			c.m.seen++
		}
	}
	if c.m.dead() {
		return 0, errKilled
	}
	return c.Conn.Write(p)
}

func change(path, from, to string) plan.Change {
	return plan.Change{Path: "HostConfig." + path, From: json.RawMessage(from), To: json.RawMessage(to), Kind: plan.KindRecreate, Reversibility: plan.Exact}
}

// hardening is the step most tests make: no new privileges, and one capability less.
func hardening(t *testing.T, h *host.Host, name string) plan.Step {
	t.Helper()
	return stepFor(t, h, name, change("SecurityOpt", "null", `["no-new-privileges:true"]`), change("CapDrop", "null", `["CAP_MKNOD"]`))
}

func stepFor(t *testing.T, h *host.Host, name string, changes ...plan.Change) plan.Step {
	t.Helper()
	id := h.Docker(t, "inspect", "-f", "{{.Id}}", name)
	kind := plan.KindRecreate
	for _, c := range changes {
		kind = c.Kind
	}
	return plan.Step{ID: "container/" + name, Kind: kind, Resource: plan.Container(name, id), Changes: changes}
}

// done prepares and makes a step that must succeed.
func done(t *testing.T, r remediate.Handler, step plan.Step) remediate.Record {
	t.Helper()
	undo, err := r.Prepare(t.Context(), step)
	if err != nil {
		t.Fatalf("Prepare: %v", err)
	}
	log := &notebook{}
	if err := r.Do(t.Context(), step, undo, log); err != nil {
		t.Fatalf("Do: %v", err)
	}
	return remediate.Record{Undo: undo, Notes: log.notes}
}

func undone(t *testing.T, r remediate.Handler, step plan.Step, rec remediate.Record) remediate.Restored {
	t.Helper()
	out, err := r.Undo(t.Context(), step, rec)
	if err != nil {
		t.Fatalf("Undo: %v", err)
	}
	return out
}

// look is a container as a test compares it.
func look(t *testing.T, h *host.Host, ref string) *state {
	t.Helper()
	a, err := open(t.Context(), h.Client(t))
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.inspect(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func procOf(t *testing.T, c *state) *inventory.Proc {
	t.Helper()
	p, err := inventory.ReadProc("", c.State.PID)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// before is everything about a container that an exact undo must bring back.
type before struct {
	c    *state
	all  string // every container's id, name and state
	diff string // of its layer
}

func remember(t *testing.T, h *host.Host, name string) before {
	t.Helper()
	return before{c: look(t, h, name), all: sorted(list(t, h)), diff: sorted(h.Docker(t, "diff", name))}
}

func list(t *testing.T, h *host.Host) string {
	t.Helper()
	return h.Docker(t, "ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.State}}")
}

// isBack fails unless everything is as remembered.
func (b before) isBack(t *testing.T, h *host.Host) {
	t.Helper()
	now := look(t, h, b.c.name())
	if now == nil || now.ID != b.c.ID {
		t.Fatalf("the container named %s is not the old one; there are:\n%s", b.c.name(), list(t, h))
	}
	if differences, err := body.Diff(b.c.raw, now.raw, nil, apiVersion(t, h)); err != nil || len(differences) > 0 {
		t.Errorf("after undo it differs: %v %v", differences, err)
	}
	if now.State.Status != b.c.State.Status {
		t.Errorf("after undo it is %s, was %s", now.State.Status, b.c.State.Status)
	}
	if got := sorted(list(t, h)); got != b.all {
		t.Errorf("containers after undo:\n%s\nbefore:\n%s", got, b.all)
	}
	if got := sorted(h.Docker(t, "diff", b.c.name())); got != b.diff {
		t.Errorf("its layer after undo:\n%s\nbefore:\n%s", got, b.diff)
	}
}

func apiVersion(t *testing.T, h *host.Host) string {
	t.Helper()
	a, err := open(t.Context(), h.Client(t))
	if err != nil {
		t.Fatal(err)
	}
	return a.version
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("waited 10 s in vain until %s", what)
}

func contains(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%q does not contain %q", text, part)
	}
}

// Here is the host the tests run in.
func Here(t *testing.T) *host.Host {
	t.Helper()
	return host.Here(t)
}

func sorted(lines string) string {
	all := strings.Split(lines, "\n")
	slices.Sort(all)
	return strings.Join(all, "\n")
}

func containers(t *testing.T, h *host.Host) []string {
	t.Helper()
	return strings.Fields(h.Docker(t, "ps", "-aq", "--no-trunc"))
}

// busy is an engine that takes its time before it starts a container.
type busy struct {
	Engine
	takes time.Duration
}

func (b busy) Dialer() func(context.Context) (net.Conn, error) {
	dial := b.Engine.Dialer()
	return func(ctx context.Context) (net.Conn, error) {
		conn, err := dial(ctx)
		return busyConn{conn, b.takes}, err
	}
}

type busyConn struct {
	net.Conn
	takes time.Duration
}

func (c busyConn) Write(p []byte) (int, error) {
	if line, _, _ := bytes.Cut(p, []byte("\r\n")); bytes.HasPrefix(line, []byte("POST ")) && bytes.Contains(line, []byte("/start")) {
		time.Sleep(c.takes)
	}
	return c.Conn.Write(p)
}
