package audit

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
)

// undoRecord is the undo record of a step.
type undoRecord struct {
	Boot string `json:"boot"`
	// Was and Planned are the rules file before and after. They are equal when only the kernel is changed.
	Was     ruleFile `json:"was"`
	Planned ruleFile `json:"planned"`
	// Load are the rules to load. Own are all that may be in the kernel because of the file's new lines: a boot
	// may load a rule by its name when the directory is not there yet. None of them was loaded before.
	Load []watch `json:"load"`
	Own  []watch `json:"own"`
}

// begun is noted before the first change: without it, no rule in the kernel is from here.
type begun struct {
	Begun bool `json:"begun"`
}

// record reads an undo record.
func record(step plan.Step, raw json.RawMessage) (undoRecord, error) {
	var u undoRecord
	if err := json.Unmarshal(raw, &u); err != nil {
		return u, fmt.Errorf("internal error: cannot read the undo record of %s: %w", step.ID, err)
	}
	return u, nil
}

// take adds the rules of one wish.
func (u *undoRecord) take(w wish, root string, loaded [][]byte) error {
	info, err := os.Lstat(root + w.path)
	whole := watch{w.path, err == nil && info.IsDir()}
	if !w.kernel {
		if whole.in(loaded) != nil {
			return fmt.Errorf("cannot load the audit rule for %s: %w: it is loaded by now", w.path, plan.ErrStale)
		}
		u.Load = append(u.Load, whole)
	}
	for _, dir := range []bool{false, true} {
		// A rule that stands in another file is loaded by that one after a boot.
		if own := (watch{w.path, dir}); own.in(loaded) == nil && (!w.file || own == whole) {
			u.Own = append(u.Own, own)
		}
	}
	return nil
}

// ours are the rules that are nobody else's. In the boot of the step these are what it loaded; in a later one, what
// its lines in the file loaded.
func (u *undoRecord) ours(r remediate.Record) ([]watch, error) {
	now, err := boot()
	switch {
	case err != nil:
		return nil, err
	case len(r.Notes) == 0:
		return nil, nil
	case now == u.Boot:
		return u.Own, nil
	}
	return slices.DeleteFunc(slices.Clone(u.Own), func(w watch) bool {
		line := inventory.AuditLine(w.Path)
		return u.Was.has(line) || !u.Planned.has(line)
	}), nil
}
