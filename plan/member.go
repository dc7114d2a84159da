package plan

import "slices"

// Action is what happens to one container of a recreate.
type Action string

// The actions, least disruptive first.
const (
	// ActionRestart stops a container before what it is bound to goes, and starts it afterwards.
	ActionRestart Action = "restart"
	// ActionRecreate gives its place to a new container.
	ActionRecreate Action = "recreate"
)

// Symbol is the mark an action has in printed plans.
func (a Action) Symbol() string {
	if a == ActionRestart {
		return "<>"
	}
	return KindRecreate.Symbol()
}

// Bind ties a container to another one, its provider.
type Bind struct {
	To Resource `json:"to"`
	// By is how, in one word: network, pid, ipc, "link ALIAS", volumes-from, depends_on.
	By string `json:"by"`
	// Remade is true when a new provider needs a new container here, because the present one names the
	// old provider for good. Else stopping and starting it in order is enough.
	Remade bool `json:"remade,omitempty"`
}

// Bound is a container that is bound to others, and what it costs to take it along with them.
type Bound struct {
	Resource Resource
	Binds    []Bind
	// Keeps are the changes without which a new container would differ from the present one.
	Keeps []Change
	// Risk, Notes and Downtime are those of a recreate of this container alone.
	Risk     Risk
	Notes    []string
	Downtime float64
	// Reversibility and its note are those of a recreate without any change.
	Reversibility Reversibility
	ReverseNote   string
	// WritableLayer is as in [Step.WritableLayer].
	WritableLayer string
}

// Member is a container that a step takes along because it is bound to the step's own container, or
// one of several that have to be recreated together.
type Member struct {
	Resource Resource `json:"resource"`
	// Action is empty only for the part of a step that is no recreate.
	Action Action `json:"action"`
	// Binds are to other containers of the same step: why this one is touched.
	Binds []Bind `json:"binds,omitempty"`
	// Changes are its own; a member that is compliant has none.
	Changes []Change `json:"changes,omitempty"`
	// Controls that asked for its own changes, sorted.
	Controls []string `json:"controls,omitempty"`
	Notes    []string `json:"notes,omitempty"`
	// Reversibility is that of taking it along, besides its changes.
	Reversibility Reversibility `json:"reversibility"`
	ReverseNote   string        `json:"reverse_note,omitempty"`
	// WritableLayer is as in [Step.WritableLayer].
	WritableLayer string      `json:"writable_layer,omitempty"`
	Sees          Fingerprint `json:"sees"`
	Basis         Basis       `json:"basis"`
}

// Parts are all containers of a step in the order in which they are started: its own one first, which
// is bound to none of the others. A step without members has one part.
func (s Step) Parts() []Member {
	own := Member{
		Resource: s.Resource, Changes: s.Changes, Controls: s.Controls, Notes: s.Notes,
		Reversibility: Exact, WritableLayer: s.WritableLayer, Sees: s.Sees, Basis: s.Basis,
	}
	if s.Kind == KindRecreate {
		own.Action = ActionRecreate
	}
	return append([]Member{own}, s.Members...)
}

// Has reports whether a resource is one of the step's.
func (s Step) Has(r Resource) bool {
	return s.Resource == r || slices.ContainsFunc(s.Members, func(m Member) bool { return m.Resource == r })
}

// MemberOf finds the step that a target is a member of without naming it; false: there is none, or the
// target is a step of its own.
func (p *Plan) MemberOf(id string) (Step, bool) {
	for _, s := range p.Steps {
		if s.ID != id && slices.ContainsFunc(s.Members, func(m Member) bool { return m.Resource.String() == id }) {
			return s, true
		}
	}
	return Step{}, false
}

// Company says which containers go along when some are recreated: the order in which they are started,
// what happens to each, and to which others of them it is bound. ok is false when they are bound in a
// circle: then there is no order.
func Company(roots []Resource, all []Bound) (members []Member, ok bool) {
	g := newBonds(all)
	actions := g.touched(roots...)
	order, ok := g.order(actions)
	for _, r := range order {
		members = append(members, g.member(r, actions))
	}
	return members, ok
}
