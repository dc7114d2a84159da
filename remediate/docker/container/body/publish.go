package body

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"docker-harden/plan"
)

// publish makes the changes of single ports.
func (b *builder) publish(changes []plan.Change) error {
	if !slices.ContainsFunc(changes, func(c plan.Change) bool { _, _, ok := plan.PortOf(c.Path); return ok }) {
		return nil
	}
	if slices.Contains(b.req.Changed, plan.PortsPath) {
		return fmt.Errorf("internal error: published ports are changed one by one and all at once")
	}
	now := map[string][]plan.PortBinding{}
	if raw := b.host.getPath("PortBindings"); !isNull(raw) {
		if err := json.Unmarshal(raw, &now); err != nil {
			return fmt.Errorf("cannot read the published ports: %w", err)
		}
	}
	after, err := plan.Publish(now, changes)
	if errors.Is(err, plan.ErrNoPort) {
		return fmt.Errorf("%w: %w", ErrStale, err)
	}
	if err != nil {
		return fmt.Errorf("internal error: %w", err)
	}
	for _, c := range changes {
		if p, setting, ok := plan.PortOf(c.Path); ok && !p.Is(setting, c.From) {
			return fmt.Errorf("internal error: the plan says that %s is %s", c.Path, c.From)
		}
	}
	b.host.set("PortBindings", after)
	b.req.Changed = append(b.req.Changed, plan.PortsPath)
	return nil
}
