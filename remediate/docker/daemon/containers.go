package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/hashicorp/go-multierror"

	"docker-harden/remediate/docker/daemon/canary"
	"docker-harden/remediate/internal/crash"
)

// running is a container that had a process when the step began.
type running struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	PID        int    `json:"pid"`
	StartedAt  string `json:"started_at"`
	Policy     string `json:"policy"`
	AutoRemove bool   `json:"auto_remove,omitempty"`
	Paused     bool   `json:"paused,omitempty"`

	ports []published
}

// runningContainers lists them. One that is between two restarts, or goes away meanwhile, is nobody to keep.
func runningContainers(ctx context.Context, engine Engine) ([]running, error) {
	list, err := engine.ContainerList(ctx, container.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("cannot list the running containers: %w", err)
	}
	var out []running
	for _, summary := range list {
		if summary.Labels[canary.Label] != "" {
			continue // of a run that was killed
		}
		c, err := engine.ContainerInspect(ctx, summary.ID)
		if errdefs.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot inspect container %.12s: %w", summary.ID, err)
		}
		if c.ContainerJSONBase == nil || c.State == nil || !c.State.Running || c.State.Restarting {
			continue
		}
		r := running{ID: c.ID, Name: strings.TrimPrefix(c.Name, "/"), PID: c.State.Pid, StartedAt: c.State.StartedAt, Paused: c.State.Paused, ports: portsOf(c)}
		if c.HostConfig != nil {
			r.Policy, r.AutoRemove = string(c.HostConfig.RestartPolicy.Name), c.HostConfig.AutoRemove
		}
		out = append(out, r)
	}
	return out, nil
}

// keepRunning starts every container that ran and does not run now. With alive it first insists that none of
// them was restarted: that is what live restore is for.
func (f *flow) keepRunning(ctx context.Context, before []running, alive bool) error {
	var lost []running
	var failures *multierror.Error
	for _, r := range before {
		c, err := f.handler.Engine.ContainerInspect(ctx, r.ID)
		switch {
		case errdefs.IsNotFound(err):
			f.progress(fmt.Sprintf("container %q is gone", r.Name))
			f.gone = append(f.gone, r.Name)
		case err != nil:
			failures = multierror.Append(failures, fmt.Errorf("cannot inspect container %q: %w", r.Name, err))
		case c.ContainerJSONBase == nil || c.State == nil:
			failures = multierror.Append(failures, fmt.Errorf("cannot inspect container %q: the answer has no state", r.Name))
		case alive && ended(c.State, r):
			f.progress(fmt.Sprintf("container %q ended by itself", r.Name))
		case alive && (!c.State.Running || c.State.Pid != r.PID):
			failures = multierror.Append(failures, fmt.Errorf("container %q was to keep running and did not: process %d is now %d", r.Name, r.PID, c.State.Pid))
			if !c.State.Running {
				lost = append(lost, r)
			}
		case !c.State.Running && !c.State.Restarting:
			lost = append(lost, r)
		case r.Paused && !c.State.Paused:
			failures = multierror.Append(failures, f.pauseAgain(ctx, r))
		}
	}
	return multierror.Append(failures, f.start(ctx, lost)).ErrorOrNil()
}

// ended reports that a container's own process finished well while the engine was busy.
func ended(state *container.State, r running) bool {
	return !state.Running && state.StartedAt == r.StartedAt && state.ExitCode == 0
}

// start starts containers. One may need another (its network namespace), so failures are tried again as long
// as some start succeeds.
func (f *flow) start(ctx context.Context, lost []running) error {
	var failed *multierror.Error
	for {
		var failures, paused *multierror.Error
		var left []running
		for _, r := range lost {
			crash.Point("before engine call", "POST /containers/"+r.ID+"/start")
			err := f.handler.Engine.ContainerStart(ctx, r.ID, container.StartOptions{})
			crash.Point("after engine call", "POST /containers/"+r.ID+"/start")
			if err != nil {
				failures = multierror.Append(failures, fmt.Errorf("cannot start container %q again: %w", r.Name, err))
				left = append(left, r)
				continue
			}
			f.progress(fmt.Sprintf("container %q started again", r.Name))
			if err := f.pauseAgain(ctx, r); err != nil {
				paused = multierror.Append(paused, err)
			}
		}
		failed = multierror.Append(failed, paused.ErrorOrNil())
		if len(left) == 0 || len(left) == len(lost) {
			return multierror.Append(failed, failures.ErrorOrNil()).ErrorOrNil()
		}
		lost = left
	}
}

func (f *flow) pauseAgain(ctx context.Context, r running) error {
	if !r.Paused {
		return nil
	}
	crash.Point("before engine call", "POST /containers/"+r.ID+"/pause")
	if err := f.handler.Engine.ContainerPause(ctx, r.ID); err != nil {
		return fmt.Errorf("cannot pause container %q again: %w", r.Name, err)
	}
	return nil
}

// withPolicy counts the containers that the engine starts before it serves its API.
func withPolicy(all []running) int {
	count := 0
	for _, r := range all {
		if r.Policy != "" && r.Policy != "no" {
			count++
		}
	}
	return count
}

// merge adds containers that are not in the list yet.
func merge(list, more []running) []running {
	for _, r := range more {
		if !slices.ContainsFunc(list, func(have running) bool { return have.ID == r.ID }) {
			list = append(list, r)
		}
	}
	return list
}
