package inventory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"

	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
)

// oddEngine answers like another Reader, except where a function is set.
type oddEngine struct {
	Reader
	inspect func(id string) error
	version func(*types.Version)
	info    func(*system.Info)
	image   error
	network error
}

func (e oddEngine) ContainerInspectWithRaw(ctx context.Context, id string, size bool) (container.InspectResponse, []byte, error) {
	if e.inspect != nil {
		if err := e.inspect(id); err != nil {
			return container.InspectResponse{}, nil, err
		}
	}
	return e.Reader.ContainerInspectWithRaw(ctx, id, size)
}

func (e oddEngine) ServerVersion(ctx context.Context) (types.Version, error) {
	v, err := e.Reader.ServerVersion(ctx)
	if e.version != nil {
		e.version(&v)
	}
	return v, err
}

func (e oddEngine) Info(ctx context.Context) (system.Info, error) {
	i, err := e.Reader.Info(ctx)
	if e.info != nil {
		e.info(&i)
	}
	return i, err
}

func (e oddEngine) ImageInspect(ctx context.Context, id string, options ...client.ImageInspectOption) (image.InspectResponse, error) {
	if e.image != nil {
		return image.InspectResponse{}, e.image
	}
	return e.Reader.ImageInspect(ctx, id, options...)
}

func (e oddEngine) NetworkList(ctx context.Context, o network.ListOptions) ([]network.Summary, error) {
	if e.network != nil {
		return nil, e.network
	}
	return e.Reader.NetworkList(ctx, o)
}

func collect(t *testing.T, r Reader, o Options) *Host {
	t.Helper()
	h, err := Collect(context.Background(), r, o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// hasProblem reports whether a problem of a subject contains a text.
func hasProblem(h *Host, subject, text string, fatal bool) bool {
	for _, p := range h.Problems {
		if p.Subject == subject && strings.Contains(p.Reason, text) && p.Fatal == fatal {
			return true
		}
	}
	return false
}

func TestRemoteEngine(t *testing.T) {
	for endpoint, want := range map[string]string{
		"tcp://10.0.0.1:2376": "the engine is reached over tcp", "ssh://root@h": "over ssh", "unix:///no/such.sock": "cannot connect to /no/such.sock",
	} {
		h := collect(t, recordedEngine{t: t, dir: recordedDir}, Options{Endpoint: endpoint})
		if h.Engine.Local || !hasProblem(h, "daemon", want, true) || h.Identity.Endpoint != endpoint || h.Identity.MachineID != "" {
			t.Errorf("%s: %v %+v", endpoint, h.Problems, h.Identity)
		}
		c := must(t, h, "plain")
		if len(h.Containers) != 12 || c.Proc != nil || !strings.Contains(c.ProcProblem, want) || c.UsageProblem == "" || c.LayerProblem == "" {
			t.Errorf("%s: %+v", endpoint, c)
		}
		if created := must(t, h, "privileged"); created.ProcProblem != "" || created.LayerProblem == "" {
			t.Errorf("a container that does not run: %q %q", created.ProcProblem, created.LayerProblem)
		}
		if _, ok := h.Basis(plan.Daemon()); ok {
			t.Error("an engine out of sight has a basis")
		}
	}
}

func TestOtherProducts(t *testing.T) {
	engine := recordedEngine{t: t, dir: recordedDir}
	podman := collect(t, oddEngine{Reader: engine, version: func(v *types.Version) {
		v.Components = []types.ComponentVersion{{Name: "Podman Engine", Version: "4.3.1"}}
	}}, Options{})
	if podman.Engine.Product != "podman" || podman.Engine.Local || !hasProblem(podman, "daemon", "the engine is podman", true) || !strings.HasPrefix(podman.Identity.Summary, "podman, ") {
		t.Errorf("%+v %v", podman.Engine, podman.Problems)
	}
	desktop := collect(t, oddEngine{Reader: engine, info: func(i *system.Info) { i.OperatingSystem = "Docker Desktop" }}, Options{})
	if !hasProblem(desktop, "daemon", "the engine is Docker Desktop", true) {
		t.Errorf("%v", desktop.Problems)
	}
	other := collect(t, oddEngine{Reader: engine, version: func(v *types.Version) { v.Platform.Name = "Mirantis Container Runtime" }}, Options{})
	community := collect(t, oddEngine{Reader: engine, version: func(v *types.Version) { v.Platform.Name = "Docker Engine - Community" }}, Options{})
	if other.Engine.Product != "Mirantis Container Runtime" || community.Engine.Product != "docker" {
		t.Errorf("%q %q", other.Engine.Product, community.Engine.Product)
	}
}

func TestEngineFromAnswers(t *testing.T) {
	_, loopback, _ := net.ParseCIDR("127.0.0.0/8")
	_, lan, _ := net.ParseCIDR("10.0.0.0/8")
	h := collect(t, oddEngine{Reader: recordedEngine{t: t, dir: recordedDir}, network: errors.New("boom"), info: func(i *system.Info) {
		i.SecurityOptions = []string{"name=apparmor", "name=seccomp,profile=builtin", "name=selinux", "name=rootless", "name=userns", "name=cgroupns"}
		i.LiveRestoreEnabled, i.CgroupVersion = true, "2"
		i.Plugins.Authorization = []string{"opa", "second"}
		i.Swarm.ControlAvailable, i.Swarm.Cluster = true, new(swarm.ClusterInfo)
		i.Swarm.Cluster.Spec.EncryptionConfig.AutoLockManagers, i.Swarm.Cluster.Spec.CAConfig.NodeCertExpiry = true, time.Hour
		i.RegistryConfig = &registry.ServiceConfig{
			InsecureRegistryCIDRs: []*registry.NetIPNet{(*registry.NetIPNet)(loopback), (*registry.NetIPNet)(lan)},
			IndexConfigs:          map[string]*registry.IndexInfo{"r:5000": {}, "docker.io": {Secure: true}},
		}
	}}, Options{})
	e := h.Engine
	if !e.AppArmor || !e.SELinux || !e.Seccomp || !e.Rootless || !e.UsernsRemap || strings.Join(e.InsecureRegistries, " ") != "10.0.0.0/8 r:5000" ||
		strings.Join(e.Authorization, " ") != "opa second" || e.Cluster == nil || !e.Cluster.AutoLock || e.Cluster.CertExpiry != time.Hour {
		t.Errorf("%+v", e)
	}
	if h.Identity.Summary != "rootless, user namespaces, cgroup v2, live-restore on" {
		t.Errorf("%q", h.Identity.Summary)
	}
	if e.Bridge != nil || !hasProblem(h, "daemon", "cannot list networks: boom", false) {
		t.Errorf("%v %v", e.Bridge, h.Problems)
	}
}

func TestUnreachableEngine(t *testing.T) {
	c, err := client.NewClientWithOpts(client.WithHost("unix:///no/such.sock"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Collect(context.Background(), c, Options{}); err == nil || !strings.Contains(err.Error(), "cannot reach the engine at unix:///no/such.sock") {
		t.Error(err)
	}
}

func TestContainersThatGoAway(t *testing.T) {
	h := host.Here(t)
	ref, c := h.Image(t, "busybox"), h.Client(t)
	for _, name := range []string{"stays", "leaves", "breaks"} {
		h.Docker(t, "run", "-d", "--name", name, ref, "sleep", "100000")
	}
	leaves, breaks := h.Docker(t, "inspect", "-f", "{{.Id}}", "leaves"), h.Docker(t, "inspect", "-f", "{{.Id}}", "breaks")
	found := collect(t, oddEngine{Reader: c, image: errors.New("no image for you"), inspect: func(id string) error {
		switch id {
		case leaves:
			h.Docker(t, "rm", "-f", "leaves")
		case breaks:
			return errors.New("internal server error")
		}
		return nil
	}}, Options{})
	if len(found.Containers) != 2 || found.Find("leaves") != nil || !hasProblem(found, "container/leaves", "was removed while", false) {
		t.Errorf("%v", found.Problems)
	}
	broken := must(t, found, "breaks")
	if broken.Problem != "cannot inspect: internal server error" || broken.ID != breaks || broken.Raw != nil || !hasProblem(found, "container/breaks", "internal server error", false) {
		t.Errorf("%+v", broken)
	}
	if _, ok := found.Basis(broken.Resource()); ok {
		t.Error("a container that could not be inspected has a basis")
	}
	if id := must(t, found, "stays").Inspect.Image; !hasProblem(found, "image/"+id, "no image for you", false) {
		t.Errorf("%v", found.Problems)
	}
}

func TestRestartingContainer(t *testing.T) {
	c := collector{}
	o := &observed{}
	o.container.Inspect.State.Running, o.container.Inspect.State.Restarting = true, true
	c.observe(o)
	if o.container.Proc != nil || !strings.Contains(o.container.ProcProblem, "being restarted") || o.container.UsageProblem == "" {
		t.Errorf("%+v", o.container)
	}
}

func TestCanceled(t *testing.T) {
	h := host.Here(t)
	h.Docker(t, "run", "-d", "--name", "one", h.Image(t, "busybox"), "sleep", "100000")
	ctx, cancel := context.WithCancel(context.Background())
	r := oddEngine{Reader: h.Client(t), inspect: func(string) error { cancel(); return ctx.Err() }}
	if _, err := Collect(ctx, r, Options{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	r = oddEngine{Reader: h.Client(t), inspect: func(string) error { cancel(); return nil }}
	if _, err := Collect(ctx, r, Options{Samples: 100, Interval: 1 << 40}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestOrdinaryUser observes as a user who may use the socket but not look into the engine.
func TestOrdinaryUser(t *testing.T) {
	h := host.Here(t)
	h.Docker(t, "run", "-d", "--name", "one", h.Image(t, "busybox"), "sleep", "100000")
	if os.Getenv("INVENTORY_AS_NOBODY") != "" {
		t.Fatal("unreachable")
	}
	info, err := os.Stat("/run/docker.sock")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for d := dir; d != "/" && d != "/tmp"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "self")
	if err := os.WriteFile(program, self, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.run=^TestAsNobody$", "-test.v")
	cmd.Dir, cmd.Env = "/", append(os.Environ(), "INVENTORY_AS_NOBODY=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: info.Sys().(*syscall.Stat_t).Gid}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, text, _ := strings.Cut(string(out), "BEGIN")
	text, _, _ = strings.Cut(text, "END")
	var seen Host
	if err := json.Unmarshal([]byte(text), &seen); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if seen.Engine.Local || !hasProblem(&seen, "daemon", "run docker-harden as root", true) {
		t.Errorf("%v", seen.Problems)
	}
	if c := must(t, &seen, "one"); !strings.Contains(c.ProcProblem, "as root") || !strings.Contains(c.LayerProblem, "as root") || c.Proc != nil {
		t.Errorf("%+v", c)
	}
}

// TestAsNobody is the part of TestOrdinaryUser that runs without privileges.
func TestAsNobody(t *testing.T) {
	if os.Getenv("INVENTORY_AS_NOBODY") == "" {
		return // nothing to show on its own
	}
	c, err := client.NewClientWithOpts(client.WithHost("unix:///run/docker.sock"), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	out, err := json.Marshal(collect(t, c, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("BEGIN", string(out), "END")
}
