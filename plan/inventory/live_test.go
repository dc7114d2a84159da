package inventory

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
)

func TestProcessesOfOddContainers(t *testing.T) {
	h := host.Here(t)
	image := h.Image(t, "busybox")
	h.Docker(t, "run", "-d", "--name", "parent", "--cgroup-parent", "/custom/deep", "-m", "32m", image, "sleep", "100000")
	h.Docker(t, "run", "-d", "--name", "paused", image, "sleep", "100000")
	h.Docker(t, "pause", "paused")
	h.Docker(t, "run", "-d", "--name", "busy", "--cgroupns", "private", image, "sleep", "100000")
	h.Docker(t, "exec", "-d", "--user", "1000", "busy", "sleep", "100001")
	h.Docker(t, "exec", "-d", "busy", "sh", "-c", "sleep 100002 & sleep 100003")
	waitFor(t, func() bool { return len(must(t, observe(t, h), "busy").Proc.All) >= 4 })
	found := observe(t, h)
	if p := must(t, found, "parent").Proc; p == nil || *p.MemoryLimit != 32<<20 || len(p.All) != 1 {
		t.Errorf("own cgroup parent: %+v %s", p, must(t, found, "parent").ProcProblem)
	}
	if c := must(t, found, "paused"); c.Proc == nil || !c.Running() || c.Usage == nil {
		t.Errorf("paused: %s", c.ProcProblem)
	}
	busy := must(t, found, "busy").Proc
	if !slices.ContainsFunc(busy.All, func(p Process) bool { return p.UID == 1000 && p.CapEff == 0 }) {
		t.Errorf("what docker exec started is missing: %+v", busy.All)
	}
}

func TestOutOfMemory(t *testing.T) {
	h := host.Here(t)
	h.Docker(t, "run", "-d", "--name", "greedy", "-m", "16m", "--memory-swap", "16m", h.Image(t, "busybox"), "sh", "-c", "tail /dev/zero; sleep 100000")
	waitFor(t, func() bool {
		u := must(t, observe(t, h), "greedy").Usage
		return u != nil && u.OOMKills == 1
	})
	if u := must(t, observe(t, h), "greedy").Usage; u.Peak < 15<<20 || u.WorkingSet > 16<<20 {
		t.Errorf("%+v", u)
	}
}

func TestLinkedConfigOnHost(t *testing.T) {
	h := host.Here(t)
	real := "/etc/docker/real.json"
	if err := errors.Join(os.WriteFile(real, []byte("{\"icc\": false}\n"), 0o600), os.Chmod(real, 0o620), os.Chown(real, 12, 34),
		os.Remove("/etc/docker/daemon.json"), os.Symlink("real.json", "/etc/docker/daemon.json")); err != nil {
		t.Fatal(err)
	}
	h.Restart(t)
	found := observe(t, h)
	d := found.Daemon
	if d.ConfigPath != "/etc/docker/daemon.json" || d.Resolved != real || !slices.Equal(d.Links, []string{"/etc/docker/daemon.json"}) || string(d.Keys["icc"]) != "false" || d.Pending {
		t.Errorf("%+v", d)
	}
	file := found.Files[real]
	if file.UID != 12 || file.GID != 34 || unixMode(file.Mode) != 0o620 {
		t.Errorf("%+v", file)
	}
	before, ok := found.Basis(plan.File(real))
	if err := os.Chmod(real, 0o644); !ok || err != nil {
		t.Fatal(err)
	}
	found = observe(t, h)
	after, _ := found.Basis(plan.File(real))
	if moved := strings.Join(before.Moved(after), " "); moved != "mode" {
		t.Errorf("moved %q", moved)
	}
	if found.Daemon.Pending && time.Since(d.Started) < changeTolerance {
		t.Error("a change within the tolerance is pending")
	}
}

func TestEngineThatFails(t *testing.T) {
	for fails, want := range map[string]string{
		"ping.json": "cannot reach the engine at tcp://recorded:2375", "list.json": "cannot list containers", "info.json": "cannot read the engine's information", "version.json": "cannot read the engine's version",
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(recordedDir)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/"+fails, []byte("{"), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Collect(context.Background(), recordedEngine{t: t, dir: dir}, Options{})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %q", fails, err, want)
		}
	}
}

func TestStartTime(t *testing.T) {
	root := tree(t, map[string]string{"/proc/stat": "cpu 1\nbtime 1700000000\n"})
	at, err := root.started(process{start: 12345})
	if err != nil || !at.Equal(time.Unix(1700000123, 450_000_000)) {
		t.Errorf("%v %v", at, err)
	}
	for _, text := range []string{"cpu 1\n", "btime x\n"} {
		if _, err := tree(t, map[string]string{"/proc/stat": text}).started(process{}); err == nil {
			t.Errorf("%q has a boot time", text)
		}
	}
	self, err := hostRoot("").process(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	at, err = hostRoot("").started(self)
	if age := time.Since(at); err != nil || age < 0 || age > time.Hour || os.Getppid() != self.parent {
		t.Errorf("this process is %v old, %v", age, err)
	}
}

func TestChosenOfEndpoint(t *testing.T) {
	c := &Container{ID: id64}
	c.Inspect.Config.Hostname = "web"
	for _, tc := range []struct {
		name string
		a, b endpoint
		same bool
	}{
		{"aliases the engine adds", endpoint{Aliases: []string{"api", id64[:12], "web"}}, endpoint{Aliases: []string{"api"}}, true},
		{"order", endpoint{Aliases: []string{"b", "a", "a"}, Links: []string{"y", "x"}}, endpoint{Aliases: []string{"a", "b"}, Links: []string{"x", "y"}}, true},
		{"empty and null", endpoint{IPAMConfig: map[string]any{}, DriverOpts: map[string]any{}, GwPriority: "0"}, endpoint{}, true},
		{"an alias more", endpoint{Aliases: []string{"api", "db"}}, endpoint{Aliases: []string{"api"}}, false},
		{"an address", endpoint{IPAMConfig: map[string]any{"IPv4Address": "10.0.0.1"}}, endpoint{}, false},
		{"priority", endpoint{GwPriority: "5"}, endpoint{}, false},
	} {
		if same := string(jsonOf(tc.a.chosen(c))) == string(jsonOf(tc.b.chosen(c))); same != tc.same {
			t.Errorf("%s: equal is %v", tc.name, same)
		}
	}
}

func TestIncompleteAnswer(t *testing.T) {
	c := &Container{Raw: []byte(`{"Id":"a","Name":"/b","State":{"Status":"exited"},"HostConfig":null}`)}
	if _, err := c.walk(); err != nil || c.Name != "b" || c.Inspect.State.Status != "exited" {
		t.Errorf("%+v %v", c, err)
	}
	for _, raw := range []string{"{}", `{"Id":"a"}`, "x", `{"Id":"a","Name":"/b","State":7}`} {
		c := &Container{Raw: []byte(raw)}
		if _, err := c.walk(); err == nil || !strings.Contains(err.Error(), "cannot read the engine's answer") {
			t.Errorf("%s: %v", raw, err)
		}
	}
}
