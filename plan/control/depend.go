package control

import (
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// The labels by which Docker Compose says what a container is and what it waits for.
const (
	composeProject   = "com.docker.compose.project"
	composeService   = "com.docker.compose.service"
	composeDependsOn = "com.docker.compose.depends_on"
	composeOneOff    = "com.docker.compose.oneoff"
)

// shortID is the length of the ids that docker ps prints.
const shortID = 12

// bond ties one container to another one, its provider.
type bond struct {
	from, to *inventory.Container
	plan.Bind
}

// bonds are all bonds on a host. Old containers that are kept for a rollback count for none: they are
// bound to what was there before, and come back with it.
type bonds struct {
	host *inventory.Host
	to   map[*inventory.Container][]bond // by provider
	from map[*inventory.Container][]bond // by the container that is bound
	// lost are references to containers that do not exist.
	lost map[*inventory.Container]string
}

func bondsOf(h *inventory.Host) *bonds {
	b := &bonds{
		host: h, to: make(map[*inventory.Container][]bond), from: make(map[*inventory.Container][]bond),
		lost: make(map[*inventory.Container]string),
	}
	named := make(map[string]*inventory.Container, 3*len(h.Containers))
	services := make(map[string][]*inventory.Container)
	for i := range h.Containers {
		c := &h.Containers[i]
		if Kept(c) {
			continue
		}
		named[c.ID] = c
		if len(c.ID) > shortID {
			named[c.ID[:shortID]] = c
		}
		if l := c.Inspect.Config.Labels; l[composeProject] != "" && !oneOff(c) {
			service := l[composeProject] + "/" + l[composeService]
			services[service] = append(services[service], c)
		}
	}
	for i := range h.Containers { // a name counts before the beginning of an id
		if c := &h.Containers[i]; !Kept(c) {
			named[c.Name] = c
		}
	}
	for i := range h.Containers {
		if c := &h.Containers[i]; !Kept(c) {
			b.follow(c, named, services)
		}
	}
	return b
}

// follow adds everything one container is bound to.
func (b *bonds) follow(c *inventory.Container, named map[string]*inventory.Container, services map[string][]*inventory.Container) {
	hc := &c.Inspect.HostConfig
	for _, mode := range []struct{ value, by string }{{hc.NetworkMode, "network"}, {hc.PidMode, "pid"}, {hc.IpcMode, "ipc"}} {
		ref, ok := strings.CutPrefix(mode.value, "container:")
		if !ok {
			continue
		}
		if named[ref] == nil {
			b.lost[c] = ref
		}
		b.add(c, named[ref], mode.by, true)
	}
	if hc.NetworkMode == "" || hc.NetworkMode == "default" || hc.NetworkMode == "bridge" { // on other networks a link is a name
		for _, link := range hc.Links {
			target, alias, _ := strings.Cut(strings.TrimPrefix(link, "/"), ":")
			b.add(c, named[target], "link "+alias[strings.LastIndexByte(alias, '/')+1:], true)
		}
	}
	if !c.Running() {
		return // nothing to stop and to start
	}
	for _, from := range hc.VolumesFrom {
		ref, _, _ := strings.Cut(from, ":")
		if p := named[ref]; p != nil && p.Running() {
			b.add(c, p, "volumes-from", ref != p.Name)
		}
	}
	if oneOff(c) {
		return
	}
	labels := c.Inspect.Config.Labels
	for _, d := range strings.Split(labels[composeDependsOn], ",") {
		service, _, _ := strings.Cut(strings.TrimSpace(d), ":")
		for _, p := range services[labels[composeProject]+"/"+service] {
			if service != "" && p.Running() {
				b.add(c, p, "depends_on", false)
			}
		}
	}
}

// oneOff reports whether docker compose run made a container: nothing waits for it, and it waits for nothing any more.
func oneOff(c *inventory.Container) bool {
	return strings.EqualFold(c.Inspect.Config.Labels[composeOneOff], "true")
}

func (b *bonds) add(from, to *inventory.Container, by string, remade bool) {
	if to == nil || to == from {
		return
	}
	one := bond{from, to, plan.Bind{To: to.Resource(), By: by, Remade: remade}}
	b.to[to] = append(b.to[to], one)
	b.from[from] = append(b.from[from], one)
}

// taken are the containers that a recreate of one takes along, with the bond that does it, in the order
// in which they are found. A bond by which a container has to be made again wins.
func (b *bonds) taken(root *inventory.Container) []bond {
	remade := map[*inventory.Container]bool{root: true}
	at := make(map[*inventory.Container]int)
	var out []bond
	for queue := []*inventory.Container{root}; len(queue) > 0; queue = queue[1:] {
		for _, one := range b.to[queue[0]] {
			one.Remade = one.Remade && remade[one.to]
			i, seen := at[one.from]
			switch {
			case one.from == root || seen && (!one.Remade || remade[one.from]):
				continue
			case seen:
				out[i] = one
			default:
				at[one.from] = len(out)
				out = append(out, one)
			}
			remade[one.from] = one.Remade
			queue = append(queue, one.from)
		}
	}
	return out
}

// Bound lists the containers that are bound to others, and what it costs to take them along. findings
// are those of Evaluate, by which it is known what the engine's defaults will be; without them only who
// is bound to whom is right. p says what becomes of their writable layers; nil: nobody asks.
func Bound(h *inventory.Host, p *profile.Profile, findings []plan.Finding) []plan.Bound {
	b := bondsOf(h)
	isDefault := defaultNoNewPrivs(h)
	takes := isDefault || turnsOnNoNewPrivs(findings)
	var out []plan.Bound
	for i := range h.Containers {
		c := &h.Containers[i]
		if len(b.from[c]) == 0 {
			continue
		}
		one := plan.Bound{Resource: c.Resource()}
		for _, bond := range b.from[c] {
			one.Binds = append(one.Binds, bond.Bind)
		}
		price := plan.Finding{Resource: c.Resource()}
		if c.Layer != nil {
			priceRecreate(c, &price, drifted(h, c))
		}
		one.Risk, one.Notes, one.Downtime = price.Risk, price.Notes, price.Downtime
		if c.Owner.Kind == inventory.OwnedByCompose {
			one.Reversibility, one.ReverseNote = plan.Functional, composeUndo
		}
		if takes && mayGain(c, isDefault) {
			optOut(c, &price)
			one.Keeps = price.Changes
		}
		if p != nil && p.RecreateOf(c.Name).WritableLayer == plan.LayerRefuse {
			one.WritableLayer = plan.LayerRefuse // the files may come after the plan
		}
		said, _ := defaultsTaken(h, c)
		one.Keeps = append(one.Keeps, said...)
		out = append(out, one)
	}
	return out
}
