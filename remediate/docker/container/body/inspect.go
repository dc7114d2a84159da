package body

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// inspect is the part of an inspect answer that decides how a container is made again.
type inspect struct {
	ID              string   `json:"Id"`
	Name            string   `json:"Name"`
	Path            string   `json:"Path"`
	Args            []string `json:"Args"`
	Image           string   `json:"Image"`
	Driver          string   `json:"Driver"`
	Platform        string   `json:"Platform"`
	Config          object   `json:"Config"`
	HostConfig      object   `json:"HostConfig"`
	Mounts          []mount  `json:"Mounts"`
	NetworkSettings struct {
		Networks map[string]object `json:"Networks"`
	} `json:"NetworkSettings"`
}

// mount is one entry of the engine's merged list. Mode is left out: it does not say what it seems to.
type mount struct {
	Type        string `json:"Type"`
	Name        string `json:"Name"`
	Source      string `json:"Source"`
	Destination string `json:"Destination"`
	RW          bool   `json:"RW"`
	Propagation string `json:"Propagation"`
}

func parse(raw json.RawMessage) (*inspect, error) {
	var c inspect
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("cannot read the container's description: %w", err)
	}
	if c.ID == "" || c.Config == nil || c.HostConfig == nil {
		return nil, errors.New("cannot read the container's description: it has no id or no configuration")
	}
	slices.SortFunc(c.Mounts, func(a, b mount) int { return strings.Compare(a.Destination, b.Destination) })
	return &c, nil
}

const shortID = 12

func (c *inspect) short() string { return c.ID[:min(shortID, len(c.ID))] }

// provider reports whether a mode borrows another container's namespace.
func borrowed(mode string) bool { return strings.HasPrefix(mode, "container:") }
