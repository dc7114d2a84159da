package plan

// Step is one transaction on one resource, and on the containers that are bound to it: done whole or
// undone whole.
type Step struct {
	// ID is the resource's target name; a plan has at most one step a resource.
	ID       string   `json:"id"`
	Kind     Kind     `json:"kind"`
	Resource Resource `json:"resource"`
	Changes  []Change `json:"changes"`
	// Controls that asked for the changes, sorted.
	Controls []string `json:"controls"`
	// Members are the containers that go along, in the order in which they are started: each comes after
	// those it is bound to. Only recreates have any.
	Members []Member `json:"members,omitempty"`
	// After are the IDs of steps that must be done before this one.
	After  []string `json:"after,omitempty"`
	Effect Effect   `json:"effect"`
	Risk   Risk     `json:"risk"`
	Notes  []string `json:"notes,omitempty"`
	// WritableLayer is [LayerRefuse] when a recreate must not be made while the container has files in
	// its writable layer, also when they came after the plan. Empty: they are carried over.
	WritableLayer string `json:"writable_layer,omitempty"`
	// Sees is the fingerprint the step was planned on; another one now means the step is stale.
	Sees Fingerprint `json:"sees"`
	// Basis is what Sees was made from, so that staleness can be explained field by field.
	Basis Basis `json:"basis"`
}

// What a recreate does with files in the container's writable layer. They are never dropped.
const (
	LayerCarry  = "carry"
	LayerRefuse = "refuse"
)

// Effect is what people notice while the step runs.
type Effect struct {
	// Downtime is the estimated time in seconds during which the resource's service is away.
	Downtime float64 `json:"downtime_seconds"`
	// Text says it in words: "live, no downtime", "about 2 s downtime".
	Text string `json:"text"`
}

// Reversibility is the worst of the step's changes and members, and the notes of those that are not exact.
func (s Step) Reversibility() (Reversibility, []string) {
	worst, notes := Exact, []string(nil)
	add := func(how Reversibility, head, note string) {
		switch {
		case how == None:
			worst = None
		case how != Functional:
			return
		case worst == Exact:
			worst = Functional
		}
		if note != "" {
			notes = append(notes, head+note)
		}
	}
	for _, c := range s.Changes {
		add(c.Reversibility, c.Path+": ", c.ReverseNote)
	}
	for _, m := range s.Members {
		add(m.Reversibility, m.Resource.Name+": ", m.ReverseNote)
		for _, c := range m.Changes {
			note := c.ReverseNote
			if note == m.ReverseNote {
				note = "" // said already
			}
			add(c.Reversibility, m.Resource.Name+": "+c.Path+": ", note)
		}
	}
	return worst, notes
}
