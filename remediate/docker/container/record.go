package container

import (
	"encoding/json"
	"errors"
	"fmt"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/container/body"
	"docker-harden/remediate/docker/container/layer"
)

// recordFormat is the format version of undo records of recreates.
const recordFormat = "docker-harden/recreate/v1"

// record is what Undo of a recreate needs. It holds the container's environment: journal only.
type record struct {
	Format string `json:"format"`
	API    string `json:"api"`
	Name   string `json:"name"`
	ID     string `json:"id"` // of the old container
	// TempNew and TempOld are the names the two containers have while they are not under Name. They
	// are chosen here so that a crash between an engine call and the next note loses nothing.
	TempNew string `json:"temp_new"`
	TempOld string `json:"temp_old"`
	// New makes the hardened container, Old makes the old one again should it be deleted.
	New     *body.Request   `json:"new"`
	Old     *body.Request   `json:"old"`
	Inspect json.RawMessage `json:"inspect"` // of the old container, before
	Policy  policy          `json:"policy"`
	Running bool            `json:"running"`
	Paused  bool            `json:"paused"`
	// Compose is true when Docker Compose made the container: a stopped old one would be started by it.
	Compose bool `json:"compose,omitempty"`
	// Written is what the writable layer held when the step was prepared; Unread says why it is not known.
	Written layer.Written `json:"written"`
	Unread  string        `json:"unread,omitempty"`
}

// note is what Do makes durable on its way.
type note struct {
	// New is the id of the new container.
	New string `json:"new,omitempty"`
	// Carried is true when the writable layer was copied into the new container.
	Carried bool `json:"carried,omitempty"`
	// Live is true from when the new container was proven: from then on data in it is the service's own.
	Live bool `json:"live,omitempty"`
	// Removed is true when the old container is about to be removed (Compose).
	Removed bool `json:"removed,omitempty"`
}

func readRecord(r remediate.Record) (*record, note, error) {
	var rec record
	if err := json.Unmarshal(r.Undo, &rec); err != nil {
		return nil, note{}, fmt.Errorf("cannot read the undo record: %w", err)
	}
	if rec.Format != recordFormat || rec.ID == "" || rec.New == nil || rec.Old == nil {
		return nil, note{}, fmt.Errorf("cannot read the undo record: its format is %q, this version reads %q", rec.Format, recordFormat)
	}
	var all note
	for _, raw := range r.Notes {
		var n note
		if err := json.Unmarshal(raw, &n); err != nil {
			return nil, note{}, fmt.Errorf("cannot read a note of the step: %w", err)
		}
		if n.New != "" { // a step that was begun again: what the first attempt noted is over
			all = note{New: n.New}
		}
		all.Carried, all.Live, all.Removed = all.Carried || n.Carried, all.Live || n.Live, all.Removed || n.Removed
	}
	return &rec, all, nil
}

// refused marks an error as a refusal: nothing was changed.
func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %w", remediate.ErrRefused, fmt.Errorf(format, args...))
}

func stale(format string, args ...any) error {
	return fmt.Errorf("%w: %w", plan.ErrStale, fmt.Errorf(format, args...))
}

// staleChange turns the pure package's own staleness into the plan's.
func staleChange(err error) error {
	if errors.Is(err, body.ErrStale) {
		return fmt.Errorf("%w: %w", plan.ErrStale, err)
	}
	return err
}
