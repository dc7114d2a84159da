package container

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/tidwall/sjson"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/container/body"
)

// Updater is the handler of [plan.KindUpdate]: it sets limits and the restart policy of a container
// while it runs.
type Updater struct {
	Engine  Engine
	Options Options
}

var _ remediate.Handler = (*Updater)(nil)

// updateFormat is the format version of undo records of updates.
const updateFormat = "docker-harden/update/v1"

// updateRecord is what Undo of an update needs.
type updateRecord struct {
	Format  string          `json:"format"`
	API     string          `json:"api"`
	Name    string          `json:"name"`
	ID      string          `json:"id"`
	TX      string          `json:"tx"` // for an exact undo, which recreates
	Inspect json.RawMessage `json:"inspect"`
	// From and To are the values of the changed fields of HostConfig, before and as planned.
	From map[string]json.RawMessage `json:"from"`
	To   map[string]json.RawMessage `json:"to"`
	// Kernel is what the container's control group held before, or holds once it is started.
	Kernel *heldBefore `json:"kernel,omitempty"`
}

// heldBefore is what the kernel holds although nobody set it through the engine: systemd gives every unit a
// limit of processes, and cgroup v2 every group a weight.
type heldBefore struct {
	Pids   *int64 `json:"pids"`             // -1: no limit; nil: not known
	Weight *int64 `json:"weight,omitempty"` // cgroup v2 only
}

// Prepare checks that the limits can be set without harm, and saves the present ones. It changes nothing.
func (u *Updater) Prepare(ctx context.Context, step plan.Step) (json.RawMessage, error) {
	a, err := open(ctx, u.Engine)
	if err != nil {
		return nil, err
	}
	c, err := a.planned(ctx, step.Resource)
	if err != nil {
		return nil, err
	}
	rec := updateRecord{
		Format: updateFormat, API: a.version, Name: c.name(), ID: c.ID, TX: u.Options.tx(), Inspect: c.raw,
		From: make(map[string]json.RawMessage), To: make(map[string]json.RawMessage),
	}
	host, err := hostConfig(c.raw)
	if err != nil {
		return nil, err
	}
	moved := false
	for _, change := range step.Changes {
		field, ok := strings.CutPrefix(change.Path, "HostConfig.")
		if !ok || !slices.Contains(live, field) {
			return nil, fmt.Errorf("internal error: cannot set %s of a running container", change.Path)
		}
		rec.From[field], rec.To[field] = change.From, change.To
		if body.Equal(change.Path, host[field], change.From) {
			rec.From[field] = host[field]
		} else {
			moved = true
		}
	}
	if moved {
		if err := u.asPlanned(c, &rec, host); err != nil {
			return nil, err
		}
	}
	if err := u.admit(ctx, a, c, &rec); err != nil {
		return nil, err
	}
	if rec.Kernel, err = u.held(c); err != nil {
		return nil, err
	}
	return json.Marshal(rec)
}

// asPlanned insists that every setting is as the plan saw it, or as the undo of this very update leaves it: a
// limit that an interrupted try had set is lifted then and not unset. The old value is still the one to go back to.
func (u *Updater) asPlanned(c *state, rec *updateRecord, host map[string]json.RawMessage) (err error) {
	if rec.Kernel, err = u.held(c); err != nil { // it decides how a limit is lifted
		return err
	}
	for _, field := range slices.Sorted(maps.Keys(rec.From)) {
		path, was, now := "HostConfig."+field, rec.From[field], host[field]
		is := func(v json.RawMessage) bool { return body.Equal(path, now, v) }
		switch {
		case is(was):
			continue
		case !slices.ContainsFunc(rec.ways()[field], is):
			return stale("%s of container %s is %s now, the plan saw %s", path, rec.Name, present(now), present(was))
		}
		if len(was) == 0 {
			was = json.RawMessage("null")
		}
		if rec.Inspect, err = sjson.SetRawBytes(rec.Inspect, path, was); err != nil {
			return fmt.Errorf("internal error: cannot note the old %s: %w", path, err)
		}
	}
	return nil
}

// held reads what the kernel holds for the container, or would hold as its own.
func (u *Updater) held(c *state) (*heldBefore, error) {
	if !c.State.Running || c.State.Restarting {
		if _, err := os.Stat(u.Options.path("sys/fs/cgroup/cgroup.controllers")); err != nil {
			return nil, nil // cgroup v1: a group has 1024 shares, as after an undo
		}
		weight := int64(defaultWeight)
		return &heldBefore{Weight: &weight}, nil
	}
	p, err := inventory.ReadProc(u.Options.Root, c.State.PID)
	if err != nil {
		return nil, refused("the control group of %s cannot be read, so what it holds could not be brought back: %s", c.name(), clean(err.Error(), maxMessage))
	}
	return &heldBefore{Pids: p.PidsLimit, Weight: p.CPUWeight}, nil
}

func (u *Updater) admit(ctx context.Context, a *api, c *state, rec *updateRecord) error {
	if c.State.Dead || c.State.Status == "removing" {
		return refused("%s is %s", rec.Name, c.State.Status)
	}
	if err := c.ownedElsewhere(); err != nil {
		return err
	}
	if _, ok := rec.To["RestartPolicy"]; ok && c.HostConfig.AutoRemove {
		return refused("%s was started with --rm: the engine takes no restart policy for it", rec.Name)
	}
	want, err := wanted(c, rec.To)
	if err != nil {
		return err
	}
	return a.admitLimits(ctx, u.Options, c, want)
}

func hostConfig(raw json.RawMessage) (map[string]json.RawMessage, error) {
	var c struct{ HostConfig map[string]json.RawMessage }
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("cannot read what the engine says of the container: %w", err)
	}
	return c.HostConfig, nil
}

func present(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "not set"
	}
	return clean(string(raw), maxMessage)
}

// Do sets everything in one request and proves it: by the engine's own answer afterwards and by the
// container's control group.
func (u *Updater) Do(ctx context.Context, step plan.Step, undo json.RawMessage, log remediate.Log) error {
	rec, err := readUpdate(undo)
	if err != nil {
		return err
	}
	a, err := open(ctx, u.Engine)
	if err != nil {
		return err
	}
	c, err := a.planned(ctx, step.Resource)
	if err != nil {
		return err
	}
	request := maps.Clone(rec.To)
	if _, ok := request["Memory"]; ok && len(request["MemorySwap"]) == 0 {
		// Memory alone is refused when the other is not set, or set lower.
		request["MemorySwap"] = swapBeside(c, request["Memory"])
	}
	log.Progress("setting " + strings.Join(slices.Sorted(maps.Keys(rec.To)), ", "))
	if err := a.update(ctx, c.ID, request); err != nil {
		return err
	}
	return u.proven(ctx, a, c.ID, rec.To)
}

// swapBeside is the limit of memory and swap that goes with a memory limit: the present one where it
// still fits, else the engine's own rule.
func swapBeside(c *state, memory json.RawMessage) json.RawMessage {
	var m int64
	if json.Unmarshal(memory, &m) != nil {
		return json.RawMessage("0")
	}
	if s := c.HostConfig.MemorySwap; s == -1 || s >= m && m > 0 {
		return json.RawMessage(fmt.Sprint(s))
	}
	if m > unlimitedMemory/2 {
		return json.RawMessage("-1") // twice that is no number
	}
	return json.RawMessage(fmt.Sprint(2 * m))
}

// proven fails unless the engine shows every value and the kernel holds it.
func (u *Updater) proven(ctx context.Context, a *api, id string, values map[string]json.RawMessage) error {
	c, err := a.inspect(ctx, id)
	if err != nil {
		return err
	}
	if c == nil {
		return fmt.Errorf("container %.12s has vanished", id)
	}
	host, err := hostConfig(c.raw)
	if err != nil {
		return err
	}
	for field, value := range values {
		if !body.Equal("HostConfig."+field, value, host[field]) {
			return fmt.Errorf("the engine took %s for %s but shows %s", present(value), field, present(host[field]))
		}
	}
	if !c.State.Running || c.State.Restarting {
		return nil
	}
	want, err := wanted(c, values)
	if err != nil {
		return err
	}
	p, err := inventory.ReadProc(u.Options.Root, c.State.PID)
	if err != nil {
		return fmt.Errorf("cannot read the control group of %s: %w", c.name(), err)
	}
	if wrong := held(want, p, slices.Sorted(maps.Keys(values))); len(wrong) > 0 {
		return fmt.Errorf("the engine took the values for %s but the kernel does not hold them: %s", c.name(), strings.Join(wrong, "; "))
	}
	return nil
}

func readUpdate(undo json.RawMessage) (*updateRecord, error) {
	var rec updateRecord
	if err := json.Unmarshal(undo, &rec); err != nil {
		return nil, fmt.Errorf("cannot read the undo record: %w", err)
	}
	if rec.Format != updateFormat || rec.ID == "" {
		return nil, fmt.Errorf("cannot read the undo record: its format is %q, this version reads %q", rec.Format, updateFormat)
	}
	return &rec, nil
}

// Commit drops nothing: the record alone undoes an update.
func (u *Updater) Commit(context.Context, plan.Step, remediate.Record) error { return nil }
