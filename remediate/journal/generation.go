package journal

import (
	"encoding/json"
	"slices"

	"docker-harden/plan"
)

// Generation is one apply and all that followed from it.
type Generation struct {
	N       int
	Dir     string
	Begin   Begin
	Records []Record // the begin record first
	// Torn is true when the last line was incomplete and left out.
	Torn bool
	// Err says why the generation cannot be read. Nothing but N and Dir is known then.
	Err error

	steps   map[string]*StepState
	run     run
	awaited awaited
}

// StepPhase is how far a step came.
type StepPhase string

// The phases of a step.
const (
	StepNone       StepPhase = ""            // not begun
	StepPrepared   StepPhase = "prepared"    // begun: it may have changed something
	StepDone       StepPhase = "done"        // made
	StepFailed     StepPhase = "failed"      // begun and failed: it may have changed something
	StepUndoing    StepPhase = "undoing"     // its undo is begun
	StepUndone     StepPhase = "undone"      // as before
	StepUndoFailed StepPhase = "undo-failed" // its undo failed: it may be in any state
	StepPruned     StepPhase = "pruned"      // made, and what its exact undo needs is gone
)

// StepState is what the rollback file says of one step. After a second attempt at the step it is
// about that attempt alone. Undo and Notes may hold secrets.
type StepState struct {
	Phase    StepPhase
	Undo     json.RawMessage
	Notes    []json.RawMessage
	Error    string          // of the last failure
	Restored json.RawMessage // of the last undo
	begun    bool            // there is something that may have to be undone
}

// Step is the state of one step; of an unknown id it is the state of a step not begun.
func (g *Generation) Step(id string) StepState {
	if s, ok := g.steps[id]; ok {
		return *s
	}
	return StepState{}
}

// UndoOrder lists the steps that may have changed something and are not undone, newest first.
func (g *Generation) UndoOrder() []plan.Step {
	var out []plan.Step
	for _, s := range slices.Backward(g.Begin.Steps) {
		if state := g.steps[s.ID]; state != nil && state.begun {
			out = append(out, s)
		}
	}
	return out
}

// fold reads the records in order.
func (g *Generation) fold() {
	g.steps = make(map[string]*StepState, len(g.Begin.Steps))
	for _, s := range g.Begin.Steps {
		g.steps[s.ID] = &StepState{}
	}
	for _, r := range g.Records {
		if s, ok := g.steps[r.Step]; ok {
			s.apply(r)
		}
		g.run.apply(r, g.steps)
		g.awaited.apply(r)
	}
}

func (s *StepState) apply(r Record) {
	switch r.Kind {
	case Prepared:
		*s = StepState{Phase: StepPrepared, Undo: r.Data, begun: true}
	case Note:
		s.Notes = append(s.Notes, r.Data)
	case Done:
		s.Phase = StepDone
	case Failed:
		s.Phase, s.Error = StepFailed, r.Error
	case Undoing:
		s.Phase = StepUndoing
	case Undone:
		s.Phase, s.Restored, s.Error, s.begun = StepUndone, r.Data, "", false
	case UndoFailed:
		s.Phase, s.Error = StepUndoFailed, r.Error
	case Pruned:
		s.Phase = StepPruned
	}
}
