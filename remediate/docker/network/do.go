package network

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/docker/docker/api/types/network"

	"docker-harden/plan"
	"docker-harden/remediate"
)

const (
	// pollEvery is how often the container is looked at.
	pollEvery = 100 * time.Millisecond
	// defaultTime is how long a container is watched after its move, and how long the kernel may lag behind.
	defaultTime = 5 * time.Second
)

// Do connects the container to its new network, then takes it off the default one, and proves both.
func (m *Mover) Do(ctx context.Context, step plan.Step, undo json.RawMessage, log remediate.Log) error {
	rec, err := readRecord(undo)
	if err != nil {
		return err
	}
	_, limits, err := split(step)
	if err != nil {
		return err
	}
	c, err := m.planned(ctx, step.Resource)
	if err != nil {
		return err
	}
	if is := c.networks(); !slices.Equal(is, rec.From) {
		return stale("container %s is on %s now, the plan saw it on %s", rec.Name, names(is), names(rec.From))
	}
	if rec.Limits != nil {
		if err := m.Limits.Do(ctx, limits, rec.Limits, log); err != nil {
			return err
		}
	}
	if rec.Joined != nil {
		log.Progress("connecting to " + rec.Joined.Name)
		if err := m.connect(ctx, *rec.Joined, rec.ID, &network.EndpointSettings{}); err != nil {
			return err
		}
		// Before the old network goes, the new one is seen to be there.
		if err := m.proven(ctx, rec, append(slices.Clone(rec.To), bridge), *rec.Joined); err != nil {
			return err
		}
	}
	log.Progress("leaving the default bridge")
	if err := m.disconnect(ctx, rec.Left, rec.ID); err != nil {
		return err
	}
	if err := m.proven(ctx, rec, rec.To, rec.arrived()...); err != nil {
		return err
	}
	return m.settled(ctx, c, log)
}

// arrived are the networks that the kernel has to show after the move.
func (rec *record) arrived() []place {
	if rec.Joined == nil {
		return nil
	}
	return []place{*rec.Joined}
}

// settled watches a container that ran until it is seen to go on: a program may end when its address goes.
func (m *Mover) settled(ctx context.Context, before *state, log remediate.Log) error {
	if !before.running() {
		return nil
	}
	stable := cmp.Or(m.Stable, defaultTime)
	log.Progress("watching it")
	for end := time.Now().Add(stable); ; {
		c, err := m.inspect(ctx, before.ID)
		switch {
		case err != nil:
			return err
		case c == nil:
			return fmt.Errorf("container %s has vanished", before.name())
		case !c.State.Running || c.State.Pid != before.State.Pid || c.State.StartedAt != before.State.StartedAt:
			return fmt.Errorf("container %s ended after it was moved; docker logs %s may say why", before.name(), before.name())
		case before.healthy() && c.State.Health != nil && c.State.Health.Status == "unhealthy":
			return fmt.Errorf("container %s became unhealthy after it was moved", before.name())
		case time.Now().After(end):
			return nil
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pollEvery):
		return nil
	}
}
