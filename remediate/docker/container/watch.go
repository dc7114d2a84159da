package container

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
)

// Watcher looks for a while at containers that were changed, and compares them with how they were before.
type Watcher struct {
	Engine  Engine
	Options Options
	// Known are processes that containers, by name, had at other times.
	Known map[string][]inventory.Process

	before map[string]sight
}

// sight is what one look at a container shows.
type sight struct {
	there, running, paused, oom, healthy, unhealthy bool

	id, started string
	restarts    int
	exit        int
	users       map[string][]int // by the name of the program; nil: they could not be read
	hits        hits
	refused     Refusal
}

// Refusal is a capability that the kernel refused a container. The zero value is none.
type Refusal struct {
	Capability string // without CAP_
	What       string // "CHOWN denied in fchownat by chown"
}

// Remember looks at the containers of some steps before anything is changed. One that cannot be looked at is compared
// with nothing.
func (w *Watcher) Remember(ctx context.Context, steps []plan.Step) error {
	a, err := open(ctx, w.Engine)
	if err != nil {
		return err
	}
	w.before = make(map[string]sight)
	for _, s := range steps {
		for _, part := range watched(s) {
			if seen, err := w.look(ctx, a, part.Resource.Name); err == nil && seen.running {
				w.before[part.Resource.Name] = seen
			}
		}
	}
	return nil
}

// watched are the containers of a step.
func watched(s plan.Step) []plan.Member {
	return slices.DeleteFunc(s.Parts(), func(m plan.Member) bool { return m.Resource.Kind != plan.ResourceContainer })
}

const (
	watchEvery = 500 * time.Millisecond
	// blindFor is how long containers may be out of sight: an engine that is restarted takes that long.
	blindFor = 2 * time.Minute
)

// Watch looks at the containers of some steps, which were made just now, as long as it lasts. A *remediate.StepError
// names the step whose container is in trouble; any other error says that it could not look. It ends early with ctx.
func (w *Watcher) Watch(ctx context.Context, steps []plan.Step, lasts time.Duration) error {
	guards := w.guards(steps)
	end, seen := time.Now().Add(lasts), time.Now()
	for ctx.Err() == nil {
		err := w.round(ctx, guards)
		var trouble *remediate.StepError
		switch now := time.Now(); {
		case err == nil:
			seen = now
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &trouble), now.Sub(seen) > blindFor, now.After(end):
			return err
		}
		if time.Now().After(end) {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(watchEvery):
		}
	}
	return nil
}

func (w *Watcher) guards(steps []plan.Step) []*guard {
	var out []*guard
	for _, s := range steps {
		for _, part := range watched(s) {
			if before, ok := w.before[part.Resource.Name]; ok {
				out = append(out, &guard{step: s.ID, name: part.Resource.Name, changes: part.Changes, before: before, known: known(w.Known[part.Resource.Name])})
			}
		}
	}
	return out
}

// round looks once at all.
func (w *Watcher) round(ctx context.Context, guards []*guard) error {
	a, err := open(ctx, w.Engine)
	if err != nil {
		return err
	}
	for _, g := range guards {
		s, err := w.look(ctx, a, g.name)
		if err != nil {
			return err
		}
		if what := g.judge(s, time.Now()); what != "" {
			return &remediate.StepError{Step: g.step, During: "watch", Err: g.failure(what, s)}
		}
	}
	return nil
}

// look sees what there is of a container now.
func (w *Watcher) look(ctx context.Context, a *api, name string) (sight, error) {
	c, err := a.named(ctx, name)
	if err != nil || c == nil {
		return sight{}, err
	}
	s := sight{
		there: true, running: c.State.Running && !c.State.Restarting, paused: c.State.Paused, oom: c.State.OOMKilled,
		healthy: c.health() == healthy, unhealthy: c.health() == "unhealthy",
		id: c.ID, started: c.State.StartedAt, restarts: c.RestartCount, exit: c.State.ExitCode,
	}
	if w.Options.Refused != nil {
		s.refused = w.Options.Refused(name, c.ID)
	}
	if !s.running || c.State.PID == 0 {
		return s, nil
	}
	// Processes come and go: what cannot be read in this look can be in the next.
	if p, err := inventory.ReadProc(w.Options.Root, c.State.PID); err == nil {
		s.users = users(p)
	}
	s.hits, _ = w.Options.hits(c.State.PID)
	return s, nil
}

const refusedText = "was refused a capability that it needs: "

// refused fails when the kernel refused the new container a capability that it is known to need.
func (x *swap) refused() error {
	if x.r.Options.Refused == nil {
		return nil
	}
	r := x.r.Options.Refused(x.rec.Name, x.new.ID)
	if r.What == "" {
		return nil
	}
	e := &GateError{Container: x.rec.Name, What: refusedText + clean(r.What, maxMessage)}
	e.needs(r.Capability)
	return e
}

// guard watches one container.
type guard struct {
	step, name string
	changes    changeList
	before     sight
	known      map[string][]int
	base       sight     // what is compared with: the first look, and the one after somebody started it again
	rose       time.Time // since when a program runs as root that did not
}

// judge says what is wrong with a container; empty: nothing.
func (g *guard) judge(s sight, now time.Time) string {
	if !g.base.there {
		g.begin(s)
	}
	switch {
	case !s.there || s.id != g.base.id:
		return "" // somebody removed it, or put another one in its place
	case s.refused.What != "":
		return refusedText + clean(s.refused.What, maxMessage)
	case g.starved(s):
		return "had a process killed for lack of memory"
	case s.restarts > g.base.restarts:
		return "ended and was restarted by its restart policy"
	case !s.running && s.exit != 0:
		return fmt.Sprintf("ended with code %d", s.exit)
	case !s.running:
		return ""
	case s.started != g.base.started: // by somebody: the engine would have counted it
		g.begin(s)
		return ""
	case g.crowded(s):
		return "ran into its limit of processes"
	case s.unhealthy && (g.before.healthy || g.base.healthy):
		return "became unhealthy"
	}
	return g.profile(s, now)
}

// begin takes a look as what is compared with from now on. A container that was not started since before the change
// has the kernel's counts of then; the counts of one that was are its own from the first on.
func (g *guard) begin(s sight) {
	g.base = s
	g.base.hits, g.base.restarts, g.base.oom = hits{}, 0, false
	if s.id == g.before.id && s.started == g.before.started {
		g.base.hits, g.base.restarts, g.base.oom = g.before.hits, g.before.restarts, g.before.oom
	}
	g.rose = time.Time{}
}

// starved and crowded: it ran into a limit. One that did so before, and has the same limit, is as it was.
func (g *guard) starved(s sight) bool {
	usual := (g.before.oom || g.before.hits.killed > 0) && !g.changes.has("Memory")
	return !usual && (s.oom && !g.base.oom || s.hits.killed > g.base.hits.killed)
}

func (g *guard) crowded(s sight) bool {
	usual := g.before.hits.refused > 0 && !g.changes.has("PidsLimit")
	return !usual && s.hits.refused > g.base.hits.refused
}

// profile says which program has become root and stays so: a start script is root for a while, and then no more.
func (g *guard) profile(s sight, now time.Time) string {
	what := ""
	if s.users != nil && !s.paused {
		what = risenAmong(g.was(), s.users)
	}
	switch {
	case what == "":
		g.rose = time.Time{}
	case g.rose.IsZero():
		g.rose = now
	case now.Sub(g.rose) >= startTime:
		return what
	}
	return ""
}

// was is under which users the programs ran before, with those that were known at other times.
func (g *guard) was() map[string][]int {
	out := maps.Clone(g.known)
	if out == nil {
		out = make(map[string][]int)
	}
	maps.Copy(out, g.before.users)
	return out
}

func known(list []inventory.Process) map[string][]int {
	return users(&inventory.Proc{All: list})
}

// failure words what is wrong, and what of the change accounts for it.
func (g *guard) failure(what string, s sight) error {
	e := &GateError{Container: g.name, What: what + " while it was watched"}
	switch {
	case s.refused.Capability != "":
		e.needs(s.refused.Capability)
	case g.starved(s):
		if g.changes.has("Memory") {
			e.Cause, e.Next = "the new memory limit is too low", "raise the memory limit for this container in the profile, then plan again"
		}
	case g.crowded(s):
		if g.changes.has("PidsLimit") {
			e.Cause, e.Next = "the new limit of processes is too low", "raise the limit of processes for this container in the profile, then plan again"
		}
	case !g.rose.IsZero() && (g.changes.has("CapDrop") || g.changes.has("Privileged")):
		e.Cause = "it was not allowed to give root up, and went on without: it needs SETUID and SETGID for that"
		e.Next = "keep SETUID and SETGID for this container in the profile, then plan again"
	}
	return e
}
