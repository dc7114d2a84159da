package container

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/container/layer"
)

// Undo brings the old containers back from wherever Do or an earlier Undo ended. It first looks where
// everything stands, then makes only the moves that are missing.
func (r *Recreator) Undo(ctx context.Context, _ plan.Step, record remediate.Record) (remediate.Restored, error) {
	recs, notes, err := readRecord(record)
	if err != nil {
		return remediate.Restored{}, err
	}
	a, err := openAt(ctx, r.Engine, recs[0].API)
	if err != nil {
		return remediate.Restored{}, err
	}
	all := make([]*back, len(recs))
	for i, rec := range recs {
		all[i] = &back{r: r, a: a, rec: rec, notes: notes[i], force: record.Force, all: all}
	}
	for _, b := range all {
		if err := b.look(ctx); err != nil {
			return remediate.Restored{}, err
		}
	}
	for _, b := range all {
		if err := b.unoccupied(ctx); err != nil {
			return remediate.Restored{}, err
		}
	}
	return restore(ctx, all)
}

// back is the way back of one container.
type back struct {
	r     *Recreator
	a     *api
	rec   *record
	notes note
	force bool
	all   []*back // of the step, in the order in which they start
	old   *state  // nil: gone, and not made again yet
	new   *state  // nil: never made, or removed already
	// rebuilt is true when the old container was deleted, or cannot be used any more, and has to be made again.
	rebuilt bool
	// useless is the old container where it keeps to a provider that is gone for good.
	useless *state
	// again is true when the old container runs and has to be started again: what it is bound to does not run.
	again bool
	// down is true when the old container is back but its process ends by itself.
	down  bool
	acted bool
	said  []string
	// told is true once it was said where something is kept.
	told bool
	// written is what the new container wrote; doubt is why that cannot be known or kept.
	written []string
	doubt   error
}

// provider finds the way back of a container of the same step.
func (b *back) provider(one bind) *back {
	for _, p := range b.all {
		if p.rec.ID == one.ID {
			return p
		}
	}
	return nil
}

// restore makes the moves that are missing. At every moment at most one of the two containers of a name
// runs, at most one would be revived by a reboot, and none runs without what it is bound to.
func restore(ctx context.Context, all []*back) (remediate.Restored, error) {
	there := slices.DeleteFunc(slices.Clone(all), func(b *back) bool { return b.rec.Restart && b.old == nil })
	for _, part := range []struct {
		do        func(*back, context.Context) error
		backwards bool
	}{
		{do: (*back).rebuild},
		{do: (*back).quiet},
		{do: (*back).guard},
		{do: (*back).stop, backwards: true},
		{do: (*back).carry},
		{do: (*back).unfill},
		{do: (*back).rename},
		{do: (*back).start},
		{do: (*back).policy},
		{do: (*back).prove},
		{do: (*back).remove, backwards: true},
		{do: (*back).forget},
		{do: (*back).volumes},
	} {
		if err := inOrder(there, part.backwards, func(b *back) error { return part.do(b, ctx) }); err != nil {
			return remediate.Restored{}, err
		}
	}
	out := remediate.Restored{How: plan.Exact, Nothing: true}
	for _, b := range all {
		one := b.restored()
		if one.How != plan.Exact {
			out.How = one.How
		}
		out.Nothing = out.Nothing && one.Nothing
		for _, note := range one.Notes {
			if len(all) > 1 {
				note = b.rec.Name + ": " + note
			}
			out.Notes = append(out.Notes, note)
		}
	}
	return out, nil
}

// restored says how far one container came back.
func (b *back) restored() remediate.Restored {
	out := remediate.Restored{How: plan.Exact, Notes: b.said, Nothing: !b.acted}
	if taken := b.taken(); taken != "" {
		out.How, out.Notes = plan.Functional, append(b.said, taken)
	}
	if b.down {
		out.How = plan.Functional
	}
	if b.rebuilt {
		out.How = plan.Functional
		why := "the old container had been removed: it was made again"
		if b.useless != nil {
			why = "what it is bound to was made again, and so was this container"
		}
		out.Notes = append([]string{fmt.Sprintf("%s and has a new id (%.12s)", why, b.old.ID)}, out.Notes...)
		out.Notes = append(out.Notes, b.inherited()...)
	}
	return out
}

// rebuild makes the old container again when it is gone.
func (b *back) rebuild(ctx context.Context) error {
	if b.old != nil {
		return nil
	}
	b.acted = true
	req, err := b.request(ctx, true)
	if err != nil {
		return err
	}
	id, err := b.a.create(ctx, b.tempBack(), req)
	if isNotFound(err) {
		return fmt.Errorf("the old container of %s was removed and cannot be made again: %w", b.rec.Name, err)
	}
	if err != nil {
		return err
	}
	for _, end := range req.Connect {
		if err := b.a.connect(ctx, id, end); err != nil {
			return err
		}
	}
	if b.old, err = b.a.inspect(ctx, id); err != nil || b.old == nil {
		return errors.Join(err, fmt.Errorf("the container made again for %s has vanished", b.rec.Name))
	}
	return alike(b.rec.Inspect, b.old.raw, inheriting(req), b.a.version)
}

// quiet takes the restart policy from the new container before anything else moves.
func (b *back) quiet(ctx context.Context) error {
	if c := b.useless; c != nil && c.HostConfig.RestartPolicy.revived() {
		b.acted = true
		if err := b.a.setPolicy(ctx, c.ID, never); err != nil {
			return err
		}
	}
	if b.new == nil || !b.new.HostConfig.RestartPolicy.revived() {
		return nil
	}
	b.acted = true
	return b.a.setPolicy(ctx, b.new.ID, never)
}

// guard lets a reboot in the middle bring the old container up.
func (b *back) guard(ctx context.Context) error {
	if !b.rec.Running || b.old.State.Running && !b.again || !b.rec.Policy.revived() || b.old.HostConfig.RestartPolicy == always {
		return nil
	}
	b.acted = true
	return b.a.setPolicy(ctx, b.old.ID, always)
}

// stop ends whatever must not run while the old containers come back.
func (b *back) stop(ctx context.Context) error {
	var ids []string
	for _, c := range []*state{b.new, b.useless} {
		if c != nil && c.State.Running {
			ids = append(ids, c.ID)
		}
	}
	if b.again {
		ids = append(ids, b.old.ID)
	}
	for _, id := range ids {
		b.acted = true
		if err := b.a.stop(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// carry looks at what was written into the new container's layer, while neither container runs. A rebuilt old
// container gets it back where its own was not empty; otherwise it is kept when the new container is removed.
func (b *back) carry(ctx context.Context) error {
	if b.useless != nil {
		if err := b.carryUseless(); err != nil {
			return err
		}
		b.wrote(ctx, b.useless)
		return nil
	}
	if b.new == nil {
		if b.rebuilt && !b.rec.Written.Clean() && b.old.name() != b.rec.Name { // else an earlier Undo has carried it
			b.said = append(b.said, "what was in its writable layer is lost: both containers had been removed")
		}
		return nil
	}
	if !b.rebuilt || !b.notes.Carried && b.rec.Written.Clean() {
		b.wrote(ctx, b.old)
		return nil
	}
	if b.old.name() == b.rec.Name {
		return nil // done by an earlier Undo: renaming comes after
	}
	now, err := b.r.openLayer(b.new)
	if err != nil {
		return err
	}
	base, err := b.r.openLayer(b.old)
	if err != nil {
		return err
	}
	b.said = append(b.said, "its writable layer is that of the hardened container")
	return layer.Copy(base, now)
}

// carryUseless gives a container that was made again the layer of the old one, which is still there.
func (b *back) carryUseless() error {
	from, err := b.r.openLayer(b.useless)
	if err != nil || b.old.name() == b.rec.Name {
		return nil // a driver whose layers were empty, or done by an earlier Undo
	}
	written, err := from.Written(stubs(b.useless))
	if err != nil || written.Clean() {
		return err
	}
	to, err := b.r.openLayer(b.old)
	if err != nil {
		return err
	}
	return layer.Copy(to, from)
}

func (b *back) rename(ctx context.Context) error {
	if b.new != nil && b.new.name() == b.rec.Name {
		b.acted = true
		if err := b.a.rename(ctx, b.new.ID, b.rec.TempNew); err != nil {
			return err
		}
	}
	if c := b.useless; c != nil && c.name() == b.rec.Name {
		b.acted = true
		if err := b.a.rename(ctx, c.ID, b.rec.TempOld); err != nil {
			return err
		}
	}
	if b.old.name() == b.rec.Name {
		return nil
	}
	b.acted = true
	return b.a.rename(ctx, b.old.ID, b.rec.Name)
}

func (b *back) start(ctx context.Context) error {
	if !b.rec.Running {
		return nil
	}
	if !b.old.State.Running || b.again {
		b.acted = true
		if err := b.a.start(ctx, b.old.ID); err != nil {
			return err
		}
	}
	if b.rec.Paused && (!b.old.State.Paused || b.again) {
		b.acted = true
		return b.a.pause(ctx, b.old.ID)
	}
	return nil
}

func (b *back) policy(ctx context.Context) error {
	if b.old.HostConfig.RestartPolicy == b.rec.Policy && !b.guardedNow() {
		return nil
	}
	if b.rec.Policy.Name == "" {
		return nil // the engine cannot be told to have none; it was never changed
	}
	b.acted = true
	return b.a.setPolicy(ctx, b.old.ID, b.rec.Policy)
}

// guardedNow: guard ran after old was inspected.
func (b *back) guardedNow() bool {
	return b.rec.Running && (!b.old.State.Running || b.again) && b.rec.Policy.revived()
}

// remove drops the new container, and an old one that can never start again, never their volumes, and not before what
// nobody else has is kept. One of which that is not possible stays, stopped, under a name of this tool.
func (b *back) remove(ctx context.Context) error {
	if dir := b.before(); b.new == nil && dir != "" && !b.told {
		b.said = append(b.said, "what the removed container wrote and logged is kept in "+dir)
	}
	for _, c := range []*state{b.new, b.useless} {
		if c == nil {
			continue
		}
		if err := b.keep(ctx, c); err != nil {
			b.said = append(b.said, stays(b.called(ctx, c), err))
			continue
		}
		b.acted = true
		if err := b.a.remove(ctx, c.ID); err != nil {
			return err
		}
	}
	return nil
}

// called is the name that a container has now.
func (b *back) called(ctx context.Context, c *state) string {
	if now, err := b.a.inspect(ctx, c.ID); err == nil && now != nil {
		return now.name()
	}
	return c.ID
}
