package docker

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

const fixtures = "../../../fixtures/controls"

// now is the day on which fixtures are judged.
var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// scene is one case of a fixture: a host and a profile.
type scene struct {
	name    string
	host    *inventory.Host
	profile []byte
}

// scenes reads the cases of a fixture: files NAME/inventory.json and NAME/profile.yaml, where NAME
// and the profile may be missing. The profile then turns on the fixture's control and no other.
func scenes(t *testing.T, file string) []scene {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	id := "docker/" + strings.TrimSuffix(path.Base(file), ".txtar")
	profiles := map[string][]byte{}
	for _, f := range archive.Files {
		if dir, base := path.Split(f.Name); base == "profile.yaml" {
			profiles[dir] = f.Data
		}
	}
	var out []scene
	for _, f := range archive.Files {
		dir, base := path.Split(f.Name)
		if base != "inventory.json" {
			continue
		}
		text := profiles[dir]
		if text == nil {
			text = []byte("controls:\n  " + id + ": {}\n")
		}
		out = append(out, scene{name: strings.TrimSuffix(dir, "/"), host: compactHost(t, file+":"+f.Name, f.Data), profile: text})
	}
	return out
}

// load reads a profile that may leave out what every profile needs.
func load(t *testing.T, text []byte) *profile.Profile {
	t.Helper()
	head := fmt.Sprintf("format: %s\nname: fixture\n", profile.Format)
	p, err := profile.Load(append([]byte(head), text...), "profile.yaml", control.Catalog(Controls()))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

func (s scene) findings(t *testing.T) []plan.Finding {
	t.Helper()
	return control.Evaluate(s.host, load(t, s.profile), Controls(), now)
}

// compactHost reads an inventory that says only what differs from an ordinary host.
func compactHost(t *testing.T, name string, data []byte) *inventory.Host {
	t.Helper()
	h := ordinaryHost()
	var rest struct {
		inventory.Host
		Containers []json.RawMessage `json:"containers"`
	}
	rest.Host = *h
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&rest); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	h = &rest.Host
	if h.Daemon.Keys != nil {
		h.Daemon.Config.Exists = true
		h.Daemon.Bytes = raw(h.Daemon.Keys)
	}
	if len(h.Daemon.NextArgv) == 0 {
		h.Daemon.NextArgv = h.Daemon.Argv
	}
	h.Daemon.Flags = inventory.ParseFlags(h.Daemon.NextArgv)
	h.Containers = nil
	for i, c := range rest.Containers {
		h.Containers = append(h.Containers, compactContainer(t, name, i, c))
	}
	return h
}

func ordinaryHost() *inventory.Host {
	const config = "/etc/docker/daemon.json"
	return &inventory.Host{
		Identity: plan.Host{Endpoint: "unix:///var/run/docker.sock"},
		Engine: inventory.Engine{
			Product: "docker", Version: "20.10.24+dfsg1", CgroupVersion: "1", StorageDriver: "overlay2", Runtimes: []string{"runc"},
			Swarm: "inactive", Bridge: map[string]string{optICC: "true"}, MemTotal: 8 * gib, NCPU: 2,
			MemoryLimit: true, SwapLimit: true, PidsLimit: true, CPUShares: true, Seccomp: true, Local: true,
		},
		Daemon: inventory.Daemon{
			PID: 100, Exe: "/usr/sbin/dockerd", Argv: []string{"/usr/sbin/dockerd"}, Manager: "bare",
			ConfigPath: config, Resolved: config, Config: inventory.File{Path: config, Mode: 0o644},
		},
		Images: map[string]inventory.Image{"sha256:image": {ID: "sha256:image"}},
		Files:  map[string]inventory.File{},
	}
}

// compactContainer reads a container that says only what differs from an ordinary running one. "raw"
// is the inspect answer, "proc.all" has processes that differ from the first one.
func compactContainer(t *testing.T, file string, i int, data []byte) inventory.Container {
	t.Helper()
	var head struct {
		Name string `json:"name"`
		Raw  struct {
			State struct{ Running *bool }
		} `json:"raw"`
		Proc struct {
			All []json.RawMessage `json:"all"`
		} `json:"proc"`
	}
	unmarshal := func(data []byte, v any) {
		if err := json.Unmarshal(data, v); err != nil {
			t.Fatalf("%s: container %d: %v", file, i, err)
		}
	}
	unmarshal(data, &head)
	c := ordinaryContainer(head.Name)
	if head.Raw.State.Running != nil && !*head.Raw.State.Running {
		c.Inspect.State.Running, c.Inspect.State.Status, c.Inspect.State.PID = false, "created", 0
		c.Proc, c.Usage = nil, nil
	}
	unmarshal(data, &c)
	if c.Raw != nil {
		unmarshal(c.Raw, &c.Inspect)
	}
	if c.Proc == nil {
		return c
	}
	c.Proc.All = []inventory.Process{c.Proc.Init}
	for _, p := range head.Proc.All {
		next := c.Proc.Init
		next.PID += len(c.Proc.All)
		unmarshal(p, &next)
		c.Proc.All = append(c.Proc.All, next)
	}
	return c
}

func ordinaryContainer(name string) inventory.Container {
	sum := sha256.Sum256([]byte(name))
	unlimited := func() *int64 { v := int64(-1); return &v }
	normal := int64(normalShares)
	defaults := capMask(defaultCaps)
	c := inventory.Container{ID: hex.EncodeToString(sum[:]), Name: name, Layer: &inventory.Layer{}}
	c.Inspect.Image = "sha256:image"
	c.Inspect.State.Status, c.Inspect.State.Running, c.Inspect.State.PID = "running", true, 1000
	c.Inspect.HostConfig.NetworkMode, c.Inspect.HostConfig.IpcMode = "default", "private"
	c.Inspect.HostConfig.RestartPolicy.Name = "no"
	c.Proc = &inventory.Proc{
		Entry:       &inventory.Executable{Path: "/usr/bin/service"},
		Init:        inventory.Process{PID: 1000, Name: "service", Exe: "/usr/bin/service", Seccomp: 2, CapEff: defaults, CapPrm: defaults, CapBnd: defaults},
		MemoryLimit: unlimited(), PidsLimit: unlimited(), CPUShares: &normal,
	}
	c.Usage = &inventory.Usage{
		Samples: 10, Window: time.Minute, Uptime: 7 * 24 * time.Hour, WorkingSet: 91 * mib, Unreclaimable: 80 * mib, Peak: 200 * mib, Pids: 5,
	}
	return c
}

// show writes findings for a golden file.
func show(findings []plan.Finding) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, "  "+format+"\n", args...) }
	for _, f := range findings {
		fmt.Fprintf(&b, "%s %s %s: %s\n", f.Status, f.Resource, f.Control, f.Message)
		if f.Reason != "" {
			line("reason   %s", f.Reason)
		}
		for _, c := range f.Changes {
			text := fmt.Sprintf("%s %s %s -> %s, %s", c.Kind, c.Path, c.From, c.To, c.Reversibility)
			for _, more := range []string{c.ReverseNote, c.Note} {
				if more != "" {
					text += " (" + more + ")"
				}
			}
			line("change   %s", text)
		}
		if f.Blocked != "" {
			line("blocked  %s", f.Blocked)
		}
		if f.Question != "" {
			line("question %s", f.Question)
		}
		if f.Risk.Level != "" {
			line("risk     %s %s", f.Risk.Level, strings.Join(f.Risk.Reasons, " | "))
		}
		for _, n := range f.Notes {
			line("note     %s", n)
		}
		if f.Downtime > 0 {
			line("downtime %g s", f.Downtime)
		}
		if f.Exception != nil {
			line("excepted %s, %s, %s", f.Exception.Reason, f.Exception.Owner, f.Exception.Expires.Format(time.DateOnly))
		}
		for _, e := range f.Evidence {
			line("saw      %s: %s (%s)", e.Name, e.Value, e.Source)
		}
	}
	return b.String()
}
