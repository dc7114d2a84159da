package compose

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/owner"
)

// Override is the override file of one Compose project.
type Override struct {
	Project string
	// Targets are the containers whose change it keeps, as plans name them.
	Targets []string
	// Left is what it does not hold, and why.
	Left []string
	// Tagged is true when it takes entries out of lists, which not every Compose can.
	Tagged bool

	services []service
	old      bool // docker-compose 1.x
	dir      string
	files    []string // the project's own
	env      []string
}

// taggedSince is the first Compose that can replace a list instead of adding to it.
var taggedSince = [3]int{2, 24, 4}

// serviceName is what Compose takes as a name; labels can hold anything.
var serviceName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// Overrides makes an override for every Compose project of which a plan changes containers, in the
// order of their names. It is pure.
func Overrides(h *inventory.Host, p *plan.Plan) []*Override {
	changes := make(map[string][]plan.Change) // by container id
	for _, step := range p.Steps {
		for _, part := range step.Parts() {
			changes[part.Resource.ID] = part.Changes
		}
	}
	projects := make(map[string]*Override)
	members := make(map[string]map[string][]instance) // by project and service
	for i := range h.Containers {
		c := &h.Containers[i]
		labels := c.Inspect.Config.Labels
		if c.Owner.Kind != inventory.OwnedByCompose || control.Kept(c) || strings.EqualFold(labels[inventory.ComposeOneOff], "true") {
			continue
		}
		name := labels[inventory.ComposeProject]
		if members[name] == nil {
			members[name] = make(map[string][]instance)
		}
		of := labels[inventory.ComposeService]
		members[name][of] = append(members[name][of], instance{c, changes[c.ID]})
		if len(changes[c.ID]) == 0 {
			continue
		}
		if projects[name] == nil {
			projects[name] = newOverride(name, c)
		}
		projects[name].Targets = append(projects[name].Targets, c.Resource().String())
	}
	var out []*Override
	for name, o := range projects {
		for name, instances := range members[name] {
			o.add(h, name, instances)
		}
		slices.SortFunc(o.services, func(a, b service) int { return strings.Compare(a.name, b.name) })
		slices.Sort(o.Left)
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b *Override) int { return strings.Compare(a.Project, b.Project) })
	return out
}

// instance is one container of a service, and what the plan does to it, if anything.
type instance struct {
	c       *inventory.Container
	changes []plan.Change
}

func newOverride(project string, c *inventory.Container) *Override {
	labels := c.Inspect.Config.Labels
	version, known := control.ParseVersion(strings.TrimPrefix(labels[inventory.ComposeVersion], "v"))
	o := &Override{
		Project: project, dir: labels[inventory.ComposeDir], files: c.ComposeFiles(), env: c.ComposeEnvFiles(),
		old: known && version[0] < 2,
	}
	if known && !o.old && slices.Compare(version[:], taggedSince[:]) < 0 {
		o.Left = append(o.Left, fmt.Sprintf("the project was made with Compose %s; the file may need %s", owner.OneLine(labels[inventory.ComposeVersion]), versionText(taggedSince)))
	}
	return o
}

func versionText(v [3]int) string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

// add puts in what the plan changes of a service. Its containers must agree: a file has one value
// for all of them.
func (o *Override) add(h *inventory.Host, name string, instances []instance) {
	if !slices.ContainsFunc(instances, func(i instance) bool { return len(i.changes) > 0 }) {
		return
	}
	if !serviceName.MatchString(name) {
		o.Left = append(o.Left, fmt.Sprintf("service %q: Compose takes no such name", name))
		return
	}
	w := &serviceWriter{name: name, old: o.old, under: o.underDeploy(h, name)}
	for _, s := range settings() {
		value, reason := agreed(s.path, instances)
		switch {
		case reason != "":
			w.leave(s.key, reason)
		case value != nil:
			s.write(w, *value)
		}
	}
	w.ports(instances)
	for _, path := range unwritten(instances) {
		w.leave(owner.OneLine(strings.TrimPrefix(path, "HostConfig.")), "write it into the project's own file")
	}
	o.Left = append(o.Left, w.left...)
	o.Tagged = o.Tagged || w.tagged
	if s := w.service(); len(s.fields) > 0 {
		o.services = append(o.services, s)
	}
}

// underDeploy is what the project's files set under deploy for a service. docker-compose 1.x does not
// look there.
func (o *Override) underDeploy(h *inventory.Host, service string) []string {
	var out []string
	for _, file := range o.files {
		if !o.old {
			out = append(out, h.Compose[file].Deploy[service]...)
		}
	}
	return out
}

// Settings names what the file sets: "web: cap_drop".
func (o *Override) Settings() []string {
	var out []string
	for _, s := range o.services {
		out = append(out, s.settings()...)
	}
	slices.Sort(out)
	return out
}

// Empty reports whether there is nothing to write.
func (o *Override) Empty() bool { return len(o.services) == 0 }
