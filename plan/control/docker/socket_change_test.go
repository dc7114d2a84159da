package docker

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// A plan may give the engine's socket only what a control would give it, and only where docker.socket makes it.
func TestSocketChangesAreThoseOfControls(t *testing.T) {
	const socket = "/run/docker.sock"
	unit := inventory.SocketMaker{Unit: dockerSocketUnit, User: "root", Group: "docker", Mode: "0666", Is: "docker", Docker: true, DockerGID: 998}
	host := func(m inventory.SocketMaker, role inventory.FileRole) *inventory.Host {
		h := ordinaryHost()
		h.EngineFiles = []inventory.EngineFile{{Role: role, Path: "/var/run/docker.sock", Resolved: socket, Socket: &m}}
		h.Files[socket] = inventory.File{Path: socket, Exists: true, Type: inventory.TypeSocket, Mode: 0o666, GID: 998}
		return h
	}
	good := []plan.Change{
		unitChange(settingSocketMode, "0666", "0660"), unitChange(settingSocketMode, "0644", "0600"), unitChange(settingSocketUser, "bob", "root"),
		unitChange(settingSocketGroup, "bob", "docker"), socketChange(settingMode, "0666", "0660"), socketChange(settingOwner, "1:1", "0:998"), socketChange(settingOwner, "1:1", "0:0"),
	}
	other, own := unit, unit
	other.Unit, own.Unit = "snap.docker.socket", ""
	for _, c := range good {
		if !ChangesFile(host(unit, inventory.RoleEngineSocket), socket, c) {
			t.Errorf("a plan with %s %s -> %s would be refused", c.Path, c.From, c.To)
		}
		for name, h := range map[string]*inventory.Host{
			"of another unit": host(other, inventory.RoleEngineSocket), "of the engine's own": host(own, inventory.RoleEngineSocket), "of containerd's": host(unit, inventory.RoleContainerdSocket),
		} {
			if ChangesFile(h, socket, c) {
				t.Errorf("%s: %s %s -> %s may be changed", name, c.Path, c.From, c.To)
			}
		}
		if ChangesFile(host(unit, inventory.RoleEngineSocket), "/etc/shadow", c) {
			t.Errorf("%s of another file may be changed", c.Path)
		}
		c.Kind = plan.KindFile
		if ChangesFile(host(unit, inventory.RoleEngineSocket), socket, c) {
			t.Errorf("%s may be changed as that of a plain file", c.Path)
		}
	}
	for _, c := range []plan.Change{
		unitChange(settingSocketMode, "0660", "0666"), unitChange(settingSocketMode, "0666", "0600"), unitChange(settingSocketMode, "0666", "0660\nSocketUser=bob"),
		unitChange(settingSocketUser, "root", "bob"), unitChange(settingSocketGroup, "docker", "staff"), unitChange(settingSocketGroup, "docker", "root"),
		socketChange(settingMode, "0660", "0777"), socketChange(settingOwner, "0:998", "0:50"), socketChange(settingOwner, "0:998", "1000:998"),
		unitChange("ExecStartPre", "", "/bin/sh"), socketChange("SocketMode", "x", "0660"),
	} {
		if ChangesFile(host(unit, inventory.RoleEngineSocket), socket, c) {
			t.Errorf("%s %s -> %s may be changed", c.Path, c.From, c.To)
		}
	}
	file := socketChange(settingMode, "0666", "0644")
	h := ordinaryHost()
	h.Daemon.Config.Exists, h.Files[h.Daemon.Resolved] = true, inventory.File{Path: h.Daemon.Resolved, Exists: true, Mode: 0o666}
	if ChangesFile(h, h.Daemon.Resolved, file) {
		t.Error("a plain file may be changed as a socket")
	}
}

// Both controls of the socket make one step, and each asks for its own part alone.
func TestOneStepForTheSocket(t *testing.T) {
	for name, want := range map[string]string{
		"docker-sock-mode":  `S host/run/docker.sock: SocketMode "0666" -> "0660", mode "0666" -> "0660"` + "\n",
		"docker-sock-owner": `S host/run/docker.sock: SocketUser "bob" -> "root", owner "1000:998" -> "0:998"` + "\n",
	} {
		found := false
		for _, s := range scenes(t, filepath.Join(fixtures, name+".txtar")) {
			if s.name != "fail-unit" && s.name != "fail-unit-user" {
				continue
			}
			found = true
			s.profile = []byte("controls:\n  docker/docker-sock-mode: {}\n  docker/docker-sock-owner: {}\n")
			p, err := plan.Build(plan.Input{Findings: s.findings(t), Made: now, Basis: func(plan.Resource) (plan.Basis, bool) { return plan.Basis{}, true }})
			if err != nil || p.String() != want {
				t.Errorf("%s: %v, got\n%swant\n%s", name, err, p, want)
			}
			if got := p.Steps[0]; got.Kind != plan.KindSocket || got.Effect.Text != "no service is touched, systemd reads its units again" {
				t.Errorf("%+v", got)
			}
		}
		if !found {
			t.Errorf("%s has no such scene", name)
		}
	}
}

// A change of the socket's unit has systemd read its units, and the plan names the containers whose swap limit that
// lifts: those that run and may not swap, where systemd keeps control groups of version 2.
func TestSwapLimitsThatAReloadLifts(t *testing.T) {
	const socket = "/run/docker.sock"
	h := ordinaryHost()
	limited := func(name string, memory, swap int64) inventory.Container {
		c := ordinaryContainer(name)
		c.Inspect.HostConfig.Memory, c.Inspect.HostConfig.MemorySwap = memory, swap
		return c
	}
	stopped := limited("stopped", 64*mib, 64*mib)
	stopped.Inspect.State.Running = false
	h.Containers = []inventory.Container{limited("none", 0, 0), limited("more", 64*mib, 128*mib), limited("any", 64*mib, -1), stopped, limited("closed", 64*mib, 64*mib)}
	h.EngineFiles = []inventory.EngineFile{{Role: inventory.RoleEngineSocket, Path: socket, Resolved: socket, Socket: &inventory.SocketMaker{Unit: dockerSocketUnit, User: "root", Group: "docker", Mode: "0666", Is: "docker", Docker: true, DockerGID: 998}}}
	h.Files[socket] = inventory.File{Path: socket, Exists: true, Type: inventory.TypeSocket, Mode: 0o666, GID: 998}
	for _, tc := range []struct {
		version, driver, next string
		note                  bool
	}{
		{"2", "systemd", "0666", true},
		{"2", "systemd", "0660", false}, // systemd has nothing to read
		{"2", "cgroupfs", "0666", false},
		{"1", "systemd", "0666", false},
	} {
		h.Engine.CgroupVersion, h.Engine.CgroupDriver, h.EngineFiles[0].Socket.Mode = tc.version, tc.driver, tc.next
		f := judgeFiles(h, dockerSock(), judgeSocketMode)[0]
		said := slices.ContainsFunc(f.Notes, func(note string) bool {
			return strings.Contains(note, "lifts the swap limit of closed until docker update or a restart sets it again")
		})
		if len(f.Changes) == 0 || said != tc.note {
			t.Errorf("%+v: %d changes, notes %q", tc, len(f.Changes), f.Notes)
		}
	}
}
