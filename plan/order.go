package plan

import (
	"cmp"
	"slices"
	"strings"
)

// rank orders kinds in time: the engine first, because containers made later take its new defaults;
// then what nobody notices; then recreates; file modes last, because the daemon step may have made
// the file.
func rank(k Kind) int {
	switch k {
	case KindReload, KindRestart:
		return 0
	case KindUpdate:
		return 1
	case KindRecreate:
		return 2
	}
	return 3
}

// order sorts steps in the order they are made and says which must wait for which.
func order(steps map[Resource]*Step) []Step {
	out := make([]Step, 0, len(steps))
	for _, s := range steps {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b Step) int {
		return cmp.Or(cmp.Compare(rank(a.Kind), rank(b.Kind)), strings.Compare(a.ID, b.ID))
	})
	engine := ""
	for i := range out {
		switch {
		case out[i].Resource.Kind == ResourceDaemon:
			engine = out[i].ID
		case engine != "":
			out[i].After = []string{engine}
		}
	}
	return out
}

// String prints one line a step, for tests and logs:
//
//	! daemon: log-level null -> "info", no-new-privileges null -> true
//	-/+ container/web after daemon: HostConfig.CapDrop null -> ["NET_RAW"]
func (p *Plan) String() string {
	var b strings.Builder
	for _, s := range p.Steps {
		b.WriteString(s.Kind.Symbol() + " " + s.ID)
		if len(s.After) > 0 {
			b.WriteString(" after " + strings.Join(s.After, ", "))
		}
		for i, c := range s.Changes {
			b.WriteString([]string{": ", ", "}[min(i, 1)])
			b.WriteString(c.Path + " " + string(c.From) + " -> " + string(c.To))
		}
		b.WriteString("\n")
	}
	return b.String()
}
