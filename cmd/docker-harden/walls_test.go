package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "docker-harden"

// wall forbids a package to depend on others, however indirectly.
type wall struct {
	from   string   // the package, or with /... all below it
	never  []string // packages, or with /... all below them
	except []string // packages below from that may
	why    string
}

func walls() []wall {
	const dockerClient = "github.com/docker/docker/client"
	return []wall{
		{
			"plan/...",
			[]string{module + "/remediate/...", module + "/cmd/..."},
			nil,
			"what reads and decides must not be able to write to the host",
		},
		{
			"remediate/...",
			[]string{module + "/plan/control/...", module + "/plan/profile/...", module + "/plan/evidence/trace/...", module + "/plan/learn/...", module + "/plan/report/...", module + "/plan/baseline/...", module + "/cmd/..."},
			nil,
			"what writes must not decide: every value it writes was in the plan",
		},
		{
			"plan",
			[]string{module + "/...", dockerClient},
			nil,
			"the vocabulary stands on the standard library alone",
		},
		{
			"plan/profile",
			[]string{module + "/plan/inventory/...", dockerClient},
			nil,
			"what should be does not depend on what is",
		},
		{
			"plan/inventory",
			[]string{module + "/plan/control/...", module + "/plan/profile/...", module + "/plan/report/..."},
			nil,
			"observing does not judge",
		},
		{
			"plan/evidence",
			[]string{module + "/...", dockerClient},
			nil,
			"what was seen is data: it is read where a host is described and where it is judged",
		},
		{
			"plan/baseline",
			[]string{module + "/plan/control/...", module + "/plan/profile/...", module + "/plan/report/...", module + "/plan/inventory/..."},
			nil,
			"a baseline compares verdicts; it has no part in them",
		},
		{
			"plan/control/benchmark",
			[]string{module + "/...", dockerClient},
			nil,
			"what a benchmark recommends does not depend on what judges it",
		},
		{
			"remediate",
			[]string{dockerClient, module + "/remediate/docker/...", module + "/remediate/host/...", module + "/plan/inventory/..."},
			nil,
			"the Runner knows nothing of Docker: its handlers do",
		},
		{
			"remediate/journal",
			[]string{dockerClient, module + "/remediate", module + "/remediate/docker/...", module + "/remediate/host/...", module + "/plan/inventory/..."},
			nil,
			"a rollback file is read without the engine",
		},
		{
			"remediate/internal/atomic",
			[]string{module + "/plan/...", module + "/remediate", module + "/remediate/docker/...", module + "/remediate/host/...", module + "/remediate/journal/..."},
			nil,
			"replacing a file has nothing to do with Docker",
		},
	}
}

// direct forbids imports by the source itself: what a package's own dependencies need is theirs.
func direct() []wall {
	const dockerClient = "github.com/docker/docker/..."
	return []wall{
		{
			"...",
			[]string{dockerClient, "github.com/docker/cli/..."},
			[]string{"plan/inventory", "remediate/docker/...", "cmd/..."},
			"the Docker client is known to the inventory (reading), to the handlers (writing), and to the wiring",
		},
		{"...", []string{"github.com/urfave/cli/..."}, []string{"cmd/docker-harden"}, "only the command line knows its library"},
		{"...", []string{"github.com/goccy/go-yaml/..."}, []string{"plan/profile", "plan/owner", "plan/compose", "plan/inventory"}, "YAML is what profiles and the files of Compose and Kubernetes are written in"},
		{"...", []string{"mvdan.cc/sh/..."}, []string{"plan/owner"}, "what is printed to be pasted into a shell is quoted in one place"},
		{"...", []string{"github.com/tidwall/sjson/..."}, []string{"remediate/docker/..."}, "daemon.json is edited in one place, behind its gate"},
		{"...", []string{"github.com/coreos/go-systemd/..."}, []string{"remediate/host", "plan/inventory"}, "service managers are reached in one place"},
		{"...", []string{"github.com/elastic/go-libaudit/..."}, []string{"remediate/host/...", "plan/inventory"}, "the kernel's audit is read in one place and changed in one"},
		{"...", []string{"github.com/cilium/ebpf/..."}, []string{"plan/evidence/trace"}, "programs are put into the kernel in one place"},
		{"...", []string{"github.com/owenrumney/go-sarif/...", "github.com/jstemmer/go-junit-report/..."}, []string{"plan/report"}, "documents are written in one place"},
		{"...", []string{module + "/cmd/testhost/..."}, []string{"cmd/testhost/..."}, "the test host is for tests and the demo"},
	}
}

// pkg is what go list says of a package.
type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func listPackages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cannot list packages: %v\n%s", err, stderr.String())
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// TestWalls: the architecture of docs/architecture.md, as imports.
func TestWalls(t *testing.T) {
	all := listPackages(t)
	check := func(w wall, imports func(pkg) []string) {
		used := false
		for _, p := range all {
			name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
			if !below(name, w.from) || slices.ContainsFunc(w.except, func(e string) bool { return below(name, e) }) {
				continue
			}
			used = true
			for _, dep := range imports(p) {
				if dep != p.ImportPath && slices.ContainsFunc(w.never, func(n string) bool { return below(dep, n) }) {
					t.Errorf("%s must not depend on %s: %s", p.ImportPath, dep, w.why)
				}
			}
		}
		if !used {
			t.Errorf("the wall around %s guards nothing: there is no such package", w.from)
		}
	}
	for _, w := range walls() {
		check(w, func(p pkg) []string { return p.Deps })
	}
	for _, w := range direct() {
		check(w, func(p pkg) []string { return p.Imports })
	}
}

// TestPlanStandsAlone: the vocabulary needs the standard library only.
func TestPlanStandsAlone(t *testing.T) {
	for _, p := range listPackages(t) {
		if p.ImportPath != module+"/plan" {
			continue
		}
		for _, dep := range p.Deps {
			if first, _, _ := strings.Cut(dep, "/"); strings.Contains(first, ".") {
				t.Errorf("%s must not depend on %s: a plan is read by anybody, with nothing else", p.ImportPath, dep)
			}
		}
		return
	}
	t.Error("there is no package plan")
}

// below reports whether a package is meant by a name, which may end in /... or be "...".
func below(name, pattern string) bool {
	if pattern == "..." {
		return true
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == base || strings.HasPrefix(name, base+"/")
	}
	return name == pattern
}

func TestBelow(t *testing.T) {
	for _, test := range []struct {
		name, pattern string
		want          bool
	}{
		{"plan/control", "plan/...", true},
		{"plan", "plan/...", true},
		{"planner", "plan/...", false},
		{"plan/control", "plan", false},
		{"anything", "...", true},
	} {
		if got := below(test.name, test.pattern); got != test.want {
			t.Errorf("below(%q, %q) is %v", test.name, test.pattern, got)
		}
	}
}
