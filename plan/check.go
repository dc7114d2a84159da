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
	ResourceContainer: {KindUpdate, KindRecreate},
	ResourceFile:      {KindFile},
}

// check refuses steps that Build never makes. A digest is no signature: whoever wrote the file may have
// computed it anew, so nothing in a plan is taken for granted because its digest fits.
func (p *Plan) check() error {
	seen := make(map[string]bool, len(p.Steps))
	for _, s := range p.Steps {
		if err := s.check(seen); err != nil {
			return fmt.Errorf("step %q is none that docker-harden plans: %w", s.ID, err)
		}
		seen[s.ID] = true
	}
	return nil
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
	for i, c := range s.Changes {
		switch {
		case c.Path == "" || c.Kind.cost() < 0 || c.Kind.cost() > s.Kind.cost():
			return fmt.Errorf("its change of %q is of kind %q", c.Path, c.Kind)
		case slices.ContainsFunc(s.Changes[:i], func(o Change) bool { return o.Path == c.Path }):
			return fmt.Errorf("it changes %q twice", c.Path)
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
