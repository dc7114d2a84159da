package remediate

import (
	"context"
	"encoding/json"

	"docker-harden/plan"
)

// Handler performs one kind of step. Every handler has all four: a change without a tested way back
// is not made.
type Handler interface {
	// Prepare looks, saves what Undo will need, and changes nothing. It fails when the step cannot
	// be made; nothing has happened then. The undo value is durable before Do is called. It may
	// hold secrets: it only ever goes to the journal (0600).
	Prepare(ctx context.Context, step plan.Step) (undo json.RawMessage, err error)
	// Do makes the step and returns when the resource is seen to be as planned and healthy.
	// It may be killed at any instant. It must not call log.Note after an error.
	Do(ctx context.Context, step plan.Step, undo json.RawMessage, log Log) error
	// Undo brings back what was before Do, and proves it. It works after a whole Do, half a Do,
	// none, or an earlier Undo, and with the engine down at its start where the handler can start it.
	// It refuses with ErrDrifted when the resource was changed since by somebody else, unless r.Force.
	Undo(ctx context.Context, step plan.Step, r Record) (Restored, error)
	// Commit drops what Undo would have needed beyond the record itself. After it, Undo restores
	// from the record alone, or fails saying what cannot return.
	Commit(ctx context.Context, step plan.Step, r Record) error
}

// Log is how a running step speaks.
type Log interface {
	// Note makes a fact durable before it returns: Undo gets all notes in order. v is marshalled to JSON.
	Note(v any) error
	// Progress tells a person what is going on ("stopping", "waiting until healthy"). Never a secret.
	Progress(text string)
}

// Record is what the journal holds of a step.
type Record struct {
	Undo  json.RawMessage
	Notes []json.RawMessage
	// Exact asks for an exact undo where the usual one is functional (a live memory limit: recreate).
	Exact bool
	// Force undoes although the resource was changed since.
	Force bool
	// Unattended is true when no person asked for the undo: an apply failed, or the time to confirm is over.
	Unattended bool
}

// Restored says how far an Undo came back.
type Restored struct {
	How plan.Reversibility `json:"how"`
	// Notes name every difference that remains, and what went with the undone state (files that the
	// hardened container wrote), one sentence each.
	Notes []string `json:"notes,omitempty"`
	// Nothing is true when there was nothing to undo.
	Nothing bool `json:"nothing,omitempty"`
}
