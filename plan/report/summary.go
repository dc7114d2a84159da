package report

import (
	"fmt"
	"strings"

	"docker-harden/plan"
)

// Counts are how many verdicts a plan or check has, by status, and how many a plan would fix.
type Counts struct {
	Pass          int `json:"pass"`
	Fail          int `json:"fail"`
	Manual        int `json:"manual"`
	Excepted      int `json:"excepted"`
	NotApplicable int `json:"not_applicable"`
	Unknown       int `json:"unknown"`
	// Fixed are the failing ones that have a change.
	Fixed int `json:"fixed_by_plan"`
}

// Count counts findings.
func Count(findings []plan.Finding) Counts {
	var c Counts
	for _, f := range findings {
		switch f.Status {
		case plan.Pass:
			c.Pass++
		case plan.Fail:
			c.Fail++
			if len(f.Changes) > 0 {
				c.Fixed++
			}
		case plan.Manual:
			c.Manual++
		case plan.Excepted:
			c.Excepted++
		case plan.NotApplicable:
			c.NotApplicable++
		default: // a verdict this version does not know is none
			c.Unknown++
		}
	}
	return c
}

// Judged are all verdicts except those that do not apply.
func (c Counts) Judged() int { return c.Pass + c.Fail + c.Manual + c.Excepted + c.Unknown }

// summary writes the last lines: what the plan does, what it is good for, where it is.
func (w *writer) summary() {
	c := Count(w.plan.Findings)
	if len(w.plan.Steps) == 0 {
		w.printf("%s\n", w.nothing(c))
	} else {
		w.printf("Plan: %s. Highest risk %s.\n", strings.Join(effects(w.plan.Steps), ", "), w.risk(highest(w.plan.Steps)))
	}
	unknown := ""
	if c.Unknown > 0 {
		unknown = fmt.Sprintf(" (%d unknown)", c.Unknown)
	}
	after := ""
	if c.Fixed > 0 {
		after = fmt.Sprintf(" -> %d of %d after apply", c.Pass+c.Fixed, c.Judged())
	}
	w.printf("Controls: %d of %d pass%s%s.\n", c.Pass, c.Judged(), after, unknown)
	if w.o.SavedAs == "" {
		return
	}
	w.printf("Saved %s (sha256 %s).", Clean(w.o.SavedAs), Clean(w.o.SHA256))
	if len(w.plan.Steps) > 0 && !w.plan.Errored && !w.plan.FromSnapshot {
		w.printf(" Apply: sudo docker-harden apply %s", shellWord(w.o.SavedAs))
	}
	w.printf("\n")
}

// nothing words a plan without steps. It says "matches" only when nothing else is left to do.
func (w *writer) nothing(c Counts) string {
	var open []string
	for _, part := range []struct {
		n    int
		text string
	}{
		{c.Manual, "a decision is needed for %d"},
		{c.Fail, "%d cannot be changed here"},
		{c.Unknown, "%d could not be judged"},
	} {
		if part.n > 0 {
			open = append(open, fmt.Sprintf(part.text, part.n))
		}
	}
	switch {
	case w.plan.Errored:
		return "No changes: the inventory was incomplete, so nothing is known for sure."
	case len(open) > 0:
		return fmt.Sprintf("No changes. Left open by profile %s: %s.", Clean(w.plan.Profile.Name), strings.Join(open, ", "))
	}
	return fmt.Sprintf("%s The host matches profile %s.", w.good.Sprint("No changes."), Clean(w.plan.Profile.Name))
}

// effects counts the steps by what people notice, least disruptive first.
func effects(steps []plan.Step) []string {
	count := make(map[plan.Kind]int)
	longest := make(map[plan.Kind]float64)
	along := 0
	for _, s := range steps {
		count[s.Kind]++
		along += len(s.Members)
		longest[s.Kind] = max(longest[s.Kind], s.Effect.Downtime)
	}
	var out []string
	add := func(k plan.Kind, one, many, remark string) {
		switch n := count[k]; {
		case n == 1:
			out = append(out, "1 "+one+remark)
		case n > 1:
			out = append(out, fmt.Sprintf("%d %s%s", n, many, remark))
		}
	}
	add(plan.KindFile, "file", "files", "")
	add(plan.KindSocket, "socket", "sockets", "")
	add(plan.KindAudit, "set of audit rules", "sets of audit rules", "")
	add(plan.KindGroup, "group", "groups", "")
	add(plan.KindSwarm, "change of the swarm", "changes of the swarm", "")
	add(plan.KindUpdate, "live update", "live updates", "")
	add(plan.KindNetwork, "network move", "network moves", " (connections end, no restart)")
	add(plan.KindReload, "engine reload", "engine reloads", "")
	add(plan.KindRecreate, "recreate", "recreates", downtime(longest[plan.KindRecreate], count[plan.KindRecreate])+goAlong(along))
	restart := " (containers keep running)"
	if d := longest[plan.KindRestart]; d > 0 {
		restart = fmt.Sprintf(" (containers stop for about %s)", seconds(d))
	}
	add(plan.KindRestart, "engine restart", "engine restarts", restart)
	return out
}

// goAlong counts the containers that recreates take along.
func goAlong(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return ", 1 container goes along"
	}
	return fmt.Sprintf(", %d containers go along", n)
}

func downtime(longest float64, n int) string {
	switch {
	case longest <= 0:
		return " (no downtime: not running)"
	case n > 1:
		return fmt.Sprintf(" (up to about %s downtime each)", seconds(longest))
	}
	return fmt.Sprintf(" (about %s downtime)", seconds(longest))
}

func seconds(s float64) string { return fmt.Sprintf("%.0f s", max(1, s)) }

func highest(steps []plan.Step) plan.RiskLevel {
	level := plan.RiskLow
	for _, s := range steps {
		if s.Risk.Level.Rank() > level.Rank() {
			level = s.Risk.Level
		}
	}
	return level
}

// shellWord quotes a file name so that the printed command can be pasted.
func shellWord(s string) string {
	safe := s != "" && !strings.HasPrefix(s, "-") && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._/+-@%:,=", r))
	}) < 0
	if safe {
		return s
	}
	if Clean(s) != s {
		return "FILE" // a pasted escape would name another file
	}
	if strings.HasPrefix(s, "-") {
		s = "./" + s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
