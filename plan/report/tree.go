package report

import (
	"slices"
	"strings"

	"docker-harden/plan"
)

// members writes the containers that a step takes along as a tree: each below one that it is bound to,
// with the reason why it is touched, and its own changes below it.
func (w *writer) members(s plan.Step, indent string) {
	if len(s.Members) == 0 {
		return
	}
	w.printf("%sbound to it, so they go along:\n", indent)
	t := tree{writer: w, below: make(map[plan.Resource][]plan.Member)}
	tops := []plan.Member{}
	for _, m := range s.Members {
		if len(m.Binds) == 0 {
			tops = append(tops, m)
			continue
		}
		// The last one in the order of starting is the one that explains most.
		under := m.Binds[0].To
		for _, part := range s.Parts() {
			if slices.ContainsFunc(m.Binds, func(b plan.Bind) bool { return b.To == part.Resource }) {
				under = part.Resource
			}
		}
		t.below[under] = append(t.below[under], m)
	}
	w.printf("%s%s\n", indent, Clean(s.Resource.Name))
	t.children(s.Resource, indent)
	for _, m := range tops {
		w.printf("%s%s %s  to be recreated as well, and some of these are bound to both\n", indent, w.action(m.Action), Clean(m.Resource.Name))
		t.own(m, indent+"     ")
		t.children(m.Resource, indent)
	}
}

// tree is the containers of one step, each below the one that explains it.
type tree struct {
	*writer
	below map[plan.Resource][]plan.Member
}

func (t tree) children(of plan.Resource, indent string) {
	list := t.below[of]
	for i, m := range list {
		branch, further := "├─ ", "│  "
		if i == len(list)-1 {
			branch, further = "└─ ", "   "
		}
		t.printf("%s%s%s %s  %s\n", indent, branch, t.action(m.Action), Clean(m.Resource.Name), Clean(why(m, of)))
		t.own(m, indent+further+"     ")
		t.children(m.Resource, indent+further)
	}
}

// own writes a member's own changes and notes.
func (t tree) own(m plan.Member, indent string) {
	t.changes(m.Changes, indent)
	for _, note := range m.Notes {
		t.printf("%s# %s\n", indent, Clean(note))
	}
}

func (w *writer) action(a plan.Action) string {
	if a == plan.ActionRestart {
		return w.warn.Sprint(a.Symbol())
	}
	return w.bad.Sprint(a.Symbol())
}

// why says in words what binds a member to the container above it, and to others.
func why(m plan.Member, above plan.Resource) string {
	var here, others []string
	for _, b := range m.Binds {
		if b.To == above {
			here = append(here, bound(b.By))
		} else {
			others = append(others, bound(b.By)+" of "+b.To.Name)
		}
	}
	text := strings.Join(here, ", ")
	if len(others) > 0 {
		text += "; also " + strings.Join(others, ", ")
	}
	switch {
	case m.Action == plan.ActionRestart:
		return text + ": stopped before, started after"
	case len(m.Changes) == 0:
		return text + ": recreated for it, otherwise unchanged"
	}
	return text
}

func bound(by string) string {
	if alias, ok := strings.CutPrefix(by, "link "); ok {
		return "linked as " + alias
	}
	switch by {
	case "network", "ipc":
		return "shares the " + by + " namespace"
	case "pid":
		return "shares the processes"
	case "volumes-from":
		return "uses the volumes"
	}
	return by
}
