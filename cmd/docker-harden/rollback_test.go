package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
	"docker-harden/remediate/journal"
)

// frail is a handler whose undo of a container needs an engine, which only the undo of the daemon starts.
type frail struct {
	up    bool
	order []string
}

func (f *frail) Prepare(context.Context, plan.Step) (json.RawMessage, error) {
	return json.RawMessage(`{}`), nil
}

func (f *frail) Do(context.Context, plan.Step, json.RawMessage, remediate.Log) error { return nil }

func (f *frail) Undo(_ context.Context, s plan.Step, _ remediate.Record) (remediate.Restored, error) {
	if s.ID == "daemon" {
		f.up = true
	}
	if !f.up {
		return remediate.Restored{}, errors.New("cannot reach the engine")
	}
	f.order = append(f.order, s.ID)
	return remediate.Restored{How: plan.Exact}, nil
}

func (f *frail) Commit(context.Context, plan.Step, remediate.Record) error { return nil }

// applied makes a generation of two steps in a fresh store.
func applied(t *testing.T, h remediate.Handler) (*remediate.Runner, []plan.Step) {
	t.Helper()
	state := filepath.Join(t.TempDir(), "state")
	store, err := journal.Open(state)
	if err != nil {
		t.Fatal(err)
	}
	r := &remediate.Runner{
		Handlers: map[plan.Kind]remediate.Handler{plan.KindRestart: h, plan.KindRecreate: h},
		Store:    store, Lock: filepath.Join(state, "lock"), Now: time.Now,
		Verify: func(context.Context, []plan.Step) ([]plan.Finding, error) { return nil, nil },
	}
	steps := []plan.Step{
		{ID: "daemon", Kind: plan.KindRestart, Resource: plan.Daemon()},
		{ID: "container/web", Kind: plan.KindRecreate, Resource: plan.Container("web", "old")},
	}
	p := &plan.Plan{Format: plan.Format, Made: time.Now(), Expires: time.Now().Add(time.Hour), Steps: steps}
	data, sum, err := plan.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Apply(t.Context(), remediate.ApplyRequest{
		Plan: p, PlanBytes: data, SHA256: sum,
		Basis: func(context.Context, plan.Resource) (plan.Basis, bool, error) { return nil, true, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, steps
}

// TestEngineFirst: with an engine that does not start, its configuration goes before the containers.
func TestEngineFirst(t *testing.T) {
	h := &frail{}
	r, steps := applied(t, h)
	out, err := engineFirst(t.Context(), r, remediate.RollbackRequest{Generation: 1}, steps)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"daemon", "container/web"}
	if !slices.Equal(h.order, want) || !slices.Equal(out.Undone, want) || len(out.Restored) != 2 {
		t.Errorf("undone %q, told %q, restored %v", h.order, out.Undone, out.Restored)
	}
}

func TestEngineFirstWithoutDaemon(t *testing.T) {
	h := &frail{}
	r, steps := applied(t, h)
	_, err := engineFirst(t.Context(), r, remediate.RollbackRequest{Generation: 1, Targets: []string{"container/web"}}, steps[1:])
	if !errors.Is(err, remediate.ErrRollbackIncomplete) {
		t.Errorf("error %v; a target that was not asked for was rolled back: %q", err, h.order)
	}
}

// TestHideKept: the old container of a recreate is no part of the host; after its rollback it is.
func TestHideKept(t *testing.T) {
	r, _ := applied(t, &frail{up: true})
	all, err := r.Store.List()
	if err != nil {
		t.Fatal(err)
	}
	if got := keptBy(all); len(got) != 1 || got["old"] != "web" {
		t.Errorf("kept %v", got)
	}
	if _, err := r.Rollback(t.Context(), remediate.RollbackRequest{}); err != nil {
		t.Fatal(err)
	}
	if all, err = r.Store.List(); err != nil {
		t.Fatal(err)
	}
	if got := keptBy(all); len(got) != 0 {
		t.Errorf("after the rollback: kept %v", got)
	}
}

func TestUndoText(t *testing.T) {
	gen := &journal.Generation{N: 2}
	text := undoText(gen, []plan.Step{{
		ID: "container/web", Kind: plan.KindUpdate,
		Changes: []plan.Change{{
			Path: "HostConfig.Memory", From: raw("0"), To: raw("1024"), Reversibility: plan.Functional, ReverseNote: "inspect shows the maximum",
		}},
	}})
	want := `Generation 2, newest step first:

~ container/web  (functional)
    HostConfig.Memory  1024 -> 0
    # HostConfig.Memory: inspect shows the maximum
`
	if text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

func TestNarrowed(t *testing.T) {
	steps := []plan.Step{
		{ID: "container/a", Resource: plan.Container("a", "")}, {ID: "daemon", Resource: plan.Daemon()},
	}
	got, err := narrowed(steps, []string{"daemon"})
	if err != nil || len(got) != 1 || got[0].ID != "daemon" {
		t.Errorf("%v, error %v", got, err)
	}
	if _, err := narrowed(steps, []string{"container/b"}); exitCode(t.Context(), err) != exitUsage {
		t.Errorf("error %v", err)
	}
	if _, err := narrowed(steps, []string{"container/["}); exitCode(t.Context(), err) != exitUsage {
		t.Errorf("error %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	err := unreachable("unix:///x.sock", fmt.Errorf("cannot reach the engine: %w", syscall.EACCES))
	if !strings.Contains(err.Error(), "use sudo") || exitCode(t.Context(), err) != exitError {
		t.Errorf("error %v", err)
	}
}

// TestBasisOf: what was not observed has no basis, and so is stale.
func TestBasisOf(t *testing.T) {
	h := &inventory.Host{Files: map[string]inventory.File{"/f": {Exists: true}}}
	basis, ok, err := basisOf(h)(t.Context(), plan.File("/f"))
	if err != nil || !ok || basis["exists"] != "true" {
		t.Errorf("%v %v %v", basis, ok, err)
	}
	if _, ok, _ := basisOf(h)(t.Context(), plan.File("/g")); ok {
		t.Error("a file that was not observed has a basis")
	}
}
