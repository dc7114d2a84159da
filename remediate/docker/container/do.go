package container

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/container/body"
)

// Do lets new containers take the old ones' places. Until the first old one stops nothing has happened
// that anybody could notice. It undoes nothing itself: that is Undo's work after any error or crash.
//
// Several containers go through every part together: they stop in the order opposite to that in which
// they start, so that none ever runs without what it is bound to.
func (r *Recreator) Do(ctx context.Context, step plan.Step, undo json.RawMessage, log remediate.Log) error {
	recs, _, err := readRecord(remediate.Record{Undo: undo})
	if err != nil {
		return err
	}
	a, err := open(ctx, r.Engine)
	if err != nil {
		return err
	}
	all, err := r.swaps(ctx, a, step, recs, log)
	if err != nil {
		return err
	}
	for _, part := range []struct {
		do        func(*swap, context.Context) error
		backwards bool
	}{
		{do: (*swap).look},
		{do: (*swap).guard},
		{do: (*swap).file},
		{do: (*swap).volumes},
		{do: (*swap).create},
		{do: (*swap).judge},
		{do: (*swap).stop, backwards: true},
		{do: (*swap).carry},
		{do: (*swap).fill},
		{do: (*swap).rename},
		{do: (*swap).start},
		{do: (*swap).settle},
		{do: (*swap).hand},
		{do: (*swap).drop},
	} {
		if err := inOrder(all, part.backwards, func(x *swap) error { return part.do(x, ctx) }); err != nil {
			return err
		}
	}
	return nil
}

// inOrder does something with each of several containers, in the order in which they start or in the
// opposite one, up to the first error.
func inOrder[T any](all []T, backwards bool, do func(T) error) error {
	for i := range all {
		if backwards {
			i = len(all) - 1 - i
		}
		if err := do(all[i]); err != nil {
			return err
		}
	}
	return nil
}

// swaps finds every container of a step as it was when the step was prepared.
func (r *Recreator) swaps(ctx context.Context, a *api, step plan.Step, recs []*record, log remediate.Log) ([]*swap, error) {
	parts := step.Parts()
	if len(parts) != len(recs) {
		return nil, fmt.Errorf("internal error: %s was prepared for %d containers and has %d", step.ID, len(recs), len(parts))
	}
	all := make([]*swap, len(parts))
	for i, rec := range recs {
		old, err := a.planned(ctx, parts[i].Resource)
		if err != nil {
			return nil, err
		}
		if old.State.Running != rec.Running || old.State.Paused != rec.Paused {
			return nil, stale("container %s is %s now", rec.Name, old.State.Status)
		}
		all[i] = &swap{r: r, a: a, rec: rec, old: old, log: log, changes: parts[i].Changes, all: all, req: rec.New}
		if rec.Restart {
			all[i].new = old
		}
	}
	return all, nil
}

// swap is one container on its way. One that is only stopped and started has the same container as old and new.
type swap struct {
	r       *Recreator
	a       *api
	rec     *record
	log     remediate.Log
	changes changeList
	old     *state
	new     *state
	before  baseline
	req     *body.Request // made the new container
	all     []*swap       // of the step, in the order in which they start
	began   time.Time     // when the new container was started
}

// note makes a fact durable.
func (x *swap) note(n note) error {
	if len(x.all) > 1 {
		n.Member = x.rec.Name
	}
	return x.log.Note(n)
}

// say tells a person what goes on.
func (x *swap) say(text string) {
	if len(x.all) > 1 {
		text = x.rec.Name + ": " + text
	}
	x.log.Progress(text)
}

// provider finds the container of the same step that this one is bound to.
func (x *swap) provider(b bind) *swap {
	for _, p := range x.all {
		if p.rec.ID == b.ID {
			return p
		}
	}
	return nil
}
