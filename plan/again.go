package plan

import "fmt"

// Again is a plan that recreates one container as it is, together with those that are bound to it: for who wants to see
// it begin and end. in has one finding, about that container; its changes, if any, are what keeps the new one as the
// old one is where the engine's defaults would not. No control asks for them, so nothing of the plan is proven but that
// the containers run as they did.
//
// The error says why the container is not recreated.
func Again(in Input) (*Plan, error) {
	if len(in.Findings) != 1 || in.Findings[0].Resource.Kind != ResourceContainer {
		return nil, fmt.Errorf("internal error: one container is recreated again at a time, not %d", len(in.Findings))
	}
	f := in.Findings[0]
	if f.Blocked != "" {
		return nil, fmt.Errorf("%s cannot be recreated: %s", f.Resource, f.Blocked)
	}
	p := in.empty()
	steps := make(map[Resource]*Step)
	if err := merge(steps, &f); err != nil {
		return nil, err
	}
	step := steps[f.Resource]
	step.Kind, step.Controls = KindRecreate, nil
	for i := range step.Changes {
		step.Changes[i].Controls = nil
	}
	if err := finishAll(steps, in.Basis); err != nil {
		return nil, err
	}
	g := &grouper{bonds: newBonds(in.Bound), in: &in, plan: p, steps: steps, after: make(map[Resource]string)}
	if err := g.group(); err != nil {
		return nil, err
	}
	if len(steps) == 0 { // nothing is left out here: no order is the only reason to hold it back
		return nil, fmt.Errorf("%s cannot be recreated: it and the containers bound to it are bound in a circle", f.Resource)
	}
	p.Findings = []Finding{}
	p.Steps = order(steps, g.after)
	return p, nil
}
