package inventory

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
)

// TestFromOutside observes a host through /proc/PID/root: its pids, files and control groups are
// not those of this process.
func TestFromOutside(t *testing.T) {
	h := host.Start(t)
	image := h.Image(t, "busybox")
	h.Docker(t, "run", "-d", "--name", "web", "--init", "-m", "64m", "--pids-limit", "50", "-p", "127.0.0.1:18082:80", image, "sh", "-c", "echo x > /written; exec sleep 100000")
	h.Docker(t, "run", "-d", "--name", "hostly", "--network", "host", "--pid", "host", image, "sleep", "100000")
	root := strings.TrimSuffix(h.Path("/"), "/")
	found := collect(t, h.Client(t), Options{Root: root, Endpoint: h.Socket()})
	if !found.Engine.Local || len(found.Problems) != 0 {
		t.Fatalf("%v", found.Problems)
	}
	inside := strings.Fields(h.Exec(t, "sh", "-c", "pidof dockerd; stat -c %i /etc/docker/daemon.json"))
	if d := found.Daemon; fmt.Sprint(d.PID) != inside[0] || d.Exe != "/usr/sbin/dockerd" || d.ProxyProcesses != 1 || d.Manager != "bare" || !d.Config.Exists || len(d.Argv) == 0 {
		t.Errorf("%+v, want pid %s", d, inside[0])
	}
	web := must(t, found, "web")
	if web.Proc == nil || web.Usage == nil || web.Layer == nil {
		t.Fatalf("%+v", web)
	}
	if len(web.Proc.All) != 2 || web.Proc.Init.PID != web.Inspect.State.PID || *web.Proc.MemoryLimit != 64<<20 || *web.Proc.PidsLimit != 50 {
		t.Errorf("%+v", web.Proc)
	}
	if web.Usage.Pids != 2 || web.Usage.WorkingSet <= 0 || !slices.Equal(web.Layer.Paths, []string{"/written"}) {
		t.Errorf("%+v %+v", web.Usage, web.Layer)
	}
	if got := slices.Sorted(slices.Values(must(t, found, "hostly").Proc.SharedNamespaces)); strings.Join(got, " ") != "net pid user" {
		t.Errorf("%v", got)
	}
	proc, err := ReadProc(root, web.Inspect.State.PID)
	if err != nil {
		t.Fatal(err)
	}
	if e := web.Proc.Entry; e == nil || e.Path != "/bin/sh" || e.Problem != "" {
		t.Errorf("it starts with %+v", e)
	}
	proc.Entry = web.Proc.Entry // one process does not tell
	if diff := cmp.Diff(web.Proc, proc); diff != "" {
		t.Errorf("ReadProc differs from Collect:\n%s", diff)
	}
}

func TestPrograms(t *testing.T) {
	h := host.Here(t)
	for name, image := range map[string]string{"caps": "filecap", "none": "nonroot"} {
		h.Docker(t, "run", "-d", "--name", name, h.Image(t, image))
	}
	h.Docker(t, "run", "-d", "--name", "busy", h.Image(t, "busybox"), "sh", "-c", `cp /bin/busybox /tmp/sleep; chmod 6755 /tmp/sleep; /tmp/sleep 100000 &
		until [ "$(readlink /proc/$!/exe)" = /tmp/sleep ]; do :; done; rm /tmp/sleep; exec sleep 100000`)
	waitFor(t, func() bool { return len(must(t, observe(t, h), "busy").Proc.All) == 2 })
	found := observe(t, h)
	for _, p := range must(t, found, "busy").Proc.All {
		if wantSetuid := p.Exe == "/tmp/sleep"; p.Setuid != wantSetuid || p.ExeProblem != "" {
			t.Errorf("%+v", p)
		}
	}
	if c := must(t, found, "none").Proc; c.Init.UID != 65534 || c.Init.CapEff != 0 || c.Init.Setuid {
		t.Errorf("%+v", c.Init)
	}
	if c := must(t, found, "caps").Proc; !slices.ContainsFunc(c.All, func(p Process) bool { return p.FileCaps }) {
		t.Errorf("no process with file capabilities: %+v", c.All)
	}
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	const patience = time.Minute
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatalf("it did not happen within %s", patience)
}

func TestSystemdClients(t *testing.T) {
	const unit = "0::/system.slice/web.service\n"
	cmdline := func(args string) string { return strings.ReplaceAll(args, " ", "\x00") + "\x00" }
	root := tree(t, map[string]string{
		"/proc/10/stat": stat(10, "docker", 1), "/proc/10/cgroup": unit, "/proc/10/cmdline": cmdline("/usr/bin/docker run --rm --name web nginx"),
		"/proc/11/stat": stat(11, "docker", 1), "/proc/11/cgroup": "0::/system.slice/db.service\n", "/proc/11/cmdline": cmdline("docker -H unix:///x start -a db " + id64[:12]),
		"/proc/12/stat": stat(12, "docker", 1), "/proc/12/cgroup": "0::/user.slice/session-1.scope\n", "/proc/12/cmdline": cmdline("docker run --name=shell x"),
		"/proc/13/stat": stat(13, "docker", 1), "/proc/13/cgroup": "0::/system.slice/eq.service\n", "/proc/13/cmdline": cmdline("docker run --name=eq x web2"),
		"/proc/14/stat": stat(14, "vim", 1), "/proc/14/cgroup": unit, "/proc/14/cmdline": cmdline("vim run --name vim"),
		"/proc/15/stat": stat(15, "docker", 1), "/proc/15/cgroup": unit, "/proc/15/cmdline": cmdline("docker logs -f logs"),
	})
	table, err := root.processes()
	if err != nil {
		t.Fatal(err)
	}
	clients := root.clients(table)
	for name, want := range map[string]Owner{
		"web": {OwnedBySystemd, "web.service"}, "db": {OwnedBySystemd, "db.service"}, "eq": {OwnedBySystemd, "eq.service"},
		"shell": {}, "web2": {}, "vim": {}, "logs": {}, "nginx": {},
	} {
		if got := ownerOf(&Container{Name: name, ID: strings.Repeat("9", 64)}, clients); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if got := ownerOf(&Container{Name: "by-id", ID: id64}, clients); got.Name != "db.service" {
		t.Errorf("started by id: %v", got)
	}
}

func TestLayer(t *testing.T) {
	root := tree(t, map[string]string{
		"/up/etc/hosts": "", "/up/etc/resolv.conf": "", "/up/.dockerenv": "", "/up/dev/console": "", "/up/proc/": "", "/up/sys/": "",
		"/up/data/below-a-mount": "12345", "/up/opt/app/conf": "", "/up/work/dir/": "", "/up/tmpfs/x": "1",
		"/up/etc/passwd": "123", "/up/var/log/empty/": "", "/up/link": "-> /etc/shadow", "/up/opt/app/own": "1234567",
	})
	if err := unix.Mknod(root.join("/up/gone"), unix.S_IFCHR, 0); err != nil {
		t.Fatal(err)
	}
	c := &Container{}
	c.Inspect.GraphDriver.Data = map[string]string{"UpperDir": "/up"}
	c.Inspect.Mounts = []Mount{{Destination: "/data"}, {Destination: "/opt/app/conf"}}
	c.Inspect.HostConfig.Tmpfs = map[string]string{"/tmpfs/": ""}
	c.Inspect.Config.WorkingDir = "/work/dir"
	layer, err := readLayer(c, root)
	if err != nil {
		t.Fatal(err)
	}
	want := &Layer{Files: 5, Bytes: 10, Paths: []string{"/etc/passwd", "/gone", "/link", "/opt/app/own", "/var/log/empty"}}
	if diff := cmp.Diff(want, layer); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	c.Inspect.GraphDriver.Data["UpperDir"] = "/none"
	if _, err := readLayer(c, root); err == nil || !strings.Contains(err.Error(), "cannot list the writable layer: no such file") {
		t.Error(err)
	}
	c.Inspect.GraphDriver.Data, c.Inspect.GraphDriver.Name = nil, "btrfs"
	if _, err := readLayer(c, root); err == nil || !strings.Contains(err.Error(), "storage driver btrfs") {
		t.Error(err)
	}
}

func TestLayerOfRunningContainerWithoutGraphDriver(t *testing.T) {
	root := recorded(t, v2Mounts, v2Group, map[string]string{"/var/lib/docker/overlay2/x/diff/file": "abc"})
	c := &Container{}
	c.Inspect.State.Running, c.Inspect.State.PID = true, 100
	layer, err := readLayer(c, root)
	if err != nil || layer.Files != 1 || layer.Bytes != 3 {
		t.Errorf("%+v %v", layer, err)
	}
}

func TestHugeLayer(t *testing.T) {
	root := tree(t, map[string]string{"/up/z/": ""})
	for i := range maxLayerEntries {
		if err := os.Mkdir(fmt.Sprintf("%s/%d", root.join("/up/z"), i), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := &Container{}
	c.Inspect.GraphDriver.Data = map[string]string{"UpperDir": "/up"}
	layer, err := readLayer(c, root)
	if err != nil || !layer.Truncated || layer.Files > maxLayerEntries || layer.Files < maxLayerEntries-10 || len(layer.Paths) != maxLayerPaths {
		t.Errorf("%d files, truncated %v, %d paths, %v", layer.Files, layer.Truncated, len(layer.Paths), err)
	}
}

func TestMachineID(t *testing.T) {
	root := tree(t, map[string]string{"/etc/machine-id": "0123456789abcdef0123456789abcdef\n"})
	id := machineID(root)
	if len(id) != 64 || strings.Contains(id, "0123456789abcdef") || id != machineID(root) {
		t.Errorf("%q", id)
	}
	for _, text := range []string{"", "uninitialized\n"} {
		if id := machineID(tree(t, map[string]string{"/etc/machine-id": text})); id != "" {
			t.Errorf("%q: %q", text, id)
		}
	}
	if r := plan.Daemon(); basisKey(r) != "daemon" {
		t.Errorf("%q", basisKey(r))
	}
}
