package plan

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// DefaultLifetime is how long a plan may be applied after it was made.
const DefaultLifetime = 24 * time.Hour

// Input is everything a plan is made from.
type Input struct {
	// Findings are the plan's afterwards: it does not copy them where it leaves none out.
	Findings []Finding
	// Basis gives the observed configuration of a resource; false when the resource was not observed.
	// It is called from several goroutines.
	Basis func(Resource) (Basis, bool)
	// Bound are the containers that are bound to others: a recreate takes them along.
	Bound        []Bound
	Host         Host
	Profile      Profile
	Rules        map[string]Rule
	Problems     []Problem
	Tool         string
	Made         time.Time
	Lifetime     time.Duration // 0: DefaultLifetime
	FromSnapshot bool
	Select       Selection
}

// Build turns findings into a plan: it merges the changes of all controls on one resource into one
// step, picks the least disruptive kind that makes them all, and orders the steps. It is pure: the
// same input gives the same plan, byte for byte.
//
// Two controls may change the same list; their additions and removals are merged. Two controls
// that want different values of the same setting are an internal error.
func Build(in Input) (*Plan, error) {
	p := in.empty()
	findings, err := in.selected()
	if err != nil {
		return nil, err
	}
	if findings != nil {
		p.Findings = slices.Clip(findings)
	}
	if in.Select.MaxRisk != "" {
		p.Findings = slices.Clone(p.Findings) // for some will be held back
	}
	steps := make(map[Resource]*Step)
	for i := range findings {
		f := &findings[i]
		if f.Status != Fail || len(f.Changes) == 0 {
			continue
		}
		if err := merge(steps, f); err != nil {
			return nil, err
		}
	}
	if err := finishAll(steps, in.Basis); err != nil {
		return nil, err
	}
	g := &grouper{bonds: newBonds(in.Bound), in: &in, plan: p, steps: steps, after: make(map[Resource]string)}
	if err := g.group(); err != nil {
		return nil, err
	}
	p.holdRisky(steps, in.Select.MaxRisk)
	p.Steps = order(steps, g.after)
	return p, nil
}

// empty is the plan that has no steps and no findings yet.
func (in *Input) empty() *Plan {
	if in.Lifetime == 0 {
		in.Lifetime = DefaultLifetime
	}
	p := &Plan{
		Format: Format, Tool: in.Tool, Made: in.Made.UTC(), Expires: in.Made.Add(in.Lifetime).UTC(),
		Host: in.Host, Profile: in.Profile, Rules: in.Rules, Problems: in.Problems,
		FromSnapshot: in.FromSnapshot, Steps: []Step{}, Findings: []Finding{},
	}
	for _, problem := range in.Problems {
		p.Errored = p.Errored || problem.Fatal
	}
	return p
}

// holdRisky takes out the steps that the selection does not allow.
func (p *Plan) holdRisky(steps map[Resource]*Step, most RiskLevel) {
	for resource, step := range steps {
		if most == "" || step.Risk.Level.Rank() <= most.Rank() {
			continue
		}
		delete(steps, resource)
		for _, part := range step.Parts() {
			if len(part.Controls) > 0 {
				hold(p.Findings, part.Resource, fmt.Sprintf("risk %s is above the allowed %s", step.Risk.Level, most))
			}
		}
	}
}

// selected are the findings that the selection leaves.
func (in *Input) selected() ([]Finding, error) {
	s := in.Select
	if len(s.Targets)+len(s.Skip)+len(s.Only)+len(s.SkipControls) == 0 {
		return in.Findings, nil
	}
	known := make(map[Resource]bool)
	for i := range in.Findings {
		known[in.Findings[i].Resource] = true
	}
	s.Rules = in.Rules
	keep, err := s.filter(known)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(in.Findings), func(f Finding) bool { return !keep(f) }), nil
}

// hold turns the findings that a left-out step would have fixed into blocked ones, so that the plan says why.
func hold(findings []Finding, r Resource, reason string) {
	for i := range findings {
		if findings[i].Resource == r && len(findings[i].Changes) > 0 {
			findings[i].Changes, findings[i].Blocked = nil, reason
		}
	}
}

// merge adds a finding's changes to the step of its resource.
func merge(steps map[Resource]*Step, f *Finding) error {
	step := steps[f.Resource]
	if step == nil {
		step = &Step{ID: f.Resource.String(), Resource: f.Resource, Risk: Risk{Level: RiskLow}}
		steps[f.Resource] = step
	}
	if !slices.Contains(step.Controls, f.Control) {
		step.Controls = append(step.Controls, f.Control)
	}
	for _, c := range f.Changes {
		if err := mergeChange(step, c, f.Control); err != nil {
			return fmt.Errorf("internal error: cannot merge %s of %s: %w", c.Path, step.ID, err)
		}
	}
	if f.WritableLayer == LayerRefuse {
		step.WritableLayer = LayerRefuse
	}
	if f.Risk.Level.Rank() > step.Risk.Level.Rank() {
		step.Risk.Level = f.Risk.Level
	}
	for _, reason := range f.Risk.Reasons {
		step.Risk = step.Risk.Raise(RiskLow, reason)
	}
	for _, note := range f.Notes {
		if !slices.Contains(step.Notes, note) {
			step.Notes = append(step.Notes, note)
		}
	}
	step.Effect.Downtime = max(step.Effect.Downtime, f.Downtime)
	return nil
}

func mergeChange(step *Step, c Change, control string) error {
	if c.Kind.cost() < 0 {
		return fmt.Errorf("unknown kind %q", c.Kind)
	}
	c.From, c.To = canonical(c.From), canonical(c.To)
	if bytes.Equal(c.From, c.To) {
		return fmt.Errorf("it changes nothing (%s)", c.From)
	}
	for i := range step.Changes {
		have := &step.Changes[i]
		if have.Path != c.Path {
			continue
		}
		if !bytes.Equal(have.From, c.From) {
			return fmt.Errorf("%s and %s saw different values", strings.Join(have.Controls, ", "), control)
		}
		to, err := mergeValue(have.From, have.To, c.To)
		if err != nil {
			return fmt.Errorf("%s and %s disagree: %w", strings.Join(have.Controls, ", "), control, err)
		}
		have.To = to
		if !slices.Contains(have.Controls, control) {
			have.Controls = append(have.Controls, control)
		}
		if c.Kind.cost() > have.Kind.cost() {
			have.Kind = c.Kind
		}
		return nil
	}
	c.Controls = []string{control}
	step.Changes = append(step.Changes, c)
	return nil
}

// mergeValue joins two wishes for one setting. Lists are merged by element: what either removes is
// removed, what either adds is added, in that order.
func mergeValue(from, a, b json.RawMessage) (json.RawMessage, error) {
	if bytes.Equal(a, b) {
		return a, nil
	}
	var listFrom, listA, listB []json.RawMessage
	for value, list := range map[*json.RawMessage]*[]json.RawMessage{&from: &listFrom, &a: &listA, &b: &listB} {
		if err := json.Unmarshal(*value, list); err != nil {
			return nil, fmt.Errorf("%s is not %s", a, b)
		}
	}
	has := func(list []json.RawMessage, v json.RawMessage) bool {
		return slices.ContainsFunc(list, func(w json.RawMessage) bool { return bytes.Equal(canonical(v), canonical(w)) })
	}
	merged := []json.RawMessage{}
	for _, v := range listFrom {
		if has(listA, v) && has(listB, v) {
			merged = append(merged, v)
		}
	}
	for _, v := range append(listA, listB...) {
		if !has(listFrom, v) && !has(merged, v) {
			merged = append(merged, v)
		}
	}
	out, err := json.Marshal(merged)
	if err != nil {
		return nil, err
	}
	return canonical(out), nil
}

// finishAll finishes the steps, several at once: a basis is a hash of everything a resource has. Of
// several errors it gives that of the first resource by name.
func finishAll(steps map[Resource]*Step, basis func(Resource) (Basis, bool)) error {
	list := slices.SortedFunc(maps.Values(steps), func(a, b *Step) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), strings.Compare(a.Resource.ID, b.Resource.ID))
	})
	errs := make([]error, len(list))
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(len(list), runtime.GOMAXPROCS(0)) {
		group.Go(func() {
			var fields []string // of the last basis: the next one mostly has the same
			for i := next.Add(1) - 1; i < int64(len(list)); i = next.Add(1) - 1 {
				if errs[i] = finish(list[i], basis); errs[i] == nil {
					list[i].Sees, fields = list[i].Basis.fingerprint(fields)
				}
			}
		})
	}
	group.Wait()
	return cmp.Or(errs...)
}

// finish picks the step's kind and words its effect. The fingerprint is left to the caller.
func finish(step *Step, basis func(Resource) (Basis, bool)) error {
	slices.Sort(step.Controls)
	for _, c := range step.Changes {
		if step.Kind == "" || c.Kind.cost() > step.Kind.cost() {
			step.Kind = c.Kind
		}
	}
	seen, ok := basis(step.Resource)
	if !ok {
		return fmt.Errorf("internal error: %s has changes but was not observed", step.ID)
	}
	step.Basis = seen
	if step.Kind == KindRecreate {
		for i := range step.Changes {
			// What is functional live is exact here: the old container has the old value. A change
			// that needs the recreate speaks for itself.
			if c := step.Changes[i]; c.Kind != KindRecreate || c.Reversibility == "" {
				step.Changes[i].Reversibility, step.Changes[i].ReverseNote = Exact, ""
			}
		}
	} else if step.Kind != KindRestart && step.Kind != KindNetwork {
		step.Effect.Downtime = 0
	}
	step.Effect.Text = effectText(step)
	return nil
}

// canonical compacts a JSON value and sorts object keys, so that equal values are equal bytes.
// An empty message is null. Invalid JSON is returned as it is and fails later, where it is used.
func canonical(raw json.RawMessage) json.RawMessage {
	if len(bytes.TrimSpace(raw)) == 0 {
		return json.RawMessage("null")
	}
	if isCanonical(raw) {
		return raw
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return raw
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return raw
	}
	return bytes.TrimSpace(buf.Bytes())
}

// isCanonical reports whether a value surely is in canonical form already, as most are: one without
// objects, without space, and without characters that can be written in several ways.
func isCanonical(raw json.RawMessage) bool {
	inText := false
	for _, b := range raw {
		switch {
		case b == '"':
			inText = !inText
		case b == '\\', b == '{', b >= utf8.RuneSelf, b <= ' ' && !inText:
			return false
		}
	}
	return true
}
