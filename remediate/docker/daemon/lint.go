package daemon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/remediate"
)

// facts are what the engine's own check of a file does not know.
type facts struct {
	Flags map[string][]string // of the next start, by key of daemon.json
	Swarm string              // Swarm.LocalNodeState
}

// lint refuses what the engine's check lets pass and its next start, or its behaviour, does not.
func lint(candidate []byte, changes []plan.Change, f facts) error {
	file := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(candidate)) > 0 {
		if err := json.Unmarshal(candidate, &file); err != nil {
			return fmt.Errorf("cannot read the changed daemon.json: %w", err)
		}
	}
	for _, change := range changes {
		if isNull(change.To) {
			continue
		}
		if values, ok := f.Flags[change.Path]; ok {
			return fmt.Errorf("%w: %s is given to the engine by flag (%s): the engine does not start with a setting both as flag and in daemon.json; change the flag in its unit or options file, or remove it and plan again",
				remediate.ErrRefused, change.Path, withoutCredentials(strings.Join(values, ", ")))
		}
		if parent := nestedIn(file, change.Path); parent != "" {
			return fmt.Errorf("%w: daemon.json has %s inside of %q, which the engine takes for the same setting; remove it there",
				remediate.ErrRefused, change.Path, parent)
		}
	}
	switch {
	case touches(changes, "icc", "iptables") && is(file, f, "icc", "false") && is(file, f, "iptables", "false"):
		return fmt.Errorf("%w: the engine does not start with icc false while iptables is false", remediate.ErrRefused)
	case touches(changes, "live-restore") && is(file, f, "live-restore", "true") && f.Swarm != "" && f.Swarm != "inactive":
		return fmt.Errorf("%w: live-restore cannot be on while this host is in a swarm (%s): the next start of the engine would fail", remediate.ErrRefused, f.Swarm)
	}
	if touches(changes, "log-level") {
		return lintLevel(file["log-level"])
	}
	return nil
}

// logLevels are those that every engine since 1.10 takes.
var logLevels = []string{"debug", "info", "warn", "error", "fatal"}

// lintLevel: engine 20.10 takes any level at a reload and does not start with it.
func lintLevel(raw json.RawMessage) error {
	if isNull(raw) {
		return nil
	}
	var level string
	if err := json.Unmarshal(raw, &level); err != nil {
		return fmt.Errorf("%w: log-level in daemon.json must be a string", remediate.ErrRefused)
	}
	if level != "" && !slices.Contains(logLevels, strings.ToLower(level)) {
		return fmt.Errorf("%w: %q in daemon.json is no log level; use one of %s", remediate.ErrRefused, level, strings.Join(logLevels, ", "))
	}
	return nil
}

// flatKeys are objects that the engine does not flatten into its own settings.
var flatKeys = []string{"log-opts", "runtimes", "default-ulimits", "features", "builder", "cluster-store-opts", "default-network-opts", "nri-opts"}

// nestedIn finds a key inside of another object: the engine flattens one level, so {"x": {"icc": true}} sets
// its icc flag, and which of the two wins is chance.
func nestedIn(file map[string]json.RawMessage, key string) string {
	for parent, raw := range file {
		children := map[string]json.RawMessage{}
		if slices.Contains(flatKeys, parent) || json.Unmarshal(raw, &children) != nil {
			continue
		}
		if _, ok := children[key]; ok {
			return parent
		}
	}
	return ""
}

func touches(changes []plan.Change, keys ...string) bool {
	return slices.ContainsFunc(changes, func(c plan.Change) bool { return slices.Contains(keys, c.Path) })
}

// is compares a setting of the file, or else of the flags, with a word.
func is(file map[string]json.RawMessage, f facts, key, want string) bool {
	if raw, ok := file[key]; ok && !isNull(raw) {
		return string(bytes.TrimSpace(raw)) == want
	}
	values := f.Flags[key]
	return len(values) > 0 && values[len(values)-1] == want
}

func isNull(raw []byte) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) == 0 || string(raw) == "null"
}
