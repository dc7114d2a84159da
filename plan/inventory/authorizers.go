package inventory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/filters"
)

// Plugin is a plugin that somebody means to let authorize requests, as the engine would find it at its next start.
type Plugin struct {
	Name string `json:"name"`
	// Found is by what the engine finds it: a socket, a file that names its address, or its own list.
	Found string `json:"found,omitempty"`
	// Problem is why the engine would not start with it.
	Problem string `json:"problem,omitempty"`
}

// The places where an engine looks for plugins that it does not manage itself.
const pluginSockets = "/run/docker/plugins"

var pluginSpecs = []string{"/etc/docker/plugins", "/usr/lib/docker/plugins"}

const (
	// maxSpec bounds a file that names the address of a plugin.
	maxSpec = 64 << 10
	// knock is how long a socket may take to be opened.
	knock = 2 * time.Second
)

// pluginName is what the engine takes for the name of a plugin: words as in the name of an image.
var pluginName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*(:[A-Za-z0-9._-]+)?$`)

// pluginLister is the part of the engine's API that shows the plugins it manages.
type pluginLister interface {
	PluginList(ctx context.Context, filter filters.Args) (types.PluginsListResponse, error)
}

// givenPlugins looks for the plugins that the options name, as the engine would.
func (c *collector) givenPlugins(ctx context.Context) error {
	if len(c.options.Plugins) == 0 || c.remote != "" {
		return nil
	}
	var managed types.PluginsListResponse
	if lister, ok := c.reader.(pluginLister); ok {
		var err error
		if managed, err = lister.PluginList(ctx, filters.NewArgs()); err != nil {
			if stop := canceled(ctx, err); stop != nil {
				return stop
			}
			c.problem("daemon", fmt.Sprintf("cannot list the engine's plugins: %s", err), false)
		}
	}
	for _, name := range c.options.Plugins {
		c.host.GivenPlugins = append(c.host.GivenPlugins, c.root.plugin(name, managed))
	}
	return nil
}

// plugin finds one: the engine asks its own list first, then sockets, then the files that name an address.
func (r hostRoot) plugin(name string, managed types.PluginsListResponse) Plugin {
	p := Plugin{Name: name}
	if !pluginName.MatchString(name) {
		p.Problem = "that is no name of a plugin"
		return p
	}
	at := slices.IndexFunc(managed, func(m *types.Plugin) bool { return m.Name == name || m.Name == name+":latest" })
	if at >= 0 {
		p.Found, p.Problem = "docker plugin ls", managedProblem(managed[at])
		return p
	}
	for _, file := range pluginFiles(name) {
		real, _, err := r.resolve(file)
		if err != nil {
			continue
		}
		info, err := os.Stat(r.join(real))
		if err != nil {
			continue
		}
		switch {
		case path.Ext(file) != ".sock":
			p.Found, p.Problem = file, r.specProblem(real)
			return p
		case info.Mode()&os.ModeSocket != 0: // the engine takes no notice of what is none
			p.Found, p.Problem = file, r.deaf(real)
			return p
		}
	}
	p.Problem = fmt.Sprintf("there is none: not in docker plugin ls, no %s/%s.sock, and no %[2]s.spec or %[2]s.json in %s", pluginSockets, name, strings.Join(pluginSpecs, " or "))
	return p
}

// pluginFiles are the places of a plugin in the order in which the engine looks.
func pluginFiles(name string) []string {
	files := []string{path.Join(pluginSockets, name+".sock"), path.Join(pluginSockets, name, name+".sock")}
	for _, dir := range pluginSpecs {
		for _, ext := range []string{".spec", ".json"} {
			files = append(files, path.Join(dir, name+ext))
		}
		for _, ext := range []string{".spec", ".json"} {
			files = append(files, path.Join(dir, name, name+ext))
		}
	}
	return files
}

// managedProblem is why a plugin that the engine manages cannot authorize anything.
func managedProblem(m *types.Plugin) string {
	authorizes := slices.ContainsFunc(m.Config.Interface.Types, func(t types.PluginInterfaceType) bool { return t.Capability == "authz" })
	switch {
	case !authorizes:
		return "the plugin authorizes nothing (its capabilities are others)"
	case !m.Enabled:
		return fmt.Sprintf("the plugin is not enabled: docker plugin enable %s", m.Name)
	}
	return ""
}

// specProblem is why a file does not lead the engine to a plugin. An address that is no socket of this host is
// taken as it is.
func (r hostRoot) specProblem(file string) string {
	data, err := readLimited(r.join(file), maxSpec)
	if err != nil {
		return cause(err).Error()
	}
	address := strings.TrimSpace(string(data))
	if path.Ext(file) == ".json" {
		var spec struct{ Addr string }
		if err := json.Unmarshal(data, &spec); err != nil {
			return "it is no JSON"
		}
		address = spec.Addr
	}
	socket, local := strings.CutPrefix(address, "unix://")
	switch {
	case local && path.IsAbs(socket):
		real, _, err := r.resolve(socket)
		if err != nil {
			return err.Error()
		}
		return r.deaf(real)
	case !strings.Contains(address, "://"):
		return "it names no address"
	}
	return ""
}

// deaf is why nobody answers on a socket; empty: somebody waits for connections there. The kernel's table does not
// tell, as a plugin in a container has a network namespace of its own; so a connection is made, and nothing said.
func (r hostRoot) deaf(socket string) string {
	conn, err := net.DialTimeout("unix", r.join(socket), knock)
	if err == nil {
		_ = conn.Close()
		return ""
	}
	var errno syscall.Errno
	if errors.As(err, &errno) && errno == syscall.ECONNREFUSED {
		return "nobody listens on its socket: start the plugin"
	}
	return "its socket cannot be reached: " + cause(err).Error()
}
