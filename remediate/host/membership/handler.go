package membership

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
	"docker-harden/remediate/internal/atomic"
	"docker-harden/remediate/internal/crash"
)

// Handler is the handler of [plan.KindGroup].
type Handler struct {
	// Root prefixes paths; "" is this machine.
	Root string
	// hook, when set, is called between the single changes of a step.
	hook func(at string) error
}

// recordFormat is the version of what Undo reads.
const recordFormat = "docker-harden/group/v1"

// record is what Undo needs: lists of members as they stand in the files, separated by commas.
type record struct {
	Format string `json:"format"`
	Group  string `json:"group"`
	GID    string `json:"gid"`
	Files  []list `json:"files"` // in the order in which they are changed
}

// list is the members in one file.
type list struct {
	Path    string `json:"path"`
	Was     string `json:"was"`
	Planned string `json:"planned"`
}

func readRecord(undo json.RawMessage) (*record, error) {
	var rec record
	if err := json.Unmarshal(undo, &rec); err != nil {
		return nil, fmt.Errorf("cannot read the undo record: %w", err)
	}
	if rec.Format != recordFormat || rec.Group == "" || len(rec.Files) == 0 {
		return nil, fmt.Errorf("cannot read the undo record: its format is %q, this version reads %q", rec.Format, recordFormat)
	}
	return &rec, nil
}

// wish reads the change of a step: nobody is ever put into a group.
func wish(step plan.Step) (group string, from, removed []string, err error) {
	if step.Resource != plan.File(inventory.GroupFile) || len(step.Changes) != 1 {
		return "", nil, nil, fmt.Errorf("%w: %s with %d changes is no group", remediate.ErrRefused, step.Resource, len(step.Changes))
	}
	c := step.Changes[0]
	var to []string
	group, ok := plan.MembersOf(c.Path)
	if err := errors.Join(json.Unmarshal(c.From, &from), json.Unmarshal(c.To, &to)); err != nil || !ok {
		return "", nil, nil, fmt.Errorf("%w: the plan's change of %q is no pair of lists of members", remediate.ErrRefused, c.Path)
	}
	removed = slices.DeleteFunc(slices.Clone(from), func(u string) bool { return slices.Contains(to, u) })
	left := slices.DeleteFunc(slices.Clone(from), func(u string) bool { return slices.Contains(removed, u) })
	if !slices.Equal(left, to) || len(removed) == 0 {
		return "", nil, nil, fmt.Errorf("%w: the plan's change of %s does not only take users out", remediate.ErrRefused, c.Path)
	}
	return group, from, removed, nil
}

// Prepare looks at the files. It refuses what cannot be changed, or is not as planned any more.
func (h *Handler) Prepare(_ context.Context, step plan.Step) (json.RawMessage, error) {
	group, from, removed, err := wish(step)
	if err != nil {
		return nil, err
	}
	main, err := find(h.Root+inventory.GroupFile, group)
	switch {
	case errors.Is(err, errNone) || err == nil && !main.exists():
		return nil, fmt.Errorf("%w: there is no group %s any more", plan.ErrStale, group)
	case err != nil:
		return nil, err
	case !slices.Equal(main.names(), from):
		return nil, fmt.Errorf("%w: group %s has the members %q, the plan was made for %q", plan.ErrStale, group, main.names(), from)
	}
	rec := record{Format: recordFormat, Group: group, GID: main.gid}
	shadow, err := find(h.Root+shadowFile, group)
	if err != nil && !errors.Is(err, errNone) {
		return nil, err
	}
	// First the copy, which nothing reads to see who may what: /etc/group says whether the step is done.
	if err == nil && shadow.exists() {
		rec.Files = append(rec.Files, list{shadowFile, shadow.members, without(shadow.members, removed)})
	}
	rec.Files = append(rec.Files, list{inventory.GroupFile, main.members, without(main.members, removed)})
	for _, l := range rec.Files {
		if err := atomic.Replaceable(h.Root + l.Path); err != nil {
			return nil, fmt.Errorf("%w: cannot change %s: %w", remediate.ErrRefused, l.Path, err)
		}
	}
	return json.Marshal(rec)
}

// Do takes the users out.
func (h *Handler) Do(ctx context.Context, _ plan.Step, undo json.RawMessage, _ remediate.Log) error {
	rec, err := readRecord(undo)
	if err != nil {
		return err
	}
	return h.locked(ctx, func() error {
		for _, l := range rec.Files {
			e, err := find(h.Root+l.Path, rec.Group)
			if err != nil && !errors.Is(err, errNone) {
				return err
			}
			if err != nil || !e.exists() || e.members != l.Was {
				return fmt.Errorf("cannot change %s: %w: the members of group %s were changed a moment ago", l.Path, plan.ErrStale, rec.Group)
			}
			if err := h.set(e, l.Path, rec.Group, l.Planned); err != nil {
				return err
			}
		}
		return nil
	})
}

// set gives the group other members in one file, and looks again.
func (h *Handler) set(e entry, path, group, members string) error {
	crash.Point("before members of", path)
	if h.hook != nil {
		if err := h.hook(path); err != nil {
			return err
		}
	}
	if e.members != members {
		if err := atomic.WriteFile(h.Root+path, e.with(members), atomic.Options{Keep: true}); err != nil {
			return err
		}
	}
	crash.Point("after members of", path)
	again, err := find(h.Root+path, group)
	if err == nil && (!again.exists() || again.members != members) {
		err = fmt.Errorf("the members of group %s are %q instead of %q", group, again.members, members)
	}
	if err != nil {
		return fmt.Errorf("cannot prove the change of %s: %w", path, err)
	}
	return nil
}

// Undo puts back who was in the group. It does of this what is not so yet, so it works after a whole Do, half a Do, and none.
func (h *Handler) Undo(ctx context.Context, _ plan.Step, r remediate.Record) (remediate.Restored, error) {
	rec, err := readRecord(r.Undo)
	if err != nil {
		return remediate.Restored{}, err
	}
	out := remediate.Restored{How: plan.Exact, Nothing: true}
	err = h.locked(ctx, func() error {
		for _, l := range rec.Files { // a write may have been killed, and of /etc/gshadow no copy may stay
			if err := atomic.Sweep(h.Root + l.Path); err != nil {
				return err
			}
		}
		now := make([]entry, len(rec.Files))
		for i, l := range rec.Files { // all are looked at before one is changed
			if now[i], err = h.present(rec, l, r.Force); err != nil {
				return err
			}
		}
		for i, l := range slices.Backward(rec.Files) {
			if !now[i].exists() {
				out.How = plan.Functional
				out.Notes = append(out.Notes, fmt.Sprintf("%s has no entry of group %s any more; it is left so", l.Path, rec.Group))
				continue
			}
			members := l.Was
			if m := now[i].members; m != l.Was && m != l.Planned { // by force
				members = joined(m, l)
				out.How = plan.Functional
				out.Notes = append(out.Notes, fmt.Sprintf("others changed the members in %s since; who was taken out is in again, and the rest stays", l.Path))
			}
			out.Nothing = out.Nothing && members == now[i].members
			if err := h.set(now[i], l.Path, rec.Group, members); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return remediate.Restored{}, err
	}
	return out, nil
}

// present is the entry of the group now. Only that of /etc/gshadow may be gone.
func (h *Handler) present(rec *record, l list, force bool) (entry, error) {
	e, err := find(h.Root+l.Path, rec.Group)
	if errors.Is(err, errNone) {
		err = nil
	}
	switch main := l.Path == inventory.GroupFile; {
	case err != nil:
		return e, err
	case main && !e.exists() && force:
		return e, nil // Undo says so
	case main && !e.exists():
		return e, fmt.Errorf("%w: there is no group %s any more; its members were %q", remediate.ErrDrifted, rec.Group, l.Was)
	case main && e.gid != rec.GID && !force:
		return e, fmt.Errorf("%w: group %s has the number %s now, and had %s", remediate.ErrDrifted, rec.Group, e.gid, rec.GID)
	case e.exists() && e.members != l.Was && e.members != l.Planned && !force:
		return e, fmt.Errorf("%w: group %s has the members %q in %s, neither %q as before nor %q as applied", remediate.ErrDrifted, rec.Group, e.members, l.Path, l.Was, l.Planned)
	}
	return e, nil
}

// joined are the members of now and those whom the step took out.
func joined(now string, l list) string {
	members := inventory.ListedIn(now)
	for _, user := range inventory.ListedIn(l.Was) {
		if !slices.Contains(members, user) && !slices.Contains(inventory.ListedIn(l.Planned), user) {
			members = append(members, user)
		}
	}
	return strings.Join(members, ",")
}

// Commit has nothing to drop: the record holds everything.
func (h *Handler) Commit(context.Context, plan.Step, remediate.Record) error { return nil }
