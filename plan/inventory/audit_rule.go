package inventory

import (
	"encoding/binary"
	"slices"
	"strings"

	libaudit "github.com/elastic/go-libaudit/v2/rule"
	"github.com/elastic/go-libaudit/v2/rule/flags"
	"golang.org/x/sys/unix"
)

// The form in which the kernel lists a rule (struct audit_rule_data): counts, a bit for every system call, and
// for each of a fixed number of fields its name, its value and its comparison; then the texts.
const (
	auditWord   = 4
	auditFields = unix.AUDIT_MAX_FIELDS
	auditMask   = 3 * auditWord
	auditNames  = auditMask + auditFields*auditWord
	auditValues = auditNames + auditFields*auditWord
	auditOps    = auditValues + auditFields*auditWord
	auditTexts  = auditOps + auditFields*auditWord
)

// auditBits are the kinds of access, in the order of [AuditRule.Access].
var auditBits = []struct {
	letter string
	bit    uint32
	named  libaudit.AccessType
}{
	{"r", unix.AUDIT_PERM_READ, libaudit.ReadAccessType},
	{"w", unix.AUDIT_PERM_WRITE, libaudit.WriteAccessType},
	{"x", unix.AUDIT_PERM_EXEC, libaudit.ExecuteAccessType},
	{"a", unix.AUDIT_PERM_ATTR, libaudit.AttributeChangeAccessType},
}

// DecodeAuditRule reads a rule as the kernel lists it. False: it is no plain watch of one path.
func DecodeAuditRule(wire []byte) (AuditRule, bool) {
	if len(wire) < auditTexts+auditWord || word(wire, 0) != unix.AUDIT_FILTER_EXIT || word(wire, auditWord) != unix.AUDIT_ALWAYS || !everyCall(wire) {
		return AuditRule{}, false
	}
	rule, rest := AuditRule{}, wire[auditTexts+auditWord:]
	for i := range min(int(word(wire, 2*auditWord)), auditFields) {
		at := i * auditWord
		value := word(wire, auditValues+at)
		if word(wire, auditOps+at) != unix.AUDIT_EQUAL {
			return AuditRule{}, false
		}
		text := ""
		name := word(wire, auditNames+at)
		if name == unix.AUDIT_WATCH || name == unix.AUDIT_DIR || name == unix.AUDIT_FILTERKEY {
			if uint64(value) > uint64(len(rest)) {
				return AuditRule{}, false
			}
			text, rest = string(rest[:value]), rest[value:]
		}
		switch name {
		case unix.AUDIT_WATCH, unix.AUDIT_DIR:
			rule.Path, rule.Dir = text, name == unix.AUDIT_DIR
		case unix.AUDIT_PERM:
			rule.Access = accessLetters(value)
		case unix.AUDIT_FILTERKEY:
			rule.Key = text
		default:
			return AuditRule{}, false
		}
	}
	if rule.Access == "" {
		rule.Access = accessLetters(^uint32(0))
	}
	return rule, rule.Path != ""
}

// everyCall reports whether a rule is about all system calls. The last bits of the mask stand for none.
func everyCall(wire []byte) bool {
	for i := range auditFields - 1 {
		if word(wire, auditMask+i*auditWord) != ^uint32(0) {
			return false
		}
	}
	return true
}

func word(wire []byte, at int) uint32 { return binary.NativeEndian.Uint32(wire[at:]) }

func accessLetters(bits uint32) string {
	var letters strings.Builder
	for _, a := range auditBits {
		if bits&a.bit != 0 {
			letters.WriteString(a.letter)
		}
	}
	return letters.String()
}

// silences reports whether a rule keeps all others from recording anything: for tasks, "never", on no condition.
func silences(wire []byte) bool {
	return len(wire) >= auditTexts+auditWord && word(wire, 0) == unix.AUDIT_FILTER_TASK && word(wire, auditWord) == unix.AUDIT_NEVER && word(wire, 2*auditWord) == 0
}

// auditLineOf is a rule of the kernel's list as auditctl -l prints it.
func auditLineOf(wire []byte) string {
	line, err := libaudit.ToCommandLine(wire, false)
	if err != nil {
		return "a rule that cannot be printed"
	}
	return line
}

// parseAuditLine reads a line of a rules file. False: it is no plain watch of one path.
func parseAuditLine(line string) (AuditRule, bool) {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "-w") && !strings.HasPrefix(line, "-a") && !strings.HasPrefix(line, "-A") {
		return AuditRule{}, false
	}
	parsed, err := flags.Parse(line)
	if err != nil {
		return AuditRule{}, false
	}
	switch r := parsed.(type) {
	case *libaudit.FileWatchRule:
		rule := AuditRule{Path: r.Path, Key: strings.Join(r.Keys, ","), Access: watchLetters(r.Permissions)}
		if rule.Path != "/" {
			rule.Path = strings.TrimSuffix(rule.Path, "/")
		}
		return rule, rule.Path != ""
	case *libaudit.SyscallRule:
		return plainSyscallRule(r)
	}
	return AuditRule{}, false
}

func watchLetters(access []libaudit.AccessType) string {
	bits := uint32(0)
	for _, a := range auditBits {
		if len(access) == 0 || slices.Contains(access, a.named) {
			bits |= a.bit
		}
	}
	return accessLetters(bits)
}

// plainSyscallRule reads -a always,exit -F path=… -F perm=…, which is what a watch is made of.
func plainSyscallRule(r *libaudit.SyscallRule) (AuditRule, bool) {
	if r.List != "exit" || r.Action != "always" || slices.ContainsFunc(r.Syscalls, func(s string) bool { return s != "all" }) {
		return AuditRule{}, false
	}
	rule := AuditRule{Key: strings.Join(r.Keys, ",")}
	for _, f := range r.Filters {
		if f.Type != libaudit.ValueFilterType || f.Comparator != "=" {
			return AuditRule{}, false
		}
		switch f.LHS {
		case "path", "dir":
			rule.Path, rule.Dir = f.RHS, f.LHS == "dir"
		case "perm":
			for _, a := range auditBits {
				if strings.Contains(f.RHS, a.letter) {
					rule.Access += a.letter
				}
			}
		case "key":
			rule.Key = f.RHS
		default:
			return AuditRule{}, false
		}
	}
	if rule.Access == "" {
		rule.Access = accessLetters(^uint32(0))
	}
	return rule, rule.Path != ""
}
