package inventory

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	libaudit "github.com/elastic/go-libaudit/v2"
	rules "github.com/elastic/go-libaudit/v2/rule"
	"github.com/elastic/go-libaudit/v2/rule/flags"

	"docker-harden/plan"
)

// wireOf is a rule as the kernel would list it. Watches are made on paths that are not there: by their name.
func wireOf(t *testing.T, line string) []byte {
	t.Helper()
	r, err := flags.Parse(line)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	wire, err := rules.Build(r)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return wire
}

func TestDecodeAuditRule(t *testing.T) {
	for line, want := range map[string]AuditRule{
		"-w /no/such/file -p wa -k docker":                                   {Path: "/no/such/file", Access: "wa", Key: "docker"},
		"-w /no/such/file -p rwxa":                                           {Path: "/no/such/file", Access: "rwxa"},
		"-a always,exit -F dir=/etc/docker -F perm=wa -k x":                  {Path: "/etc/docker", Dir: true, Access: "wa", Key: "x"},
		"-a always,exit -S all -F path=/etc/docker/daemon.json -F perm=w":    {Path: "/etc/docker/daemon.json", Access: "w"},
		"-a always,exit -F path=/etc/docker/daemon.json":                     {Path: "/etc/docker/daemon.json", Access: "rwxa"},
		"-a always,exit -F path=/etc/docker/daemon.json -F perm=wa -F uid=0": {},
		"-a always,exit -F path!=/etc/docker/daemon.json":                    {},
		"-a always,exit -F arch=b64 -F path=/usr/bin/runc -F perm=wa":        {},
		"-a always,exit -S open -F path=/usr/bin/runc":                       {},
		"-a never,exit -F path=/usr/bin/runc -F perm=wa":                     {},
		"-a always,exit -F arch=b64 -S execve -k exec":                       {},
		"-a never,task": {},
	} {
		wire := wireOf(t, line)
		if got, ok := DecodeAuditRule(wire); got != want && ok || ok != (want.Path != "") {
			t.Errorf("%s: %+v, %v; want %+v", line, got, ok, want)
		}
		if got, ok := parseAuditLine(line); ok != (want.Path != "") || ok && (got.Path != want.Path || got.Access != want.Access || got.Key != want.Key) {
			t.Errorf("line %s: %+v, %v; want %+v", line, got, ok, want)
		}
		if silences(wire) != (line == "-a never,task") {
			t.Errorf("%s: silences all: %v", line, silences(wire))
		}
		// The kernel is not believed either: whatever is cut off or made up is no rule, and no panic.
		for cut := range wire {
			DecodeAuditRule(wire[:cut])
			silences(wire[:cut])
		}
		long := bytes.Clone(wire)
		for at := auditValues; at < auditOps; at++ {
			long[at] = 0xff
		}
		if got, ok := DecodeAuditRule(long); ok && strings.HasPrefix(line, "-w") {
			t.Errorf("%s with texts longer than it is: %+v", line, got)
		}
	}
}

func TestParseAuditLineOfAFile(t *testing.T) {
	for line, want := range map[string]string{
		" -w /etc/docker/ -p wa -k docker\n":   "/etc/docker wa",
		"-w /etc/docker":                       "/etc/docker rwxa",
		"-A exit,always -F path=/x -F perm=aw": "/x wa",
		"# -w /etc/docker -p wa":               "",
		"-D":                                   "", "-b 8192": "", "-e 2": "", "-c": "", "": "", "-w": "", "-w '": "", "-a": "", "-W /etc/docker -p wa": "",
		"-w relative -p wa": "relative wa",
	} {
		got := ""
		if r, ok := parseAuditLine(line); ok {
			got = r.Path + " " + r.Access
		}
		if got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestAuditedPath(t *testing.T) {
	for path, plain := range map[string]bool{
		"/etc/docker": true, "/usr/lib/systemd/system/docker@1.service": true, "/opt/a_b-c+d:e.f": true,
		"": false, "etc": false, "/a b": false, "/a\n-D": false, "/a\"": false, "/ä": false, "/a;b": false, "/a -k x": false,
	} {
		if got, ok := AuditedPath(AuditLine(path)); ok != plain || ok && got != path {
			t.Errorf("%q: %q, %v", path, got, ok)
		}
	}
	for _, line := range []string{"-w /x -p r -k docker", "-w /x -p wa", "-w /x -p wa -k docker ", " -w /x -p wa -k docker", "-a never,task", ""} {
		if _, ok := AuditedPath(line); ok {
			t.Errorf("%q is taken for a rule of ours", line)
		}
	}
}

// auditHost is a host with audit tools, an engine and rules, as collected.
func auditHost(t *testing.T, kernel KernelAudit, kernelErr error, spoil func(root string)) *Host {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"usr/sbin", "usr/bin", "etc/docker", "etc/default", "etc/audit/rules.d", "run/containerd", "var/lib/docker", "usr/lib/systemd/system"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"usr/sbin/auditctl", "usr/sbin/augenrules", "usr/sbin/dockerd", "usr/bin/containerd", "usr/sbin/runc", "usr/lib/systemd/system/docker.service"} {
		write(t, root, name, "")
	}
	for link, target := range map[string]string{"usr/bin/runc": "/usr/sbin/runc", "lib": "usr/lib", "sbin": "usr/sbin"} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	if spoil != nil {
		spoil(root)
	}
	c := &collector{root: hostRoot(root), host: &Host{Files: map[string]File{}}, kernelAudit: kernel, kernelAuditErr: kernelErr}
	c.host.Engine.RootDir = "/var/lib/docker"
	c.host.Daemon.Exe, c.host.Daemon.ConfigPath = "/usr/sbin/dockerd", "/etc/docker/daemon.json"
	c.host.EngineFiles = []EngineFile{
		{Role: RoleServiceUnit, Path: "/lib/systemd/system/docker.service"},
		{Role: RoleServiceUnit, Path: "/etc/systemd/system/docker.service.d/x.conf"},
		{Role: RoleSocketUnit, None: "there is no docker.socket"},
		{Role: RoleDefaults, Path: "/etc/default/docker", Problem: "permission denied"},
		{Role: RoleContainerdSocket, Path: "/run/nowhere/containerd.sock"},
	}
	c.audit()
	return c.host
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestAuditPlaces(t *testing.T) {
	var got []string
	for _, p := range auditHost(t, KernelAudit{}, nil, nil).Audit.Places {
		line := string(p.Part) + " " + p.Path
		switch {
		case p.Problem != "":
			line += ": " + p.Problem
		case p.Dir:
			line += "/"
		case !p.Exists:
			line += " (missing)"
		}
		got = append(got, line)
	}
	want := []string{
		"config-dir /etc/docker/", "containerd /usr/bin/containerd", "daemon-json /etc/docker/daemon.json (missing)", "data-root /var/lib/docker/",
		"defaults /etc/default/docker: permission denied", "dockerd /usr/bin/dockerd (missing)", "dockerd /usr/sbin/dockerd", "run-containerd /run/containerd/",
		"runc /usr/bin/runc", "runc /usr/sbin/runc", "service-unit /usr/lib/systemd/system/docker.service",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A recorded list of a host with rules of its own is compared with the files of that host.
func TestAuditWhere(t *testing.T) {
	kernel := KernelAudit{Enabled: AuditOn}
	for _, line := range []string{
		"-a never,task", "-w /home -p wa -k home", "-a always,exit -F dir=/etc/docker -F perm=rwa -k site", "-w /run/containerd/.name -p wa",
		"-a always,exit -F path=/run/containerd -F perm=wa", "-a always,exit -F path=/usr/sbin/runc -F perm=wa", "-a always,exit -F path=/usr/bin/runc -F perm=r",
	} {
		kernel.Rules = append(kernel.Rules, wireOf(t, line))
	}
	spoil := func(root string) {
		write(t, root, "etc/audit/rules.d/10-site.rules", "-D\n-b 8192\n-w /etc/docker/ -p wxa -k site\n-w /usr/bin/runc -p w\n-w /home -p wa\n")
		write(t, root, "etc/audit/rules.d/50-docker-harden.rules", "-c\n-w /usr/sbin/dockerd -p wa -k docker\n")
		write(t, root, "etc/audit/rules.d/note.txt", "-w /usr/bin/dockerd -p wa\n")
		write(t, root, "etc/audit/audit.rules", "-w /usr/bin/containerd -p wa\n")
	}
	h := auditHost(t, kernel, nil, spoil)
	a := h.Audit
	if a.Problem+a.FileProblem+a.Held != "" || a.Silenced != "-a never,task" || len(a.Loaded) != 4 {
		t.Errorf("%+v", a)
	}
	basis, ok := h.Basis(plan.File(AuditRulesFile))
	if !ok || basis["exists"] != "true" || len(basis["content"]) != 64 || basis["mode"] != "0755" {
		t.Errorf("basis %v, %v", basis, ok)
	}
	for path, want := range map[string]string{
		"/etc/docker": `["file","kernel"]`, "/run/containerd": `[]`, "/usr/sbin/runc": `["kernel"]`, "/usr/bin/runc": `[]`,
		"/usr/sbin/dockerd": `["file"]`, "/usr/bin/dockerd": `[]`, "/usr/bin/containerd": `[]`, "/nowhere": `[]`,
	} {
		if got := string(a.WhereJSON(AuditLine(path))); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
		if words := strings.NewReplacer(`["`, "", `"]`, "", `","`, ", ", "[]", "nowhere").Replace(want); path != "/nowhere" && basis[AuditLine(path)] != words {
			t.Errorf("basis of %s: %q, want %q", path, basis[AuditLine(path)], words)
		}
	}
	a.Augenrules = ""
	a.Lasting = nil
	a.readFiles(hostRoot("/nowhere"))
	if len(a.Lasting) != 0 || a.FileProblem != "" {
		t.Errorf("without augenrules and without audit.rules: %+v", a)
	}
}

func TestWithoutAugenrules(t *testing.T) {
	h := auditHost(t, KernelAudit{Enabled: AuditOn}, nil, func(root string) {
		succeed(t, os.Remove(filepath.Join(root, "usr/sbin/augenrules")))
		write(t, root, "etc/audit/audit.rules", "-w /etc/docker -p wa\n")
		write(t, root, "etc/audit/rules.d/x.rules", "-w /usr/sbin/dockerd -p wa\n")
	})
	if got := h.Audit.Lasting; h.Audit.Augenrules != "" || len(got) != 1 || got[0].Path != "/etc/docker" || got[0].File != auditRules {
		t.Errorf("%+v", h.Audit)
	}
}

func TestWithoutAuditTools(t *testing.T) {
	h := auditHost(t, KernelAudit{}, ErrNoAudit, func(root string) { succeed(t, os.Remove(filepath.Join(root, "usr/sbin/auditctl"))) })
	if _, looked := h.Files[AuditRulesFile]; looked || h.Audit.Auditctl != "" || !h.Audit.Absent {
		t.Errorf("%+v", h.Audit)
	}
	if _, ok := h.Basis(plan.File(AuditRulesFile)); ok {
		t.Error("the rules file has a basis although it was not looked at")
	}
}

func TestAuditHeld(t *testing.T) {
	for name, spoil := range map[string]func(root string){
		"no directory": func(root string) { succeed(t, os.Remove(filepath.Join(root, auditRulesDir))) },
		"through the link /etc/audit": func(root string) {
			succeed(t, os.Rename(filepath.Join(root, "etc/audit"), filepath.Join(root, "srv")))
			succeed(t, os.Symlink("/srv", filepath.Join(root, "etc/audit")))
		},
		"others than root may change /etc/audit": func(root string) { succeed(t, os.Chmod(filepath.Join(root, "etc/audit"), 0o777)) },
		"no regular file":                        func(root string) { succeed(t, os.Mkdir(filepath.Join(root, AuditRulesFile), 0o755)) },
		"2 hard links": func(root string) {
			write(t, root, AuditRulesFile, "")
			succeed(t, os.Link(filepath.Join(root, AuditRulesFile), filepath.Join(root, "other")))
		},
	} {
		if got := auditHost(t, KernelAudit{}, nil, spoil).Audit.Held; !strings.Contains(got, name) {
			t.Errorf("held %q, want %q", got, name)
		}
	}
}

// fakeAudit answers as a kernel.
type fakeAudit struct {
	status error
	rules  error
}

func (f fakeAudit) GetStatus() (*libaudit.AuditStatus, error) {
	return &libaudit.AuditStatus{Enabled: AuditLocked}, f.status
}
func (f fakeAudit) GetRules() ([][]byte, error) { return [][]byte{{1}}, f.rules }

func TestReadAudit(t *testing.T) {
	got, err := readAudit(fakeAudit{})
	if err != nil || got.Enabled != AuditLocked || len(got.Rules) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	other := errors.New("no reply")
	for _, c := range []struct {
		fake fakeAudit
		is   error
		says string
	}{
		{fakeAudit{status: syscall.EPERM}, syscall.EPERM, "first pid namespace"},
		{fakeAudit{status: syscall.ECONNREFUSED}, syscall.ECONNREFUSED, "in a container"},
		{fakeAudit{rules: syscall.EPERM}, syscall.EPERM, "first pid namespace"},
		{fakeAudit{rules: other}, other, "no reply"},
	} {
		if _, err := readAudit(c.fake); !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c.fake, err)
		}
	}
}

// What was not answered is a problem with its reason, and no list without rules.
func TestAuditThatCannotBeRead(t *testing.T) {
	a := auditHost(t, KernelAudit{}, explainAudit(syscall.EPERM), nil).Audit
	if a.Absent || !strings.Contains(a.Problem, "operation not permitted") || len(a.Loaded) != 0 {
		t.Errorf("%+v", a)
	}
}

// A snapshot keeps what was seen, also the basis.
func TestAuditInASnapshot(t *testing.T) {
	h := auditHost(t, KernelAudit{Enabled: AuditOn, Rules: [][]byte{wireOf(t, "-a always,exit -F dir=/etc/docker -F perm=wa")}}, nil, nil)
	h.Format = SnapshotFormat
	var file bytes.Buffer
	succeed(t, h.Save(&file))
	again, err := Load(&file, "test")
	succeed(t, err)
	if !reflect.DeepEqual(again.Audit, h.Audit) {
		t.Errorf("%+v, want %+v", again.Audit, h.Audit)
	}
	want, _ := h.Basis(plan.File(AuditRulesFile))
	if got, ok := again.Basis(plan.File(AuditRulesFile)); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("basis %v, want %v", got, want)
	}
}

func succeed(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
