package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/daemon/edit"
	"docker-harden/remediate/host"
)

// Prepare edits the file in memory, has the engine's binary judge it, and saves what Undo needs.
func (h *Handler) Prepare(ctx context.Context, step plan.Step) (json.RawMessage, error) {
	m, err := h.prepare(ctx, step)
	if err != nil {
		return nil, fmt.Errorf("cannot prepare daemon.json: %w", err)
	}
	undo, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("internal error: cannot marshal the record of daemon.json: %w", err)
	}
	return undo, nil
}

func (h *Handler) prepare(ctx context.Context, step plan.Step) (memo, error) {
	if err := h.renew(ctx); err != nil {
		return memo{}, err
	}
	if err := h.checkStep(step); err != nil {
		return memo{}, err
	}
	manager, err := h.Open(h.Service)
	if err != nil {
		return memo{}, fmt.Errorf("%w: %w", remediate.ErrRefused, err)
	}
	m := memo{Path: h.Daemon.ConfigPath, Resolved: h.Daemon.Resolved, Service: h.Service, Exe: h.Daemon.Exe, NextArgv: h.Daemon.NextArgv}
	if err := h.look(&m); err != nil {
		return memo{}, err
	}
	if m.After, err = edit.Apply(m.Original.doc(), step.Changes); err != nil {
		return memo{}, fmt.Errorf("%s: %w", m.Resolved, err)
	}
	info, err := h.Engine.Info(ctx)
	if err != nil {
		return memo{}, fmt.Errorf("cannot ask the engine for its state: %w", err)
	}
	if err := lint(m.After, step.Changes, facts{Flags: h.Daemon.Flags, Swarm: string(info.Swarm.LocalNodeState)}); err != nil {
		return memo{}, err
	}
	switch err := ValidateChange(ctx, m.Exe, m.NextArgv, m.Original.doc(), m.After); {
	case errors.Is(err, ErrNotChecked):
		m.NotChecked = err.Error()
	case err != nil:
		return memo{}, err
	}
	if m.Before, err = truthsOf(ctx, h.Engine, h.Daemon.PID, wanted(step.Changes).keys()); err != nil {
		return memo{}, err
	}
	if m.Containers, err = runningContainers(ctx, h.Engine); err != nil {
		return memo{}, err
	}
	if m.Home, err = h.leave(ctx, step, info.DockerRootDir); err != nil {
		return memo{}, err
	}
	change, planned := liveRestore(step.Changes)
	m.Staged = step.Kind == plan.KindRestart && planned && !info.LiveRestoreEnabled && meaning("live-restore", change.To) == "true"
	m.Live = m.Staged || info.LiveRestoreEnabled
	if step.Kind == plan.KindReload || m.Staged {
		if err := reloadSafe(h.Daemon.Flags, flagsOf(m.Engine)); err != nil {
			return memo{}, err
		}
	}
	if step.Kind == plan.KindReload {
		return m, nil
	}
	if err := h.undrifted(ctx, manager, m.Engine); err != nil {
		return memo{}, err
	}
	if !h.DropAutoRemoved && !(m.Live && autoRemoveSurvives(info)) {
		return m, refuseRemoval(m.Containers)
	}
	return m, nil
}

// undrifted refuses a restart that would make more effective than this step: flags that were edited after the
// engine started, and unit files that systemd has not read, of which nobody can tell what they will do.
func (h *Handler) undrifted(ctx context.Context, manager host.Manager, p process) error {
	if status, err := manager.Status(ctx); err == nil && status.NeedDaemonReload {
		return fmt.Errorf("%w: the files of %s were edited and systemd has not read them yet (systemctl daemon-reload); restart the engine yourself, then plan again", remediate.ErrRefused, h.Service.Unit)
	}
	now, next := flagsOf(p), h.Daemon.Flags
	keys := map[string]bool{}
	for _, flags := range []map[string][]string{now, next} {
		for key := range flags {
			if !slices.Equal(now[key], next[key]) {
				keys[key] = true
			}
		}
	}
	if now == nil || len(h.Daemon.NextArgv) == 0 || len(keys) == 0 {
		return nil
	}
	return fmt.Errorf("%w: the engine's command line was changed after it started (%s): the restart would also activate that; restart the engine yourself, then plan again",
		remediate.ErrRefused, strings.Join(slices.Sorted(maps.Keys(keys)), ", "))
}

// renew replaces an observation whose process is gone.
func (h *Handler) renew(ctx context.Context) error {
	if h.Observe == nil {
		return nil
	}
	if _, ok := processOf(h.Daemon.PID); ok {
		return nil
	}
	d, service, err := h.Observe(ctx)
	if err != nil {
		return fmt.Errorf("cannot look at the engine again: %w", err)
	}
	h.Daemon, h.Service = d, service
	return nil
}

// checkStep refuses what the handler cannot do, and an engine that cannot be judged.
func (h *Handler) checkStep(step plan.Step) error {
	if step.Resource != plan.Daemon() || step.Kind != plan.KindReload && step.Kind != plan.KindRestart || len(step.Changes) == 0 {
		return fmt.Errorf("internal error: step %s (%s) is none for the engine", step.ID, step.Kind)
	}
	for _, c := range step.Changes {
		// Writing down what is in effect anyway needs no restart.
		same := meaning(c.Path, c.From) == meaning(c.Path, c.To)
		if step.Kind == plan.KindReload && !slices.Contains(reloadable, c.Path) && !same {
			return fmt.Errorf("internal error: %s cannot be made effective by a reload", c.Path)
		}
	}
	switch d := h.Daemon; {
	case d.PID == 0 || d.Resolved == "" || d.Exe == "":
		return fmt.Errorf("%w: the engine's process and files were not found on this machine; run docker-harden on the host, as root", remediate.ErrRefused)
	case d.ParseError != "":
		return fmt.Errorf("%w: %s cannot be edited: %s", remediate.ErrRefused, d.Resolved, d.ParseError)
	case d.Pending:
		return fmt.Errorf("%w: %s was changed after the engine last read it: this step would also activate that change; restart the engine yourself first, then plan again", remediate.ErrRefused, d.Resolved)
	}
	return nil
}

// look reads the file where its links end now.
func (h *Handler) look(m *memo) error {
	resolved, err := resolve(m.Path)
	if err != nil {
		return err
	}
	if resolved != m.Resolved {
		return fmt.Errorf("%w: %s led to %s and leads to %s now; make the plan again", plan.ErrStale, m.Path, m.Resolved, resolved)
	}
	for _, path := range []string{m.Path, m.Resolved} {
		if err := checkPlace(path); err != nil {
			return err
		}
	}
	if err := replaceable(m.Resolved); err != nil {
		return err
	}
	if m.Original, err = observe(m.Resolved); err != nil {
		return err
	}
	if !m.Original.Exists && h.Daemon.ConfigExplicit {
		return fmt.Errorf("%w: %s is named by --config-file and does not exist: the engine would not start again; write {} into it first", remediate.ErrRefused, m.Path)
	}
	m.Dirs = missingDirs(m.Resolved)
	p, ok := processOf(h.Daemon.PID)
	if !ok {
		return fmt.Errorf("%w: the engine's process %d is gone; make the plan again", plan.ErrStale, h.Daemon.PID)
	}
	m.Engine = p
	return nil
}

// resolve follows links. A file that does not exist is where its directory is; a link to nowhere is refused.
func resolve(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		return real, nil
	}
	if _, lstat := os.Lstat(path); !os.IsNotExist(lstat) {
		return "", fmt.Errorf("%w: %s is a link to a file that cannot be reached: %w", remediate.ErrRefused, path, err)
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return path, nil // the directory is missing too
	}
	return filepath.Join(dir, filepath.Base(path)), nil
}

// resetByReload are settings that a reload drops, or sets to their default, when they were given by flag.
var resetByReload = []string{"authorization-plugins", "max-concurrent-downloads", "max-concurrent-uploads", "max-download-attempts", "features"}

func reloadSafe(given ...map[string][]string) error {
	for _, flags := range given {
		for _, key := range resetByReload {
			if _, ok := flags[key]; ok {
				return fmt.Errorf("%w: the engine was given %s by flag, and a reload would silently reset it; move it to daemon.json, restart the engine and plan again", remediate.ErrRefused, key)
			}
		}
	}
	return nil
}

func refuseRemoval(containers []running) error {
	var names []string
	for _, r := range containers {
		if r.AutoRemove {
			names = append(names, fmt.Sprintf("%q", r.Name))
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("%w: the engine would remove the running --rm containers %s for ever when it restarts; stop them first, or let them finish", remediate.ErrRefused, strings.Join(names, ", "))
}
