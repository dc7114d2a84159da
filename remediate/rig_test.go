package remediate_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/journal"
)

var now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// settings is a handler over a map: enough of a host to see order, records and undo.
type settings struct {
	t      *testing.T
	values map[string]string
	calls  []string
	// failing says which call fails: "do daemon", "undo container/web", "prepare …".
	failing map[string]error
	// onDo runs after a successful Do.
	onDo func(step string)
	// residue is what an undo leaves instead of the old value: it is functional then. By step and path.
	residue map[string]string
}

type undoValue struct{ Was map[string]string }

func (h *settings) call(verb string, s plan.Step) error {
	h.calls = append(h.calls, verb+" "+s.ID)
	return h.failing[verb+" "+s.ID]
}

func key(s plan.Step, c plan.Change) string { return s.ID + " " + c.Path }

func (h *settings) Prepare(_ context.Context, s plan.Step) (json.RawMessage, error) {
	if err := h.call("prepare", s); err != nil {
		return nil, err
	}
	u := undoValue{Was: map[string]string{}}
	for _, c := range s.Changes {
		u.Was[c.Path] = h.values[key(s, c)]
	}
	return json.Marshal(u)
}

func (h *settings) Do(_ context.Context, s plan.Step, undo json.RawMessage, log remediate.Log) error {
	var u undoValue
	if err := json.Unmarshal(undo, &u); err != nil {
		h.t.Errorf("undo record of %s is not what Prepare returned: %v", s.ID, err)
	}
	for i, c := range s.Changes {
		h.values[key(s, c)] = string(c.To)
		if err := log.Note(map[string]int{"changed": i}); err != nil {
			return err
		}
	}
	log.Progress("working")
	if err := h.call("do", s); err != nil {
		return err
	}
	if h.onDo != nil {
		h.onDo(s.ID)
	}
	return nil
}

func (h *settings) Undo(_ context.Context, s plan.Step, r remediate.Record) (remediate.Restored, error) {
	if err := h.call("undo", s); err != nil {
		return remediate.Restored{}, err
	}
	var u undoValue
	if err := json.Unmarshal(r.Undo, &u); err != nil {
		return remediate.Restored{}, err
	}
	out := remediate.Restored{How: plan.Exact, Nothing: len(r.Notes) == 0}
	for path, was := range u.Was {
		if left, ok := h.residue[s.ID+" "+path]; ok {
			was, out.How = left, plan.Functional
		}
		h.values[s.ID+" "+path] = was
	}
	return out, nil
}

func (h *settings) Commit(_ context.Context, s plan.Step, _ remediate.Record) error {
	return h.call("commit", s)
}

func (h *settings) basis(_ context.Context, r plan.Resource) (plan.Basis, bool, error) {
	b := plan.Basis{}
	for k, v := range h.values {
		if name, path, _ := strings.Cut(k, " "); name == r.String() {
			b[path] = v
		}
	}
	return b, len(b) > 0, nil
}

type rig struct {
	*remediate.Runner
	host   *settings
	plan   *plan.Plan
	bytes  []byte
	sum    string
	events []remediate.Event
	still  []plan.Finding
}

func newRig(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	store, err := journal.Open(filepath.Join(dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	g := &rig{host: &settings{t: t, failing: map[string]error{}, values: map[string]string{
		"daemon log-level": `"debug"`, "container/cache HostConfig.Memory": "0", "container/web HostConfig.CapDrop": "null",
	}}}
	g.Runner = &remediate.Runner{
		Store: store, Lock: filepath.Join(dir, "lock"), Tool: "test", Now: func() time.Time { return now },
		Handlers: map[plan.Kind]remediate.Handler{plan.KindRestart: g.host, plan.KindUpdate: g.host, plan.KindRecreate: g.host},
		Events:   func(e remediate.Event) { g.events = append(g.events, e) },
		Verify:   func(context.Context, []plan.Step) ([]plan.Finding, error) { return g.still, nil },
	}
	finding := func(r plan.Resource, path, from, to string, kind plan.Kind) plan.Finding {
		return plan.Finding{Control: "docker/" + path, Resource: r, Status: plan.Fail, Message: "bad", Changes: []plan.Change{{
			Path: path, From: json.RawMessage(from), To: json.RawMessage(to), Kind: kind, Reversibility: plan.Exact,
		}}}
	}
	g.plan, err = plan.Build(plan.Input{
		Findings: []plan.Finding{
			finding(plan.Daemon(), "log-level", `"debug"`, `"info"`, plan.KindRestart),
			finding(plan.Container("cache", "c"), "HostConfig.Memory", "0", "1", plan.KindUpdate),
			finding(plan.Container("web", "w"), "HostConfig.CapDrop", "null", `["NET_RAW"]`, plan.KindRecreate),
		},
		Basis: func(r plan.Resource) (plan.Basis, bool) { b, ok, _ := g.host.basis(t.Context(), r); return b, ok },
		Host:  plan.Host{Name: "h", MachineID: "m", EngineID: "e"}, Made: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	if g.bytes, g.sum, err = plan.Encode(g.plan); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *rig) request() remediate.ApplyRequest {
	return remediate.ApplyRequest{Plan: g.plan, PlanBytes: g.bytes, SHA256: g.sum, Host: g.plan.Host, Basis: g.host.basis}
}

func (g *rig) apply(t *testing.T) remediate.Outcome {
	t.Helper()
	out, err := g.Apply(t.Context(), g.request())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (g *rig) value(t *testing.T, key, want string) {
	t.Helper()
	if got := g.host.values[key]; got != want {
		t.Errorf("%s is %s, want %s", key, got, want)
	}
}

func (g *rig) state(t *testing.T, n int, want journal.State) {
	t.Helper()
	gen, err := g.Store.Load(n)
	if err != nil {
		t.Fatal(err)
	}
	if gen.State() != want {
		t.Errorf("generation %d is %s, want %s", n, gen.State(), want)
	}
}
