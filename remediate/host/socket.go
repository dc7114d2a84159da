package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/internal/crash"
)

// Socket performs steps that change owner and mode of the engine's socket, which systemd makes: of the one that is
// there, and of every later one by a drop-in of docker.socket. The unit is not restarted, for systemd does not do
// that while the engine runs. The drop-in is a file of this tool's own: what others wrote there is left alone.
type Socket struct {
	// Root prefixes paths; "" is this machine.
	Root string
	// connect reaches systemd; nil is the one of this machine.
	connect func(context.Context) (socketUnits, error)
	// hook, when set, is called between the single changes of a step.
	hook func(at string) error
}

// socketUndo is the undo record of a step.
type socketUndo struct {
	Path string `json:"path"`
	// Dev and Inode tell later whether the socket was made anew.
	Dev     uint64 `json:"dev"`
	Inode   uint64 `json:"inode"`
	Was     access `json:"was"`
	Planned access `json:"planned"`
	// DropIn is the unit's part; nil when the step changes the socket alone.
	DropIn *dropInUndo `json:"drop_in,omitempty"`
}

// isSocket closes anything but a socket.
func isSocket(f *file) error {
	if f.stat.Mode&unix.S_IFMT == unix.S_IFSOCK {
		return nil
	}
	f.close()
	return fmt.Errorf("cannot use %s: it is no socket", f.path)
}

// Prepare looks at the socket, its unit and the drop-in. It refuses what cannot be changed, or is not as planned
// any more.
func (h *Socket) Prepare(ctx context.Context, step plan.Step) (json.RawMessage, error) {
	f, err := walk(h.Root, step.Resource.Name, isSocket)
	if err != nil {
		return nil, err
	}
	defer f.close()
	live, unit := step, step
	live.Changes, unit.Changes = nil, nil
	for _, c := range step.Changes {
		if _, ok := isSetting(c.Path); ok {
			unit.Changes = append(unit.Changes, c)
		} else {
			live.Changes = append(live.Changes, c)
		}
	}
	planned, err := plannedAccess(live, f.access())
	if err != nil {
		return nil, fmt.Errorf("cannot change %s: %w", f.path, err)
	}
	if err := f.changeable(); err != nil {
		return nil, fmt.Errorf("%w: cannot change %s: %w", remediate.ErrRefused, f.path, err)
	}
	undo := socketUndo{Path: f.path, Dev: f.stat.Dev, Inode: f.stat.Ino, Was: f.access(), Planned: planned}
	if len(unit.Changes) > 0 {
		if undo.DropIn, err = h.prepareDropIn(ctx, unit.Changes); err != nil {
			return nil, err
		}
	}
	return json.Marshal(undo)
}

// Do writes the drop-in, has systemd read it, and gives the socket its planned owner and mode.
func (h *Socket) Do(ctx context.Context, step plan.Step, undo json.RawMessage, _ remediate.Log) error {
	var u socketUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return fmt.Errorf("internal error: cannot read the undo record of %s: %w", step.ID, err)
	}
	f, err := walk(h.Root, u.Path, isSocket)
	if err != nil {
		return err
	}
	defer f.close()
	if f.stat.Dev != u.Dev || f.stat.Ino != u.Inode || f.access() != u.Was {
		return fmt.Errorf("cannot change %s: %w: it was made anew or changed a moment ago", f.path, plan.ErrStale)
	}
	if u.DropIn != nil {
		if err := h.doDropIn(ctx, u.DropIn); err != nil {
			return err
		}
	}
	return h.give(f, u.Planned)
}

// Undo brings back the drop-in as it was, or its absence, has systemd read that, and gives the socket its former
// owner and mode.
func (h *Socket) Undo(ctx context.Context, step plan.Step, r remediate.Record) (remediate.Restored, error) {
	var u socketUndo
	if err := json.Unmarshal(r.Undo, &u); err != nil {
		return remediate.Restored{}, fmt.Errorf("internal error: cannot read the undo record of %s: %w", step.ID, err)
	}
	restored := remediate.Restored{How: plan.Exact, Nothing: true}
	f, err := walk(h.Root, u.Path, isSocket)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f = nil // the next one is made as the unit then says
	case err != nil:
		return remediate.Restored{}, err
	default:
		defer f.close()
		same := fileUndo{Was: u.Was, Planned: u.Planned}
		if now := f.access(); !same.explains(now) && !r.Force {
			return remediate.Restored{}, fmt.Errorf("%w: %s has owner and mode %s, neither %s as before nor %s as applied",
				remediate.ErrDrifted, u.Path, now, u.Was, u.Planned)
		}
	}
	if u.DropIn != nil {
		changed, notes, err := h.undoDropIn(ctx, u.DropIn, r)
		if err != nil {
			return remediate.Restored{}, err
		}
		restored.Nothing, restored.Notes = !changed, notes
		if len(notes) > 0 {
			restored.How = plan.Functional
		}
	}
	if f == nil || f.access() == u.Was {
		return restored, nil
	}
	restored.Nothing = false
	return restored, h.give(f, u.Was)
}

// Commit has nothing to drop: the record holds everything.
func (h *Socket) Commit(context.Context, plan.Step, remediate.Record) error { return nil }

// give sets owner and mode of the socket and looks again. A socket lies in a file system of the memory: there is
// no disk on which this could be made durable, and the drop-in is what lasts.
func (h *Socket) give(f *file, want access) error {
	crash.Point("before chown of the socket")
	if err := f.chown(want); err != nil {
		return err
	}
	crash.Point("after chown, before chmod of the socket")
	if err := h.at("owned"); err != nil {
		return err
	}
	if err := f.chmod(want); err != nil {
		return err
	}
	crash.Point("after chmod of the socket")
	again, err := walk(h.Root, f.path, isSocket)
	if err != nil {
		return fmt.Errorf("cannot prove the change: %w", err)
	}
	defer again.close()
	if again.stat.Ino != f.stat.Ino || again.stat.Dev != f.stat.Dev {
		return fmt.Errorf("cannot prove the change: %s was made anew at the same moment", f.path)
	}
	if got := again.access(); got != want {
		return fmt.Errorf("cannot prove the change: %s has owner and mode %s instead of %s", f.path, got, want)
	}
	return nil
}

func (h *Socket) at(point string) error {
	if h.hook == nil {
		return nil
	}
	return h.hook(point)
}
