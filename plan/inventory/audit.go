package inventory

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"docker-harden/plan"
)

// AuditRulesFile is the one rules file of the kernel's audit that belongs to this tool.
const AuditRulesFile = "/etc/audit/rules.d/50-docker-harden.rules"

// AuditKey marks events of the rules, for ausearch -k.
const AuditKey = "docker"

// AuditAccess is what a rule has to record: writing, and changes of owner, mode and other attributes.
const AuditAccess = "wa"

// States of the kernel's audit, see [Audit.Enabled].
const (
	AuditOff    = 0
	AuditOn     = 1
	AuditLocked = 2 // until the next boot nothing can be changed
)

// Where a rule is: in a rules file that is loaded at boot, in the kernel's list.
const (
	AuditInFile   = "file"
	AuditInKernel = "kernel"
)

// Audit is the kernel's audit, as far as it concerns the engine's files.
type Audit struct {
	// Auditctl and Augenrules are where the tools are; empty: they are not installed.
	Auditctl   string `json:"auditctl,omitempty"`
	Augenrules string `json:"augenrules,omitempty"`
	// Absent is true when the kernel has no audit. Problem is why its list could not be read; then Enabled,
	// Loaded and Silenced are not known.
	Absent  bool   `json:"absent,omitempty"`
	Problem string `json:"problem,omitempty"`
	Enabled int    `json:"enabled"`
	// Loaded are the rules of the kernel's list that watch one of Places.
	Loaded []AuditRule `json:"loaded,omitempty"`
	// Silenced is a rule of the kernel's list that keeps every other from recording anything.
	Silenced string `json:"silenced,omitempty"`
	// Lasting are the rules on Places that the next boot loads. FileProblem is why they, or the directory
	// of rules files, are not known.
	Lasting     []AuditRule `json:"lasting,omitempty"`
	FileProblem string      `json:"file_problem,omitempty"`
	// Held is why the rules file of this tool must not be written.
	Held string `json:"held,omitempty"`
	// Places are the paths to watch.
	Places []AuditPlace `json:"places,omitempty"`
}

// AuditRule is a rule that watches one path, on no further condition.
type AuditRule struct {
	Path string `json:"path"`
	// Dir is true when it watches everything below a directory, false when one name. Rules in files leave
	// that to whoever loads them.
	Dir    bool   `json:"dir,omitempty"`
	Access string `json:"access"` // some of "rwxa", in this order
	Key    string `json:"key,omitempty"`
	File   string `json:"file,omitempty"` // where it stands; empty in the kernel's list
}

// AuditPlace is one path that a rule should watch, or why it could not be looked at.
type AuditPlace struct {
	Part    AuditPart `json:"part"`
	Path    string    `json:"path"`
	Exists  bool      `json:"exists,omitempty"`
	Dir     bool      `json:"dir,omitempty"`
	Problem string    `json:"problem,omitempty"`
}

// Rule is the rule for a path, as auditctl and rules files write it. It names the setting in plans.
func (p AuditPlace) Rule() string { return AuditLine(p.Path) }

// AuditLine is the rule that watches a path.
func AuditLine(path string) string {
	return fmt.Sprintf("-w %s -p %s -k %s", path, AuditAccess, AuditKey)
}

// AuditedPath is the path of a rule in exactly the form of [AuditLine], of a path that needs no quoting.
func AuditedPath(line string) (string, bool) {
	path, _, _ := strings.Cut(strings.TrimPrefix(line, "-w "), " ")
	return path, plainAuditPath(path) && AuditLine(path) == line
}

// PlacesOf are the places of a part.
func (a *Audit) PlacesOf(part AuditPart) []AuditPlace {
	return slices.DeleteFunc(slices.Clone(a.Places), func(p AuditPlace) bool { return p.Part != part })
}

// Where says where a place is watched: [AuditInFile], [AuditInKernel], both in this order, or nowhere.
// A directory counts as watched by the kernel only with all that is in it.
func (a *Audit) Where(p AuditPlace) []string {
	where := []string{}
	watches := func(r AuditRule) bool {
		return r.Path == p.Path && strings.Contains(r.Access, "w") && strings.Contains(r.Access, "a")
	}
	if slices.ContainsFunc(a.Lasting, watches) {
		where = append(where, AuditInFile)
	}
	if slices.ContainsFunc(a.Loaded, func(r AuditRule) bool { return watches(r) && (r.Dir || !p.Dir) }) {
		where = append(where, AuditInKernel)
	}
	return where
}

// WhereJSON is where a rule in the form of [AuditLine] is, in the form that changes have.
func (a *Audit) WhereJSON(line string) json.RawMessage {
	where := []string{}
	if i := slices.IndexFunc(a.Places, func(p AuditPlace) bool { return p.Rule() == line }); i >= 0 {
		where = a.Where(a.Places[i])
	}
	return json.RawMessage(jsonOf(where))
}

// basis is that of the rules file: what it is, and where each rule is that it may have.
func (a *Audit) basis(file File) plan.Basis {
	b := file.basis()
	if file.Exists {
		b["content"] = first(file.SHA256, "unreadable")
	}
	rules := map[string]string{}
	for _, p := range a.Places {
		if p.Problem == "" {
			rules[p.Rule()] = first(strings.Join(a.Where(p), ", "), "nowhere")
		}
	}
	maps.Copy(b, rules)
	return b
}

// plainAuditPath reports whether a path can stand in a rules file as it is.
func plainAuditPath(path string) bool {
	return strings.HasPrefix(path, "/") && !strings.ContainsFunc(path, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("/._-+@:", c)
	})
}
