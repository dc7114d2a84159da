package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"syscall"
	"time"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/daemon/canary"
)

// Undo brings back the file and what the engine did before. It finds out by itself how far Do, or an earlier
// Undo, had come.
func (h *Handler) Undo(ctx context.Context, step plan.Step, r remediate.Record) (remediate.Restored, error) {
	f, err := h.flow(step, r.Undo, func(string) {})
	if err != nil {
		return remediate.Restored{}, err
	}
	restored, err := f.undo(ctx, r)
	if err != nil {
		return remediate.Restored{}, fmt.Errorf("cannot bring back the engine's configuration: %w", err)
	}
	return restored, nil
}

func (f *flow) undo(ctx context.Context, r remediate.Record) (remediate.Restored, error) {
	if err := f.sweep(); err != nil {
		return remediate.Restored{}, err
	}
	now, err := observe(f.memo.Resolved)
	if err != nil {
		return remediate.Restored{}, err
	}
	f.force = r.Force
	ask, done := f.inTime(ctx, heard)
	defer done()
	target, found, err := f.target(ask, now, r.Force)
	if err != nil {
		return remediate.Restored{}, err
	}
	if found == foundEdited {
		return remediate.Restored{
			How: plan.Functional, Nothing: true,
			Notes: []string{"daemon.json was edited by somebody else, and nothing of the step is in it or in the engine: that edit stays as it is"},
		}, canary.Sweep(ctx, f.handler.Engine)
	}
	if err := f.know(now, found); err != nil {
		return remediate.Restored{}, err
	}
	p, up := f.up(ask)
	f.unread, f.engineBefore = found == foundForeign && !f.acts(p), p
	keep, err := f.toKeep(ask, up, reached(r.Notes, phaseDone))
	if err != nil {
		return remediate.Restored{}, err
	}
	out := remediate.Restored{How: plan.Exact}
	switch quiet := up && same(now.doc(), target) && f.settled(ask, p) && f.proven(ask, p, keep) == nil; {
	case quiet:
		out.Nothing = true
		f.recall(target, p) // an earlier Undo may have ended just before it
	case up && (f.step.Kind == plan.KindReload || p == f.memo.Engine || found == foundExplicit):
		err = f.undoByReload(ctx, target, p)
	default:
		if err := f.removesNone(ask, up, r); err != nil {
			return remediate.Restored{}, err
		}
		_ = f.keep(keep) // a full disk must not keep the host from being brought back
		err = f.undoByRestart(ctx, target, up, keep)
	}
	if err != nil && ping(ctx, f.handler.Engine) != nil {
		return remediate.Restored{}, err
	}
	// Also when something else went wrong: what the restart stopped must not wait for the next try.
	if err := errors.Join(err, f.keepRunning(ctx, merge(keep, f.ended), false)); err != nil {
		return remediate.Restored{}, err
	}
	f.release()
	if err := canary.Sweep(ctx, f.handler.Engine); err != nil {
		f.notes = append(f.notes, "a container or image of docker-harden's own test may be left: "+withoutCredentials(err.Error()))
	}
	out.Notes, err = f.differences(target, found)
	if f.frozen {
		out.Notes = append(out.Notes, "icc follows daemon.json when the engine next starts while no container runs")
	}
	for _, name := range f.gone {
		out.Notes = append(out.Notes, fmt.Sprintf("container %q ran before and does not exist any more", name))
	}
	// A file that was set aside is worth a word, and what is there now is exactly what was before.
	if apart := found == foundInvalid && len(out.Notes) == 1; len(out.Notes) > 0 && !apart {
		out.How = plan.Functional
	}
	return out, err
}

// up finds the engine's process and waits a little for one that is just starting.
func (f *flow) up(ctx context.Context) (process, bool) {
	const starting = 15 * time.Second
	deadline := time.Now().Add(starting)
	for {
		p := f.current(ctx)
		if p.PID == 0 {
			return p, false
		}
		switch err := ping(ctx, f.handler.Engine); {
		case err == nil:
			return p, true
		case canary.Denied(err) || time.Now().After(deadline) || pause(ctx) != nil:
			return p, false
		}
	}
}

// toKeep are the containers that must run in the end: those that run now, those that ran when an Undo before
// this one restarted the engine, and where Do did not get through or the engine cannot be asked, those that
// ran before it.
func (f *flow) toKeep(ctx context.Context, up, done bool) ([]running, error) {
	var keep []running
	if up && f.memo.Home != nil {
		if info, err := f.handler.Engine.Info(ctx); err != nil || info.DockerRootDir != f.memo.Home.Dir {
			if err == nil {
				err = f.outOfSight(ctx)
			}
			return nil, err // nothing that runs now is in the directory to which the engine goes back
		}
	}
	if up {
		var err error
		keep, err = runningContainers(ctx, f.handler.Engine)
		switch {
		case err != nil && f.authorizes():
			up = false
		case err != nil:
			return nil, err
		}
	}
	f.blind = !up && f.authorizes()
	if !up || !done {
		keep = merge(keep, f.memo.Containers)
	}
	return merge(keep, f.kept()), nil
}

// settled reports that the engine acts as before the step already.
func (f *flow) settled(ctx context.Context, p process) bool {
	differs, err := f.differing(ctx, p.PID, f.before(reloadable))
	if err != nil || len(differs) > 0 {
		return false
	}
	return f.step.Kind == plan.KindReload || p == f.memo.Engine || f.acts(p)
}

// acts reports that the process read the file as it is now: it started after the file's last change, or an
// earlier Undo saw it act on it.
func (f *flow) acts(p process) bool {
	started, err := p.started()
	if err != nil {
		return false
	}
	now, err := observe(f.memo.Resolved)
	if err != nil {
		return false
	}
	if Effective(f.handler.StateDir)(f.memo.Resolved, digest(now.doc()), p.PID, started) {
		return true
	}
	var stat syscall.Stat_t
	if syscall.Stat(f.memo.Resolved, &stat) != nil {
		return false
	}
	return started.After(time.Unix(stat.Ctim.Unix()).Add(startSlack))
}

// before are the old effective values of some keys.
func (f *flow) before(keys []string) truths {
	want := maps.Clone(f.memo.Before)
	maps.DeleteFunc(want, func(key, _ string) bool { return !slices.Contains(keys, key) })
	return want
}

// undoByReload is for an engine that never restarted, or need not. Removing a key from the file and reloading
// leaves its last value in force: the old value is written out, reloaded, and only then the old file put back.
func (f *flow) undoByReload(ctx context.Context, target []byte, p process) error {
	want := f.before(reloadable)
	differs, err := f.differing(ctx, p.PID, want)
	if err != nil {
		return err
	}
	if len(differs) > 0 {
		if err := f.makeEffective(ctx, target, p, want); err != nil {
			return err
		}
	}
	if err := f.rewrite(target); err != nil {
		return err
	}
	f.recall(target, p)
	return nil
}

// makeEffective brings back old values of keys that a reload makes effective.

func (f *flow) makeEffective(ctx context.Context, target []byte, p process, want truths) error {
	if err := reloadSafe(flagsOf(p)); err != nil {
		return err
	}
	written, err := explicit(target, f.step.Changes, f.memo.Before)
	if err != nil {
		return err
	}
	if err := f.rewrite(written); err != nil {
		return err
	}
	if err := f.point("undo: explicit values written"); err != nil {
		return err
	}
	if err := f.reload(ctx); err != nil {
		return err
	}
	if err := f.point("undo: reloaded"); err != nil {
		return err
	}
	return f.prove(ctx, p.PID, want)
}

// undoByRestart is for an engine that read the new file at its start, or is down. Where the step turned live
// restore on it stays on for this restart, so that containers keep running, and is turned off afterwards.
func (f *flow) undoByRestart(ctx context.Context, target []byte, up bool, keep []running) error {
	change, planned := liveRestore(f.step.Changes)
	alive := planned && f.memo.Before["live-restore"] == "false" && meaning("live-restore", change.To) == "true"
	if alive && up { // somebody may have turned it off since: it would not help, and in a swarm the engine would not start
		info, err := f.handler.Engine.Info(ctx)
		alive = err != nil || info.LiveRestoreEnabled
	}
	if up { // a canary that a killed Do has left is a container that lives through the restart
		if err := canary.Sweep(ctx, f.handler.Engine); err != nil && !canary.Denied(err) {
			f.notes = append(f.notes, "a container of docker-harden's own test was there during the restart: "+withoutCredentials(err.Error()))
		}
	}
	first := target
	if alive {
		var err error
		if first, err = staged(target); err != nil {
			return err
		}
	}
	if err := f.rewrite(first); err != nil {
		return err
	}
	if err := f.point("undo: written"); err != nil {
		return err
	}
	p, err := f.bringBack(ctx, up, keep)
	if err != nil {
		// The old file at least: the engine will start with it when the reason is gone.
		if failed := f.rewrite(target); failed != nil {
			return fmt.Errorf("%w; and %w", err, failed)
		}
		if !alive {
			return err
		}
		alive = false // it may not start because of live restore
		if p, err = f.begin(ctx, keep); err != nil {
			return err
		}
	}
	// The engine acts on the old file now, but for live restore, which it tells. Should this program end
	// here, the next Undo needs no further restart, through which containers might not live.
	f.recall(target, p)
	if err := f.point("undo: restarted"); err != nil {
		return err
	}
	if alive {
		if err := f.makeEffective(ctx, target, p, f.before(reloadable)); err != nil {
			return err
		}
	}
	if err := f.point("undo: engine back"); err != nil {
		return err
	}
	if err := f.rewrite(target); err != nil {
		return err
	}
	return f.proven(ctx, p, keep)
}

// proven looks whether the engine does what it did before the step.
func (f *flow) proven(ctx context.Context, p process, keep []running) error {
	if err := f.atHome(ctx); err != nil {
		return err
	}
	want := maps.Clone(f.memo.Before)
	if icc, shown := want["icc"]; shown && len(keep) > 0 {
		// The engine leaves its bridge alone when it starts while containers live.
		delete(want, "icc")
		differs, err := f.differing(ctx, p.PID, truths{"icc": icc})
		if err != nil {
			return err
		}
		f.frozen = len(differs) > 0
	}
	return f.prove(ctx, p.PID, want)
}

// bringBack starts the engine, anew where it runs.
func (f *flow) bringBack(ctx context.Context, up bool, keep []running) (process, error) {
	bring, begin := f.begin, time.Now()
	if up || f.current(ctx).PID != 0 {
		bring = f.restart
	}
	p, err := bring(ctx, keep)
	if err == nil && f.blind {
		f.ended, err = f.endedSince(ctx, begin)
	}
	return p, err
}

var _ remediate.Handler = (*Handler)(nil)
