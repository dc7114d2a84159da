package network

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/go-connections/nat"

	"docker-harden/plan"
	"docker-harden/remediate"
)

// errKilled is how a call looks to a program that is killed in it.
var errKilled = errors.New("killed")

const (
	webID  = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	webPID = 4711
)

// fake is an engine with one container, and the part of /proc that the handler reads of it.
type fake struct {
	t        *testing.T
	root     string
	networks map[string]network.Inspect
	web      container.InspectResponse
	gone     bool
	others   []container.Summary
	calls    []string // those that change something
	// dieAt kills the program at that call, counted from 1; after: only when the engine has done it.
	dieAt int
	after bool
	made  int
	// spoil is called after each change.
	spoil func(*fake)
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{t: t, root: t.TempDir(), networks: map[string]network.Inspect{}}
	for i, name := range []string{"bridge", "shop", "back"} {
		f.networks[name] = network.Inspect{
			Name: name, ID: strings.Repeat(fmt.Sprint(i), 64), Driver: "bridge", Scope: "local",
			IPAM: network.IPAM{Config: []network.IPAMConfig{{Subnet: fmt.Sprintf("172.%d.0.0/16", 17+i)}}},
		}
	}
	f.networks["host"] = network.Inspect{Name: "host", ID: strings.Repeat("8", 64), Driver: "host", Scope: "local"}
	f.networks["wide"] = network.Inspect{Name: "wide", ID: strings.Repeat("9", 64), Driver: "overlay", Scope: "swarm"}
	f.web = container.InspectResponse{
		ContainerJSONBase: &container.ContainerJSONBase{
			ID: webID, Name: "/web",
			State:      &container.State{Status: "running", Running: true, Pid: webPID, StartedAt: "2026-01-01T00:00:00Z"},
			HostConfig: &container.HostConfig{NetworkMode: "default", PortBindings: nat.PortMap{"80/tcp": {{HostIP: "127.0.0.1", HostPort: "8080"}}}},
		},
		Config: &container.Config{Labels: map[string]string{}},
		NetworkSettings: &container.NetworkSettings{
			Networks: map[string]*network.EndpointSettings{"bridge": {NetworkID: f.networks["bridge"].ID, IPAddress: "172.17.0.2"}},
		},
	}
	f.web.NetworkSettings.Ports = nat.PortMap{"80/tcp": {{HostIP: "127.0.0.1", HostPort: "8080"}}}
	f.proc("tcp", "")
	f.proc("udp", "")
	f.routes()
	return f
}

// proc writes a table of the container's network namespace.
func (f *fake) proc(name, table string) {
	f.t.Helper()
	dir := filepath.Join(f.root, "proc", fmt.Sprint(webPID), "net")
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, name), []byte(table), 0o644)); err != nil {
		f.t.Fatal(err)
	}
}

// routes writes the routes that go with the networks of the container.
func (f *fake) routes() {
	table := "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
	for name := range f.web.NetworkSettings.Networks {
		table += "eth0\t" + kernelOrder(f.subnet(name).Addr()) + "\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
	}
	f.proc("route", table)
}

func (f *fake) subnet(name string) netip.Prefix {
	return netip.MustParsePrefix(f.networks[name].IPAM.Config[0].Subnet)
}

// kernelOrder writes an address as the kernel of a little-endian machine does in its tables.
func kernelOrder(a netip.Addr) string {
	b := a.As4()
	slices.Reverse(b[:])
	return strings.ToUpper(hex.EncodeToString(b[:]))
}

func (f *fake) on() []string { return slices.Sorted(maps.Keys(f.web.NetworkSettings.Networks)) }

func (f *fake) ContainerInspect(_ context.Context, id string) (container.InspectResponse, error) {
	if f.gone || id != webID {
		return container.InspectResponse{}, fmt.Errorf("no such container %s: %w", id, errdefs.ErrNotFound)
	}
	data, err := json.Marshal(f.web) // a copy, as over a wire
	var out container.InspectResponse
	return out, errors.Join(err, json.Unmarshal(data, &out))
}

func (f *fake) ContainerList(context.Context, container.ListOptions) ([]container.Summary, error) {
	return append([]container.Summary{{ID: webID, Names: []string{"/web"}}}, f.others...), nil
}

func (f *fake) NetworkInspect(_ context.Context, name string, _ network.InspectOptions) (network.Inspect, error) {
	for _, n := range f.networks {
		if n.Name == name || strings.HasPrefix(n.ID, name) {
			return n, nil
		}
	}
	return network.Inspect{}, fmt.Errorf("network %s not found: %w", name, errdefs.ErrNotFound)
}

// change makes one call that changes something, and ends the program where the test says so.
func (f *fake) change(what string, do func() error) error {
	f.made++
	if f.made == f.dieAt && !f.after {
		return errKilled
	}
	if f.dieAt > 0 && f.made > f.dieAt {
		f.t.Errorf("the program goes on after it was killed: %s", what)
	}
	f.calls = append(f.calls, what)
	if err := do(); err != nil {
		return err
	}
	f.routes()
	if f.spoil != nil {
		f.spoil(f)
	}
	if f.made == f.dieAt {
		return errKilled
	}
	return nil
}

func (f *fake) byID(id string) string {
	for name, n := range f.networks {
		if n.ID == id || n.Name == id {
			return name
		}
	}
	return ""
}

func (f *fake) NetworkConnect(_ context.Context, id, _ string, config *network.EndpointSettings) error {
	name := f.byID(id)
	return f.change("connect "+name, func() error {
		if _, is := f.web.NetworkSettings.Networks[name]; is || name == "" {
			return fmt.Errorf("endpoint with name web already exists in network %s", name)
		}
		end := *config
		end.NetworkID, end.IPAddress = f.networks[name].ID, f.subnet(name).Addr().Next().Next().Next().String()
		f.web.NetworkSettings.Networks[name] = &end
		return nil
	})
}

func (f *fake) NetworkDisconnect(_ context.Context, id, _ string, _ bool) error {
	name := f.byID(id)
	if name == "" {
		return fmt.Errorf("network %s not found: %w", id, errdefs.ErrNotFound)
	}
	return f.change("disconnect "+name, func() error {
		if _, is := f.web.NetworkSettings.Networks[name]; !is {
			return fmt.Errorf("container is not connected to network %s", name)
		}
		delete(f.web.NetworkSettings.Networks, name)
		return nil
	})
}

// live is the handler of limits, as far as the mover needs to know it.
type live struct {
	set   bool
	calls []string
	fail  error
}

func (l *live) Prepare(_ context.Context, s plan.Step) (json.RawMessage, error) {
	l.calls = append(l.calls, "prepare "+string(s.Kind)+" "+s.Changes[0].Path)
	return json.RawMessage(`{"was":1}`), l.fail
}

func (l *live) Do(_ context.Context, _ plan.Step, undo json.RawMessage, _ remediate.Log) error {
	l.calls, l.set = append(l.calls, "do "+string(undo)), true
	return l.fail
}

func (l *live) Undo(_ context.Context, _ plan.Step, r remediate.Record) (remediate.Restored, error) {
	out := remediate.Restored{How: plan.Functional, Notes: []string{"a limit is lifted"}, Nothing: !l.set}
	l.calls, l.set = append(l.calls, "undo "+string(r.Undo)), false
	return out, nil
}

func (l *live) Commit(_ context.Context, _ plan.Step, r remediate.Record) error {
	l.calls = append(l.calls, "commit "+string(r.Undo))
	return nil
}

// rig is a mover of the fake engine.
func rig(t *testing.T) (*fake, *live, *Mover) {
	t.Helper()
	f, l := newFake(t), &live{}
	return f, l, &Mover{Engine: f, Limits: l, Root: f.root, Stable: time.Millisecond, Lag: 50 * time.Millisecond}
}

// step moves web, and sets a limit where that is asked for.
func step(from, to string, limits ...string) plan.Step {
	s := plan.Step{
		ID: "container/web", Kind: plan.KindNetwork, Resource: plan.Container("web", webID),
		Changes: []plan.Change{{Path: plan.NetworksPath, From: json.RawMessage(from), To: json.RawMessage(to), Kind: plan.KindNetwork, Reversibility: plan.Functional}},
	}
	for _, path := range limits {
		s.Changes = append(s.Changes, plan.Change{Path: path, From: json.RawMessage("0"), To: json.RawMessage("1"), Kind: plan.KindUpdate})
	}
	return s
}

// quiet hears nothing.
type quiet struct{}

func (quiet) Note(any) error  { return nil }
func (quiet) Progress(string) {}

func (f *fake) Info(context.Context) (system.Info, error) {
	return system.Info{DockerRootDir: "/nowhere/docker"}, nil
}
