package main

import (
	"encoding/json"
	"slices"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// portNow is a setting of a published port, which is known by what it was before the apply: where all of the apply's
// changes left it, it has what each of them gave it. nil: it is not there.
func portNow(h *inventory.Host, r plan.Resource, p plan.Port, setting string, changes []plan.Change) json.RawMessage {
	c := h.Find(r.ID)
	if c == nil {
		return nil
	}
	have := c.Inspect.HostConfig.PortBindings[p.Inside]
	to, published := p.After(changes)
	switch is := slices.Contains(have, to); {
	case setting == plan.PortPublished && !is:
		return json.RawMessage("false")
	case setting == plan.PortPublished:
		return json.RawMessage("true")
	case published && !is:
		return nil
	}
	for _, ch := range changes { // one that is not published has no place, and nothing of it can have changed
		if ch.Path == plan.PortPath(p, setting) {
			return ch.To
		}
	}
	return nil
}
