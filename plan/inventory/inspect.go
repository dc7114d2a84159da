package inventory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// decode fills a container's Inspect and Name from its Raw.
func (c *Container) decode() error {
	c.made = nil // may be of an answer that nothing was masked in
	var head struct {
		ID   string `json:"Id"`
		Name string `json:"Name"`
		Inspect
	}
	if err := json.Unmarshal(c.Raw, &head); err != nil {
		return fmt.Errorf("cannot read the engine's answer: %w", err)
	}
	if head.ID == "" || head.Name == "" {
		return fmt.Errorf("cannot read the engine's answer: it has no Id or no Name")
	}
	c.ID, c.Name, c.Inspect = head.ID, strings.TrimPrefix(head.Name, "/"), head.Inspect
	c.Inspect.sortMounts()
	return nil
}

// trimRaw drops the space around an answer of the engine.
func trimRaw(raw []byte) json.RawMessage { return bytes.TrimSpace(raw) }

// sortMounts orders the mounts by destination: the engine's order is random.
func (i *Inspect) sortMounts() {
	slices.SortStableFunc(i.Mounts, func(a, b Mount) int { return strings.Compare(a.Destination, b.Destination) })
}
