package network

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/internal/crash"
)

// Engine is what the handler asks of the engine's API; the Docker client has it.
type Engine interface {
	Info(ctx context.Context) (system.Info, error)
	ContainerInspect(ctx context.Context, id string) (container.InspectResponse, error)
	ContainerList(ctx context.Context, options container.ListOptions) ([]container.Summary, error)
	NetworkInspect(ctx context.Context, name string, options network.InspectOptions) (network.Inspect, error)
	NetworkConnect(ctx context.Context, network, container string, config *network.EndpointSettings) error
	NetworkDisconnect(ctx context.Context, network, container string, force bool) error
}

// state is what the engine says of a container.
type state struct{ container.InspectResponse }

func (c *state) name() string  { return strings.TrimPrefix(c.Name, "/") }
func (c *state) running() bool { return c.State.Running && !c.State.Restarting }

// networks are the names of those it is connected to, sorted.
func (c *state) networks() []string {
	return slices.Sorted(maps.Keys(c.NetworkSettings.Networks))
}

// address is the container's on a network; empty: it has none.
func (c *state) address(network string) string {
	if end := c.NetworkSettings.Networks[network]; end != nil {
		return end.IPAddress
	}
	return ""
}

func (c *state) healthy() bool {
	return c.State.Health != nil && c.State.Health.Status == container.Healthy
}

// inspect asks for a container; nil: there is none.
func (m *Mover) inspect(ctx context.Context, id string) (*state, error) {
	answer, err := m.Engine.ContainerInspect(ctx, id)
	switch {
	case errdefs.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("cannot inspect container %.12s: %w", id, said(err))
	case answer.ContainerJSONBase == nil || answer.State == nil || answer.HostConfig == nil || answer.Config == nil || answer.NetworkSettings == nil:
		return nil, fmt.Errorf("cannot inspect container %.12s: the engine's answer is incomplete", id)
	}
	return &state{answer}, nil
}

// connect joins a network.
func (m *Mover) connect(ctx context.Context, to place, id string, config *network.EndpointSettings) error {
	crash.Point("before network connect", to.Name)
	err := m.Engine.NetworkConnect(ctx, to.ID, id, config)
	crash.Point("after network connect", to.Name)
	if err != nil {
		return fmt.Errorf("cannot connect container %.12s to network %s: %w", id, to.Name, said(err))
	}
	return nil
}

// disconnect leaves a network. The network of a container that stands still may be gone by now: then only its name
// is left to be taken out.
func (m *Mover) disconnect(ctx context.Context, from place, id string) error {
	crash.Point("before network disconnect", from.Name)
	err := m.Engine.NetworkDisconnect(ctx, from.ID, id, false)
	if errdefs.IsNotFound(err) {
		err = m.Engine.NetworkDisconnect(ctx, from.Name, id, false)
	}
	crash.Point("after network disconnect", from.Name)
	if err != nil {
		return fmt.Errorf("cannot disconnect container %.12s from network %s: %w", id, from.Name, said(err))
	}
	return nil
}

func stale(format string, args ...any) error {
	return fmt.Errorf("%w: %w", plan.ErrStale, fmt.Errorf(format, args...))
}

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %w", remediate.ErrRefused, fmt.Errorf(format, args...))
}

// maxMessage bounds text of the engine that goes into an error.
const maxMessage = 400

// said is the engine's error in one line that is safe to print. What it means to errors.Is is lost except for an end
// of the context.
func said(err error) error {
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, end) {
			return end
		}
	}
	return errors.New(clean(err.Error()))
}

// clean makes foreign text safe to print: one line, no control or invisible characters, bounded.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r == unicode.ReplacementChar || !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, strings.TrimSpace(s))
	if runes := []rune(s); len(runes) > maxMessage {
		return string(runes[:maxMessage]) + "…"
	}
	return s
}
