package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/internal/crash"
)

// FileMode performs steps that change owner and mode of one regular file or directory. It never follows a symlink,
// in no part of the path: whoever may write a directory above the file could otherwise choose which
// file is changed.
type FileMode struct {
	// Root prefixes paths; "" is this machine.
	Root string
	// hook, when set, is called between the single changes of a step.
	hook func(at string) error
}

// access is what a step changes.
type access struct {
	UID  int    `json:"uid"`
	GID  int    `json:"gid"`
	Mode string `json:"mode"` // octal digits
}

func (a access) String() string { return fmt.Sprintf("%d:%d %s", a.UID, a.GID, a.Mode) }

// fileUndo is the undo record of a step.
type fileUndo struct {
	Path string `json:"path"`
	Dir  bool   `json:"dir,omitempty"`
	// Dev and Inode tell later whether the file was replaced.
	Dev     uint64    `json:"dev"`
	Inode   uint64    `json:"inode"`
	Changed time.Time `json:"changed"`
	Was     access    `json:"was"`
	Planned access    `json:"planned"`
}

// Prepare looks at the file. It refuses what cannot be changed, or is not as planned any more.
func (h *FileMode) Prepare(_ context.Context, step plan.Step) (json.RawMessage, error) {
	f, err := h.open(step.Resource.Name)
	if err != nil {
		return nil, err
	}
	defer f.close()
	planned, err := plannedAccess(step, f.access())
	if err != nil {
		return nil, fmt.Errorf("cannot change %s: %w", f.path, err)
	}
	if err := f.changeable(); err != nil {
		return nil, fmt.Errorf("%w: cannot change %s: %w", remediate.ErrRefused, f.path, err)
	}
	return json.Marshal(fileUndo{Path: f.path, Dir: f.dir(), Dev: f.stat.Dev, Inode: f.stat.Ino, Changed: f.changed(), Was: f.access(), Planned: planned})
}

// plannedAccess is what the step makes of now. It fails when now is not what the step was planned on.
func plannedAccess(step plan.Step, now access) (access, error) {
	planned := now
	for _, c := range step.Changes {
		var from, to string
		if err := errors.Join(json.Unmarshal(c.From, &from), json.Unmarshal(c.To, &to)); err != nil {
			return access{}, fmt.Errorf("the plan's change of %q is no pair of strings: %w", c.Path, err)
		}
		var was string
		var err error
		switch c.Path {
		case "mode":
			was = now.Mode
			if planned.Mode, err = octal(to); err == nil {
				from, err = octal(from)
			}
		case "owner":
			was = fmt.Sprintf("%d:%d", now.UID, now.GID)
			planned.UID, planned.GID, err = owner(to)
		default:
			err = fmt.Errorf("a file has no setting %q", c.Path)
		}
		if err != nil {
			return access{}, err
		}
		if was != from {
			return access{}, fmt.Errorf("%w: its %s is %s, the plan was made for %s", plan.ErrStale, c.Path, was, from)
		}
	}
	return planned, nil
}

// octal reads a mode and writes it with four digits.
func octal(text string) (string, error) {
	mode, err := strconv.ParseUint(text, 8, 32)
	if err != nil || mode > 0o7777 {
		return "", fmt.Errorf("%q is no file mode", text)
	}
	return fmt.Sprintf("%04o", mode), nil
}

func owner(text string) (uid, gid int, err error) {
	u, g, ok := strings.Cut(text, ":")
	user, err1 := strconv.ParseUint(u, 10, 31)
	group, err2 := strconv.ParseUint(g, 10, 31)
	if !ok || err1 != nil || err2 != nil {
		return 0, 0, fmt.Errorf("%q is no owner of the form uid:gid", text)
	}
	return int(user), int(group), nil
}

// Do gives the file its planned owner and mode.
func (h *FileMode) Do(_ context.Context, step plan.Step, undo json.RawMessage, _ remediate.Log) error {
	var u fileUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return fmt.Errorf("internal error: cannot read the undo record of %s: %w", step.ID, err)
	}
	f, err := h.open(u.Path)
	if err != nil {
		return err
	}
	defer f.close()
	if f.stat.Dev != u.Dev || f.stat.Ino != u.Inode || f.access() != u.Was {
		return fmt.Errorf("cannot change %s: %w: it was replaced or changed a moment ago", f.path, plan.ErrStale)
	}
	return h.give(f, u.Planned)
}

// Undo gives the file its former owner and mode.
func (h *FileMode) Undo(_ context.Context, step plan.Step, r remediate.Record) (remediate.Restored, error) {
	var u fileUndo
	if err := json.Unmarshal(r.Undo, &u); err != nil {
		return remediate.Restored{}, fmt.Errorf("internal error: cannot read the undo record of %s: %w", step.ID, err)
	}
	f, err := h.open(u.Path)
	if errors.Is(err, fs.ErrNotExist) && r.Force {
		return remediate.Restored{How: plan.Functional, Nothing: true, Notes: []string{fmt.Sprintf("%s does not exist any more: there is nothing to bring back (its owner and mode were %s)", u.Path, u.Was)}}, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return remediate.Restored{}, fmt.Errorf("%w: %s does not exist any more; its owner and mode were %s", remediate.ErrDrifted, u.Path, u.Was)
	}
	if err != nil {
		return remediate.Restored{}, err
	}
	defer f.close()
	if f.dir() != u.Dir && r.Force {
		return remediate.Restored{How: plan.Functional, Nothing: true, Notes: []string{fmt.Sprintf("%s was replaced by %s, which is left as it is", u.Path, f.kind())}}, nil
	}
	if f.dir() != u.Dir {
		return remediate.Restored{}, fmt.Errorf("%w: %s was replaced by %s; owner and mode of what was there were %s",
			remediate.ErrDrifted, u.Path, f.kind(), u.Was)
	}
	now := f.access()
	if !u.explains(now) && !r.Force {
		return remediate.Restored{}, fmt.Errorf("%w: %s has owner and mode %s, neither %s as before nor %s as applied",
			remediate.ErrDrifted, u.Path, now, u.Was, u.Planned)
	}
	restored := remediate.Restored{How: plan.Exact, Nothing: now == u.Was}
	if f.stat.Dev != u.Dev || f.stat.Ino != u.Inode {
		restored.How = plan.Functional
		restored.Notes = []string{u.Path + " was replaced by another file since; that one now has the former owner and mode"}
	}
	return restored, h.give(f, u.Was)
}

// explains says whether a file with this owner and mode is as before, as applied, or between the two:
// a change of owner comes first, and the kernel clears setuid and setgid bits with it.
func (u fileUndo) explains(now access) bool {
	ownerOK := now.UID == u.Was.UID && now.GID == u.Was.GID || now.UID == u.Planned.UID && now.GID == u.Planned.GID
	return ownerOK && (now.Mode == u.Was.Mode || now.Mode == u.Planned.Mode || now.Mode == cleared(u.Was.Mode) || now.Mode == cleared(u.Planned.Mode))
}

// cleared is a mode without setuid and setgid.
func cleared(mode string) string {
	bits, err := strconv.ParseUint(mode, 8, 32)
	if err != nil {
		return mode
	}
	return fmt.Sprintf("%04o", bits&^0o6000)
}

// Commit has nothing to drop: the record holds everything.
func (h *FileMode) Commit(context.Context, plan.Step, remediate.Record) error { return nil }

// give sets owner and mode, makes them durable and looks again.
func (h *FileMode) give(f *file, want access) error {
	crash.Point("before chown")
	if err := f.chown(want); err != nil {
		return err
	}
	crash.Point("after chown, before chmod")
	if h.hook != nil {
		if err := h.hook("owned"); err != nil {
			return err
		}
	}
	if err := f.chmod(want); err != nil {
		return err
	}
	crash.Point("after chmod, not on disk")
	if err := f.sync(); err != nil {
		return err
	}
	crash.Point("owner and mode on disk")
	again, err := h.open(f.path)
	if err != nil {
		return fmt.Errorf("cannot prove the change: %w", err)
	}
	defer again.close()
	if again.stat.Ino != f.stat.Ino || again.stat.Dev != f.stat.Dev {
		return fmt.Errorf("cannot prove the change: %s was replaced by another file at the same moment", f.path)
	}
	if got := again.access(); got != want {
		return fmt.Errorf("cannot prove the change: %s has owner and mode %s instead of %s", f.path, got, want)
	}
	return nil
}
