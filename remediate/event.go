package remediate

import (
	"time"

	"docker-harden/plan"
	"docker-harden/remediate/journal"
)

// Phase is where a step stands when an [Event] is sent.
type Phase string

// The phases. Done, Failed, Undone and UndoFailed end a step's line; the others are on the way.
const (
	PhasePrepare    Phase = "prepare"
	PhaseDo         Phase = "do"
	PhaseDone       Phase = "done"
	PhaseFailed     Phase = "failed"
	PhaseUndo       Phase = "undo"
	PhaseUndone     Phase = "undone"
	PhaseUndoFailed Phase = "undo-failed"
	PhaseVerify     Phase = "verify"
	PhaseWatch      Phase = "watch"
)

// Event tells a person or a program what a run is doing. It holds no secret.
type Event struct {
	Generation int           `json:"generation"`
	Index      int           `json:"index"` // of the step, from 1; counted anew for a rollback
	Total      int           `json:"total"`
	Step       string        `json:"step"` // step id; empty for the whole run
	Kind       plan.Kind     `json:"kind,omitempty"`
	Phase      Phase         `json:"phase"`
	Text       string        `json:"text,omitempty"`
	Elapsed    time.Duration `json:"elapsed_ns,omitempty"`
	Err        error         `json:"-"`
}

// Outcome is how a run ended. It is filled as far as the run came, also when there is an error.
type Outcome struct {
	Generation int      // 0: nothing was begun
	State      string   // the generation's state in the journal
	Done       []string // steps made, in order
	Failed     []string // steps that failed
	Undone     []string // steps undone, in order
	Incomplete []string // steps whose undo failed
	// Restored says per undone step how far it came back.
	Restored map[string]Restored
	// StillFailing are findings of the applied steps that the re-check did not see satisfied.
	StillFailing []plan.Finding
	// Stale are the steps that were left out because their resources moved.
	Stale []StaleStep
	// Deadline is set while the generation waits for its confirm.
	Deadline *journal.Deadline
	// Remarks are for the person: what did not go as it should, and does no harm.
	Remarks []string
	Journal string // path of the rollback file
}
