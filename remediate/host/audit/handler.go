package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
	"docker-harden/remediate/internal/atomic"
	"docker-harden/remediate/internal/crash"
)

// Handler performs steps on audit rules.
type Handler struct {
	// Root prefixes the rules file; "" is this machine. The kernel is the same everywhere.
	Root string
	// Kernel connects to the kernel; nil: [Dial].
	Kernel func() (Kernel, error)
	// hook, when set, is called between the single changes of a step.
	hook func(at string) error
}

func (h *Handler) file() string { return h.Root + inventory.AuditRulesFile }

func (h *Handler) dial() (Kernel, error) {
	if h.Kernel != nil {
		return h.Kernel()
	}
	return Dial()
}

func (h *Handler) at(point string) error {
	crash.Point(point)
	if h.hook == nil {
		return nil
	}
	return h.hook(point)
}

// wish is one change of a step.
type wish struct {
	line, path   string
	file, kernel bool // whether it is there already
}

// wishes reads the changes of a step. Nothing but rules of exactly one form is ever written.
func wishes(step plan.Step) ([]wish, error) {
	if step.Resource != plan.File(inventory.AuditRulesFile) {
		return nil, fmt.Errorf("%w: %s is not the rules file of this tool", remediate.ErrRefused, step.Resource)
	}
	var out []wish
	for _, c := range step.Changes {
		path, ok := inventory.AuditedPath(c.Path)
		var from, to []string
		if err := errors.Join(json.Unmarshal(c.From, &from), json.Unmarshal(c.To, &to)); err != nil {
			return nil, fmt.Errorf("the plan's change of %q is no pair of lists: %w", c.Path, err)
		}
		if !ok || c.Kind != plan.KindAudit || !slices.Equal(to, []string{inventory.AuditInFile, inventory.AuditInKernel}) {
			return nil, fmt.Errorf("%w: %q is no rule that this tool writes", remediate.ErrRefused, c.Path)
		}
		out = append(out, wish{c.Path, path, slices.Contains(from, inventory.AuditInFile), slices.Contains(from, inventory.AuditInKernel)})
	}
	return out, nil
}

// Prepare looks at the file and at the kernel's list.
func (h *Handler) Prepare(_ context.Context, step plan.Step) (json.RawMessage, error) {
	list, err := wishes(step)
	if err != nil {
		return nil, err
	}
	kernel, err := h.dial()
	if err != nil {
		return nil, err
	}
	defer kernel.Close() //nolint:errcheck // nothing was written
	enabled, err := kernel.Enabled()
	if err == nil && enabled == inventory.AuditLocked {
		err = fmt.Errorf("%w: %w", remediate.ErrRefused, errLocked)
	}
	if err != nil {
		return nil, err
	}
	loaded, err := kernel.Rules()
	if err != nil {
		return nil, fmt.Errorf("cannot read the kernel's audit rules: %w", err)
	}
	u := undoRecord{}
	if u.Boot, err = boot(); err != nil {
		return nil, err
	}
	if u.Was, err = readRules(h.file()); err != nil {
		return nil, err
	}
	u.Planned = u.Was
	var lines []string
	for _, w := range list {
		if !w.file {
			lines = append(lines, w.line)
		}
		if err := u.take(w, h.Root, loaded); err != nil {
			return nil, err
		}
	}
	if len(lines) > 0 {
		u.Planned = u.Was.with(lines)
	}
	return json.Marshal(u)
}

// Do writes the file, loads the rules and reads the kernel's list.
func (h *Handler) Do(_ context.Context, step plan.Step, undo json.RawMessage, log remediate.Log) error {
	u, err := record(step, undo)
	if err != nil {
		return err
	}
	now, err := readRules(h.file())
	if err != nil {
		return err
	}
	if !now.same(u.Was) {
		return fmt.Errorf("cannot change %s: %w: it was changed a moment ago", inventory.AuditRulesFile, plan.ErrStale)
	}
	kernel, err := h.dial()
	if err != nil {
		return err
	}
	defer kernel.Close() //nolint:errcheck // what counts is the list that was read
	loaded, err := kernel.Rules()
	if err != nil {
		return fmt.Errorf("cannot read the kernel's audit rules: %w", err)
	}
	for _, w := range u.Own {
		if w.in(loaded) != nil {
			return fmt.Errorf("cannot load the audit rule for %s: %w: somebody loaded it a moment ago", w.Path, plan.ErrStale)
		}
	}
	if err := log.Note(begun{true}); err != nil {
		return err
	}
	if err := h.at("before the rules file"); err != nil {
		return err
	}
	if !u.Planned.same(u.Was) {
		if err := u.Planned.write(h.file()); err != nil {
			return err
		}
	}
	if err := h.at("rules file written"); err != nil {
		return err
	}
	if err := add(kernel, u.Load); err != nil {
		return err
	}
	return h.at("audit rules loaded")
}

// Undo brings the former file back, then takes the added rules out of the kernel.
func (h *Handler) Undo(_ context.Context, step plan.Step, r remediate.Record) (remediate.Restored, error) {
	u, err := record(step, r.Undo)
	if err != nil {
		return remediate.Restored{}, err
	}
	if err := atomic.Sweep(h.file()); err != nil { // a write may have been killed
		return remediate.Restored{}, err
	}
	now, err := readRules(h.file())
	if err != nil {
		return remediate.Restored{}, err
	}
	if !now.same(u.Was) && !now.same(u.Planned) && !r.Force {
		return remediate.Restored{}, fmt.Errorf("%w: %s is neither as before nor as applied; to have the former one back nevertheless, use --force",
			remediate.ErrDrifted, inventory.AuditRulesFile)
	}
	restored := remediate.Restored{How: plan.Exact, Nothing: now.same(u.Was)}
	if !restored.Nothing {
		if err := u.Was.write(h.file()); err != nil {
			return remediate.Restored{}, err
		}
		if now, err = readRules(h.file()); err == nil && !now.same(u.Was) {
			err = fmt.Errorf("cannot prove the change: %s is not as it was", inventory.AuditRulesFile)
		}
		if err != nil {
			return remediate.Restored{}, err
		}
	}
	if err := h.at("former rules file back"); err != nil {
		return remediate.Restored{}, err
	}
	others, any, err := h.unload(u, r)
	restored.Nothing = restored.Nothing && !any
	for _, path := range others {
		restored.How = plan.Functional
		restored.Notes = append(restored.Notes, fmt.Sprintf("the rule for %s stays: another file of %s has it by now", path, filepath.Dir(inventory.AuditRulesFile)))
	}
	return restored, err
}

// unload takes out of the kernel what the step, or a boot since with the step's file, put there, but for what somebody
// else's file has by now: the kernel holds one rule, whoever loads it.
func (h *Handler) unload(u undoRecord, r remediate.Record) (others []string, any bool, err error) {
	rules, err := u.ours(r)
	if err != nil || len(rules) == 0 {
		return nil, false, err
	}
	elsewhere, err := h.elsewhere()
	if err != nil {
		return nil, false, err
	}
	rules = slices.DeleteFunc(slices.Clone(rules), func(w watch) bool {
		found := elsewhere[inventory.AuditLine(w.Path)]
		if found && !slices.Contains(others, w.Path) {
			others = append(others, w.Path)
		}
		return found
	})
	if len(rules) == 0 {
		return others, false, nil
	}
	kernel, err := h.dial()
	if err != nil {
		return others, false, err
	}
	defer kernel.Close() //nolint:errcheck // what counts is the list that was read
	any, err = remove(kernel, rules)
	if err != nil {
		return others, any, err
	}
	return others, any, h.at("audit rules gone")
}

// elsewhere are the lines of the rules files of others, which the next boot loads.
func (h *Handler) elsewhere() (map[string]bool, error) {
	lines := make(map[string]bool)
	names, err := filepath.Glob(filepath.Join(filepath.Dir(h.file()), "*.rules"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if name == h.file() {
			continue
		}
		info, err := os.Stat(name) // a link is followed, as augenrules does
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxOthers {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it says nothing then
		}
		for line := range strings.Lines(string(text)) {
			lines[strings.TrimSpace(line)] = true
		}
	}
	return lines, nil
}

// maxOthers bounds a rules file of somebody else.
const maxOthers = 4 << 20

// Commit has nothing to drop: the record holds everything.
func (h *Handler) Commit(context.Context, plan.Step, remediate.Record) error { return nil }
