package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"docker-harden/plan/inventory"
	"docker-harden/remediate/docker/container/body"
)

// source gathers what a create request is made from, and checks on the way that all of it exists.
func (r *Recreator) source(ctx context.Context, a *api, c *state) (body.Source, error) {
	src := body.Source{Container: c.raw, API: a.version}
	if err := a.image(ctx, c, &src); err != nil {
		return src, err
	}
	info, err := a.info(ctx)
	if err != nil {
		return src, err
	}
	src.HostName = info.Name
	if name := c.HostConfig.Runtime; name != "" && len(info.Runtimes) > 0 {
		if _, known := info.Runtimes[name]; !known {
			return src, refused("the engine no longer knows the runtime %s of %s", name, c.name())
		}
	}
	if src.Networks, err = a.networks(ctx); err != nil {
		return src, err
	}
	for name, end := range c.NetworkSettings.Networks {
		if _, ok := src.Networks[end.NetworkID]; ok || end.NetworkID == "" || name == "host" || name == "none" {
			continue
		}
		return src, refused("network %s of %s no longer exists", name, c.name())
	}
	if src.EmptyVolumes, err = r.volumes(ctx, a, c); err != nil {
		return src, err
	}
	src.MACs, err = r.macs(ctx, a, c, info.DockerRootDir)
	return src, err
}

func (a *api) image(ctx context.Context, c *state, src *body.Source) error {
	err := a.call(ctx, http.MethodGet, "/images/"+url.PathEscape(c.Image)+"/json", nil, &src.Image)
	if isNotFound(err) {
		return refused("the image of %s (%s, %.19s) no longer exists: no new container can be made from it", c.name(), c.Config.Image, c.Image)
	}
	if err != nil {
		return fmt.Errorf("cannot inspect image %.19s: %w", c.Image, err)
	}
	var tag struct{ ID string }
	err = a.call(ctx, http.MethodGet, "/images/"+url.PathEscape(c.Config.Image)+"/json", nil, &tag)
	if err != nil && !isNotFound(err) && !isStatus(err, http.StatusBadRequest) {
		return fmt.Errorf("cannot inspect image %s: %w", c.Config.Image, err)
	}
	src.TagID = tag.ID
	return nil
}

type engineInfo struct {
	Name          string
	DockerRootDir string
	Runtimes      map[string]json.RawMessage
}

func (a *api) info(ctx context.Context) (engineInfo, error) {
	var info engineInfo
	if err := a.call(ctx, http.MethodGet, "/info", nil, &info); err != nil {
		return info, fmt.Errorf("cannot ask the engine for its settings: %w", err)
	}
	return info, nil
}

// networks names all networks by id.
func (a *api) networks(ctx context.Context) (map[string]string, error) {
	var list []struct {
		ID   string `json:"Id"`
		Name string `json:"Name"`
	}
	if err := a.call(ctx, http.MethodGet, "/networks", nil, &list); err != nil {
		return nil, fmt.Errorf("cannot list networks: %w", err)
	}
	names := make(map[string]string, len(list))
	for _, n := range list {
		names[n.ID] = n.Name
	}
	return names, nil
}

// volumes checks that every volume exists and returns those that are empty now.
func (r *Recreator) volumes(ctx context.Context, a *api, c *state) (empty []string, err error) {
	for _, m := range c.Mounts {
		if m.Type != "volume" || m.Name == "" {
			continue
		}
		err := a.call(ctx, http.MethodGet, "/volumes/"+url.PathEscape(m.Name), nil, nil)
		if isNotFound(err) {
			return nil, refused("volume %s of %s no longer exists", m.Name, c.name())
		}
		if err != nil {
			return nil, fmt.Errorf("cannot inspect volume %s: %w", m.Name, err)
		}
		if entries, err := os.ReadDir(r.Options.path(m.Source)); err == nil && len(entries) == 0 {
			empty = append(empty, m.Name)
		}
	}
	return empty, nil
}

// firstDesired and lastDesired bound the API versions whose inspect answer shows the MAC address
// somebody asked for in Config.MacAddress; from 1.44 on the endpoints show only what is in use.
const (
	firstDesired = "1.44"
	lastDesired  = "1.51"
)

// macs finds the MAC addresses a person asked for. The engine's own file has them per network; the
// API shows only that of the main network, and only up to one version.
func (r *Recreator) macs(ctx context.Context, a *api, c *state, dataRoot string) (map[string]string, error) {
	if !atLeast(a.version, firstDesired) {
		return nil, nil // Config.MacAddress is carried as it is
	}
	var file struct {
		NetworkSettings struct {
			Networks map[string]struct{ DesiredMacAddress string }
		}
	}
	text, err := os.ReadFile(r.Options.path(dataRoot, "containers", c.ID, "config.v2.json"))
	if err == nil && json.Unmarshal(text, &file) == nil {
		out := make(map[string]string)
		for name, n := range file.NetworkSettings.Networks {
			if n.DesiredMacAddress != "" {
				out[name] = n.DesiredMacAddress
			}
		}
		return out, nil
	}
	version := a.version
	if atLeast(version, "1.52") {
		version = lastDesired
	}
	var asked struct{ Config struct{ MacAddress string } }
	err = a.callAt(ctx, version, http.MethodGet, "/containers/"+c.ID+"/json", nil, &asked)
	if err != nil && !isNotFound(err) {
		return nil, fmt.Errorf("cannot read the MAC address of %s: %w", c.name(), err)
	}
	if asked.Config.MacAddress == "" {
		return nil, nil
	}
	mode := c.HostConfig.NetworkMode
	if mode == "" || mode == "default" {
		mode = "bridge"
	}
	return map[string]string{mode: asked.Config.MacAddress}, nil
}

// atLeast compares API versions.
func atLeast(version, least string) bool {
	var major, minor, leastMajor, leastMinor int
	_, _ = fmt.Sscanf(version, "%d.%d", &major, &minor)
	_, _ = fmt.Sscanf(least, "%d.%d", &leastMajor, &leastMinor)
	return major > leastMajor || major == leastMajor && minor >= leastMinor
}

// changed lists what the engine says was written outside mounts, for layers that cannot be read here.
func (a *api) changed(ctx context.Context, c *state) ([]string, error) {
	var list []struct{ Path string }
	if err := a.call(ctx, http.MethodGet, "/containers/"+c.ID+"/changes", nil, &list); err != nil {
		return nil, fmt.Errorf("cannot ask what was written into %s: %w", c.name(), err)
	}
	made := make(map[string]bool)
	for _, s := range stubs(c) {
		for dir := filepath.Clean(s); dir != "/"; dir = filepath.Dir(dir) {
			made[dir] = true
		}
	}
	var paths []string
	for _, l := range list {
		if !made[l.Path] {
			paths = append(paths, l.Path)
		}
	}
	slices.Sort(paths)
	return paths, nil
}

// bindSource checks that a bind mount would mean the same in a new container as in the running one.
func (r *Recreator) bindSource(c *state, source, target string) error {
	pid := 0
	if c.State.Running {
		pid = c.State.PID
	}
	replaced, err := inventory.BindReplaced(r.Options.Root, pid, source, target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return refused("bind source %s of %s is missing on the host: the engine would make an empty directory", source, c.name())
	case err != nil:
		return refused("%s: %w", c.name(), err)
	case replaced:
		return refused("%s was replaced on the host since %s started, which still uses the old one: restart the container first", source, c.name())
	}
	return nil
}
