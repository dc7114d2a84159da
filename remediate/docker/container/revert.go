package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
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
		out, err := u.replaced(ctx, a, rec)
		if errors.Is(err, remediate.ErrDrifted) && r.Force {
			return remediate.Restored{How: plan.Functional, Nothing: true, Notes: []string{"the container no longer exists: there is nothing to bring back"}}, nil
		}
		return out, err
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
	ways := rec.ways()
	var send []string
	for _, field := range slices.Sorted(maps.Keys(rec.From)) {
		path := "HostConfig." + field
		is := func(v json.RawMessage) bool { return body.Equal(path, now[field], v) }
		back := is(ways[field][0])
		if field == "CpuShares" {
			back = slices.ContainsFunc(ways[field], is) && u.weighs(c, rec)
		}
		switch {
		case is(rec.From[field]) || back:
			continue
		case !is(rec.To[field]) && !slices.ContainsFunc(ways[field], is) && !force:
			return remediate.Restored{}, fmt.Errorf("%w: %s of %s is %s now, the apply set %s",
				remediate.ErrDrifted, path, rec.Name, present(now[field]), present(rec.To[field]))
		}
		send = append(send, field)
	}
	if len(send) > 0 {
		if now, err = u.set(ctx, a, c, ways, send); err != nil {
			return remediate.Restored{}, err
		}
		if slices.Contains(send, "CpuShares") && !u.weighs(c, rec) {
			if now, err = u.reweigh(ctx, a, c, rec); err != nil {
				return remediate.Restored{}, err
			}
		}
	}
	return u.shown(c, rec, now, len(send) == 0), nil
}

// shown says what is different from before, although all is set back that can be.
func (u *Updater) shown(c *state, rec *updateRecord, now map[string]json.RawMessage, nothing bool) remediate.Restored {
	out := remediate.Restored{How: plan.Exact, Nothing: nothing}
	for _, field := range slices.Sorted(maps.Keys(rec.From)) {
		if identical(rec.From[field], now[field]) {
			continue
		}
		out.How = plan.Functional
		effect := "it has no effect any more"
		if field == "PidsLimit" && rec.Kernel.limitsPids() {
			effect = "the kernel holds the limit of before, which was not set through the engine (systemd gives each unit one)"
		}
		out.Notes = append(out.Notes, fmt.Sprintf("%s cannot be unset through the API: %s, and docker inspect shows %s instead of %s",
			field, effect, present(now[field]), present(rec.From[field])))
	}
	if note := u.unweighed(c, rec, now); note != "" {
		out.How = plan.Functional
		out.Notes = append(out.Notes, note)
	}
	return out
}

// identical compares two values as they are shown.
func identical(a, b json.RawMessage) bool { return present(a) == present(b) }

// set sends the first way back of each field, and proves it.
func (u *Updater) set(ctx context.Context, a *api, c *state, ways map[string][]json.RawMessage, fields []string) (map[string]json.RawMessage, error) {
	proof := make(map[string]json.RawMessage)
	for _, field := range fields {
		proof[field] = ways[field][0]
	}
	request := maps.Clone(proof)
	if _, ok := request["Memory"]; ok && len(request["MemorySwap"]) == 0 {
		request["MemorySwap"] = swapBeside(c, request["Memory"])
	}
	if err := a.freeSwap(ctx, c, request); err != nil {
		return nil, err
	}
	if err := a.update(ctx, c.ID, request); err != nil {
		return nil, err
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

// freeSwap lifts a limit of memory and swap before the one of memory alone is lifted with -1 for both: -1 does
// not reach the kernel, and cgroup v1 refuses more memory than memory and swap. Both lifted in one request
// would leave no swap on cgroup v2, where the kernel is given the difference.
func (a *api) freeSwap(ctx context.Context, c *state, request map[string]json.RawMessage) error {
	if string(request["MemorySwap"]) != "-1" || c.HostConfig.MemorySwap <= 0 {
		return nil
	}
	return a.update(ctx, c.ID, map[string]json.RawMessage{
		"Memory": json.RawMessage(strconv.FormatInt(c.HostConfig.Memory, 10)), "MemorySwap": json.RawMessage(strconv.FormatInt(unlimitedMemory, 10)),
	})
}

// limitsPids reports whether the kernel limited processes that nobody had limited.
func (h *heldBefore) limitsPids() bool { return h != nil && h.Pids != nil && *h.Pids > 0 }

// ways are the values that bring each limit back, the likeliest first: one that was set as it was, any other
// to what the kernel held, or lifted. Of the limit with swap the second is only on the way there.
func (rec *updateRecord) ways() map[string][]json.RawMessage {
	lift := map[string][]int64{
		"Memory": {unlimitedMemory}, "MemorySwap": {-1, unlimitedMemory}, "PidsLimit": {-1}, "CpuShares": {defaultShares},
	}
	if rec.Kernel.limitsPids() {
		lift["PidsLimit"] = []int64{*rec.Kernel.Pids}
	}
	if rec.Kernel != nil && rec.Kernel.Weight != nil {
		if shares := sharesFor(*rec.Kernel.Weight); len(shares) > 0 {
			lift["CpuShares"] = shares
		}
	}
	ways := make(map[string][]json.RawMessage)
	for field, was := range rec.From {
		ways[field] = []json.RawMessage{was}
		numbers, liftable := lift[field]
		if !liftable || !slices.Contains([]string{"", "null", "0", "-1"}, strings.TrimSpace(string(was))) {
			continue
		}
		ways[field] = nil
		for _, n := range numbers {
			ways[field] = append(ways[field], json.RawMessage(strconv.FormatInt(n, 10)))
		}
	}
	return ways
}
