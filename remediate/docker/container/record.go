package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/container/body"
	"docker-harden/remediate/docker/container/layer"
)

// The format versions of undo records of recreates: of one container, and of several as one.
const (
	recordFormat = "docker-harden/recreate/v1"
	groupFormat  = "docker-harden/recreate-group/v1"
)

// groupRecord is what Undo of a recreate of several containers needs, in the order in which they start.
type groupRecord struct {
	Format  string    `json:"format"`
	Members []*record `json:"members"`
}

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
	// Restart is true for a container that is only stopped and started, because of what it is bound to.
	Restart bool `json:"restart,omitempty"`
	// Pids is the limit of processes that the kernel held although none was set: systemd's own.
	Pids int64 `json:"pids,omitempty"`
	// Binds are the containers it is bound to: all of the same step, and every one whose namespaces it uses.
	Binds []bind `json:"binds,omitempty"`
}

// bind is a container that another one is bound to, and how; by is as in [plan.Bind].
type bind struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	By   string `json:"by"`
}

// namespace is the kernel's name of the namespace that is borrowed; empty when none is.
func (b bind) namespace() string {
	switch b.By {
	case "network":
		return "net"
	case "pid", "ipc":
		return b.By
	}
	return ""
}

// fixed reports whether a container keeps to this very provider, and not to whoever has its name.
func (b bind) fixed() bool { return b.namespace() != "" || strings.HasPrefix(b.By, "link ") }

// note is what Do makes durable on its way.
type note struct {
	// Member is the name of the container a note is about, where the step has several.
	Member string `json:"member,omitempty"`
	// New is the id of the new container.
	New string `json:"new,omitempty"`
	// Carried is true when the writable layer was copied into the new container.
	Carried bool `json:"carried,omitempty"`
	// Filled are digests of volumes, by their directories, as they were when all was in them that the old container had.
	Filled map[string]string `json:"filled,omitempty"`
	// Live is true from when the new container was proven: from then on data in it is the service's own.
	Live bool `json:"live,omitempty"`
	// Removed is true when the old container is about to be removed (Compose).
	Removed bool `json:"removed,omitempty"`
}

// readRecord reads the records of all containers of a step, and what was noted of each.
func readRecord(r remediate.Record) ([]*record, []note, error) {
	var group groupRecord
	if err := json.Unmarshal(r.Undo, &group); err != nil {
		return nil, nil, fmt.Errorf("cannot read the undo record: %w", err)
	}
	if group.Format != groupFormat {
		var one record
		if err := json.Unmarshal(r.Undo, &one); err != nil {
			return nil, nil, fmt.Errorf("cannot read the undo record: %w", err)
		}
		group.Members = []*record{&one}
	}
	if len(group.Members) == 0 {
		return nil, nil, errors.New("cannot read the undo record: it names no container")
	}
	for _, rec := range group.Members {
		if rec == nil || rec.Format != recordFormat || rec.ID == "" || !rec.Restart && (rec.New == nil || rec.Old == nil) {
			return nil, nil, fmt.Errorf("cannot read the undo record: its format is %q, this version reads %q", group.Format, recordFormat)
		}
	}
	notes, err := readNotes(group.Members, r.Notes)
	return group.Members, notes, err
}

func readNotes(recs []*record, raw []json.RawMessage) ([]note, error) {
	all := make([]note, len(recs))
	for _, text := range raw {
		var n note
		if err := json.Unmarshal(text, &n); err != nil {
			return nil, fmt.Errorf("cannot read a note of the step: %w", err)
		}
		i := slices.IndexFunc(recs, func(rec *record) bool { return n.Member == "" || rec.Name == n.Member })
		if i < 0 {
			return nil, fmt.Errorf("cannot read a note of the step: it is about %s, which is none of its containers", clean(n.Member, maxMessage))
		}
		if n.New != "" { // a step that was begun again: what the first attempt noted is over
			all[i] = note{New: n.New}
		}
		if n.Filled != nil {
			all[i].Filled = n.Filled
		}
		all[i].Carried, all[i].Live, all[i].Removed = all[i].Carried || n.Carried, all[i].Live || n.Live, all[i].Removed || n.Removed
	}
	return all, nil
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
