package network

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/docker/docker/api/types/network"

	"docker-harden/plan"
	"docker-harden/remediate"
)

// Undo connects the container to the default bridge again, then takes it off the network that it was moved to. It
// does of this what is not so yet, so it works after a whole move, a half one and none.
func (m *Mover) Undo(ctx context.Context, step plan.Step, r remediate.Record) (remediate.Restored, error) {
	rec, err := readRecord(r.Undo)
	if err != nil {
		return remediate.Restored{}, err
	}
	_, limits, err := split(step)
	if err != nil {
		return remediate.Restored{}, err
	}
	c, err := m.inspect(ctx, rec.ID)
	switch {
	case err != nil:
		return remediate.Restored{}, err
	case c == nil && rec.Limits != nil:
		return m.Limits.Undo(ctx, limits, rec.limits(r)) // an exact one makes the container again
	case c == nil && r.Force:
		return remediate.Restored{How: plan.Functional, Nothing: true, Notes: []string{"the container no longer exists: there is nothing to bring back"}}, nil
	case c == nil:
		return remediate.Restored{}, fmt.Errorf("%w: container %s (%.12s) no longer exists", remediate.ErrDrifted, rec.Name, rec.ID)
	case !r.Force && !rec.ours(c.networks()):
		return remediate.Restored{}, fmt.Errorf("%w: container %s is on %s now, the apply had moved it from %s to %s",
			remediate.ErrDrifted, rec.Name, names(c.networks()), names(rec.From), names(rec.To))
	}
	out, err := m.back(ctx, c, rec)
	if err != nil || rec.Limits == nil {
		return out, err
	}
	more, err := m.Limits.Undo(ctx, limits, rec.limits(r))
	if err != nil {
		return remediate.Restored{}, err
	}
	out.Nothing = out.Nothing && more.Nothing
	out.Notes = append(out.Notes, more.Notes...)
	if more.How != plan.Exact {
		out.How = more.How
	}
	return out, nil
}

// ours reports whether networks are those of before the move, of after it, or of its middle.
func (rec *record) ours(is []string) bool {
	both := rec.From
	if rec.Joined != nil {
		both = append(slices.Clone(rec.From), rec.Joined.Name)
		slices.Sort(both)
	}
	return slices.Equal(is, rec.From) || slices.Equal(is, rec.To) || slices.Equal(is, both)
}

// back moves the container to where it was.
func (m *Mover) back(ctx context.Context, c *state, rec *record) (remediate.Restored, error) {
	is := c.networks()
	home := slices.Contains(is, bridge)
	guest := rec.Joined != nil && slices.Contains(is, rec.Joined.Name)
	if home && !guest {
		return remediate.Restored{How: plan.Exact, Nothing: true}, nil
	}
	left := rec.Left
	if !home {
		n, err := m.network(ctx, bridge) // it has another id since the engine restarted
		if err != nil {
			return remediate.Restored{}, err
		}
		left = placeOf(n)
		config := rec.Place
		if config == nil {
			config = &network.EndpointSettings{}
		}
		if err := m.connect(ctx, left, rec.ID, config); err != nil {
			return remediate.Restored{}, err
		}
		is = append(is, bridge)
	}
	if guest {
		end := c.NetworkSettings.Networks[rec.Joined.Name]
		leave := place{Name: rec.Joined.Name, ID: rec.Joined.ID}
		if end != nil {
			leave.ID = cmp.Or(end.NetworkID, leave.ID)
		}
		if err := m.disconnect(ctx, leave, rec.ID); err != nil {
			return remediate.Restored{}, err
		}
		is = without(is, rec.Joined.Name)
	}
	if err := m.proven(ctx, rec, is, left); err != nil {
		return remediate.Restored{}, err
	}
	return m.told(ctx, rec, !home)
}

// told names what is different from before, although the container is where it was.
func (m *Mover) told(ctx context.Context, rec *record, reconnected bool) (remediate.Restored, error) {
	out := remediate.Restored{How: plan.Exact}
	c, err := m.inspect(ctx, rec.ID)
	if err != nil || c == nil {
		return out, err
	}
	if reconnected {
		out.How = plan.Functional
		out.Notes = append(out.Notes, "docker inspect shows its place on the default bridge as empty instead of unset")
		if c.running() {
			out.Notes = append(out.Notes, "until it restarts, it asks the engine's own name server, and its interface may have another name")
		}
	}
	if now := c.address(bridge); now != rec.Address && now != "" && rec.Address != "" {
		out.How = plan.Functional
		out.Notes = append(out.Notes, fmt.Sprintf("its address on the default bridge is %s, it was %s", clean(now), rec.Address))
	}
	now := published(c)
	for port, was := range rec.Ports {
		if !slices.Equal(now[port], was) && c.running() {
			out.How = plan.Functional
			out.Notes = append(out.Notes, fmt.Sprintf("port %s is published on another port of the host, which the engine picks", port))
		}
	}
	return out, nil
}
