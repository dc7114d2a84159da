//go:build reliability

package faulttest

import (
	stdcontext "context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"

	"github.com/docker/docker/api/types/container"

	"docker-harden/cmd/testhost/host"
)

// context is one that does not end with the test, for what must happen after it.
func context() stdcontext.Context { return stdcontext.Background() }

// look is the host as a plan could change it: every container's own configuration and whether it runs,
// and daemon.json with its neighbours. Two looks are equal when nothing was changed and nothing left behind.
func (g *rig) look() string {
	g.Helper()
	var lines []string
	engine := g.host.Client(g.T)
	list, err := engine.ContainerList(context(), container.ListOptions{All: true})
	if err != nil {
		g.Fatalf("the engine is not alive: %v", err)
	}
	for _, one := range list {
		_, raw, err := engine.ContainerInspectWithRaw(context(), one.ID, false)
		if err != nil {
			g.Fatal(err)
		}
		var c struct {
			ID, Name, Image, Path string
			Args                  []string
			Config, HostConfig    json.RawMessage
			State                 struct{ Status string }
		}
		if err := json.Unmarshal(raw, &c); err != nil {
			g.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s %s %s %s %s %q\n  %s\n  %s", c.Name, c.ID, c.Image, c.State.Status, c.Path, c.Args, c.Config, c.HostConfig))
	}
	sort.Strings(lines)
	dir := filepath.Dir(host.DaemonJSON)
	entries, err := os.ReadDir(g.path(dir))
	if err != nil {
		g.Fatal(err)
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		info, err := os.Lstat(g.path(name))
		if err != nil {
			g.Fatal(err)
		}
		if e.Name() == "key.json" || e.Name() == "filler" {
			continue
		}
		st := info.Sys().(*syscall.Stat_t)
		line := fmt.Sprintf("%s %v %d:%d", name, info.Mode(), st.Uid, st.Gid)
		if info.Mode().IsRegular() {
			line += "\n" + g.read(name)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// same fails the test when the host is not as in an earlier look.
func (g *rig) same(before, when string) {
	g.Helper()
	if now := g.look(); now != before {
		g.Errorf("%s the host is not as before:\n%s\nnow:\n%s", when, before, now)
	}
}

// done fails the test when a container has no no-new-privileges.
func (g *rig) hardened(containers ...string) {
	g.Helper()
	for _, name := range containers {
		if got := g.host.Docker(g.T, "inspect", "-f", "{{.HostConfig.SecurityOpt}} {{.State.Status}}", name); got != "[no-new-privileges:true] running" {
			g.Errorf("%s is %s", name, got)
		}
	}
	if got := g.host.Docker(g.T, "ps", "--format", "{{.Names}}"); len(strings.Fields(got)) != len(containers) {
		g.Errorf("running: %s", got)
	}
}

// generations counts what the state directory holds, finished or not.
func (g *rig) generations() int {
	entries, err := os.ReadDir(g.path(filepath.Join(g.state, "generations")))
	if err != nil {
		return 0
	}
	return len(entries)
}
