package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/docker/docker/client"
	"github.com/urfave/cli/v2"

	"docker-harden/remediate/host"
)

const (
	// serviceFile keeps, beside the generations, how the engine is started. It may hold secrets of
	// the engine's environment, as the rollback file does, and is as private.
	serviceFile = "engine.json"
	pingWait    = 10 * time.Second
	startWait   = time.Minute
)

func saveService(state string, s host.Service) error {
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("internal error: cannot encode the engine's service: %w", err)
	}
	return writePrivate(filepath.Join(state, serviceFile), data, func([]byte) bool { return true })
}

// raise starts an engine that is down, as it was started before: rollback works then too. The error
// says why it is still down.
func (a *app) raise(c *cli.Context, e *engine) error {
	err := ping(c.Context, e)
	if err == nil || !client.IsErrConnectionFailed(err) {
		return nil // whoever asks next says what is wrong
	}
	service, err := readService(a.stateDir(c))
	if err != nil {
		return fmt.Errorf("the engine is down and cannot be started: %w", err)
	}
	manager, err := host.Open(service)
	if err != nil {
		return fmt.Errorf("the engine is down: %w", err)
	}
	a.note(c, "The engine is down: starting it (%s).", clean(service.String()))
	ctx, cancel := context.WithTimeout(c.Context, startWait)
	defer cancel()
	if err := manager.Start(ctx); err != nil {
		return fmt.Errorf("the engine is down and does not start: %w", err)
	}
	for {
		if err = ping(ctx, e); err == nil {
			return nil
		}
		status, serr := manager.Status(ctx)
		if ctx.Err() != nil || serr == nil && !status.Active {
			return fmt.Errorf("the engine was started and does not answer: %w", errors.Join(err, serr))
		}
		time.Sleep(time.Second / 5)
	}
}

func ping(ctx context.Context, e *engine) error {
	ctx, cancel := context.WithTimeout(ctx, pingWait)
	defer cancel()
	_, err := e.Ping(ctx)
	return err
}

func readService(state string) (host.Service, error) {
	var s host.Service
	data, err := os.ReadFile(filepath.Join(state, serviceFile))
	if err != nil {
		return s, fmt.Errorf("how it is started is not known: %w", err)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("cannot read how it is started: %w", err)
	}
	return s, nil
}
