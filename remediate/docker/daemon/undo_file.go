package daemon

import (
	"context"
	"fmt"

	"docker-harden/remediate"
)

// know begins to follow the file through an Undo: what the Undo decided for was in it.
func (f *flow) know(decided content, found string) error {
	now, err := observe(f.memo.Resolved)
	if err != nil {
		return err
	}
	if found != foundInvalid && !same(now.doc(), decided.doc()) { // one that was set aside is gone
		return f.raced()
	}
	f.last = now.doc()
	return nil
}

// rewrite writes the file where it still is as this Undo saw or left it last. The engine's restart takes its time, in
// which somebody may save the file.
func (f *flow) rewrite(doc []byte) error {
	now, err := observe(f.memo.Resolved)
	if err != nil {
		return err
	}
	if !same(now.doc(), f.last) {
		return f.raced()
	}
	if err := f.write(doc); err != nil {
		return err
	}
	f.last = doc
	return nil
}

func (f *flow) raced() error {
	return fmt.Errorf("%w: %s was changed by somebody else just now, and is left as it is", remediate.ErrDrifted, f.memo.Resolved)
}

// recall remembers what the engine acts on, for the next Undo and the next plan. That this cannot be written down must
// not keep the host from being brought back. Keys of others that the engine has not read stay unread.
func (f *flow) recall(content []byte, p process) {
	if f.unread && p == f.engineBefore {
		return
	}
	if err := f.remember(content, p); err != nil {
		f.notes = append(f.notes, "which file the engine acts on could not be written down: "+withoutCredentials(err.Error()))
	}
}

// removesNone refuses a restart by which running containers that were started with --rm would be gone for ever. A rollback
// that nobody attends to goes on: it is there for who is locked out.
func (f *flow) removesNone(ctx context.Context, up bool, r remediate.Record) error {
	if !up || f.blind || r.Force || r.Unattended || f.handler.DropAutoRemoved {
		return nil
	}
	now, err := runningContainers(ctx, f.handler.Engine)
	if err != nil || refuseRemoval(now) == nil {
		return nil // what cannot be asked is no reason to leave the host as it is
	}
	info, err := f.handler.Engine.Info(ctx)
	if err != nil || info.LiveRestoreEnabled && autoRemoveSurvives(info) {
		return nil
	}
	return fmt.Errorf("%w; --force goes on without them", refuseRemoval(now))
}

// stillNone refuses what Prepare refuses: a container with --rm may have been started since.
func (f *flow) stillNone(ctx context.Context, running []running) error {
	if f.handler.DropAutoRemoved || refuseRemoval(running) == nil {
		return nil
	}
	info, err := f.handler.Engine.Info(ctx)
	if err == nil && f.memo.Live && autoRemoveSurvives(info) {
		return nil
	}
	return refuseRemoval(running)
}
