package container

import (
	"context"
	"encoding/json"
	"errors"
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
	was, err := rec.asWas()
	if err != nil {
		return remediate.Restored{}, err
	}
	if holder != nil {
		req, err := u.request(ctx, a, was, holder)
		if err == nil && alike(rec.Inspect, holder.raw, req, a.version) == nil {
			return remediate.Restored{How: plan.Functional, Notes: []string{newID(holder)}, Nothing: true}, nil
		}
	}
	return remediate.Restored{}, fmt.Errorf("%w: container %s (%.12s) no longer exists", remediate.ErrDrifted, rec.Name, rec.ID)
}

func newID(c *state) string {
	return fmt.Sprintf("the container was made again to show its old values and has a new id (%.12s)", c.ID)
}

// revert sets the values back in place, proves them, and names what is shown differently now.
func (u *Updater) revert(ctx context.Context, a *api, c *state, rec *updateRecord, force bool) (remediate.Restored, error) {
	now, err := hostConfig(c.raw)
	if err != nil {
		return remediate.Restored{}, err
	}
	target := backTo(rec.From)
	var send []string
	for _, field := range slices.Sorted(maps.Keys(rec.From)) {
		path := "HostConfig." + field
		is := func(v json.RawMessage) bool { return body.Equal(path, now[field], v) }
		switch {
		case is(rec.From[field]) || is(target[field]):
			continue
		case !is(rec.To[field]) && !force:
			return remediate.Restored{}, fmt.Errorf("%w: %s of %s is %s now, the apply set %s",
				remediate.ErrDrifted, path, rec.Name, present(now[field]), present(rec.To[field]))
		}
		send = append(send, field)
	}
	if len(send) > 0 {
		if now, err = u.set(ctx, a, c, target, send); err != nil {
			return remediate.Restored{}, err
		}
	}
	out := remediate.Restored{How: plan.Exact, Nothing: len(send) == 0}
	for _, field := range slices.Sorted(maps.Keys(rec.From)) {
		if !identical(rec.From[field], now[field]) {
			out.How = plan.Functional
			out.Notes = append(out.Notes, fmt.Sprintf("%s cannot be unset through the API: it has no effect any more, and docker inspect shows %s instead of %s",
				field, present(now[field]), present(rec.From[field])))
		}
	}
	return out, nil
}

// identical compares two values as they are shown.
func identical(a, b json.RawMessage) bool { return present(a) == present(b) }

func (u *Updater) set(ctx context.Context, a *api, c *state, target map[string]json.RawMessage, fields []string) (map[string]json.RawMessage, error) {
	request := make(map[string]json.RawMessage)
	for _, field := range fields {
		request[field] = target[field]
	}
	if _, ok := request["Memory"]; ok && len(request["MemorySwap"]) == 0 {
		request["MemorySwap"] = swapBeside(c, request["Memory"])
	}
	if err := a.update(ctx, c.ID, request); err != nil {
		return nil, err
	}
	proof := make(map[string]json.RawMessage)
	for _, field := range fields {
		proof[field] = target[field]
	}
	if err := u.proven(ctx, a, c.ID, proof); err != nil {
		return nil, err
	}
	now, err := a.inspect(ctx, c.ID)
	if err != nil || now == nil {
		return nil, errors.Join(err, fmt.Errorf("container %s has vanished", c.name()))
	}
	return hostConfig(now.raw)
}

// backTo gives the values that bring limits back: those that were set as they were, the others lifted.
func backTo(from map[string]json.RawMessage) map[string]json.RawMessage {
	target := maps.Clone(from)
	for field, value := range map[string]int64{
		"Memory": unlimitedMemory, "MemorySwap": unlimitedMemory, "PidsLimit": -1, "CpuShares": defaultShares,
	} {
		switch was, ok := from[field]; strings.TrimSpace(string(was)) {
		case "", "null", "0", "-1":
			if ok {
				target[field] = json.RawMessage(fmt.Sprint(value))
			}
		}
	}
	return target
}
