package docker

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
)

// TestChangesSatisfy makes the changes that a fixture's findings ask for on a model of the host, as
// the engine and the kernel would take them, and judges again: nothing may be left to change, and
// each finding that was changed must pass or ask about the rest.
func TestChangesSatisfy(t *testing.T) {
	for _, c := range Controls() {
		for _, s := range scenes(t, filepath.Join(fixtures, short(c)+".txtar")) {
			t.Run(short(c)+"/"+s.name, func(t *testing.T) { satisfy(t, s) })
		}
	}
}

// TestProfileOfEverything judges the hosts of all fixtures by all controls at once, whose changes
// then meet on the same containers.
func TestProfileOfEverything(t *testing.T) {
	var text strings.Builder
	text.WriteString("controls:\n")
	for _, c := range Controls() {
		text.WriteString("  " + c.ID + ": {}\n")
	}
	for _, c := range Controls() {
		for _, s := range scenes(t, filepath.Join(fixtures, short(c)+".txtar")) {
			s.profile = []byte(text.String())
			t.Run(short(c)+"/"+s.name, func(t *testing.T) { satisfy(t, s) })
		}
	}
}

func satisfy(t *testing.T, s scene) {
	findings := s.findings(t)
	p, err := plan.Build(plan.Input{Findings: findings, Basis: func(r plan.Resource) (plan.Basis, bool) {
		return plan.Basis{"name": r.Name}, true
	}, Made: now, Rules: control.Rules(Controls())})
	if err != nil {
		t.Fatal(err)
	}
	changed, later := map[plan.Resource][]string{}, map[string]bool{}
	for _, f := range findings {
		later[f.Control] = later[f.Control] || strings.HasSuffix(f.Blocked, "apply it first, then plan again")
	}
	before := mayGain(s.host)
	for _, step := range p.Steps {
		changed[step.Resource] = step.Controls
		perform(t, s.host, step)
	}
	for name, may := range mayGain(s.host) {
		i := slices.IndexFunc(p.Steps, func(step plan.Step) bool { return step.ID == "container/"+name })
		if may != before[name] && !slices.Contains(p.Steps[i].Controls, "docker/no-new-privileges") {
			t.Errorf("whether %s may gain privileges was %t and is %t, which nobody planned", name, before[name], may)
		}
	}
	for _, f := range s.findings(t) {
		if len(f.Changes) > 0 && !later[f.Control] {
			t.Errorf("%s wants more changes of %s after its own were made: %v", f.Control, f.Resource, show([]plan.Finding{f}))
		}
		if slices.Contains(changed[f.Resource], f.Control) && f.Status != plan.Pass && f.Status != plan.Manual {
			t.Errorf("%s is %s on %s after its changes: %s", f.Control, f.Status, f.Resource, f.Message)
		}
	}
}

// mayGain says by name which running containers may gain privileges.
func mayGain(h *inventory.Host) map[string]bool {
	out := map[string]bool{}
	for _, c := range h.Containers {
		if c.Proc != nil {
			out[c.Name] = !c.Proc.Init.NoNewPrivs
		}
	}
	return out
}

// perform does one step on the model.
func perform(t *testing.T, h *inventory.Host, step plan.Step) {
	t.Helper()
	switch step.Resource.Kind {
	case plan.ResourceDaemon:
		changeDaemon(t, h, step)
	case plan.ResourceFile:
		changeFile(t, h, step)
	case plan.ResourceSwarm:
		changeSwarm(t, h.Engine.Cluster, step)
	case plan.ResourceContainer:
		i := slices.IndexFunc(h.Containers, func(c inventory.Container) bool { return c.ID == step.Resource.ID })
		changeContainer(t, &h.Containers[i], step)
		if step.Kind == plan.KindRecreate {
			takeDefault(h, &h.Containers[i])
		}
	}
}

// takeDefault gives a new container that says nothing of no-new-privileges the engine's default.
func takeDefault(h *inventory.Host, c *inventory.Container) {
	conf := control.ParseNoNewPrivs(c.Inspect.HostConfig.SecurityOpt)
	if c.Proc == nil || conf.On || conf.Off {
		return
	}
	on := string(h.Daemon.Keys[optNoNewPrivileges]) == "true" || len(h.Daemon.Flags[optNoNewPrivileges]) > 0
	c.Proc.Init.NoNewPrivs = on
	for i := range c.Proc.All {
		c.Proc.All[i].NoNewPrivs = on
	}
}

// changeMembers leaves in a group those who are to stay; in the model nobody has it as the own group.
func changeMembers(t *testing.T, g *inventory.Group, step plan.Step) {
	t.Helper()
	for _, c := range step.Changes {
		if name, ok := plan.MembersOf(c.Path); !ok || name != g.Name {
			t.Errorf("a change of %s, and the group is %s", c.Path, g.Name)
		}
		if err := json.Unmarshal(c.To, &g.Listed); err != nil {
			t.Fatal(err)
		}
	}
	g.Members = slices.Sorted(slices.Values(g.Listed))
}

// changeAudit loads rules as the kernel would: a directory is watched with all in it.
func changeAudit(t *testing.T, h *inventory.Host, step plan.Step) {
	t.Helper()
	for _, c := range step.Changes {
		file, ok := inventory.AuditedPath(c.Path)
		if !ok || !ChangesFile(h, step.Resource.Name, c) {
			t.Errorf("a plan with this change of %s would be refused: %s %s -> %s", step.Resource, c.Path, c.From, c.To)
		}
		dir := slices.ContainsFunc(h.Audit.Places, func(p inventory.AuditPlace) bool { return p.Path == file && p.Dir })
		h.Audit.Loaded = append(h.Audit.Loaded, inventory.AuditRule{Path: file, Access: "wa", Dir: dir})
		h.Audit.Lasting = append(h.Audit.Lasting, inventory.AuditRule{Path: file, Access: "wa", File: step.Resource.Name})
	}
}

func changeFile(t *testing.T, h *inventory.Host, step plan.Step) {
	t.Helper()
	switch step.Kind {
	case plan.KindAudit:
		changeAudit(t, h, step)
		return
	case plan.KindGroup:
		changeMembers(t, &h.Group, step)
		return
	}
	file := h.Files[step.Resource.Name]
	if !file.Exists {
		file = h.Daemon.Config
	}
	maker := &inventory.SocketMaker{}
	if i := slices.IndexFunc(h.EngineFiles, func(f inventory.EngineFile) bool { return f.Resolved == step.Resource.Name && f.Socket != nil }); i >= 0 {
		maker = h.EngineFiles[i].Socket
	}
	for _, c := range step.Changes {
		if !ChangesFile(h, step.Resource.Name, c) {
			t.Errorf("a plan with this change of %s would be refused: %s %s -> %s", step.Resource, c.Path, c.From, c.To)
		}
		var to string
		if err := json.Unmarshal(c.To, &to); err != nil {
			t.Fatal(err)
		}
		mode, err := strconv.ParseUint(to, 8, 32)
		switch {
		case c.Path == settingOwner && to == rootOwner:
			file.UID, file.GID, maker.Is = 0, 0, groupRoot
		case c.Path == settingOwner && to == fmt.Sprintf("0:%d", maker.DockerGID):
			file.UID, file.GID, maker.Is = 0, maker.DockerGID, groupDocker
		case c.Path == settingSocketMode:
			maker.Mode = to
		case c.Path == settingSocketUser:
			maker.User = to
		case c.Path == settingSocketGroup:
			maker.Group = to
		case c.Path == settingMode && err == nil:
			file.Mode = fs.FileMode(mode).Perm()
		default:
			t.Errorf("unknown change %s of a file", c.Path)
		}
	}
	h.Files[step.Resource.Name] = file
	if step.Resource.Name == h.Daemon.Resolved {
		h.Daemon.Config = file
	}
}

func changeContainer(t *testing.T, c *inventory.Container, step plan.Step) {
	t.Helper()
	fields := map[string]json.RawMessage{}
	have := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw(c.Inspect.HostConfig), &have); err != nil {
		t.Fatal(err)
	}
	for _, change := range step.Changes {
		if target, setting, ok := plan.MountOf(change.Path); ok {
			changeMount(t, c, target, setting, change)
			continue
		}
		if target, ok := plan.VolumeOf(change.Path); ok {
			c.Inspect.Mounts = append(c.Inspect.Mounts, inventory.Mount{Type: "volume", Name: plan.VolumeName + "x", Destination: target, RW: true})
			continue
		}
		if change.Path == plan.NetworksPath {
			changeNetworks(t, c, change)
			continue
		}
		if change.Path == "Config.User" {
			changeUser(t, c, change)
			continue
		}
		if change.Path == plan.HealthcheckPath {
			changeCheck(t, c, change)
			continue
		}
		if _, _, port := plan.PortOf(change.Path); port || change.Path == "Config.ExposedPorts" {
			continue // ports all together, below; nobody judges what is exposed
		}
		if name, ok := plan.SecretOf(change.Path); ok {
			moveSecret(t, c, name, change)
			continue
		}
		field, ok := strings.CutPrefix(change.Path, "HostConfig.")
		if !ok || string(plainJSON(t, have[field])) != string(plainJSON(t, change.From)) {
			t.Errorf("%s of %s is %s, the change says %s", change.Path, c.Name, have[field], change.From)
		}
		fields[field] = change.To
	}
	if err := json.Unmarshal(raw(fields), &c.Inspect.HostConfig); err != nil {
		t.Fatal(err)
	}
	enforce(c, fields)
	changePorts(t, c, step.Changes)
}

// changeUser is the user that a new container starts as.
func changeUser(t *testing.T, c *inventory.Container, change plan.Change) {
	t.Helper()
	if err := json.Unmarshal(change.To, &c.Inspect.Config.User); err != nil {
		t.Fatal(err)
	}
	if c.Proc == nil {
		return
	}
	c.Proc.Init.UID, c.Proc.Init.CapEff, c.Proc.Init.CapPrm = 1000, 0, 0
	c.Proc.All = []inventory.Process{c.Proc.Init}
}

// changeMount is what a new container has mounted in one place.
func changeMount(t *testing.T, c *inventory.Container, target, setting string, change plan.Change) {
	t.Helper()
	i := slices.IndexFunc(c.Inspect.Mounts, func(m inventory.Mount) bool { return m.Destination == target })
	if i < 0 {
		t.Fatalf("%s has nothing mounted on %s", c.Name, target)
	}
	m := &c.Inspect.Mounts[i]
	have, into := raw(m.Propagation), any(&m.Propagation)
	if setting == plan.MountWritable {
		have, into = raw(m.RW), &m.RW
	}
	if string(have) != string(change.From) {
		t.Errorf("%s of %s is %s, the change says %s", change.Path, c.Name, have, change.From)
	}
	if err := json.Unmarshal(change.To, into); err != nil {
		t.Fatal(err)
	}
	if c.Proc != nil && c.Proc.Places != nil {
		c.Proc.Places[target] = inventory.Place{Shared: m.Shares(), ReadOnly: !m.RW}
	}
}

// plainJSON sorts the keys of objects.
func plainJSON(t *testing.T, value json.RawMessage) json.RawMessage {
	t.Helper()
	var v any
	if err := json.Unmarshal(value, &v); err != nil {
		t.Fatal(err)
	}
	return raw(v)
}

// enforce is what the kernel does of the fields that were set.
func enforce(c *inventory.Container, set map[string]json.RawMessage) {
	if c.Proc == nil {
		return
	}
	hc := &c.Inspect.HostConfig
	if c.Proc.AppArmor == "unconfined" && !slices.ContainsFunc(hc.SecurityOpt, appArmorUnconfined) {
		c.Proc.AppArmor = "docker-default (enforce)"
	}
	bounding := capMask(configuredCaps(hc.CapAdd, hc.CapDrop))
	each := func(change func(p *inventory.Process)) {
		change(&c.Proc.Init)
		for i := range c.Proc.All {
			change(&c.Proc.All[i])
		}
	}
	for field := range set {
		switch field {
		case "PidMode", "IpcMode", "UTSMode", "NetworkMode":
			kind := map[string]string{"PidMode": "pid", "IpcMode": "ipc", "UTSMode": "uts", "NetworkMode": "net"}[field]
			c.Proc.SharedNamespaces = slices.DeleteFunc(c.Proc.SharedNamespaces, func(ns string) bool { return ns == kind })
		case "Memory":
			c.Proc.MemoryLimit = &hc.Memory
		case "PidsLimit":
			c.Proc.PidsLimit = hc.PidsLimit
		case "CpuShares":
			c.Proc.CPUShares = &hc.CPUShares
		case "ReadonlyRootfs":
			c.Proc.ReadOnlyRoot = hc.ReadonlyRootfs
		case "CapDrop", "CapAdd":
			each(func(p *inventory.Process) { p.CapBnd = bounding; p.CapEff &= bounding; p.CapPrm &= bounding })
		case "SecurityOpt":
			filter := 2
			if slices.ContainsFunc(hc.SecurityOpt, seccompUnconfined) {
				filter = 0
			}
			on := control.ParseNoNewPrivs(hc.SecurityOpt).On
			each(func(p *inventory.Process) { p.Seccomp, p.NoNewPrivs = filter, p.NoNewPrivs || on })
		}
	}
}
