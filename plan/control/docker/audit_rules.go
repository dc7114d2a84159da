package docker

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

const (
	auditSource = "the kernel's audit rules"
	// firstAudit is the row that asks for the audit tools, once for all rows.
	firstAudit = "dockerd"
)

// auditControls are the controls of all rows.
func auditControls() []control.Control {
	var out []control.Control
	for _, row := range auditRows() {
		out = append(out, audited(row))
	}
	return out
}

// audited is the control of whether the kernel's audit watches the files of a row.
func audited(row auditRow) control.Control {
	c := control.Control{
		ID:    "docker/audit-" + row.id,
		Title: row.name + " is watched by the kernel's audit",
		Why:   "Repudiation: " + row.why,
		Risk:  "Writing these files, which is rare, makes records in the audit log. Nothing that runs is touched.",
		Fix: "A rule in " + inventory.AuditRulesFile + ", loaded into the kernel at once and by every boot; rules of others stay as they are. " +
			"Undone by the former file, and by taking exactly the added rules out of the kernel.",
		Refs:     map[string]string{"cis-docker-1.6.0": row.v16, "cis-docker-1.8.0": row.v16, "stride": "R"},
		Class:    control.Automatic,
		Verified: "the kernel's own list of audit rules (netlink), and the rules files that the next boot loads",
		Severity: plan.RiskLow,
		Host: func(h *inventory.Host, p profile.Params) []plan.Finding {
			return []plan.Finding{judgeAudit(h, row, p)}
		},
	}
	if row.v12 != "" {
		c.Refs["cis-docker-1.2.0"] = row.v12
	}
	if row.noisy {
		c.Class = control.Answer
		c.Risk = "Every file that a container, a build or a pull writes makes a record: the audit log turns over within hours or fills the disk, " +
			"what else it records is lost, and writing becomes slower. That is why it is done only when asked for."
		c.Params = []profile.Param{acceptParam("watch the data directory although every write in it makes a record")}
	}
	return c
}

// judgeAudit judges one row. What the kernel's list shows counts, and the files say only what will be after the
// next boot.
func judgeAudit(h *inventory.Host, row auditRow, p profile.Params) plan.Finding {
	if f, done := auditOutOfSight(h, row); done {
		return f
	}
	f := plan.Finding{Resource: plan.File(inventory.AuditRulesFile)}
	places := h.Audit.PlacesOf(row.part)
	if !slices.ContainsFunc(places, func(p inventory.AuditPlace) bool { return p.Problem == "" }) {
		f.Status, f.Message = plan.NotApplicable, row.none
	}
	for _, place := range places {
		if place.Problem != "" {
			f.Status, f.Message = plan.Unknown, fmt.Sprintf("%s could not be looked at: %s", plainName(place.Path), place.Problem)
		}
	}
	if f.Status != "" {
		return f
	}
	f.Changes = auditChanges(h.Audit, places)
	f.Status, f.Message, f.Evidence = plan.Pass, auditMessage(h.Audit, places), auditEvidence(h.Audit, places)
	stop := auditStop(h.Audit, len(f.Changes) > 0)
	switch {
	case len(f.Changes) == 0 && stop == "":
		return f
	case row.noisy && !p.Bool("accept"):
		return ask(f, "Shall every write in the engine's data directory be recorded? The log turns over quickly; record it only where the log is shipped elsewhere.",
			answerHost("docker/audit-"+row.id, "accept: true"))
	}
	f.Status = plan.Fail
	if stop != "" {
		f.Blocked, f.Changes = stop, nil
	}
	return f
}

// auditOutOfSight are the verdicts on hosts whose audit cannot be looked at, or is not there.
func auditOutOfSight(h *inventory.Host, row auditRow) (plan.Finding, bool) {
	if other, elsewhere := otherProduct(h); elsewhere {
		return other, true
	}
	a := h.Audit
	switch {
	case !h.Engine.Local:
		return daemonVerdict(plan.Unknown, "the audit rules are on another machine: run docker-harden there"), true
	case h.Engine.Rootless:
		return daemonVerdict(plan.NotApplicable, "the engine is rootless: its files belong to its user"), true
	case a == nil:
		return daemonVerdict(plan.Unknown, "the audit rules were not looked at"), true
	case a.Absent:
		return daemonVerdict(plan.NotApplicable, "this kernel has no audit"), true
	case a.Auditctl == "":
		return withoutAuditTools(row), true
	case a.Problem != "":
		return daemonVerdict(plan.Unknown, "%s", a.Problem), true
	case a.FileProblem != "":
		return daemonVerdict(plan.Unknown, "the audit's rules files could not be read: %s", a.FileProblem), true
	}
	return plan.Finding{}, false
}

// withoutAuditTools asks once for the package that is missing.
func withoutAuditTools(row auditRow) plan.Finding {
	f := daemonVerdict(plan.NotApplicable, "the audit tools are not installed (see docker/audit-%s)", firstAudit)
	f.Reason = plan.NeedsPolicy
	if row.id != firstAudit {
		return f
	}
	f.Message = "the audit tools are not installed: nothing records who changes the engine's files"
	return ask(f, "Shall changes of the engine's files be recorded? Install the audit tools (Debian, Ubuntu: apt-get install auditd; Red Hat and its like: dnf install audit; Alpine: apk add audit), then plan again; or accept the risk.",
		fmt.Sprintf(`exceptions: [{control: docker/audit-%s, target: daemon, reason: "…", owner: "…", expires: YYYY-MM-DD}]`, firstAudit))
}

// auditStop says what keeps rules from being added, or those that are there from recording anything.
func auditStop(a *inventory.Audit, missing bool) string {
	switch {
	case a.Enabled == inventory.AuditOff:
		return "the kernel's audit is switched off, so no rule records anything: start it (systemctl enable --now auditd), then plan again"
	case a.Silenced != "":
		return fmt.Sprintf("the rule %q keeps every other rule from recording anything: take it out of /etc/audit/rules.d, load the rules, then plan again", plainName(a.Silenced))
	case !missing:
		return ""
	case a.Enabled == inventory.AuditLocked:
		return "the kernel's audit is locked until the next boot (enabled 2): needs a reboot; take -e 2 out of /etc/audit/rules.d, reboot, then plan again"
	case a.Augenrules == "":
		return "there is no augenrules, so the rules would be gone with the next boot: install the whole audit package, then plan again"
	}
	return a.Held
}

// both is where a rule belongs.
func both() []string { return []string{inventory.AuditInFile, inventory.AuditInKernel} }

// auditChanges are the rules that are not where they belong.
func auditChanges(a *inventory.Audit, places []inventory.AuditPlace) []plan.Change {
	var out []plan.Change
	for _, place := range places {
		if where := a.Where(place); len(where) < len(both()) {
			change := plan.Change{Path: place.Rule(), From: raw(where), To: raw(both()), Kind: plan.KindAudit, Reversibility: plan.Exact}
			if fades(place) {
				change.Note = "/run is empty when a boot loads rules: look again after one"
			}
			out = append(out, change)
		}
	}
	return out
}

// fades reports whether the next boot will not find the place when it loads rules, which is before services start.
func fades(p inventory.AuditPlace) bool {
	const atTop = 2 // slashes of /run/NAME
	return strings.HasPrefix(p.Path, "/run/") && (p.Dir || strings.Count(p.Path, "/") > atTop)
}

// auditMessage says of all places how they are watched.
func auditMessage(a *inventory.Audit, places []inventory.AuditPlace) string {
	groups := make([][]string, 4)
	for _, place := range places {
		where, i := a.Where(place), 0
		switch {
		case len(where) == len(both()):
			i = 3
		case slices.Contains(where, inventory.AuditInFile):
			i = 1
		case slices.Contains(where, inventory.AuditInKernel):
			i = 2
		}
		groups[i] = append(groups[i], place.Path)
	}
	var parts []string
	for i, words := range []string{"not watched", "configured and not loaded", "loaded and in no rules file, so lost at the next boot", "watched"} {
		if len(groups[i]) > 0 {
			parts = append(parts, words+": "+strings.Join(groups[i], ", "))
		}
	}
	return strings.Join(parts, "; ")
}

// auditEvidence names the rules that are there.
func auditEvidence(a *inventory.Audit, places []inventory.AuditPlace) []plan.Evidence {
	out := []plan.Evidence{evidence("enabled", auditSource, "%d", a.Enabled)}
	at := func(path string) bool {
		return slices.ContainsFunc(places, func(p inventory.AuditPlace) bool { return p.Path == path })
	}
	for _, r := range a.Loaded {
		if at(r.Path) {
			what := "its name"
			if r.Dir {
				what = "all in it"
			}
			out = append(out, evidence("loaded", auditSource, "%s, %s (%s)", r.Path, r.Access, what))
		}
	}
	for _, r := range a.Lasting {
		if at(r.Path) {
			out = append(out, evidence("configured", plainName(r.File), "%s, %s", r.Path, r.Access))
		}
	}
	return out
}

// changesAudit reports whether a control of a row asks, or could have asked, for this rule on this host.
func changesAudit(h *inventory.Host, c plan.Change) bool {
	var from, to []string
	if h.Audit == nil || h.Audit.Held != "" || c.Kind != plan.KindAudit || json.Unmarshal(c.From, &from) != nil || json.Unmarshal(c.To, &to) != nil || !slices.Equal(to, both()) {
		return false
	}
	if len(from) > 1 || len(from) == 1 && !slices.Contains(both(), from[0]) {
		return false
	}
	for _, row := range auditRows() {
		for _, place := range h.Audit.PlacesOf(row.part) {
			if place.Problem == "" && place.Rule() == c.Path {
				return true
			}
		}
	}
	return false
}
