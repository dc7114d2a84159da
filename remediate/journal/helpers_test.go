package journal_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/remediate/journal"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB) (*journal.Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	s, err := journal.Open(dir)
	must(t, err)
	return s, dir
}

// begin is a generation of two steps, a and b.
func begin() journal.Begin {
	step := func(id string) plan.Step {
		return plan.Step{ID: id, Kind: plan.KindUpdate, Resource: plan.Container(id, "id-"+id), Basis: plan.Basis{"x": "1"}}
	}
	return journal.Begin{
		Plan: []byte("{}"), PlanSHA256: "abc", Tool: "v1", Message: "why <not>", Host: plan.Host{Name: "h"},
		Profile: plan.Profile{Name: "baseline"}, Steps: []plan.Step{step("a"), step("b")},
	}
}

// write appends records given as "kind", "kind step", or "kind step !" for one about an error.
func write(t testing.TB, j *journal.Journal, records string) {
	t.Helper()
	for record := range strings.SplitSeq(records, ",") {
		words := append(strings.Fields(record), "", "")
		switch {
		case words[0] == "":
		case words[2] == "!" || words[1] == "!":
			must(t, j.WriteError(journal.Kind(words[0]), strings.TrimSuffix(words[1], "!"), os.ErrDeadlineExceeded))
		default:
			must(t, j.Write(journal.Kind(words[0]), words[1], map[string]string{"of": record}))
		}
	}
}

// made is a store with one generation of these records, and the path of its rollback file.
func made(t testing.TB, records string) (*journal.Store, string) {
	t.Helper()
	s, dir := open(t)
	j, err := s.Create(begin())
	must(t, err)
	write(t, j, records)
	must(t, j.Close())
	return s, filepath.Join(dir, "generations", "1", journal.FileName)
}

func load(t testing.TB, s *journal.Store, n int) *journal.Generation {
	t.Helper()
	gen, err := s.Load(n)
	must(t, err)
	return gen
}

func ids(steps []plan.Step) string {
	var out []string
	for _, s := range steps {
		out = append(out, s.ID)
	}
	return strings.Join(out, " ")
}

func text(raw json.RawMessage) string { return string(raw) }
