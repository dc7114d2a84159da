package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
	"docker-harden/remediate/journal"
)

// frail is a handler that does nothing.
type frail struct{}

func (frail) Prepare(context.Context, plan.Step) (json.RawMessage, error) {
	return json.RawMessage(`{}`), nil
}

func (frail) Do(context.Context, plan.Step, json.RawMessage, remediate.Log) error { return nil }

func (frail) Undo(context.Context, plan.Step, remediate.Record) (remediate.Restored, error) {
	return remediate.Restored{How: plan.Exact}, nil
}

func (frail) Commit(context.Context, plan.Step, remediate.Record) error { return nil }

// applied makes a generation of two steps in a fresh store.
func applied(t *testing.T, h remediate.Handler) *remediate.Runner {
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
		{ID: "container/web", Kind: plan.KindRecreate, Resource: plan.Container("web", "old"), Members: []plan.Member{
			{Resource: plan.Container("side", "old side"), Action: plan.ActionRecreate},
			{Resource: plan.Container("job", "job"), Action: plan.ActionRestart},
		}},
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
	return r
}

// TestHideKept: the old container of a recreate is no part of the host; after its rollback it is.
func TestHideKept(t *testing.T) {
	r := applied(t, frail{})
	all, err := r.Store.List()
	if err != nil {
		t.Fatal(err)
	}
	if got := keptBy(all); len(got) != 2 || got["old"] != "web" || got["old side"] != "side" {
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
