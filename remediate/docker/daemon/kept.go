package daemon

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"docker-harden/remediate/internal/atomic"
)

// keptFile names the containers that ran when an Undo was about to restart the engine. The engine stops them
// as it goes down: an Undo that is killed then leaves nobody who knows what ran.
const keptFile = "restarting.json"

// kept is the content of keptFile.
type kept struct {
	Undo       string    `json:"undo"` // sha256 of the record that is undone
	Containers []running `json:"containers"`
}

// keep remembers what has to run in the end.
func (f *flow) keep(containers []running) error {
	raw, err := json.Marshal(kept{Undo: f.record, Containers: containers})
	if err != nil {
		return fmt.Errorf("internal error: cannot marshal %s: %w", keptFile, err)
	}
	if err := os.MkdirAll(f.handler.StateDir, 0o700); err != nil {
		return fmt.Errorf("cannot make the state directory: %w", err)
	}
	if err := atomic.WriteFile(filepath.Join(f.handler.StateDir, keptFile), append(raw, '\n'), atomic.Options{Mode: 0o600}); err != nil {
		return fmt.Errorf("cannot remember which containers run: %w", err)
	}
	return nil
}

// kept is what an earlier Undo of the same record remembered and did not get to start. A file that cannot be
// read says nothing: it is a help and not what an Undo rests on.
func (f *flow) kept() []running {
	raw, err := os.ReadFile(filepath.Join(f.handler.StateDir, keptFile))
	if err != nil {
		return nil
	}
	var k kept
	if json.Unmarshal(raw, &k) != nil || k.Undo != f.record {
		return nil
	}
	return k.Containers
}

// release forgets it when everything runs. What stays by a failure is of this record only.
func (f *flow) release() { _ = os.Remove(filepath.Join(f.handler.StateDir, keptFile)) }
