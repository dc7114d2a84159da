package journal_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"docker-harden/plan"
	"docker-harden/remediate/journal"
)

func TestWriteAndRead(t *testing.T) {
	s, dir := open(t)
	b := begin()
	j, err := s.Create(b)
	must(t, err)
	if g := j.Generation(); g.N != 1 || g.Dir != filepath.Join(dir, "generations", "1") || g.State() != journal.StateApplying {
		t.Errorf("%+v", g)
	}
	undo := json.RawMessage("{\n \"env\": \"A=<&>\u2028\\n\", \"big\": 12345678901234567890123 }")
	must(t, j.Write(journal.Prepared, "a", undo))
	must(t, j.Write(journal.Note, "a", map[string]any{"id": 1}))
	must(t, j.Write(journal.Note, "a", nil))
	must(t, j.WriteError(journal.Failed, "a", errors.New("line one\nline two")))
	must(t, j.Write(journal.Undoing, "a", json.RawMessage(nil)))
	must(t, j.Write(journal.Undone, "a", map[string]string{"how": "exact"}))
	must(t, j.Write(journal.RolledBack, "", nil))
	must(t, j.Close())

	g := load(t, s, 1)
	b.Plan = nil
	if diff := cmp.Diff(b, g.Begin); diff != "" {
		t.Errorf("begin: %s", diff)
	}
	want := []string{"begin", "prepared", "note", "note", "failed", "undoing", "undone", "rolled-back"}
	for i, r := range g.Records {
		if string(r.Kind) != want[i] || r.Seq != i+1 || r.Time.IsZero() {
			t.Errorf("record %d: %+v", i, r)
		}
	}
	if len(g.Records) != len(want) {
		t.Fatalf("%d records", len(g.Records))
	}
	if got := text(g.Records[1].Data); got != "{\"env\":\"A=<&>\u2028\\n\",\"big\":12345678901234567890123}" {
		t.Errorf("undo record %s", got)
	}
	if r := g.Records[4]; r.Error != "line one\nline two" || r.Step != "a" {
		t.Errorf("%+v", r)
	}
	if g.Records[5].Data != nil {
		t.Errorf("no data became %s", g.Records[5].Data)
	}
	step := g.Step("a")
	if step.Phase != journal.StepUndone || len(step.Notes) != 2 || text(step.Restored) != `{"how":"exact"}` || step.Error != "" {
		t.Errorf("%+v", step)
	}
}

func TestEverythingIsPrivate(t *testing.T) {
	s, dir := open(t)
	j, err := s.Create(begin())
	must(t, err)
	must(t, j.Close())
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		must(t, err)
		info, err := d.Info()
		must(t, err)
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	}))
}

func TestWriteRefusesWhatMakesNoSense(t *testing.T) {
	s, _ := open(t)
	j, err := s.Create(begin())
	must(t, err)
	for _, r := range []struct {
		kind journal.Kind
		step string
		data any
	}{
		{"prepared", "", nil},
		{"prepared", "nope", nil},
		{"applied", "a", nil},
		{"begin", "", nil},
		{"dance", "a", nil},
		{"note", "a", func() {}},
		{"note", "a", json.RawMessage("{")},
	} {
		if err := j.Write(r.kind, r.step, r.data); err == nil || !strings.Contains(err.Error(), "internal error") {
			t.Errorf("%s %q: %v", r.kind, r.step, err)
		}
	}
	must(t, j.Write(journal.Prepared, "a", nil))
	must(t, j.Close())
	if err := j.Write(journal.Done, "a", nil); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after close: %v", err)
	}
	if g := load(t, s, 1); len(g.Records) != 2 {
		t.Errorf("%d records", len(g.Records))
	}
	b := begin()
	b.Steps[1].ID = "a"
	if _, err := s.Create(b); err == nil {
		t.Error("two steps of one id")
	}
}

func TestLongErrorIsCut(t *testing.T) {
	s, _ := open(t)
	j, err := s.Create(begin())
	must(t, err)
	must(t, j.WriteError(journal.Failed, "a", errors.New(strings.Repeat("é", 1<<20))))
	must(t, j.WriteError(journal.Failed, "b", nil))
	g := load(t, s, 1)
	if n := len(g.Step("a").Error); n < 1000 || n > 5000 || strings.Contains(g.Step("a").Error, "\uFFFD") {
		t.Errorf("%d bytes", n)
	}
	if g.Step("b").Error == "" {
		t.Error("a failure without a text")
	}
}

func TestReopenAppends(t *testing.T) {
	s, _ := made(t, "prepared a")
	j, err := s.Reopen(1)
	must(t, err)
	write(t, j, "done a, applied")
	must(t, j.Close())
	if g := load(t, s, 1); len(g.Records) != 4 || g.State() != journal.StateApplied {
		t.Errorf("%s with %d records", g.State(), len(g.Records))
	}
	if _, err := s.Reopen(2); !errors.Is(err, journal.ErrNone) {
		t.Errorf("got %v", err)
	}
}

func TestReopenMovesATornLineAside(t *testing.T) {
	s, path := made(t, "prepared a, done a")
	before, err := os.ReadFile(path)
	must(t, err)
	end, err := os.ReadFile(endOf(path))
	must(t, err)
	for i, torn := range []string{"x", `{"seq":4,"time":"2`, "\x00\x00\x00", "{\"a\x00\x00\"}\n"} {
		must(t, os.WriteFile(path, append(before[:len(before):len(before)], torn...), 0o600))
		if g := load(t, s, 1); !g.Torn || len(g.Records) != 3 {
			t.Errorf("%q: torn %v, %d records", torn, g.Torn, len(g.Records))
		}
		j, err := s.Reopen(1)
		must(t, err)
		write(t, j, "applied")
		must(t, j.Close())
		if g := load(t, s, 1); g.Torn || g.State() != journal.StateApplied {
			t.Errorf("%q: %v %s", torn, g.Torn, g.State())
		}
		kept, err := os.ReadFile(path + ".torn-4")
		if err != nil || string(kept) != torn {
			t.Errorf("case %d: kept %q, %v", i, kept, err)
		}
		must(t, os.WriteFile(path, before, 0o600))
		overwrite(t, endOf(path), end)
	}
}

// The plan is kept, and read back only as the one that was applied.
func TestPlanFile(t *testing.T) {
	s, dir := open(t)
	raw, sum, err := plan.Encode(&plan.Plan{Format: plan.Format, Host: plan.Host{Name: "h"}})
	must(t, err)
	b := begin()
	b.Plan, b.PlanSHA256 = raw, sum
	j, err := s.Create(b)
	must(t, err)
	must(t, j.Close())
	got, err := load(t, s, 1).PlanFile()
	if err != nil || string(got) != string(raw) {
		t.Errorf("%v", err)
	}
	other, _, err := plan.Encode(&plan.Plan{Format: plan.Format, Host: plan.Host{Name: "other"}})
	must(t, err)
	path := filepath.Join(dir, "generations", "1", journal.PlanName)
	for name, text := range map[string]string{"not the plan": string(other), "cannot": "garbage"} {
		must(t, os.WriteFile(path, []byte(text), 0o600))
		if _, err := load(t, s, 1).PlanFile(); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), path) {
			t.Errorf("%v", err)
		}
	}
}
