package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"docker-harden/remediate/docker/daemon/canary"
)

// keyAuthorization names the plugins that the engine asks about every request.
const keyAuthorization = "authorization-plugins"

// heard is how long an Undo goes on asking an engine that asks plugins: it is to find out, not to wait.
const heard = 20 * time.Second

// authorizes reports that the step makes the engine ask plugins about every request: it may answer nobody then, this
// tool least of all.
func (f *flow) authorizes() bool { return touches(f.step.Changes, keyAuthorization) }

// inTime bounds what is asked through a plugin, which may let every question wait for ever; everything else may take
// as long as it takes. A plugin that denies everything, or never answers, must not keep its engine from being brought
// back: an Undo takes what it cannot ask in time from its record, and the engine for one that is down.
func (f *flow) inTime(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	if !f.authorizes() {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, most)
}

// asked names the plugins as the reason of a failure of what was asked through them.
func (f *flow) asked(err error) error {
	switch {
	case err == nil || !f.authorizes():
		return err
	case canary.Denied(err):
		return fmt.Errorf("the authorization plugins do not let this tool do what a rollback needs: %w", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the authorization plugins give no answer: %w", err)
	}
	return err
}

// endedSince are the containers that ended while an engine was restarted that could not be asked what runs: the
// restart ended them. One that ended by itself in that moment is started too.
func (f *flow) endedSince(ctx context.Context, begin time.Time) ([]running, error) {
	list, err := f.handler.Engine.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, fmt.Errorf("cannot list the containers: %w", err)
	}
	var out []running
	for _, summary := range list {
		c, err := f.handler.Engine.ContainerInspect(ctx, summary.ID)
		if errdefs.IsNotFound(err) || summary.Labels[canary.Label] != "" {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot inspect container %.12s: %w", summary.ID, err)
		}
		if c.ContainerJSONBase == nil || c.State == nil || c.State.Running {
			continue
		}
		if at, err := time.Parse(time.RFC3339Nano, c.State.FinishedAt); err == nil && at.After(begin) {
			out = append(out, running{ID: c.ID, Name: strings.TrimPrefix(c.Name, "/")})
		}
	}
	return out, nil
}
