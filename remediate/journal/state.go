package journal

// State is where a generation stands.
//
//	          applied ───────────────► applied ── confirmed ──► confirmed ── pruned (all) ──► pruned
//	begin ──► applying                    │                         │                            │
//	             │ failed, undoing        │ rolling-back, undoing   │                            │
//	             ▼                        ▼                         ▼                            ▼
//	          rolling-back ◄──────────────┴─────────────────────────┴────────────────────────────┘
//	             │ rolled-back, or every step undone      │ rollback-incomplete, undo-failed
//	             ▼                                        ▼
//	          rolled-back                          rollback-incomplete ── undoing ──► rolling-back
//
// The undo of single steps of an applied generation leaves it applied, until the last one is undone.
// A resumed apply first undoes the step that was half done and then makes it: it stays applying.
type State string

// The states. Applying and rolling back mean "interrupted" when nobody holds the host's lock.
const (
	StateApplying           State = "applying"
	StateApplied            State = "applied"
	StateConfirmed          State = "confirmed"
	StatePruned             State = "pruned"
	StateRollingBack        State = "rolling back"
	StateRolledBack         State = "rolled-back"
	StateRollbackIncomplete State = "rollback-incomplete"
	StateBroken             State = "broken"
)

// run is what the records say of the generation as a whole.
type run struct {
	stays      State // applied or confirmed, once it is
	back       bool  // everything is to be undone
	ended      bool  // everything was undone
	incomplete bool  // a rollback ended without having undone everything
	// again are the steps that a resumed apply undoes because they were half done, to make them
	// again; nil when no apply is being resumed.
	again map[string]bool
}

func (r *run) apply(rec Record, steps map[string]*StepState) {
	switch rec.Kind {
	case Prepared:
		r.ended, r.again = false, nil
	case Failed, UndoFailed:
		r.back, r.again = r.back || r.stays == "", nil
	case Undoing:
		if r.stays == "" && !r.again[rec.Step] {
			r.back, r.again = true, nil
		}
	case Undone:
		r.incomplete = r.incomplete && anyIn(steps, StepUndoFailed)
	case Applied:
		r.stays, r.back, r.ended, r.again = StateApplied, false, false, nil
	case Confirmed:
		r.stays = StateConfirmed
	case RollingBack:
		r.back, r.incomplete, r.again = true, false, nil
	case RolledBack:
		r.back, r.incomplete, r.ended = false, false, true
	case RollbackIncomplete:
		r.incomplete, r.again = true, nil
	case Resumed:
		r.again = nil
		if r.stays == "" && !r.back && !r.incomplete && !r.ended {
			r.again = halfDone(steps)
		}
	}
}

func halfDone(steps map[string]*StepState) map[string]bool {
	half := make(map[string]bool)
	for id, s := range steps {
		half[id] = s.Phase == StepPrepared || s.Phase == StepUndoing
	}
	return half
}

// State says where the generation stands.
func (g *Generation) State() State {
	left := g.UndoOrder()
	switch {
	case g.Err != nil:
		return StateBroken
	case g.run.ended:
		return StateRolledBack
	case g.run.again != nil:
		return StateApplying
	case len(left) == 0 && anyIn(g.steps, StepUndone):
		return StateRolledBack
	case g.run.incomplete || anyIn(g.steps, StepUndoFailed):
		return StateRollbackIncomplete
	case g.run.back || anyIn(g.steps, StepUndoing):
		return StateRollingBack
	case g.run.stays == StateConfirmed && len(left) > 0 && g.countIn(StepPruned) == len(left):
		return StatePruned
	case g.run.stays != "":
		return g.run.stays
	}
	return StateApplying
}

// Unfinished says that a run of the generation did not come to its end, or ended badly.
func (g *Generation) Unfinished() bool {
	s := g.State()
	return s == StateApplying || g.GoingBack()
}

// Revertible says that a rollback has something to do: steps to undo, or a run to end that was cut off before its first.
func (g *Generation) Revertible() bool { return len(g.UndoOrder()) > 0 || g.Unfinished() }

// GoingBack says that the way of an unfinished generation is back.
func (g *Generation) GoingBack() bool {
	s := g.State()
	return s == StateRollingBack || s == StateRollbackIncomplete
}

// GoingBackOnly are the steps whose undo was begun and did not end well, of a generation that stays
// as a whole: the rest of a rollback that was narrowed to them. It is nil when the whole generation
// goes back, which a run says with a RollingBack record before it undoes the first step.
func (g *Generation) GoingBackOnly() []string {
	if g.run.back || g.run.stays == "" {
		return nil
	}
	var ids []string
	for _, s := range g.Begin.Steps {
		if phase := g.Step(s.ID).Phase; phase == StepUndoing || phase == StepUndoFailed {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

func (g *Generation) countIn(phase StepPhase) int {
	n := 0
	for _, s := range g.steps {
		if s.Phase == phase {
			n++
		}
	}
	return n
}

func anyIn(steps map[string]*StepState, phase StepPhase) bool {
	for _, s := range steps {
		if s.Phase == phase {
			return true
		}
	}
	return false
}
