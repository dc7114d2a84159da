package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
)

func observe(t testing.TB, h *host.Host) *Host {
	t.Helper()
	found, err := Collect(context.Background(), h.Client(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// must finds a container or ends the test.
func must(t testing.TB, h *Host, name string) *Container {
	t.Helper()
	c := h.Find(name)
	if c == nil {
		t.Fatalf("no container %s in %d containers", name, len(h.Containers))
	}
	return c
}

func TestCollect(t *testing.T) {
	h := host.Here(t)
	mixed(t, h)
	time.Sleep(1500 * time.Millisecond) // the health check of one container runs
	if *update {
		record(t, h)
	}
	found := observe(t, h)
	if len(found.Problems) != 0 {
		t.Errorf("problems %v", found.Problems)
	}
	t.Run("engine", func(t *testing.T) { checkEngine(t, found) })
	t.Run("containers", func(t *testing.T) { checkContainers(t, found) })
	t.Run("processes", func(t *testing.T) { checkProcesses(t, found) })
	t.Run("layers", func(t *testing.T) { checkLayers(t, found) })
	t.Run("usage", func(t *testing.T) { checkUsage(t, h, found) })
	t.Run("decoding twice", func(t *testing.T) { checkDecoding(t, found) })
}

func checkEngine(t *testing.T, h *Host) {
	e, d := h.Engine, h.Daemon
	if !e.Local || e.Product != "docker" || !strings.HasPrefix(e.Version, "20.") || e.API == "" || e.MaxAPI == "" || e.Kernel == "" || e.RootDir != "/var/lib/docker" {
		t.Errorf("%+v", e)
	}
	if !slices.IsSorted(e.Runtimes) || !slices.Contains(e.Runtimes, "runc") || e.Bridge["com.docker.network.bridge.enable_icc"] != "true" || e.Swarm != "inactive" {
		t.Errorf("%+v", e)
	}
	if h.Identity.EngineID == "" || h.Identity.Name == "" || !strings.Contains(h.Identity.Summary, "live-restore off") || !strings.HasPrefix(h.Identity.Endpoint, "unix://") {
		t.Errorf("%+v", h.Identity)
	}
	if d.PID <= 1 || d.Exe != "/usr/sbin/dockerd" || d.ExeDeleted || d.Manager != "bare" || d.ConfigPath != "/etc/docker/daemon.json" || d.ConfigExplicit || d.Pending || d.ParseError != "" {
		t.Errorf("%+v", d)
	}
	if d.ProxyProcesses != 1 || time.Since(d.Started) > 10*time.Minute || time.Since(d.Started) < 0 || !slices.Equal(d.Argv, d.NextArgv) {
		t.Errorf("%+v", d)
	}
	docker0, front := h.SubnetsOf(DefaultBridge), h.SubnetsOf("front")
	if len(docker0) != 1 || !slices.Equal(front, []string{"10.88.1.0/24"}) || !slices.Equal(must(t, h, "plain").Proc.Subnets, docker0) ||
		!slices.Contains(must(t, h, "nets").Proc.Subnets, front[0]) {
		t.Errorf("networks %+v, plain is connected to %v, nets to %v", h.Networks, must(t, h, "plain").Proc.Subnets, must(t, h, "nets").Proc.Subnets)
	}
	file, ok := h.Files["/etc/docker/daemon.json"]
	if !ok || !file.Exists || file.UID != 0 || file != d.Config || unixMode(file.Mode) != 0o644 || file.SHA256 == "" {
		t.Errorf("%+v", file)
	}
}

func checkContainers(t *testing.T, h *Host) {
	if !slices.IsSortedFunc(h.Containers, func(a, b Container) int { return strings.Compare(a.Name, b.Name) }) || len(h.Containers) != 12 {
		t.Errorf("%d containers, not sorted", len(h.Containers))
	}
	for name, want := range map[string]Owner{
		"plain": {}, "shop_web_1": {OwnedByCompose, "shop/web"}, "task": {OwnedBySwarm, "api"}, "k8s_app_pod-1_prod_uid_0": {OwnedByKubernetes, "prod/pod-1"},
	} {
		if c := must(t, h, name); c.Owner != want {
			t.Errorf("%s is owned by %v, want %v", name, c.Owner, want)
		}
	}
	for _, c := range h.Containers {
		image, ok := h.Images[c.Inspect.Image]
		if !ok || image.Missing || len(image.RepoTags) == 0 || len(image.Raw) == 0 {
			t.Errorf("%s: image %+v", c.Name, image)
		}
		if c.Inspect.State.Status == "created" && (c.Running() || c.Proc != nil || c.Usage != nil || c.ProcProblem != "") {
			t.Errorf("%s was never started: %+v", c.Name, c.Proc)
		}
	}
	var places []string
	for _, m := range must(t, h, "volumes").Inspect.Mounts {
		places = append(places, m.Destination)
	}
	if diff := cmp.Diff([]string{"/anonymous", "/opt/config/name", "/srv/named"}, places); diff != "" {
		t.Error(diff)
	}
	if p := must(t, h, "privileged").Inspect; !p.HostConfig.Privileged || p.State.Status != "created" {
		t.Errorf("%+v", p.HostConfig)
	}
}

func checkProcesses(t *testing.T, h *Host) {
	const dockerDefault = 0xa80425fb
	for _, tc := range []struct {
		name, shared string
		caps         uint64
		uid          int
		nnp, ro      bool
		memory, pids int64
		shares       int64
	}{
		{"plain", "user", dockerDefault, 0, false, false, -1, -1, 1024},
		{"limited", "user", dockerDefault, 0, false, false, 64 << 20, 50, 512},
		{"strict", "user", 0, 1000, true, true, -1, -1, 1024},
		{"hostly", "ipc net pid user uts", dockerDefault, 0, false, false, -1, -1, 1024},
	} {
		c := must(t, h, tc.name)
		if c.Proc == nil {
			t.Errorf("%s: %s", tc.name, c.ProcProblem)
			continue
		}
		p := c.Proc
		shared := slices.Sorted(slices.Values(p.SharedNamespaces))
		if strings.Join(shared, " ") != tc.shared || p.Init.CapEff != tc.caps || p.Init.UID != tc.uid || p.Init.NoNewPrivs != tc.nnp || p.ReadOnlyRoot != tc.ro || p.Init.Seccomp != 2 || p.Init.PID != c.Inspect.State.PID {
			t.Errorf("%s: %+v", tc.name, p)
		}
		if *p.MemoryLimit != tc.memory || *p.PidsLimit != tc.pids || *p.CPUShares != tc.shares {
			t.Errorf("%s: limits %d %d %d", tc.name, *p.MemoryLimit, *p.PidsLimit, *p.CPUShares)
		}
		if p.Init.Exe != "/bin/busybox" || p.Init.ExeProblem != "" || p.Init.Setuid || p.Init.FileCaps {
			t.Errorf("%s: %+v", tc.name, p.Init)
		}
	}
	if all := must(t, h, "volumes").Proc.All; len(all) != 2 || all[0].PID >= all[1].PID {
		t.Errorf("the container with an init has %+v", all)
	}
}

func checkLayers(t *testing.T, h *Host) {
	for _, c := range h.Containers {
		if c.Layer == nil {
			t.Errorf("%s: %s", c.Name, c.LayerProblem)
			continue
		}
		want := &Layer{}
		if c.Name == "written" {
			want = &Layer{Files: 3, Bytes: 6, Paths: []string{"/bin/wget", "/srv/data/empty", "/srv/data/file"}}
		}
		if diff := cmp.Diff(want, c.Layer); diff != "" {
			t.Errorf("%s: -want +got:\n%s", c.Name, diff)
		}
	}
}

func checkUsage(t *testing.T, h *host.Host, once *Host) {
	u := must(t, once, "plain").Usage
	if u == nil || u.Samples != 1 || u.Window != 0 || u.WorkingSet <= 0 || u.Peak < u.WorkingSet || u.Pids != 1 || u.Uptime <= time.Second || u.OOMKills != 0 {
		t.Errorf("%+v", u)
	}
	start := time.Now()
	found, err := Collect(context.Background(), h.Client(t), Options{Samples: 3, Interval: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if u := must(t, found, "plain").Usage; u.Samples != 3 || u.Window < 200*time.Millisecond || u.Window > time.Since(start) {
		t.Errorf("%+v", u)
	}
}

// checkDecoding compares the two ways to fill Inspect.
func checkDecoding(t *testing.T, h *Host) {
	for _, c := range h.Containers {
		again := Container{Raw: c.Raw}
		if err := again.decode(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(again.Inspect, c.Inspect); diff != "" || again.ID != c.ID || again.Name != c.Name {
			t.Errorf("%s: -from bytes +from the client:\n%s", c.Name, diff)
		}
	}
}

func TestBasisIgnoresRunState(t *testing.T) {
	h := host.Here(t)
	mixed(t, h)
	before := observe(t, h)
	for _, name := range []string{"plain", "limited", "strict", "hostly", "nets", "volumes", "written", "secret"} {
		h.Docker(t, "restart", "-t", "0", name)
	}
	h.Docker(t, "stop", "-t", "0", "nets", "volumes")
	after := observe(t, h)
	for i := range before.Containers {
		r := before.Containers[i].Resource()
		a, ok := before.Basis(r)
		b, still := after.Basis(r)
		if !ok || !still || len(a) < 15 {
			t.Fatalf("%s: %d fields", r, len(a))
		}
		if moved := a.Moved(b); len(moved) != 0 {
			t.Errorf("%s: %v moved by a restart", r, moved)
		}
	}
	h.Docker(t, "update", "--memory", "32m", "--memory-swap", "32m", "plain")
	h.Docker(t, "rename", "strict", "stricter")
	h.Docker(t, "network", "disconnect", "back", "nets")
	changed := observe(t, h)
	for name, want := range map[string]string{"plain": "HostConfig.Memory HostConfig.MemorySwap", "strict": "Name", "nets": "Networks.back", "limited": ""} {
		r := must(t, before, name).Resource()
		a, _ := before.Basis(r)
		b, ok := changed.Basis(r)
		if got := strings.Join(a.Moved(b), " "); !ok || got != want {
			t.Errorf("%s: moved %q, want %q", name, got, want)
		}
	}
}

func TestBasisHasNoSecrets(t *testing.T) {
	h := observeRecorded(t)
	for i := range h.Containers {
		basis, ok := h.Basis(h.Containers[i].Resource())
		if !ok {
			t.Fatal(h.Containers[i].Name)
		}
		if text := fmt.Sprint(basis); strings.Contains(text, "hunter2") {
			t.Errorf("%s: %s", h.Containers[i].Name, text)
		}
	}
	a := &Container{ID: "a", Raw: json.RawMessage(`{"Config":{"Env":["X=1"]}}`)}
	b := &Container{ID: "b", Raw: a.Raw}
	x, _ := a.basis()
	y, _ := b.basis()
	if x["Config.Env"] == "" || x["Config.Env"] == y["Config.Env"] {
		t.Errorf("equal values of two containers show: %v %v", x, y)
	}
}

func TestBasisOf(t *testing.T) {
	h := &Host{Files: map[string]File{"/a": {Path: "/a", Exists: true, Mode: 0o600}, "/b": {Path: "/b"}}}
	for _, tc := range []struct {
		r    plan.Resource
		want string
	}{
		{plan.File("/a"), "map[exists:true gid:0 mode:0600 uid:0]"},
		{plan.File("/b"), "map[exists:false]"},
		{plan.File("/c"), ""},
		{plan.Daemon(), ""},
		{plan.Container("x", ""), ""},
	} {
		basis, ok := h.Basis(tc.r)
		if ok != (tc.want != "") || ok && fmt.Sprint(basis) != tc.want {
			t.Errorf("%s: %v %v", tc.r, basis, ok)
		}
	}
	h.Engine.Local = true
	h.Daemon = Daemon{ConfigPath: "/c", Config: File{Exists: true, SHA256: "x"}, NextArgv: []string{"dockerd", "--label=secret"}}
	one, ok := h.Basis(plan.Daemon())
	h.Daemon.NextArgv = h.Daemon.NextArgv[:1]
	h.Daemon.Config.Exists = false
	two, _ := h.Basis(plan.Daemon())
	if moved := strings.Join(one.Moved(two), " "); !ok || moved != "content next argv" || strings.Contains(fmt.Sprint(one), "secret") {
		t.Errorf("%v %v: %s", one, two, moved)
	}
}

func TestFind(t *testing.T) {
	h := &Host{Containers: []Container{{Name: "a", ID: "aaaa1111"}, {Name: "b", ID: "aaaa2222"}, {Name: "aaaa1", ID: "cccc"}}}
	for name, want := range map[string]string{"a": "a", "/b": "b", "aaaa1": "aaaa1", "aaaa11": "a", "aaaa2222": "b", "aaaa": "", "cc": "", "": "", "x": ""} {
		got := ""
		if c := h.Find(name); c != nil {
			got = c.Name
		}
		if got != want {
			t.Errorf("Find(%q) = %q, want %q", name, got, want)
		}
	}
}
