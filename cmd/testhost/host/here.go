package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
)

// Here is the host this test runs in, with the engine running on its default
// configuration. At the end of the test every container, network and volume is
// removed, the product's own state too, and daemon.json and the engine are as
// they were. Tests that use it share one engine and must not run in parallel.
func Here(t testing.TB) *Host {
	t.Helper()
	if !inside() {
		t.Fatal("this test needs an isolated Docker host: its package's TestMain must call host.Main")
	}
	h := &Host{}
	if _, err := h.enginePID(); err != nil {
		h.Start(t)
	}
	before, err := h.engineState()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.reset(context.Background(), before); err != nil {
			t.Errorf("cannot bring the test host back: %v", err)
		}
	})
	return h
}

// engineState tells whether somebody touched the engine or its configuration:
// the change time of a file moves even when the same bytes are written again.
type engineState struct {
	pid     int
	changed syscall.Timespec
	inode   uint64
	mode    os.FileMode
}

func (h *Host) engineState() (engineState, error) {
	pid, err := h.enginePID()
	if err != nil {
		return engineState{}, err
	}
	info, err := os.Lstat(h.Path(DaemonJSON))
	if err != nil {
		return engineState{}, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return engineState{}, errors.New("internal error: no file status on this system")
	}
	return engineState{pid: pid, changed: st.Ctim, inode: st.Ino, mode: info.Mode()}, nil
}

// reset makes the host as it was when the test began.
func (h *Host) reset(ctx context.Context, before engineState) error {
	now, err := h.engineState()
	changed := err != nil || now != before
	if changed && now.pid != 0 && h.removeObjects(ctx) == nil {
		// Removed while the engine runs: restarting with containers takes longer.
		if err := h.end(ctx, "TERM"); err != nil {
			return err
		}
	}
	if changed {
		if err := h.resetFiles(); err != nil {
			return err
		}
		if _, err := h.enginePID(); err == nil {
			if err := h.end(ctx, "KILL"); err != nil {
				return err
			}
		}
		if err := h.Boot(ctx); err != nil {
			return err
		}
	}
	return errors.Join(h.removeObjects(ctx), clearDir("/var/lib/docker-harden"))
}

// resetFiles writes the default configuration and drops the product's own files.
func (h *Host) resetFiles() error {
	for _, path := range []string{filepath.Dir(DaemonJSON), "/etc/docker-harden", "/run/docker-harden.lock"} {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(DaemonJSON), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(DaemonJSON, []byte(defaultConfig), 0o644); err != nil {
		return err
	}
	return os.Chmod(DaemonJSON, 0o644)
}

// clearDir empties a directory that is a mount point and so cannot be removed.
func clearDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return errors.Join(errs...)
}

// removeObjects removes containers, networks and volumes; images stay.
func (h *Host) removeObjects(ctx context.Context) error {
	c, err := h.client()
	if err != nil {
		return err
	}
	defer c.Close()
	if err := removeContainers(ctx, c); err != nil {
		return err
	}
	if _, err := c.NetworksPrune(ctx, filters.Args{}); err != nil {
		return fmt.Errorf("cannot remove networks: %w", err)
	}
	return removeVolumes(ctx, c)
}

func removeContainers(ctx context.Context, c *client.Client) error {
	list, err := c.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return fmt.Errorf("cannot list containers: %w", err)
	}
	var errs []error
	for _, one := range list {
		err := c.ContainerRemove(ctx, one.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
		if err != nil && !errdefs.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("cannot remove container %v: %w", one.Names, err))
		}
	}
	return errors.Join(errs...)
}

func removeVolumes(ctx context.Context, c *client.Client) error {
	list, err := c.VolumeList(ctx, volume.ListOptions{})
	if err != nil {
		return fmt.Errorf("cannot list volumes: %w", err)
	}
	var errs []error
	for _, one := range list.Volumes {
		if err := c.VolumeRemove(ctx, one.Name, true); err != nil {
			errs = append(errs, fmt.Errorf("cannot remove volume %s: %w", one.Name, err))
		}
	}
	return errors.Join(errs...)
}
