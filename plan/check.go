package plan

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
)

// containerName is what every engine accepts for one.
var containerName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// kindsOf are the kinds of steps that a resource can have.
var kindsOf = map[ResourceKind][]Kind{
	ResourceDaemon:    {KindReload, KindRestart},
	ResourceContainer: {KindUpdate, KindNetwork, KindRecreate},
	ResourceFile:      {KindFile, KindSocket, KindAudit, KindGroup},
	ResourceSwarm:     {KindSwarm},
}

// check refuses steps that Build never makes. A digest is no signature: whoever wrote the file may have
// computed it anew, so nothing in a plan is taken for granted because its digest fits.
func (p *Plan) check() error {
	seen := make(map[string]bool, len(p.Steps))
	for _, s := range p.Steps {
		err := s.check(seen)
		for _, m := range s.Members {
			if err == nil && m.Action == ActionRecreate && p.changes(m.Resource, s.ID) {
				err = fmt.Errorf("it takes %s along, and another step changes that", m.Resource)
			}
		}
		if err != nil {
			return fmt.Errorf("step %q is none that docker-harden plans: %w", s.ID, err)
		}
		seen[s.ID] = true
	}
	return nil
}

// changes reports whether a step other than one changes a resource.
func (p *Plan) changes(r Resource, except string) bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool {
		return s.ID != except && slices.ContainsFunc(s.Parts(), func(m Member) bool {
			return m.Resource == r && m.Action != ActionRestart
		})
	})
}

func (s Step) check(before map[string]bool) error {
	if err := s.Resource.check(); err != nil {
		return err
	}
	switch {
	case s.ID != s.Resource.String():
		return fmt.Errorf("it is about %s", s.Resource)
	case before[s.ID]:
		return errors.New("there are two for it")
	case !slices.Contains(kindsOf[s.Resource.Kind], s.Kind):
		return fmt.Errorf("its kind is %q", s.Kind)
	}
	for _, id := range s.After {
		if !before[id] {
			return fmt.Errorf("it waits for %q, which does not come before it", id)
		}
	}
	if err := checkChanges(s.Changes, s.Kind); err != nil {
		return err
	}
	return s.checkMembers()
}

func checkChanges(changes []Change, most Kind) error {
	for i, c := range changes {
		switch {
		case c.Path == "" || c.Kind.cost() < 0 || c.Kind.cost() > most.cost():
			return fmt.Errorf("its change of %q is of kind %q", c.Path, c.Kind)
		case slices.ContainsFunc(changes[:i], func(o Change) bool { return o.Path == c.Path }):
			return fmt.Errorf("it changes %q twice", c.Path)
		}
	}
	return nil
}

// checkMembers refuses members that could not be taken along in their order.
func (s Step) checkMembers() error {
	if len(s.Members) > 0 && s.Kind != KindRecreate {
		return fmt.Errorf("its kind is %q, and it takes other containers along", s.Kind)
	}
	parts := s.Parts()
	for i, m := range s.Members {
		if m.Resource.Kind != ResourceContainer {
			return fmt.Errorf("it takes %s along, which is no container", m.Resource)
		}
		err := m.Resource.check()
		before := func(r Resource) bool {
			return slices.ContainsFunc(parts[:i+1], func(p Member) bool { return p.Resource == r })
		}
		stray := slices.IndexFunc(m.Binds, func(b Bind) bool { return !before(b.To) })
		switch {
		case err != nil:
			return err
		case slices.ContainsFunc(parts[:i+1], func(p Member) bool { return p.Resource.Name == m.Resource.Name || p.Resource.ID == m.Resource.ID }):
			return fmt.Errorf("it takes %s along twice", m.Resource)
		case m.Action != ActionRecreate && (m.Action != ActionRestart || len(m.Changes) > 0):
			return fmt.Errorf("its action on %s is %q with %d changes", m.Resource, m.Action, len(m.Changes))
		case stray >= 0:
			return fmt.Errorf("it binds %s to %s, which does not come before it", m.Resource, m.Binds[stray].To)
		}
		if err := checkChanges(m.Changes, KindRecreate); err != nil {
			return fmt.Errorf("%s: %w", m.Resource, err)
		}
	}
	return nil
}

// check refuses names that a host's resources cannot have; a file's path leads nowhere but to where it seems.
func (r Resource) check() error {
	switch r.Kind {
	case ResourceDaemon:
		if r != Daemon() {
			return errors.New("the engine has no name")
		}
	case ResourceSwarm:
		if r != Swarm() {
			return errors.New("the swarm has no name")
		}
	case ResourceContainer:
		if !containerName.MatchString(r.Name) || r.ID == "" {
			return fmt.Errorf("%q is no container", r.Name)
		}
	case ResourceFile:
		if !path.IsAbs(r.Name) || path.Clean(r.Name) != r.Name || r.ID != "" {
			return fmt.Errorf("%q is no plain absolute path", r.Name)
		}
	default:
		return fmt.Errorf("there is no resource of kind %q", r.Kind)
	}
	return nil
}
