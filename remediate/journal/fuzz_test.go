package journal_test

import (
	"encoding/json"
	"slices"
	"testing"

	"docker-harden/remediate/journal"
)

// FuzzRecords writes records in any order, which a broken or newer version might: the state is always one that is
// known, what is to be undone is what was begun, and reading gives what was written.
func FuzzRecords(f *testing.F) {
	kinds := []journal.Kind{
		journal.Prepared, journal.Note, journal.Done, journal.Failed, journal.Undoing, journal.Undone, journal.UndoFailed, journal.Pruned,
		journal.Verified, journal.Applied, journal.RollingBack, journal.RolledBack, journal.RollbackIncomplete, journal.Resumed, journal.Confirmed,
	}
	const ofStep = 8 // of these; each for step a or b
	f.Add([]byte{0, 1, 2, 16, 17, 18, 8, 9, 14}, "data")
	f.Add([]byte{0, 3, 10, 4, 5, 11}, "")
	f.Add([]byte{12, 13, 6, 7, 5}, "\xff\u2028")
	f.Fuzz(func(t *testing.T, order []byte, data string) {
		s, path := made(t, "")
		j, err := s.Reopen(1)
		must(t, err)
		written := 0
		for _, b := range order[:min(len(order), 30)] {
			kind, step := kinds[int(b)%len(kinds)], ""
			if int(b)%len(kinds) < ofStep {
				step = string(rune('a' + b/16%2))
			}
			must(t, j.Write(kind, step, map[string]string{"d": data}))
			written++
		}
		must(t, j.Close())
		g := load(t, s, 1)
		if len(g.Records) != written+1 || g.Torn {
			t.Fatalf("%d records in %s, wrote %d", len(g.Records), path, written)
		}
		known := []journal.State{
			journal.StateApplying, journal.StateApplied, journal.StateConfirmed, journal.StatePruned,
			journal.StateRollingBack, journal.StateRolledBack, journal.StateRollbackIncomplete,
		}
		if !slices.Contains(known, g.State()) {
			t.Fatalf("state %q", g.State())
		}
		for _, step := range g.UndoOrder() {
			if !slices.ContainsFunc(g.Records, func(r journal.Record) bool { return r.Kind == journal.Prepared && r.Step == step.ID }) {
				t.Fatalf("%s is to be undone and was never begun", step.ID)
			}
		}
		g.Unfinished()
		g.GoingBackOnly()
		for _, r := range g.Records[1:] {
			var back map[string]string
			if json.Unmarshal(r.Data, &back) != nil {
				t.Fatalf("record %d holds %q", r.Seq, r.Data)
			}
		}
	})
}
