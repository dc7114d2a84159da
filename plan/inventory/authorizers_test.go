package inventory

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types"
)

// A plugin is known when the engine would find it where it looks, and somebody listens there.
func TestPluginAsTheEngineFindsIt(t *testing.T) {
	dir, err := os.MkdirTemp("", "p") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	root := hostRoot(dir)
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(root.join(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root.join(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	listen := func(name string) net.Listener {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(root.join(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("unix", root.join(name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l
	}
	listen("/run/docker/plugins/live.sock")
	listen("/run/docker/plugins/deep/deep.sock")
	dead := listen("/run/docker/plugins/dead.sock")
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	write("/run/docker/plugins/file.sock", "")
	write("/etc/docker/plugins/file.spec", "unix:///run/docker/plugins/live.sock\n")
	write("/etc/docker/plugins/far.spec", "tcp://10.0.0.1:8080")
	write("/etc/docker/plugins/empty.spec", "")
	write("/usr/lib/docker/plugins/json.json", `{"Name": "json", "Addr": "unix:///run/docker/plugins/dead.sock"}`)
	write("/usr/lib/docker/plugins/odd/odd.json", "{")
	write("/etc/docker/plugins/gone.spec", "unix:///run/docker/plugins/gone.sock")
	managed := func(name, capability string, enabled bool) *types.Plugin {
		p := &types.Plugin{Name: name, Enabled: enabled}
		p.Config.Interface.Types = []types.PluginInterfaceType{{Prefix: "docker", Capability: capability, Version: "1.0"}}
		return p
	}
	list := types.PluginsListResponse{managed("own:latest", "authz", true), managed("org/off:1", "authz", false), managed("volumes:latest", "volumedriver", true)}
	for name, want := range map[string]string{
		"live":      "/run/docker/plugins/live.sock: ",
		"deep":      "/run/docker/plugins/deep/deep.sock: ",
		"dead":      "/run/docker/plugins/dead.sock: nobody listens on its socket: start the plugin",
		"file":      "/etc/docker/plugins/file.spec: ",
		"far":       "/etc/docker/plugins/far.spec: ",
		"empty":     "/etc/docker/plugins/empty.spec: it names no address",
		"json":      "/usr/lib/docker/plugins/json.json: nobody listens on its socket: start the plugin",
		"odd":       "/usr/lib/docker/plugins/odd/odd.json: it is no JSON",
		"gone":      "/etc/docker/plugins/gone.spec: its socket cannot be reached",
		"none":      ": there is none",
		"../live":   ": that is no name of a plugin",
		"/live":     ": that is no name of a plugin",
		"own":       "docker plugin ls: ",
		"org/off:1": "docker plugin ls: the plugin is not enabled: docker plugin enable org/off:1",
		"volumes":   "docker plugin ls: the plugin authorizes nothing",
	} {
		got := root.plugin(name, list)
		text := got.Found + ": " + got.Problem
		if exact := strings.HasSuffix(want, ": "); exact && text != want || !strings.HasPrefix(text, want) || got.Name != name {
			t.Errorf("%s: %q, want %q", name, text, want)
		}
	}
}
