package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/network"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

const recordFormat = "docker-harden/network-move/v1"

// bridge is the name of the engine's default network.
const bridge = inventory.DefaultBridge

// place is a network, and which addresses it has.
type place struct {
	Name    string   `json:"name"`
	ID      string   `json:"id"`
	Subnets []string `json:"subnets,omitempty"`
}

// record is what Undo needs.
type record struct {
	Format string   `json:"format"`
	Name   string   `json:"name"`
	ID     string   `json:"id"`
	From   []string `json:"from"`
	To     []string `json:"to"`
	// Joined is the network that the container was not on; nil: it was on it, and only leaves the default one.
	Joined *place `json:"joined,omitempty"`
	Left   place  `json:"left"`
	// Place is what a person chose of the container's place on the default bridge.
	Place *network.EndpointSettings `json:"place,omitempty"`
	// Address is that on the default bridge; another one may be given later.
	Address string `json:"address,omitempty"`
	// Ports are the published addresses by port of the container.
	Ports map[string][]string `json:"ports,omitempty"`
	// Limits is the undo record of the step's live limits; nil: it has none.
	Limits json.RawMessage `json:"limits,omitempty"`
}

func readRecord(undo json.RawMessage) (*record, error) {
	var rec record
	if err := json.Unmarshal(undo, &rec); err != nil {
		return nil, fmt.Errorf("cannot read the undo record: %w", err)
	}
	if rec.Format != recordFormat || rec.ID == "" || rec.Left.Name != bridge {
		return nil, fmt.Errorf("cannot read the undo record: its format is %q, this version reads %q", rec.Format, recordFormat)
	}
	return &rec, nil
}

// move is the change of networks in a step.
type move struct {
	from, to []string
	joined   string // empty: none
}

// split tells the change of networks from the limits that are set live in the same step.
func split(step plan.Step) (move, plan.Step, error) {
	var m move
	limits := step
	limits.Kind, limits.Changes = plan.KindUpdate, nil
	for _, c := range step.Changes {
		switch {
		case c.Path == plan.NetworksPath && m.from == nil:
			if err := m.read(c); err != nil {
				return move{}, plan.Step{}, err
			}
		case c.Kind == plan.KindUpdate:
			limits.Changes = append(limits.Changes, c)
		default:
			return move{}, plan.Step{}, fmt.Errorf("internal error: cannot make a change of %s by moving networks", c.Path)
		}
	}
	if m.from == nil {
		return move{}, plan.Step{}, errors.New("internal error: the step moves no network")
	}
	return m, limits, nil
}

// read accepts one move only: the default bridge goes, and at most one other network comes.
func (m *move) read(c plan.Change) error {
	if json.Unmarshal(c.From, &m.from) != nil || json.Unmarshal(c.To, &m.to) != nil || m.from == nil {
		return fmt.Errorf("internal error: %s is no list of networks", c.Path)
	}
	want := without(m.from, bridge)
	for _, name := range m.to {
		switch {
		case slices.Contains(want, name):
			continue
		case m.joined != "" || name == "" || slices.Contains([]string{bridge, "default", "host", "none"}, name) || strings.Contains(name, ":"):
			return fmt.Errorf("internal error: cannot move a container to %s", clean(string(c.To)))
		}
		m.joined = name
	}
	if m.joined != "" {
		want = append(want, m.joined)
	}
	slices.Sort(want)
	if len(want) == 0 || !slices.Contains(m.from, bridge) || !slices.Equal(want, m.to) {
		return fmt.Errorf("internal error: cannot move a container from %s to %s", clean(string(c.From)), clean(string(c.To)))
	}
	return nil
}

// without leaves one name out of a list.
func without(list []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == name })
}
