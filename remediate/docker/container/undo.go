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

// Undo brings the old container back from wherever Do or an earlier Undo ended. It first looks where
// everything stands, then makes only the moves that are missing.
func (r *Recreator) Undo(ctx context.Context, _ plan.Step, record remediate.Record) (remediate.Restored, error) {
	rec, notes, err := readRecord(record)
	if err != nil {
		return remediate.Restored{}, err
	}
	a, err := openAt(ctx, r.Engine, rec.API)
	if err != nil {
		return remediate.Restored{}, err
	}
	b := &back{r: r, a: a, rec: rec, notes: notes, force: record.Force}
	if err := b.look(ctx); err != nil {
		return remediate.Restored{}, err
	}
	return b.restore(ctx)
}

// back is one way back.
type back struct {
	r     *Recreator
	a     *api
	rec   *record
	notes note
	force bool
	old   *state // nil: gone, and not made again yet
	new   *state // nil: never made, or removed already
	// rebuilt is true when the old container was deleted and had to be made again.
	rebuilt bool
	// down is true when the old container is back but its process ends by itself.
	down  bool
	acted bool
	said  []string
}

// look finds both containers and whoever has the name, and refuses when somebody else changed them.
func (b *back) look(ctx context.Context) error {
	var err error
	if b.old, err = b.a.inspect(ctx, b.rec.ID); err != nil {
		return err
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
	holder, err := b.a.named(ctx, b.rec.Name)
	if err != nil {
		return err
	}
	if err := b.place(ctx, holder); err != nil {
		return err
	}
	return b.drift()
}

// place says who the holder of the name is. When the old container is gone, one that is configured
// like it was made by an earlier Undo.
func (b *back) place(ctx context.Context, holder *state) error {
	if b.old == nil {
		b.rebuilt = true
		for _, candidate := range []*state{holder, b.leftover(ctx)} {
			if candidate != nil && (b.new == nil || candidate.ID != b.new.ID) && b.likeOld(candidate) {
				b.old = candidate
				break
			}
		}
	}
	if holder == nil || b.old != nil && holder.ID == b.old.ID || b.new != nil && holder.ID == b.new.ID {
		return nil
	}
	if !b.force {
		return fmt.Errorf("%w: the container named %s is %.12s now, which is neither the old one (%.12s) nor the new one; --force sets it aside",
			remediate.ErrDrifted, b.rec.Name, holder.ID, b.rec.ID)
	}
	return b.setAside(ctx, holder)
}

// leftover is what an earlier Undo made in the old container's place. One that was never started may
// be half made, so it is removed and made anew.
func (b *back) leftover(ctx context.Context) *state {
	c, err := b.a.named(ctx, b.rec.TempOld)
	if err != nil || c == nil {
		return nil
	}
	if c.State.Status == "created" && b.a.remove(ctx, c.ID) == nil {
		return nil
	}
	return c
}

func (b *back) likeOld(c *state) bool { return len(b.moved(c, b.rec.Old)) == 0 }

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
func (b *back) drift() error {
	if b.force {
		return nil
	}
	if b.old != nil && !b.rebuilt {
		if moved := b.moved(b.old, nil); len(moved) > 0 {
			return fmt.Errorf("%w: the old container of %s: %s", remediate.ErrDrifted, b.rec.Name, strings.Join(moved, "; "))
		}
	}
	if b.new != nil && b.notes.Live {
		if moved := b.moved(b.new, b.rec.New); len(moved) > 0 {
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
		if d.Path != "HostConfig.RestartPolicy" && !lifted(d) {
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

// restore makes the moves that are missing. At every moment at most one of the two containers runs,
// and at most one would be revived by a reboot.
func (b *back) restore(ctx context.Context) (remediate.Restored, error) {
	steps := []func(context.Context) error{
		b.rebuild, b.quiet, b.guard, b.stop, b.carry, b.rename, b.start, b.policy, b.prove, b.remove,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return remediate.Restored{}, err
		}
	}
	out := remediate.Restored{How: plan.Exact, Notes: b.said, Nothing: !b.acted}
	if b.down {
		out.How = plan.Functional
	}
	if b.rebuilt {
		out.How = plan.Functional
		out.Notes = append([]string{fmt.Sprintf("the old container had been removed: it was made again and has a new id (%.12s)", b.old.ID)}, b.said...)
		out.Notes = append(out.Notes, b.inherited()...)
	}
	return out, nil
}

// rebuild makes the old container again when it is gone.
func (b *back) rebuild(ctx context.Context) error {
	if b.old != nil {
		return nil
	}
	b.acted = true
	id, err := b.a.create(ctx, b.rec.TempOld, b.rec.Old)
	if isNotFound(err) {
		return fmt.Errorf("the old container of %s was removed and cannot be made again: %w", b.rec.Name, err)
	}
	if err != nil {
		return err
	}
	for _, end := range b.rec.Old.Connect {
		if err := b.a.connect(ctx, id, end); err != nil {
			return err
		}
	}
	if b.old, err = b.a.inspect(ctx, id); err != nil || b.old == nil {
		return errors.Join(err, fmt.Errorf("the container made again for %s has vanished", b.rec.Name))
	}
	return alike(b.rec.Inspect, b.old.raw, b.rec.Old, b.a.version)
}

// quiet takes the restart policy from the new container before anything else moves.
func (b *back) quiet(ctx context.Context) error {
	if b.new == nil || !b.new.HostConfig.RestartPolicy.revived() {
		return nil
	}
	b.acted = true
	return b.a.setPolicy(ctx, b.new.ID, never)
}

// guard lets a reboot in the middle bring the old container up.
func (b *back) guard(ctx context.Context) error {
	if !b.rec.Running || b.old.State.Running || !b.rec.Policy.revived() || b.old.HostConfig.RestartPolicy == always {
		return nil
	}
	b.acted = true
	return b.a.setPolicy(ctx, b.old.ID, always)
}

func (b *back) stop(ctx context.Context) error {
	if b.new == nil || !b.new.State.Running {
		return nil
	}
	b.acted = true
	return b.a.stop(ctx, b.new.ID)
}

// carry looks at what was written into the new container's layer. A rebuilt old container gets it
// back where its own was not empty; otherwise it is named, for it goes with the new container.
func (b *back) carry(context.Context) error {
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
	if !b.old.State.Running {
		b.acted = true
		if err := b.a.start(ctx, b.old.ID); err != nil {
			return err
		}
	}
	if b.rec.Paused && !b.old.State.Paused {
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
	return b.rec.Running && !b.old.State.Running && b.rec.Policy.revived()
}

// remove drops the new container, never its volumes.
func (b *back) remove(ctx context.Context) error {
	if b.new == nil {
		return nil
	}
	b.acted = true
	return b.a.remove(ctx, b.new.ID)
}
