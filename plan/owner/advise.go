package owner

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// Advise says, owner by owner, what a plan leaves to the owners of containers, and which tools on the
// host could get in its way. It is pure.
func Advise(h *inventory.Host, p *plan.Plan) ([]plan.Advice, error) {
	wanted := make(map[string][]plan.Finding) // by container id
	for i := range p.Findings {
		if f := &p.Findings[i]; len(f.Wanted) > 0 {
			wanted[f.Resource.ID] = append(wanted[f.Resource.ID], *f)
		}
	}
	var order []inventory.Owner
	owned := make(map[inventory.Owner][]member)
	for i := range h.Containers {
		c := &h.Containers[i]
		if len(wanted[c.ID]) == 0 {
			continue
		}
		changes, err := plan.Wishes(wanted[c.ID])
		if err != nil {
			return nil, err
		}
		if owned[c.Owner] == nil {
			order = append(order, c.Owner)
		}
		owned[c.Owner] = append(owned[c.Owner], member{c, changes})
	}
	slices.SortFunc(order, func(a, b inventory.Owner) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	var out []plan.Advice
	for _, o := range order {
		out = append(out, advise(o, owned[o]))
	}
	return append(out, meddlers(h, p)...), nil
}

// member is one container of an owner and what is wanted of it.
type member struct {
	c       *inventory.Container
	changes []plan.Change
}

func advise(o inventory.Owner, members []member) plan.Advice {
	a := plan.Advice{Owner: title(o)}
	for _, m := range members {
		a.Targets = append(a.Targets, m.c.Resource().String())
	}
	switch o.Kind {
	case inventory.OwnedBySwarm:
		changes, differ := together(members)
		a.Text, a.Copy = adviseService(o.Name, read(changes))
		if differ {
			a.Text = append(a.Text, "Its tasks on this host need different values: the largest number is taken, and the lists of the first.")
		}
	case inventory.OwnedByKubernetes:
		var containers []podContainer
		for _, m := range members {
			if !sandbox(m.c) {
				containers = append(containers, podContainer{containerOf(m.c), read(m.changes)})
			}
		}
		if len(containers) == 0 {
			a.Text = []string{"The kubelet makes this sandbox for every pod, and no manifest can change it: accept it with an exception."}
			break
		}
		a.Text, a.Copy = advisePod(o.Name, containers)
	case inventory.OwnedBySystemd:
		changes, _ := together(members)
		a.Text, a.Copy = adviseUnit(o.Name, read(changes))
	default:
		what := otherOwner(o).what
		a.Text = []string{strings.ToUpper(what[:1]) + what[1:] + "."}
	}
	a.Owner = OneLine(a.Owner)
	for _, lines := range [][]string{a.Text, a.Copy} {
		for i := range lines {
			lines[i] = OneLine(lines[i])
		}
	}
	return a
}

// OneLine replaces what would end a line or change how it looks: names come from labels.
func OneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// together joins what is wanted of several containers that have one definition: the largest number
// of each setting, and otherwise what the first one wants.
func together(members []member) (changes []plan.Change, differ bool) {
	for _, m := range members {
		for _, c := range m.changes {
			at := slices.IndexFunc(changes, func(have plan.Change) bool { return have.Path == c.Path })
			if at < 0 {
				changes = append(changes, c)
				continue
			}
			have := &changes[at]
			differ = differ || string(have.To) != string(c.To)
			var a, b int64
			if json.Unmarshal(have.To, &a) == nil && json.Unmarshal(c.To, &b) == nil && b > a {
				have.To = c.To
			}
		}
	}
	return changes, differ
}

// meddler is a tool that recreates containers of others by itself or at a click.
type meddler struct {
	images []string // the end of the image's name, without its tag
	label  string   // on its own container, where it has one
	name   string
	text   string
}

func knownMeddlers() []meddler {
	const copies = "What it makes later it copies from the container it finds, so the hardening stays."
	return []meddler{
		{
			[]string{"containrrr/watchtower", "nickfedor/watchtower", "nicholas-fedor/watchtower", "v2tec/watchtower", "beatkind/watchtower"},
			"com.centurylinklabs.watchtower", "Watchtower",
			"It recreates containers by itself, and with --include-stopped or --revive-stopped also the ones kept for a rollback: stop it before you apply, and start it when you have confirmed. " + copies,
		},
		{
			[]string{"getwud/wud", "fmartinou/whats-up-docker", "pyouroboros/ouroboros"},
			"", "an update tool",
			"It may recreate containers by itself: stop it before you apply, and start it when you have confirmed. " + copies,
		},
		{
			[]string{"portainer/portainer-ce", "portainer/portainer-ee", "portainer/portainer", "portainer/agent"},
			"", "Portainer",
			"Nobody must recreate or edit containers in it while a plan is applied. Its Recreate copies the container it finds, so the hardening stays; a stack that it deploys again is made from the stack's file, so put the hardening there.",
		},
	}
}

// meddlers says which of them run on the host of a plan that recreates containers.
func meddlers(h *inventory.Host, p *plan.Plan) []plan.Advice {
	if !slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return s.Kind == plan.KindRecreate }) {
		return nil
	}
	var out []plan.Advice
	for _, m := range knownMeddlers() {
		a := plan.Advice{Owner: m.name, Text: []string{m.text}}
		for i := range h.Containers {
			if c := &h.Containers[i]; c.Running() && m.is(c) {
				a.Targets = append(a.Targets, c.Resource().String())
			}
		}
		if len(a.Targets) > 0 {
			a.Owner = fmt.Sprintf("%s runs on this host", strings.ToUpper(m.name[:1])+m.name[1:])
			out = append(out, a)
		}
	}
	return out
}

func (m meddler) is(c *inventory.Container) bool {
	if m.label != "" && c.Inspect.Config.Labels[m.label] != "" {
		return true
	}
	image, _, _ := strings.Cut(c.Inspect.Config.Image, "@")
	if at := strings.LastIndex(image, ":"); at > strings.LastIndex(image, "/") {
		image = image[:at]
	}
	return slices.ContainsFunc(m.images, func(known string) bool {
		return image == known || strings.HasSuffix(image, "/"+known)
	})
}
