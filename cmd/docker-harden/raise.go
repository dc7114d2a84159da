package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/urfave/cli/v2"

	"docker-harden/remediate/docker/daemon/canary"
	"docker-harden/remediate/host"
)

const (
	// serviceFile keeps, beside the generations, how the engine is started. It may hold secrets of
	// the engine's environment, as the rollback file does, and is as private.
	serviceFile = "engine.json"
	pingWait    = 10 * time.Second
	startWait   = time.Minute
	// deafWait is how long an engine that runs may let a question wait, beyond pingWait.
	deafWait = 20 * time.Second
)

func saveService(state string, s host.Service) error {
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("internal error: cannot encode the engine's service: %w", err)
	}
	return writePrivate(filepath.Join(state, serviceFile), data, func([]byte) bool { return true })
}

// raiser gives a runner its way to start an engine, and tells when that does not help.
func (a *app) raiser(c *cli.Context, e *engine) func(context.Context) error {
	return func(ctx context.Context) error {
		err := a.raise(ctx, c, e)
		if err != nil {
			a.note(c, "%s", clean(err.Error()))
		}
		return err
	}
}

// raise starts an engine that is down, as it was started before: rollback works then too. The error
// says why it is still down, with the engine's own last words.
func (a *app) raise(ctx context.Context, c *cli.Context, e *engine) error {
	if err := ping(ctx, e); err == nil || !client.IsErrConnectionFailed(err) {
		return deaf(ctx, e)
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
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	// The first start may meet an engine that is still ending, and do nothing.
	for range 2 {
		if err = manager.Start(ctx); err != nil {
			return fmt.Errorf("the engine is down and does not start: %w%s", err, host.LastWords(manager, begin))
		}
		if err = answers(ctx, e, manager); err == nil {
			return nil
		}
	}
	return fmt.Errorf("the engine was started and does not answer: %w%s", err, host.LastWords(manager, begin))
}

// deaf says why an engine that runs does nothing for this tool. What is wrong otherwise, whoever asks next says.
func deaf(ctx context.Context, e *engine) error {
	ctx, cancel := context.WithTimeout(ctx, deafWait)
	defer cancel()
	_, err := e.ContainerList(ctx, container.ListOptions{Limit: 1})
	switch {
	case canary.Denied(err):
		return fmt.Errorf("the engine denies everything to this tool, so its own configuration is brought back first: %w", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the engine runs and does not answer, so its own configuration is brought back first: %w", err)
	}
	return nil
}

// answers waits until a started engine answers, or is seen to have ended.
func answers(ctx context.Context, e *engine, m host.Manager) error {
	for {
		err := ping(ctx, e)
		if err == nil {
			return nil
		}
		status, serr := m.Status(ctx)
		if ctx.Err() != nil || serr == nil && !status.Active {
			return errors.Join(err, serr)
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
