package container

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/container/body"
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

// look finds both containers and whoever has the name, and refuses when somebody else changed them.
func (b *back) look(ctx context.Context) error {
	var err error
	if b.old, err = b.a.inspect(ctx, b.rec.ID); err != nil {
		return err
	}
	if b.rec.Restart {
		return b.lookRestart()
	}
	if b.notes.New != "" {
		if b.new, err = b.a.inspect(ctx, b.notes.New); err != nil {
			return err
		}
	}
	if b.new == nil {
		// Killed between the create and its note: the name was settled before.
		if b.new, err = b.a.named(ctx, b.rec.TempNew); err != nil {
			return err
		}
	}
	if err := b.usable(ctx); err != nil {
		return err
	}
	holder, err := b.a.named(ctx, b.rec.Name)
	if err != nil {
		return err
	}
	if err := b.place(ctx, holder); err != nil {
		return err
	}
	b.again = b.bereft()
	return b.drift(ctx)
}

// lookRestart is look for a container that was never replaced.
func (b *back) lookRestart() error {
	if b.old == nil {
		return fmt.Errorf("%w: container %s (%.12s) no longer exists", remediate.ErrDrifted, b.rec.Name, b.rec.ID)
	}
	if b.old.name() != b.rec.Name && !b.force {
		return fmt.Errorf("%w: container %s is named %s now", remediate.ErrDrifted, b.rec.Name, b.old.name())
	}
	b.again = b.bereft()
	b.rec = b.asFound()
	return nil
}

// asFound is the record of a container that is only stopped and started, with what it is now: others may
// have changed it since, which is none of this step's business.
func (b *back) asFound() *record {
	rec := *b.rec
	rec.Inspect = b.old.raw
	if p := b.old.HostConfig.RestartPolicy; p != always { // else it is a guard's
		rec.Policy = p
	}
	return &rec
}

// bereft reports whether the old container runs without what it is bound to, or will.
func (b *back) bereft() bool {
	if b.old == nil || !b.old.State.Running || !b.rec.Running {
		return false
	}
	return slices.ContainsFunc(b.rec.Binds, func(one bind) bool {
		p := b.provider(one)
		return p != nil && p.rec.Running && (p.old == nil || !p.old.State.Running || p.again || !b.r.shares(b.old, p.old, one))
	})
}

// usable sets an old container aside that keeps to a provider which is gone: it could never start again.
func (b *back) usable(ctx context.Context) error {
	for _, one := range b.rec.Binds {
		if !one.fixed() || b.old == nil {
			continue
		}
		gone := false
		if p := b.provider(one); p != nil {
			gone = p.rebuilt
		} else {
			c, err := b.a.inspect(ctx, one.ID)
			if err != nil {
				return err
			}
			gone = c == nil && !b.old.State.Running // one that runs has not been touched
		}
		if gone {
			b.useless, b.old = b.old, nil
		}
	}
	return nil
}

// request is how a container of this step is made now that some of its providers may have others' ids.
// back is for the old one, else for the new one.
func (b *back) request(ctx context.Context, back bool) (*body.Request, error) {
	var providers []body.Provider
	for _, one := range b.rec.Binds {
		now := one.ID
		switch p := b.provider(one); {
		case p != nil && back && p.old != nil:
			now = p.old.ID
		case p != nil && !back && p.notes.New != "":
			now = p.notes.New
		case p == nil && one.namespace() != "":
			c, err := b.a.inspect(ctx, one.ID)
			if err == nil && c == nil {
				c, err = b.a.named(ctx, one.Name)
			}
			if err != nil {
				return nil, err
			}
			if c != nil {
				now = c.ID
			}
		}
		if now != one.ID || back && strings.HasPrefix(one.By, "link ") {
			providers = append(providers, body.Provider{ID: one.ID, Name: one.Name, Now: now})
		}
	}
	req := b.rec.New
	if back {
		req = b.rec.Old
	}
	return req.Rebind(providers)
}

// place says who the holder of the name is. When the old container is gone, one that is configured
// like it was made by an earlier Undo.
func (b *back) place(ctx context.Context, holder *state) error {
	if b.old == nil {
		b.rebuilt = true
		req, err := b.request(ctx, true)
		if err != nil {
			return err
		}
		for _, candidate := range []*state{holder, b.leftover(ctx)} {
			if candidate != nil && !is(b.new, candidate) && !is(b.useless, candidate) && len(b.moved(candidate, req)) == 0 {
				b.old = candidate
				break
			}
		}
	}
	if holder == nil || is(b.old, holder) || is(b.new, holder) || is(b.useless, holder) {
		return nil
	}
	if !b.force {
		return fmt.Errorf("%w: the container named %s is %.12s now, which is neither the old one (%.12s) nor the new one; --force sets it aside",
			remediate.ErrDrifted, b.rec.Name, holder.ID, b.rec.ID)
	}
	return b.setAside(ctx, holder)
}

// is compares containers by id; nil is none.
func is(a, b *state) bool { return a != nil && b != nil && a.ID == b.ID }

// tempBack is the name of a container that is made again, until it gets its own.
func (b *back) tempBack() string {
	if b.useless != nil { // the other temporary name may be taken
		return strings.TrimSuffix(b.rec.TempOld, "-old") + "-back"
	}
	return b.rec.TempOld
}

// leftover is what an earlier Undo made in the old container's place. One that was never started may
// be half made, so it is removed and made anew.
func (b *back) leftover(ctx context.Context) *state {
	c, err := b.a.named(ctx, b.tempBack())
	if err != nil || c == nil {
		return nil
	}
	if c.State.Status == "created" && b.a.remove(ctx, c.ID) == nil {
		return nil
	}
	return c
}

// setAside takes the name from a container that somebody else put there.
func (b *back) setAside(ctx context.Context, c *state) error {
	aside := strings.TrimSuffix(b.rec.TempOld, "-old") + "-aside"
	if c.HostConfig.RestartPolicy.revived() && !c.HostConfig.AutoRemove {
		if err := b.a.setPolicy(ctx, c.ID, never); err != nil {
			return err
		}
	}
	if err := b.a.rename(ctx, c.ID, aside); err != nil {
		return err
	}
	if err := b.a.stop(ctx, c.ID); err != nil {
		return err
	}
	b.acted = true
	b.said = append(b.said, fmt.Sprintf("the container that had the name %s was stopped and is now named %s", b.rec.Name, aside))
	return nil
}

// drift refuses when either container was reconfigured since. The restart policy is ours to move.
func (b *back) drift(ctx context.Context) error {
	if b.force {
		return nil
	}
	if b.old != nil && !b.rebuilt {
		if moved := b.moved(b.old, nil); len(moved) > 0 {
			return fmt.Errorf("%w: the old container of %s: %s", remediate.ErrDrifted, b.rec.Name, strings.Join(moved, "; "))
		}
	}
	if b.new != nil && b.notes.Live {
		req, err := b.request(ctx, false)
		if err != nil {
			return err
		}
		if moved := b.moved(b.new, req); len(moved) > 0 {
			return fmt.Errorf("%w: container %s: %s", remediate.ErrDrifted, b.rec.Name, strings.Join(moved, "; "))
		}
	}
	return nil
}

func (b *back) moved(c *state, req *body.Request) []string {
	differences, err := body.Diff(b.rec.Inspect, c.raw, req, b.a.version)
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, d := range differences {
		// A link shows the name that its target has at the moment: it is proven when all names are back.
		linked := d.Path == "HostConfig.Links" && len(b.all) > 1
		if d.Path != "HostConfig.RestartPolicy" && !linked && !lifted(d) {
			out = append(out, clean(d.String(), maxMessage))
		}
	}
	return out
}

// lifted: a limit that was never set, and one that a live rollback lifted because it cannot be unset,
// are no different in effect. That was this tool, not somebody else.
func lifted(d body.Difference) bool {
	none := map[string][]string{
		"HostConfig.CpuShares":  {"0", strconv.Itoa(defaultShares)},
		"HostConfig.Memory":     {"0", strconv.FormatInt(unlimitedMemory, 10)},
		"HostConfig.MemorySwap": {"0", "-1", strconv.FormatInt(unlimitedMemory, 10)},
	}[d.Path]
	return slices.Contains(none, d.Was) && slices.Contains(none, d.Is)
}

// restore makes the moves that are missing. At every moment at most one of the two containers of a name
// runs, at most one would be revived by a reboot, and none runs without what it is bound to.
func restore(ctx context.Context, all []*back) (remediate.Restored, error) {
	for _, part := range []struct {
		do        func(*back, context.Context) error
		backwards bool
	}{
		{do: (*back).rebuild},
		{do: (*back).quiet},
		{do: (*back).guard},
		{do: (*back).stop, backwards: true},
		{do: (*back).carry},
		{do: (*back).rename},
		{do: (*back).start},
		{do: (*back).policy},
		{do: (*back).prove},
		{do: (*back).remove, backwards: true},
	} {
		if err := inOrder(all, part.backwards, func(b *back) error { return part.do(b, ctx) }); err != nil {
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
	if b.down {
		out.How = plan.Functional
	}
	if b.rebuilt {
		out.How = plan.Functional
		why := "the old container had been removed: it was made again"
		if b.useless != nil {
			why = "what it is bound to was made again, and so was this container"
		}
		out.Notes = append([]string{fmt.Sprintf("%s and has a new id (%.12s)", why, b.old.ID)}, b.said...)
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
	return alike(b.rec.Inspect, b.old.raw, req, b.a.version)
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

// carry looks at what was written into the new container's layer. A rebuilt old container gets it
// back where its own was not empty; otherwise it is named, for it goes with the new container.
func (b *back) carry(context.Context) error {
	if b.useless != nil {
		return b.carryUseless()
	}
	if b.new == nil {
		if b.rebuilt && !b.rec.Written.Clean() {
			b.said = append(b.said, "what was in its writable layer is lost: both containers had been removed")
		}
		return nil
	}
	now, err := b.r.openLayer(b.new)
	if err != nil {
		return nil // a driver whose layers were empty when the step was prepared
	}
	base, err := b.r.openLayer(b.old)
	if err != nil {
		return err
	}
	if b.rebuilt && (b.notes.Carried || !b.rec.Written.Clean()) {
		if b.old.name() == b.rec.Name {
			return nil // done by an earlier Undo: renaming comes after
		}
		b.said = append(b.said, "its writable layer is that of the hardened container")
		return layer.Copy(base, now)
	}
	if !b.notes.Live {
		return nil
	}
	return b.report(now, base)
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

// report names what the hardened container wrote into its layer while it was in service.
func (b *back) report(now, base layer.Layer) error {
	paths, err := layer.Since(now, base)
	if err != nil {
		return err
	}
	skip := stubs(b.new)
	paths = slices.DeleteFunc(paths, func(p string) bool { return p == "/" || slices.Contains(skip, p) })
	if len(paths) == 0 {
		return nil
	}
	shown := paths[:min(len(paths), layer.MaxPaths)]
	for i := range shown {
		shown[i] = clean(shown[i], maxMessage)
	}
	more := ""
	if n := len(paths) - len(shown); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	b.said = append(b.said, "written by the hardened container since the apply and gone with it: "+strings.Join(shown, ", ")+more)
	return nil
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

// remove drops the new container, and an old one that can never start again, never their volumes.
func (b *back) remove(ctx context.Context) error {
	for _, c := range []*state{b.new, b.useless} {
		if c == nil {
			continue
		}
		b.acted = true
		if err := b.a.remove(ctx, c.ID); err != nil {
			return err
		}
	}
	return nil
}
