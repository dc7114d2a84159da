package daemon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"

	"docker-harden/plan"
	"docker-harden/remediate/docker/daemon/edit"
	"docker-harden/remediate/host"
)

// memo is what Undo needs. It holds the whole file, which may hold credentials: it only goes to the journal.
type memo struct {
	Path     string       `json:"path"`     // as the engine is told
	Resolved string       `json:"resolved"` // where the links end; this file is written
	Original content      `json:"original"`
	After    []byte       `json:"after"`
	Service  host.Service `json:"service"`
	// Exe and NextArgv are how the engine will be started, to judge a file by.
	Exe      string   `json:"exe"`
	NextArgv []string `json:"next_argv"`
	// NotChecked says why the engine's binary could not judge the new file.
	NotChecked string `json:"not_checked,omitempty"`
	// Dirs are the directories that did not exist, outermost first.
	Dirs []string `json:"dirs,omitempty"`
	// Engine is the process that runs before the step.
	Engine process `json:"engine"`
	// Before are the effective values of the step's keys, where something shows them.
	Before truths `json:"before"`
	// Staged: live restore is made effective by a reload before the restart, so that containers keep running.
	Staged bool `json:"staged,omitempty"`
	// Live: live restore is on when the engine goes down, staged or before.
	Live       bool      `json:"live,omitempty"`
	Containers []running `json:"containers,omitempty"`
	// Home is the data directory that a step leaves which remaps users.
	Home *home `json:"home,omitempty"`
}

// content is a file and all that is around its bytes.
type content struct {
	Exists bool              `json:"exists"`
	Bytes  []byte            `json:"bytes,omitempty"`
	Mode   fs.FileMode       `json:"mode"`
	UID    int               `json:"uid"`
	GID    int               `json:"gid"`
	Xattrs map[string][]byte `json:"xattrs,omitempty"`
}

// doc is the file's bytes as the editor takes them: nil when there is no file.
func (c content) doc() []byte {
	if c.Exists && c.Bytes == nil {
		return []byte{}
	}
	if !c.Exists {
		return nil
	}
	return c.Bytes
}

// Left is the hash (sha256, hex) of the file that a step left, from its undo record; empty when the record is
// none of this handler.
func Left(undo json.RawMessage) string {
	var m memo
	if json.Unmarshal(undo, &m) != nil || m.Resolved == "" {
		return ""
	}
	return digest(m.After)
}

// phase is a fact noted in the journal while the step runs.
type phase struct {
	Phase string  `json:"phase"`
	New   process `json:"process,omitzero"` // of the engine after a restart
}

// The phases, in order. What follows a phase may or may not have happened.
const (
	phaseStaging    = "staging"    // the file with live-restore alone is about to be written
	phaseWriting    = "writing"    // the final file is about to be written
	phaseReloading  = "reloading"  // it is written, the engine is about to read it
	phaseRestarting = "restarting" // it is written, the engine is about to be restarted
	phaseRestarted  = "restarted"  // a new process answers
	phaseDone       = "done"       // everything was seen to be as planned
)

// reached reports whether a phase was noted.
func reached(notes []json.RawMessage, name string) bool {
	return slices.ContainsFunc(notes, func(raw json.RawMessage) bool {
		var p phase
		return json.Unmarshal(raw, &p) == nil && p.Phase == name
	})
}

// liveRestore finds the step's change of live-restore.
func liveRestore(changes []plan.Change) (plan.Change, bool) {
	for _, c := range changes {
		if c.Path == "live-restore" {
			return c, true
		}
	}
	return plan.Change{}, false
}

// staged is a file with live restore on and everything else as it was: what the engine reloads before a
// restart, and what it starts with on the way back.
func staged(doc []byte) ([]byte, error) {
	return edited(doc, map[string]string{"live-restore": "true"})
}

// explicit is a file with the old effective value of each reloadable key written out. A reload does not
// revert a key that the file no longer has.
func explicit(doc []byte, changes []plan.Change, before truths) ([]byte, error) {
	values := map[string]string{}
	for _, c := range changes {
		if old, shown := before[c.Path]; shown && isNull(c.From) && slices.Contains(reloadable, c.Path) {
			values[c.Path] = old
		}
	}
	return edited(doc, values)
}

// edited sets keys of a document whatever they are now.
func edited(doc []byte, values map[string]string) ([]byte, error) {
	var changes []plan.Change
	keys, err := keysOf(doc)
	if err != nil {
		return nil, err
	}
	for key, value := range values {
		changes = append(changes, plan.Change{Path: key, From: keys[key], To: json.RawMessage(value)})
	}
	slices.SortFunc(changes, func(a, b plan.Change) int { return bytes.Compare([]byte(a.Path), []byte(b.Path)) })
	return edit.Apply(doc, changes)
}

// keysOf decodes the top level of a document that passes the gate.
func keysOf(doc []byte) (map[string]json.RawMessage, error) {
	if err := edit.Check(doc); err != nil {
		return nil, err
	}
	keys := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(doc)) == 0 {
		return keys, nil
	}
	if err := json.Unmarshal(doc, &keys); err != nil {
		return nil, fmt.Errorf("cannot read daemon.json: %w", err)
	}
	return keys, nil
}
