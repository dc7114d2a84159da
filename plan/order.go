package plan

import (
	"cmp"
	"slices"
	"strings"
)

// rank orders kinds in time: the engine first, because containers made later take its new defaults;
// then what is done live; then recreates; file modes last, because the daemon step may have made
// the file, and the swarm: a manager that is locked must not restart any more.
func rank(k Kind) int {
	switch k {
	case KindReload, KindRestart:
		return 0
	case KindUpdate, KindNetwork:
		return 1
	case KindRecreate:
		return 2
	}
	return 3
}

// order sorts steps in the order they are made and says which must wait for which. after names, for a
// live update, the group that stops and starts its container.
func order(steps map[Resource]*Step, after map[Resource]string) []Step {
	out := make([]Step, 0, len(steps))
	for _, s := range steps {
		out = append(out, *s)
	}
	turn := func(s Step) int {
		if after[s.Resource] != "" {
			return 2*rank(KindRecreate) + 1
		}
		return 2 * rank(s.Kind)
	}
	slices.SortFunc(out, func(a, b Step) int {
		return cmp.Or(cmp.Compare(turn(a), turn(b)), strings.Compare(a.ID, b.ID))
	})
	engine := ""
	for i := range out {
		switch {
		case out[i].Resource.Kind == ResourceDaemon:
			engine = out[i].ID
		case engine != "":
			out[i].After = []string{engine}
		}
		group := after[out[i].Resource]
		if slices.ContainsFunc(out, func(s Step) bool { return s.ID == group && s.Kind == KindRecreate }) {
			out[i].After = append(out[i].After, group)
		}
	}
	return out
}

// String prints one line a step, for tests and logs:
//
//	! daemon: log-level null -> "info", no-new-privileges null -> true
//	-/+ container/web after daemon: HostConfig.CapDrop null -> ["NET_RAW"]
//	  -/+ container/side (network of container/web)
func (p *Plan) String() string {
	var b strings.Builder
	for _, s := range p.Steps {
		b.WriteString(s.Kind.Symbol() + " " + s.ID)
		if len(s.After) > 0 {
			b.WriteString(" after " + strings.Join(s.After, ", "))
		}
		writeChanges(&b, s.Changes)
		for _, m := range s.Members {
			b.WriteString("  " + m.Action.Symbol() + " " + m.Resource.String())
			for i, bind := range m.Binds {
				b.WriteString([]string{" (", ", "}[min(i, 1)] + bind.By + " of " + bind.To.String())
			}
			if len(m.Binds) > 0 {
				b.WriteString(")")
			}
			writeChanges(&b, m.Changes)
		}
	}
	return b.String()
}

func writeChanges(b *strings.Builder, changes []Change) {
	for i, c := range changes {
		b.WriteString([]string{": ", ", "}[min(i, 1)])
		b.WriteString(c.Path + " " + string(c.From) + " -> " + string(c.To))
	}
	b.WriteString("\n")
}
