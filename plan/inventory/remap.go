package inventory

import (
	"context"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"
)

// Remap is what an engine would lose sight of when it remaps users, as it then uses another data directory, and
// whether it could do so.
type Remap struct {
	// User is the setting that somebody means to give it, Problem why the engine would not start with it.
	User    string `json:"user"`
	Problem string `json:"problem,omitempty"`
	// Made is true when the engine makes the user that it remaps to.
	Made bool `json:"made,omitempty"`
	// Names of what is in the data directory now, sorted; those of containers with the ones kept for rollback.
	Containers []string `json:"containers,omitempty"`
	Volumes    []string `json:"volumes,omitempty"`
	Networks   []string `json:"networks,omitempty"`
	Plugins    []string `json:"plugins,omitempty"`
	Images     []string `json:"images,omitempty"`
	// Unread is why not all of it is known.
	Unread string `json:"unread,omitempty"`
}

// DefaultRemap is the setting with which the engine makes a user of its own.
const (
	DefaultRemap = "default"
	remapUser    = "dockremap"
	// fewestIDs are as many as an image may use.
	fewestIDs = 65536
)

// stock is the part of the engine's API that shows what is in its data directory besides containers.
type stock interface {
	pluginLister
	VolumeList(ctx context.Context, options volume.ListOptions) (volume.ListResponse, error)
	ImageList(ctx context.Context, options image.ListOptions) ([]image.Summary, error)
}

// givenRemap looks at what the setting of the options would do.
func (c *collector) givenRemap(ctx context.Context) error {
	if c.options.Remap == "" || c.remote != "" {
		return nil
	}
	m := &Remap{User: c.options.Remap}
	m.Made, m.Problem = c.root.remapsTo(m.User)
	var err error
	if s, ok := c.reader.(stock); ok {
		err = m.read(ctx, s)
	} else {
		err = fmt.Errorf("this way to the engine does not show it")
	}
	if err != nil {
		if stop := canceled(ctx, err); stop != nil {
			return stop
		}
		m.Unread = err.Error()
	}
	for i := range c.list {
		m.Containers = append(m.Containers, shownName(c.list[i]))
	}
	if c.host.Networks == nil && m.Unread == "" {
		m.Unread = "the engine's networks could not be read"
	}
	for _, n := range c.host.Networks {
		if !slices.Contains([]string{"bridge", "host", "none"}, n.Name) {
			m.Networks = append(m.Networks, n.Name)
		}
	}
	for _, names := range [][]string{m.Containers, m.Volumes, m.Networks, m.Plugins, m.Images} {
		slices.Sort(names)
	}
	c.host.Remap = m
	return nil
}

func shownName(s container.Summary) string {
	for _, name := range s.Names {
		return strings.TrimPrefix(name, "/")
	}
	return fmt.Sprintf("%.12s", s.ID)
}

// read asks for everything but containers and networks, which are known.
func (m *Remap) read(ctx context.Context, s stock) error {
	volumes, err := s.VolumeList(ctx, volume.ListOptions{})
	if err != nil {
		return fmt.Errorf("cannot list the volumes: %w", err)
	}
	for _, v := range volumes.Volumes {
		if v != nil {
			m.Volumes = append(m.Volumes, v.Name)
		}
	}
	var plugins types.PluginsListResponse
	if plugins, err = s.PluginList(ctx, filters.NewArgs()); err != nil {
		return fmt.Errorf("cannot list the plugins: %w", err)
	}
	for _, p := range plugins {
		m.Plugins = append(m.Plugins, p.Name)
	}
	images, err := s.ImageList(ctx, image.ListOptions{})
	if err != nil {
		return fmt.Errorf("cannot list the images: %w", err)
	}
	for _, i := range images {
		name := strings.TrimPrefix(i.ID, "sha256:")
		name = name[:min(len(name), 12)]
		if len(i.RepoTags) > 0 && i.RepoTags[0] != "<none>:<none>" {
			name = i.RepoTags[0]
		}
		m.Images = append(m.Images, name)
	}
	return nil
}

// remapName is a user and maybe a group, by names.
var remapName = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_.-]*)(?::([A-Za-z_][A-Za-z0-9_.-]*))?$`)

// remapsTo says why an engine could not remap users to a setting, and whether it makes the user.
func (r hostRoot) remapsTo(setting string) (made bool, problem string) {
	if setting == DefaultRemap {
		if there, _ := r.named("/etc/passwd", remapUser, 7); there {
			return false, ""
		}
		for _, name := range []string{"/usr/sbin/adduser", "/usr/sbin/useradd", "/sbin/adduser", "/sbin/useradd", "/usr/bin/adduser", "/usr/bin/useradd"} {
			if real, _, err := r.resolve(name); err == nil {
				if info, err := os.Stat(r.join(real)); err == nil && info.Mode().IsRegular() {
					return true, ""
				}
			}
		}
		return true, "the engine makes the user " + remapUser + " with adduser or useradd, and this host has neither"
	}
	match := remapName.FindStringSubmatch(setting)
	if match == nil {
		return false, `it is neither "default" nor the name of a user, or of a user and a group (USER:GROUP)`
	}
	user, group := match[1], match[2]
	if group == "" {
		group = user
	}
	if user == "root" {
		return false, "root remapped to itself is not remapped"
	}
	for _, need := range []struct {
		file, name string
		fields     int
	}{{"/etc/passwd", user, 7}, {"/etc/group", group, 4}} {
		if there, err := r.named(need.file, need.name, need.fields); err != nil || !there {
			return false, fmt.Sprintf("there is no %s in %s", need.name, need.file)
		}
	}
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		if n := r.subordinate(file, user); n < fewestIDs {
			return false, fmt.Sprintf("%s gives %s %d ids, and images use up to %d: add a line such as %s:%d:%[4]d of a range that nobody has", file, user, n, fewestIDs, user, 100000)
		}
	}
	return false, ""
}

// named reports whether a list of users or groups has a name.
func (r hostRoot) named(file, name string, fields int) (bool, error) {
	found := false
	err := r.lines(file, func(f []string) { found = found || len(f) == fields && f[0] == name })
	return found, err
}

// subordinate counts the ids that a user may give to processes of its own (subuid(5)).
func (r hostRoot) subordinate(file, user string) int {
	count := 0
	_ = r.lines(path.Clean(file), func(f []string) {
		if len(f) == 3 && f[0] == user {
			if n, err := strconv.Atoi(f[2]); err == nil && n > 0 {
				count += n
			}
		}
	})
	return count
}
