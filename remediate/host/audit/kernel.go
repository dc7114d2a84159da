package audit

import (
	"errors"
	"fmt"
	"slices"

	libaudit "github.com/elastic/go-libaudit/v2"
	"github.com/elastic/go-libaudit/v2/rule"

	"docker-harden/plan/inventory"
)

// Kernel is what the handler needs of the kernel's audit. Rules are in the kernel's own form.
type Kernel interface {
	// Enabled is one of [inventory.AuditOff], [inventory.AuditOn] and [inventory.AuditLocked].
	Enabled() (int, error)
	Rules() ([][]byte, error)
	Add(rule []byte) error
	Delete(rule []byte) error
	Close() error
}

// Dial connects to the kernel of this machine.
func Dial() (Kernel, error) {
	client, err := inventory.DialAudit()
	if err != nil {
		return nil, err
	}
	return netlink{client}, nil
}

// netlink is the real one.
type netlink struct{ client *libaudit.AuditClient }

func (n netlink) Enabled() (int, error) {
	status, err := n.client.GetStatus()
	if err != nil {
		return 0, fmt.Errorf("cannot read the state of the kernel's audit: %w", err)
	}
	return int(status.Enabled), nil
}

func (n netlink) Rules() ([][]byte, error) { return n.client.GetRules() }

func (n netlink) Add(wire []byte) error { return n.client.AddRule(wire) }

func (n netlink) Delete(wire []byte) error { return n.client.DeleteRule(wire) }

func (n netlink) Close() error { return n.client.Close() }

// watch is one rule as the kernel knows it. A directory can be watched by its name, or with all in it: two rules.
type watch struct {
	Path string `json:"path"`
	Dir  bool   `json:"dir,omitempty"`
}

// wire is the kernel's form of the rule.
func (w watch) wire() ([]byte, error) {
	field := "path"
	if w.Dir {
		field = "dir"
	}
	filter := func(name, value string) rule.FilterSpec {
		return rule.FilterSpec{Type: rule.ValueFilterType, LHS: name, Comparator: "=", RHS: value}
	}
	out, err := rule.Build(&rule.SyscallRule{
		Type: rule.AppendSyscallRuleType, List: "exit", Action: "always", Syscalls: []string{"all"},
		Filters: []rule.FilterSpec{filter(field, w.Path), filter("perm", inventory.AuditAccess)}, Keys: []string{inventory.AuditKey},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot make the rule for %s: %w", w.Path, err)
	}
	return out, nil
}

// is reports whether a rule of the kernel's list is exactly this one.
func (w watch) is(wire []byte) bool {
	have, ok := inventory.DecodeAuditRule(wire)
	return ok && have == inventory.AuditRule{Path: w.Path, Dir: w.Dir, Access: inventory.AuditAccess, Key: inventory.AuditKey}
}

// in finds the rule in a list, in the form in which the kernel would take it back.
func (w watch) in(list [][]byte) []byte {
	if i := slices.IndexFunc(list, w.is); i >= 0 {
		return list[i]
	}
	return nil
}

// add loads rules that are not loaded, and proves it.
func add(k Kernel, rules []watch) error {
	for _, w := range rules {
		wire, err := w.wire()
		if err != nil {
			return err
		}
		if err := k.Add(wire); err != nil {
			return fmt.Errorf("cannot load the audit rule for %s: %w", w.Path, err)
		}
	}
	list, err := k.Rules()
	if err != nil {
		return fmt.Errorf("cannot prove that the audit rules are loaded: %w", err)
	}
	for _, w := range rules {
		if w.in(list) == nil {
			return fmt.Errorf("cannot prove the change: the kernel took the audit rule for %s and does not list it", w.Path)
		}
	}
	return nil
}

// errLocked is an audit that takes no change until the next boot.
var errLocked = errors.New("the kernel's audit is locked until the next boot (enabled 2)")

// remove takes out those rules that are loaded, and proves it. It says whether there were any.
func remove(k Kernel, rules []watch) (any bool, err error) {
	list, err := k.Rules()
	if err != nil {
		return false, fmt.Errorf("cannot read the kernel's audit rules: %w", err)
	}
	for _, w := range rules {
		wire := w.in(list)
		if wire == nil {
			continue
		}
		if enabled, err := k.Enabled(); err == nil && enabled == inventory.AuditLocked {
			return false, fmt.Errorf("cannot take the audit rule for %s out of the kernel: %w; the file is as it was: reboot, and the rule is gone", w.Path, errLocked)
		}
		any = true
		if err := k.Delete(wire); err != nil {
			return any, fmt.Errorf("cannot take the audit rule for %s out of the kernel: %w", w.Path, err)
		}
	}
	if list, err = k.Rules(); err != nil {
		return any, fmt.Errorf("cannot prove that the audit rules are gone: %w", err)
	}
	for _, w := range rules {
		if w.in(list) != nil {
			return any, fmt.Errorf("cannot prove the change: the kernel still lists the audit rule for %s", w.Path)
		}
	}
	return any, nil
}
