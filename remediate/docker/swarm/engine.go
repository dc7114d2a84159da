package swarm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/internal/crash"
)

// Engine is what the handler asks of the engine's API; the Docker client has it.
type Engine interface {
	Info(ctx context.Context) (system.Info, error)
	SwarmInspect(ctx context.Context) (swarm.Swarm, error)
	SwarmUpdate(ctx context.Context, version swarm.Version, spec swarm.Spec, flags swarm.UpdateFlags) error
	SwarmGetUnlockKey(ctx context.Context) (swarm.UnlockKeyResponse, error)
	SwarmUnlock(ctx context.Context, request swarm.UnlockRequest) error
}

// inspect asks for the swarm.
func (h *Handler) inspect(ctx context.Context) (swarm.Swarm, error) {
	s, err := h.Engine.SwarmInspect(ctx)
	switch {
	case err != nil:
		return swarm.Swarm{}, fmt.Errorf("cannot look at the swarm: %w", said(err))
	case s.ID == "":
		return swarm.Swarm{}, errors.New("cannot look at the swarm: the engine's answer is incomplete")
	}
	return s, nil
}

// set gives the swarm settings, in one request and only if nothing of it was changed since it was looked at.
func (h *Handler) set(ctx context.Context, s swarm.Swarm, to settings) error {
	spec := s.Spec
	spec.EncryptionConfig.AutoLockManagers, spec.CAConfig.NodeCertExpiry = to.AutoLock, to.CertExpiry
	crash.Point("before swarm update")
	err := h.Engine.SwarmUpdate(ctx, s.Version, spec, swarm.UpdateFlags{})
	crash.Point("after swarm update")
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "update out of sequence"):
		return stale("the swarm was changed a moment ago")
	}
	return fmt.Errorf("cannot change the swarm: %w", said(err))
}

// root is the engine's directory on this machine.
func (h *Handler) root(ctx context.Context) (string, error) {
	info, err := h.Engine.Info(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot ask the engine: %w", said(err))
	case info.DockerRootDir == "":
		return "", errors.New("cannot ask the engine: it does not name its directory")
	}
	return h.Root + info.DockerRootDir, nil
}

const (
	// pollEvery is how often is looked whether something has come true.
	pollEvery = 100 * time.Millisecond
	// lag is how long the manager may take to do what it was told.
	lag = 15 * time.Second
)

// until waits for something to come true.
func until(ctx context.Context, what string, is func() (bool, error)) error {
	for end := time.Now().Add(lag); ; {
		ok, err := is()
		switch {
		case err != nil:
			return err
		case ok:
			return nil
		case time.Now().After(end):
			return fmt.Errorf("%s, after %s", what, lag)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}

func stale(format string, args ...any) error {
	return fmt.Errorf("%w: %w", plan.ErrStale, fmt.Errorf(format, args...))
}

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %w", remediate.ErrRefused, fmt.Errorf(format, args...))
}

// maxMessage bounds text of the engine that goes into an error.
const maxMessage = 400

// said is the engine's error in one line that is safe to print.
func said(err error) error {
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, end) {
			return end
		}
	}
	text := strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.TrimSpace(err.Error()))
	if runes := []rune(text); len(runes) > maxMessage {
		text = string(runes[:maxMessage]) + "…"
	}
	return errors.New(text)
}
