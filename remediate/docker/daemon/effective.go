package daemon

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"docker-harden/plan/inventory"
	"docker-harden/remediate/internal/atomic"
)

// effectiveFile remembers which content of daemon.json the running engine acts on. A reload leaves the file
// newer than the engine's start, as a foreign edit that nobody activated would.
const effectiveFile = "effective.json"

type effective struct {
	Path    string    `json:"path"`
	SHA256  string    `json:"sha256"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
}

// startSlack is how far two readings of one process's start time may lie apart: the kernel's boot time moves
// when the clock is set.
const startSlack = 2 * time.Second

// Effective returns a function that says whether an earlier step made a content of daemon.json effective in
// the engine process; inventory takes it as Options.Effective. stateDir is the handler's StateDir.
func Effective(stateDir string) func(path, sha256 string, pid int, started time.Time) bool {
	return func(path, sha256 string, pid int, started time.Time) bool {
		raw, err := os.ReadFile(filepath.Join(stateDir, effectiveFile))
		if err != nil {
			return false
		}
		var e effective
		if json.Unmarshal(raw, &e) != nil {
			return false
		}
		return e.Path == path && e.SHA256 == sha256 && e.PID == pid && e.Started.Sub(started).Abs() <= startSlack
	}
}

// remember writes it after the engine was seen to act on the file.
func (f *flow) remember(content []byte, p process) error {
	started, err := p.started()
	if err != nil {
		return err
	}
	return write(f.handler.StateDir, effective{Path: f.memo.Resolved, SHA256: digest(content), PID: p.PID, Started: started})
}

// Observed remembers that the engine acts on the file as d saw it. An apply says so before its first
// step: a change of owner or mode touches the file as an edit does, and must not look like one later.
func Observed(stateDir string, d inventory.Daemon) error {
	if d.PID == 0 || d.Pending || !d.Config.Exists || d.Config.SHA256 == "" {
		return nil
	}
	return write(stateDir, effective{Path: d.Resolved, SHA256: d.Config.SHA256, PID: d.PID, Started: d.Started})
}

func write(stateDir string, e effective) error {
	raw, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("internal error: cannot marshal %s: %w", effectiveFile, err)
	}
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return fmt.Errorf("cannot make the state directory: %w", err)
	}
	if err := atomic.WriteFile(filepath.Join(stateDir, effectiveFile), append(raw, '\n'), atomic.Options{Mode: 0o600}); err != nil {
		return fmt.Errorf("cannot remember what the engine acts on: %w", err)
	}
	return nil
}
