package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"docker-harden/plan/inventory"
	"docker-harden/remediate/docker/daemon/canary"
)

const (
	// startTimeout is how long an engine without containers may take to answer.
	startTimeout = 60 * time.Second
	// perContainer is added for each container that the engine starts before it answers.
	perContainer = 2 * time.Second
	// stalled is how long an engine past its time may go without using the processor.
	stalled = 30 * time.Second
	// patience is how many times its time an engine may take that visibly works.
	patience = 10
	// gone is how long there may be no process at all, unless the service manager says that it tries again.
	gone = 2 * time.Second
)

// restart ends the engine's process and waits for a new one that answers.
func (f *flow) restart(ctx context.Context, containers []running) (process, error) {
	old := f.current(ctx)
	return f.bring(ctx, old, containers, f.manager.Restart)
}

// begin starts an engine that does not run.
func (f *flow) begin(ctx context.Context, containers []running) (process, error) {
	return f.bring(ctx, process{}, containers, f.manager.Start)
}

func (f *flow) bring(ctx context.Context, old process, containers []running, how func(context.Context) error) (process, error) {
	timeout := f.handler.allowance(containers)
	ctx, cancel := context.WithTimeout(ctx, patience*timeout)
	defer cancel()
	begin, ticks := time.Now(), uptimeTicks()
	if err := how(ctx); err != nil {
		return process{}, fmt.Errorf("the engine did not start: %w%s", err, f.said(begin))
	}
	p, err := f.await(ctx, old, timeout)
	if err != nil {
		return process{}, fmt.Errorf("the engine did not start: %w%s", err, f.said(begin))
	}
	if p.Ticks+ticksPerSecond < ticks {
		return process{}, fmt.Errorf("the engine did not start: process %d is older than the attempt", p.PID)
	}
	return p, nil
}

// allowance is how long an engine may take that has these containers.
func (h *Handler) allowance(containers []running) time.Duration {
	timeout := h.Timeout
	if timeout == 0 {
		timeout = startTimeout
	}
	return timeout + perContainer*time.Duration(withPolicy(containers))
}

// await waits for a process other than old to answer. It gives up when there is none for a while, or when
// the time is over and the process stopped doing anything.
func (f *flow) await(ctx context.Context, old process, timeout time.Duration) (process, error) {
	deadline, seen := time.Now().Add(timeout), time.Now()
	var cpu uint64
	for {
		status, _ := f.manager.Status(ctx)
		p, _ := processOf(status.PID)
		if status.SubState == "auto-restart" {
			seen = time.Now()
		}
		if p.PID != 0 && p != old {
			err := ping(ctx, f.handler.Engine)
			if err == nil {
				return p, nil
			}
			if canary.Denied(err) {
				return process{}, fmt.Errorf("it is up and its authorization plugins do not let this tool in: %w", err)
			}
			seen = time.Now() // not before: an engine that loads its containers lets the question wait
			// One that waits for a plugin looks like one that works: every question costs it a little.
			if now := p.cpu(); now != cpu && time.Until(deadline) < stalled && !f.authorizes() {
				cpu, deadline = now, time.Now().Add(stalled)
			}
		}
		switch {
		case time.Since(seen) > gone:
			return process{}, errors.New("its process ended")
		case time.Now().After(deadline):
			return process{}, fmt.Errorf("it does not answer after %s", timeout)
		}
		if err := pause(ctx); err != nil {
			return process{}, fmt.Errorf("it does not answer: %w", err)
		}
	}
}

// uptimeTicks is now, in the unit of a process's start time.
func uptimeTicks() uint64 {
	data, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0
	}
	seconds, _, _ := strings.Cut(string(data), " ")
	up, err := strconv.ParseFloat(seconds, 64)
	if err != nil {
		return 0
	}
	return uint64(up * ticksPerSecond)
}

// flagsOf are the settings a running engine was given by flag; nil when they cannot be read.
func flagsOf(p process) map[string][]string {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.PID))
	if err != nil {
		return nil
	}
	flags := inventory.ParseFlags(strings.Split(strings.TrimRight(string(raw), "\x00"), "\x00"))
	if flags == nil {
		flags = map[string][]string{}
	}
	return flags
}

// sameFlags makes sure that the engine was started with flags that leave the step's keys to the file, and
// with this file.
func (f *flow) sameFlags(p process) error {
	now := flagsOf(p)
	if now == nil {
		return fmt.Errorf("cannot read the engine's flags: process %d is gone", p.PID)
	}
	for _, change := range f.step.Changes {
		if values, ok := now[change.Path]; ok && !isNull(change.To) {
			return fmt.Errorf("the engine was started with %s by flag (%s), not from daemon.json", change.Path, strings.Join(values, ", "))
		}
	}
	if planned := f.handler.Daemon.Flags["config-file"]; !slices.Equal(now["config-file"], planned) {
		return fmt.Errorf("the engine was started with another configuration file: %s", strings.Join(now["config-file"], ", "))
	}
	return nil
}

// current is the engine's process as the service manager knows it; zero when there is none.
func (f *flow) current(ctx context.Context) process {
	status, err := f.manager.Status(ctx)
	if err != nil || status.PID == 0 {
		return process{}
	}
	p, _ := processOf(status.PID)
	return p
}
