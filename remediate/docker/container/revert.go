package container

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/container/body"
)

// Undo sets the values back. A limit that was not set before cannot be unset through the API: it is
// lifted instead, which has the same effect, and the remaining difference is named. With r.Exact the
// container is recreated so that it shows the old values too.
func (u *Updater) Undo(ctx context.Context, _ plan.Step, r remediate.Record) (remediate.Restored, error) {
	rec, err := readUpdate(r.Undo)
	if err != nil {
		return remediate.Restored{}, err
	}
	a, err := openAt(ctx, u.Engine, rec.API)
	if err != nil {
		return remediate.Restored{}, err
	}
	if err := u.recover(ctx, a, rec); err != nil {
		return remediate.Restored{}, err
	}
	c, err := a.inspect(ctx, rec.ID)
	if err != nil {
		return remediate.Restored{}, err
	}
	if c == nil {
		return u.replaced(ctx, a, rec)
	}
	out, err := u.revert(ctx, a, c, rec, r.Force)
	if err != nil || out.How == plan.Exact || !r.Exact {
		return out, err
	}
	return u.exact(ctx, rec, out)
}

// replaced: the container is gone. An earlier exact undo leaves one that is configured as it was.
func (u *Updater) replaced(ctx context.Context, a *api, rec *updateRecord) (remediate.Restored, error) {
	holder, err := a.named(ctx, rec.Name)
	if err != nil {
		return remediate.Restored{}, err
	}
	if holder != nil {
		req, err := u.request(ctx, a, holder, nil)
		if err == nil && alike(rec.Inspect, holder.raw, req, a.version) == nil {
			return remediate.Restored{How: plan.Functional, Notes: []string{newID(holder)}, Nothing: true}, nil
		}
	}
	return remediate.Restored{}, fmt.Errorf("%w: container %s (%.12s) no longer exists", remediate.ErrDrifted, rec.Name, rec.ID)
}

func newID(c *state) string {
	return fmt.Sprintf("the container was made again to show its old values and has a new id (%.12s)", c.ID)
}

// revert sets the values back in place and proves them.
func (u *Updater) revert(ctx context.Context, a *api, c *state, rec *updateRecord, force bool) (remediate.Restored, error) {
	now, err := hostConfig(c.raw)
	if err != nil {
		return remediate.Restored{}, err
	}
	target, notes := backTo(rec.From)
	var send []string
	for _, field := range slices.Sorted(maps.Keys(rec.From)) {
		path := "HostConfig." + field
		is := func(v json.RawMessage) bool { return body.Equal(path, now[field], v) }
		switch {
		case is(rec.From[field]):
			delete(notes, field)
			continue
		case !is(rec.To[field]) && !is(target[field]) && !force:
			return remediate.Restored{}, fmt.Errorf("%w: %s of %s is %s now, the apply set %s",
				remediate.ErrDrifted, path, rec.Name, present(now[field]), present(rec.To[field]))
		}
		send = append(send, field)
	}
	out := remediate.Restored{How: plan.Exact, Nothing: len(send) == 0}
	if len(send) > 0 {
		if err := u.set(ctx, a, c, target, send); err != nil {
			return remediate.Restored{}, err
		}
	}
	for _, field := range slices.Sorted(maps.Keys(notes)) {
		out.How, out.Notes = plan.Functional, append(out.Notes, notes[field])
	}
	return out, nil
}

func (u *Updater) set(ctx context.Context, a *api, c *state, target map[string]json.RawMessage, fields []string) error {
	request := make(map[string]json.RawMessage)
	for _, field := range fields {
		request[field] = target[field]
	}
	if _, ok := request["Memory"]; ok && len(request["MemorySwap"]) == 0 {
		request["MemorySwap"] = swapBeside(c, request["Memory"])
	}
	if err := a.update(ctx, c.ID, request); err != nil {
		return err
	}
	proof := make(map[string]json.RawMessage)
	for _, field := range fields {
		proof[field] = target[field]
	}
	return u.proven(ctx, a, c.ID, proof)
}

// backTo gives the values that bring a limit back, and a note for each that will show another number.
func backTo(from map[string]json.RawMessage) (target map[string]json.RawMessage, notes map[string]string) {
	target, notes = maps.Clone(from), make(map[string]string)
	unset := func(field string) bool {
		text := strings.TrimSpace(string(from[field]))
		return text == "" || text == "null" || text == "0" || text == "-1"
	}
	lift := func(field string, value int64, note string) {
		if _, ok := from[field]; ok && unset(field) {
			target[field], notes[field] = json.RawMessage(fmt.Sprint(value)), note
		}
	}
	const shows = "%s cannot be unset through the API: %s, docker inspect shows %d instead of %s"
	for _, field := range []string{"Memory", "MemorySwap"} {
		lift(field, unlimitedMemory, fmt.Sprintf(shows, field, "the kernel holds no limit again", int64(unlimitedMemory), present(from[field])))
	}
	lift("PidsLimit", -1, fmt.Sprintf(shows, "PidsLimit", "the kernel holds no limit again", -1, present(from["PidsLimit"])))
	lift("CpuShares", defaultShares, fmt.Sprintf(shows, "CpuShares", "the kernel uses its default again", defaultShares, present(from["CpuShares"])))
	return target, notes
}
