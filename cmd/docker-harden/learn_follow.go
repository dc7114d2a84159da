package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	told "github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/urfave/cli/v2"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/plan/learn"
)

const (
	// eventsAgain is how long an engine that stopped telling may take until it is asked again.
	eventsAgain = time.Second
	// lookAfter is when a container that was started is looked at: its entry script has handed over then.
	lookAfter = time.Second
)

// follower keeps what the engine tells of some containers, and looks at each of them while it runs: one that ends
// cannot be looked at any more.
type follower struct {
	a      *app
	c      *cli.Context
	engine *engine

	mu     sync.Mutex
	story  *learn.Story
	looks  []learn.Look
	usage  map[string]*inventory.Usage
	busy   map[string]bool // containers that somebody looks at just now
	old    map[string]bool // those that were there at first are sampled already
	work   sync.WaitGroup
	finish context.CancelFunc
	enough chan struct{}
}

// follow begins to listen, and looks at the containers as they are.
func (a *app) follow(c *cli.Context, e *engine, watched []*inventory.Container, from time.Time) *follower {
	ids := make(map[string]string)
	f := &follower{
		a: a, c: c, engine: e, usage: make(map[string]*inventory.Usage), busy: make(map[string]bool), old: make(map[string]bool),
		enough: make(chan struct{}),
	}
	for _, one := range watched {
		ids[one.Name], f.old[one.ID] = one.ID, true
	}
	f.story = learn.NewStory(ids)
	var ctx context.Context
	// What is seen is written down also when the watching was interrupted.
	ctx, f.finish = context.WithCancel(context.WithoutCancel(c.Context))
	f.work.Go(func() { f.listen(ctx, from) })
	for _, one := range watched {
		f.work.Go(func() { f.keep(learn.LookAt(one)) })
	}
	return f
}

// end stops listening and gives what was seen.
func (f *follower) end(w *learn.Watch) {
	close(f.enough)
	f.finish()
	f.work.Wait()
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(f.c.Context), patience)
	defer cancel()
	f.hear(ctx, w.From, w.To, func(e learn.Event) { f.story.Add(e) }) // what the engine has not told yet
	w.Events, w.Looks = f.story.Events(), f.looks
	for id, u := range f.usage {
		w.Sampled(id, u)
	}
}

// keep keeps the last look at each container: one in a restart loop is looked at often.
func (f *follower) keep(look learn.Look) {
	f.mu.Lock()
	defer f.mu.Unlock()
	same := func(l learn.Look) bool { return l.Container.ID == look.Container.ID }
	f.looks = append(slices.DeleteFunc(f.looks, same), look)
}

// listen hears events until the end, again and again where the engine stops telling: it is restarted at times.
func (f *follower) listen(ctx context.Context, from time.Time) {
	for ctx.Err() == nil {
		f.hear(ctx, from, time.Time{}, func(e learn.Event) {
			from = e.At
			f.event(ctx, e)
		})
		select {
		case <-ctx.Done():
		case <-time.After(eventsAgain):
		}
	}
}

// hear is told of what happened from one time until another, or until the engine stops.
func (f *follower) hear(ctx context.Context, from, until time.Time, tell func(learn.Event)) {
	o := told.ListOptions{Since: stamp(from), Filters: filters.NewArgs(filters.Arg("type", "container"))}
	if !until.IsZero() {
		o.Until = stamp(until)
	}
	messages, errs := f.engine.Events(ctx, o)
	for {
		select {
		case m := <-messages:
			if e, ok := eventOf(m); ok {
				tell(e)
			}
		case <-errs:
			return
		}
	}
}

// stamp is a time as the engine takes it.
func stamp(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }

// event keeps one, and looks at a container that was started.
func (f *follower) event(ctx context.Context, e learn.Event) {
	if !f.story.Add(e) || e.Action != learn.Started {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy[e.Container] {
		return
	}
	f.busy[e.Container] = true
	f.work.Go(func() { f.started(ctx, e) })
}

// started looks at a container that was just started, and takes samples of one that is new.
func (f *follower) started(ctx context.Context, e learn.Event) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(lookAfter):
	}
	c := f.observe(ctx, e, inventory.Options{})
	if c != nil && c.Proc != nil {
		f.keep(learn.LookAt(c))
	}
	f.mu.Lock()
	f.busy[e.Container] = false
	sampled := f.old[e.Container]
	f.old[e.Container] = true
	f.mu.Unlock()
	if sampled || c == nil {
		return
	}
	const endless = 1 << 30
	c = f.observe(context.WithoutCancel(ctx), e, inventory.Options{Samples: endless, Interval: learnInterval, Enough: f.enough})
	if c != nil {
		f.mu.Lock()
		f.usage[e.Container] = c.Usage
		f.mu.Unlock()
	}
}

// observe looks at one container; nil: it is gone.
func (f *follower) observe(ctx context.Context, e learn.Event, o inventory.Options) *inventory.Container {
	h, err := f.a.observation(ctx, f.c, f.engine, oneContainer{f.engine.Client, plan.Container(e.Name, e.Container)}, o)
	if err != nil {
		return nil
	}
	for i := range h.Containers {
		if c := &h.Containers[i]; c.ID == e.Container && c.Problem == "" {
			return c
		}
	}
	return nil
}

// eventOf reads what the engine tells; false: it says nothing about the life of a container.
func eventOf(m told.Message) (learn.Event, bool) {
	of := m.Actor.Attributes
	e := learn.Event{At: time.Unix(0, m.TimeNano).UTC(), Container: m.Actor.ID, Action: string(m.Action), Name: strings.TrimPrefix(of["name"], "/")}
	switch e.Action {
	case learn.Killed:
		e.Signal, _ = strconv.Atoi(of["signal"])
	case learn.Died:
		var err error
		if e.Exit, err = strconv.Atoi(of["exitCode"]); err != nil {
			e.Exit = learn.UnknownExit
		}
	case learn.Created, learn.Started, learn.Stopped, learn.Renamed, learn.Healthy:
	default:
		return learn.Event{}, false
	}
	return e, m.Type == told.ContainerEventType && e.Container != ""
}
