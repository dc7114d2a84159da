package journal_test

import (
	"slices"
	"testing"

	"docker-harden/remediate/journal"
)

func TestStates(t *testing.T) {
	const both = "prepared a, done a, prepared b, done b"
	for _, test := range []struct {
		name, records string
		want          journal.State
		undo          string
		back          bool
	}{
		{"begun", "", journal.StateApplying, "", false},
		{"half a step", "prepared a, note a", journal.StateApplying, "a", false},
		{"between steps", "prepared a, done a", journal.StateApplying, "a", false},
		{"all made, not looked at", both, journal.StateApplying, "b a", false},
		{"applied", both + ", verified, applied", journal.StateApplied, "b a", false},
		{"confirmed", both + ", applied, confirmed", journal.StateConfirmed, "b a", false},
		{"pruned in part", both + ", applied, confirmed, pruned b", journal.StateConfirmed, "b a", false},
		{"pruned", both + ", applied, confirmed, pruned b, pruned a", journal.StatePruned, "b a", false},
		{"pruned after one was undone", both + ", applied, undoing b, undone b, confirmed, pruned a", journal.StatePruned, "a", false},
		{"pruned and undone", both + ", applied, confirmed, pruned b, pruned a, undoing b, undone b, undoing a, undone a, rolled-back", journal.StateRolledBack, "", false},

		{"first step cannot be prepared", "failed a !", journal.StateRollingBack, "", true},
		{"second step cannot be prepared", "prepared a, done a, failed b !", journal.StateRollingBack, "a", true},
		{"failed", "prepared a, done a, prepared b, failed b !", journal.StateRollingBack, "b a", true},
		{"failed, half undone", "prepared a, done a, prepared b, failed b !, undoing b", journal.StateRollingBack, "b a", true},
		{"failed, one undone", "prepared a, done a, prepared b, failed b !, undoing b, undone b", journal.StateRollingBack, "a", true},
		{"failed, all undone", "prepared a, failed a !, undoing a, undone a", journal.StateRolledBack, "", false},
		{"failed and rolled back", "prepared a, failed a !, undoing a, undone a, rolled-back", journal.StateRolledBack, "", false},
		{"nothing to undo", "failed a !, rolled-back", journal.StateRolledBack, "", false},
		{"stopped at b", "prepared a, done a, prepared b, failed b !, undoing b, undone b, applied", journal.StateApplied, "a", false},

		{"applied, going back", both + ", applied, rolling-back", journal.StateRollingBack, "b a", true},
		{"applied, going back, between steps", both + ", applied, rolling-back, undoing b, undone b", journal.StateRollingBack, "a", true},
		{"rolled back", both + ", applied, rolling-back, undoing b, undone b, undoing a, undone a, rolled-back", journal.StateRolledBack, "", false},
		{"one step's undo begun", both + ", applied, undoing b", journal.StateRollingBack, "b a", true},
		{"one step undone", both + ", applied, undoing b, undone b", journal.StateApplied, "a", false},
		{"one step of a confirmed one undone", both + ", applied, confirmed, undoing b, undone b", journal.StateConfirmed, "a", false},
		{"each undone by itself", both + ", applied, undoing a, undone a, undoing b, undone b", journal.StateRolledBack, "", false},

		{"undo failed", both + ", applied, undoing b, undo-failed b !", journal.StateRollbackIncomplete, "b a", true},
		{"incomplete", both + ", applied, undoing b, undo-failed b !, undoing a, undone a, rollback-incomplete !", journal.StateRollbackIncomplete, "b", true},
		{"incomplete without a step's record", both + ", applied, rolling-back, undoing a, undone a, rollback-incomplete !", journal.StateRollbackIncomplete, "b", true},
		{"incomplete, tried again", both + ", applied, rolling-back, undoing b, undo-failed b !, rollback-incomplete !, undoing b", journal.StateRollbackIncomplete, "b a", true},
		{"incomplete, then complete", both + ", applied, undoing b, undo-failed b !, undoing a, undone a, rollback-incomplete !, undoing b, undone b", journal.StateRolledBack, "", false},
		{"one step's rollback incomplete, then complete", both + ", applied, undoing b, undo-failed b !, rollback-incomplete !, undoing b, undone b", journal.StateApplied, "a", false},

		{"resumed", "prepared a, done a, prepared b, resumed", journal.StateApplying, "b a", false},
		{"resumed, undoing the half", "prepared a, done a, prepared b, resumed, undoing b", journal.StateApplying, "b a", false},
		{"resumed, undid the half", "prepared a, done a, prepared b, resumed, undoing b, undone b", journal.StateApplying, "a", false},
		{"resumed twice", "prepared a, resumed, undoing a, resumed, undoing a, undone a, resumed", journal.StateApplying, "", false},
		{"resumed, cannot undo the half", "prepared a, done a, prepared b, resumed, undoing b, undo-failed b !", journal.StateRollbackIncomplete, "b a", true},
		{"resumed, made", "prepared a, resumed, undoing a, undone a, prepared a, done a, prepared b, done b, applied", journal.StateApplied, "b a", false},
		{"resumed when all was made", both + ", resumed, verified, applied", journal.StateApplied, "b a", false},
		{"resumed when all was made, then one step undone", both + ", resumed, verified, applied, undoing b, undone b", journal.StateApplied, "a", false},
		{"resumed, then rolled back by hand", "prepared a, done a, prepared b, resumed, undoing b, undone b, undoing a", journal.StateRollingBack, "a", true},
		{"interrupted, rolled back by hand", "prepared a, done a, undoing a", journal.StateRollingBack, "a", true},
		{"going back, resumed", "prepared a, done a, prepared b, failed b !, undoing b, resumed", journal.StateRollingBack, "b a", true},
		{"resumed, going back, resumed", "prepared a, resumed, failed a !, undoing a, resumed, undoing a", journal.StateRollingBack, "a", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := made(t, test.records)
			g := load(t, s, 1)
			if g.State() != test.want || ids(g.UndoOrder()) != test.undo || g.GoingBack() != test.back {
				t.Errorf("%s, undo %q, back %v; want %s, %q, %v", g.State(), ids(g.UndoOrder()), g.GoingBack(), test.want, test.undo, test.back)
			}
			if want := test.back || test.want == journal.StateApplying; g.Unfinished() != want {
				t.Errorf("unfinished %v, want %v", g.Unfinished(), want)
			}
		})
	}
}

func TestGoingBackOnly(t *testing.T) {
	const both = "prepared a, done a, prepared b, done b, applied, "
	for records, want := range map[string][]string{
		both:                         nil,
		both + "undoing b":           {"b"},
		both + "undoing b, undone b": nil,
		both + "undoing a, undo-failed a !, undoing b": {"a", "b"},
		both + "rolling-back, undoing b":               nil,
		"prepared a, failed a !, undoing a":            nil,
	} {
		s, _ := made(t, records)
		if got := load(t, s, 1).GoingBackOnly(); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", records, got, want)
		}
	}
}

// A second attempt at a step has its own undo record and notes.
func TestSecondAttempt(t *testing.T) {
	s, _ := made(t, "prepared a, note a, undoing a, undone a, prepared a, note a, note a")
	g := load(t, s, 1)
	step := g.Step("a")
	if step.Phase != journal.StepPrepared || len(step.Notes) != 2 || text(step.Undo) != `{"of":" prepared a"}` || step.Restored != nil {
		t.Errorf("%+v", step)
	}
	for id, want := range map[string]journal.StepPhase{"b": journal.StepNone, "nope": journal.StepNone} {
		if got := g.Step(id); got.Phase != want || got.Undo != nil {
			t.Errorf("%s: %+v", id, got)
		}
	}
}
