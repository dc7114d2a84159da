package container

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"docker-harden/remediate"
	"docker-harden/remediate/docker/container/body"
)

// look finds both containers and whoever has the name, and refuses when somebody else changed them.
func (b *back) look(ctx context.Context) error {
	var err error
	if b.old, err = b.a.inspect(ctx, b.rec.ID); err != nil {
		return err
	}
	if b.rec.Restart {
		b.lookRestart()
		return nil
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
	if err := b.halfRemoved(ctx); err != nil {
		return err
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

// halfRemoved ends removals that were cut off: of the new container by an earlier Undo, of the old one by an apply (Compose).
func (b *back) halfRemoved(ctx context.Context) error {
	if b.old != nil && b.old.dead() && (b.notes.Removed || b.new != nil) {
		if err := b.finish(ctx, b.old); err != nil {
			return err
		}
		b.old = nil
	}
	if b.new != nil && b.new.dead() {
		if err := b.finish(ctx, b.new); err != nil {
			return err
		}
		b.new = nil
	}
	return nil
}

// lookRestart is look for a container that was never replaced. Whatever became of it since, under which
// name, is none of this step's business: it only has to run with what it is bound to.
func (b *back) lookRestart() {
	if b.old == nil {
		b.said = append(b.said, "it no longer exists, and this step had not changed it: left alone")
		gone := *b.rec
		gone.Running = false
		b.rec = &gone
		return
	}
	b.again = b.bereft()
	b.rec = b.asFound()
}

// asFound is the record of a container that is only stopped and started, with what it is now: others may
// have changed it since, which is none of this step's business.
func (b *back) asFound() *record {
	rec := *b.rec
	rec.Inspect, rec.Name = b.old.raw, b.old.name()
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
	differences, err := body.Diff(b.rec.Inspect, c.raw, inheriting(req), b.a.version)
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, d := range differences {
		// A link shows the name that its target has at the moment: it is proven when all names are back.
		linked := d.Path == "HostConfig.Links" && len(b.all) > 1
		if d.Path != "HostConfig.RestartPolicy" && !linked && !b.lifted(d) {
			out = append(out, clean(d.String(), maxMessage))
		}
	}
	return out
}

// lifted: a limit that was never set, and one that a live rollback lifted because it cannot be unset,
// are no different in effect. That was this tool, not somebody else.
func (b *back) lifted(d body.Difference) bool {
	none := map[string][]string{
		"HostConfig.CpuShares":  {"0", strconv.Itoa(defaultShares), strconv.FormatInt(sharesFor(defaultWeight)[0], 10)},
		"HostConfig.Memory":     {"0", strconv.FormatInt(unlimitedMemory, 10)},
		"HostConfig.MemorySwap": {"0", "-1", strconv.FormatInt(unlimitedMemory, 10)},
		"HostConfig.PidsLimit":  {"null", "0", "-1", strconv.FormatInt(b.rec.Pids, 10)},
	}[d.Path]
	return slices.Contains(none, d.Was) && slices.Contains(none, d.Is)
}
