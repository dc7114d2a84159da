package host

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	hybridMounts = `36 27 0:31 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
37 36 0:32 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
38 36 0:33 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd,release_agent=/lib/systemd/agent
39 36 0:34 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
40 27 0:35 / /var/lib/x/sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
41 36 0:32 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:4 - cgroup cgroup rw,cpu,cpuacct
`
	unifiedMounts = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
)

func TestPlanCgroups(t *testing.T) {
	links := map[string]string{"cpu": "cpu,cpuacct"}
	for _, row := range []struct {
		name, mounts string
		links        map[string]string
		systemd      bool
		want         string
	}{
		{"both versions", hybridMounts, links, false, `
made /sys/fs/cgroup/systemd/h
made /sys/fs/cgroup/unified/h
made /sys/fs/cgroup/cpu,cpuacct/h
enter /sys/fs/cgroup/systemd/h/cgroup.procs
enter /sys/fs/cgroup/unified/h/cgroup.procs
enter /sys/fs/cgroup/cpu,cpuacct/h/cgroup.procs
join /sys/fs/cgroup/systemd/h/cgroup.procs
join /sys/fs/cgroup/unified/h/processes/cgroup.procs
join /sys/fs/cgroup/cpu,cpuacct/h/cgroup.procs
mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
mkdir -p /sys/fs/cgroup/systemd
mount -t cgroup -o xattr,none,name=systemd cgroup /sys/fs/cgroup/systemd
mkdir -p /sys/fs/cgroup/unified
mount -t cgroup2 -o rw cgroup /sys/fs/cgroup/unified
echo 0 >/sys/fs/cgroup/unified/processes/cgroup.procs
` + enableControllers("/sys/fs/cgroup/unified") + `
mkdir -p /sys/fs/cgroup/cpu,cpuacct
mount -t cgroup -o cpu,cpuacct cgroup /sys/fs/cgroup/cpu,cpuacct
ln -s cpu,cpuacct /sys/fs/cgroup/cpu
`},
		{"version 2", unifiedMounts, nil, false, `
made /sys/fs/cgroup/h
enter /sys/fs/cgroup/h/cgroup.procs
join /sys/fs/cgroup/h/processes/cgroup.procs
mount -t cgroup2 -o rw cgroup /sys/fs/cgroup
echo 0 >/sys/fs/cgroup/processes/cgroup.procs
` + enableControllers("/sys/fs/cgroup") + "\n"},
		{"version 2 under systemd", unifiedMounts, nil, true, `
made /sys/fs/cgroup/h
enter /sys/fs/cgroup/h/cgroup.procs
join /sys/fs/cgroup/h/processes/cgroup.procs
mount -t cgroup2 -o rw cgroup /sys/fs/cgroup
`},
		{"none", "", nil, false, "\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			trees, err := hierarchies(strings.NewReader(row.mounts))
			if err != nil {
				t.Fatal(err)
			}
			p := planCgroups(trees, row.links, "h", row.systemd)
			got := "\n"
			for _, list := range []struct {
				name string
				of   []string
			}{{"made ", p.made}, {"enter ", p.enter}, {"join ", p.join}, {"", p.mount}} {
				for _, line := range list.of {
					got += list.name + line + "\n"
				}
			}
			if got != row.want {
				t.Errorf("got %s\nwant %s", got, row.want)
			}
		})
	}
	trees, _ := hierarchies(strings.NewReader(hybridMounts))
	if p := planCgroups(trees, links, "h", true); slices.ContainsFunc(p.mount, func(l string) bool { return strings.Contains(l, "cgroup2") }) {
		t.Errorf("systemd sees version 2 beside version 1: %q", p.mount)
	}
}

func TestInsideEnv(t *testing.T) {
	got := insideEnv([]string{"DOCKER_HOST=tcp://elsewhere", "DOCKER_CONTEXT=x", "DOCKER_HARDEN_CACHE=/c", "PATH=/opt/bin:/usr/bin", "A=b=c", marker + "=old"})
	want := []string{"DOCKER_HARDEN_CACHE=/c", "A=b=c", "PATH=/opt/bin:/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/bin", marker + "=1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFromDebian(t *testing.T) {
	for text, want := range map[string]bool{
		"Types: deb\nURIs: http://deb.debian.org/debian\nSuites: bookworm\n":                  true,
		"deb [signed-by=/k] http://mirror.example/debian-security bookworm-security main\n":   true,
		"# deb http://deb.debian.org/debian bookworm main\n":                                  false,
		"deb https://packages.cloud.google.com/apt cloud-sdk-bookworm main\n":                 false,
		"Types: deb\nURIs: https://deb.nodesource.com/node_20.x\nSigned-By: /x/debian.gpg\n":  false,
		"deb [arch=amd64 signed-by=/usr/share/debian.gpg] https://vendor.example/apt x main":  false,
		"Types: deb deb-src\nURIs:   https://a.example/debian\tftp://b.example/\nSuites: sid": true,
		"": false,
	} {
		if got := fromDebian(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestReadProcess(t *testing.T) {
	dir := t.TempDir()
	for pid, stat := range map[string]string{"7": "7 (a) b)) S 3 7 7", "8": "8 (gone", "9": "9 (x)"} {
		if err := os.MkdirAll(filepath.Join(dir, pid), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, pid, "stat"), []byte(stat), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "7", "cmdline"), []byte("a\x00-b c\x00"), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := readProcess(dir, 7)
	if err != nil || p.name != "a) b)" || p.parent != 3 || p.state != "S" || !slices.Equal(p.args, []string{"a", "-b c"}) {
		t.Errorf("%+v, %v", p, err)
	}
	for _, pid := range []int{8, 9, 10} {
		if _, err := readProcess(dir, pid); err == nil {
			t.Errorf("process %d is no error", pid)
		}
	}
	if all := processes(dir); len(all) != 1 {
		t.Errorf("processes: %+v", all)
	}
}

func TestMissingProgramsAreNamedWithTheirPackages(t *testing.T) {
	if got := AptCommand([]string{"jq", "attr"}); got != "sudo apt-get install --no-install-recommends jq attr" {
		t.Error(got)
	}
	if got := systemPath(""); got != "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" {
		t.Error(got)
	}
	if _, err := Find("no-such-program"); err == nil || !strings.Contains(err.Error(), "no-such-program") {
		t.Error(err)
	}
	if debs := Missing(true); len(debs) != 0 {
		t.Errorf("missing here: %q", debs)
	}
}

func TestLeftoversNameEverything(t *testing.T) {
	err := leftovers{processes: []string{"7 dockerd"}, mounts: []string{"/m"}, files: []string{"/f"}}.err()
	for _, want := range []string{"process behind: 7 dockerd", "mount behind: /m", "directory behind: /f"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := (leftovers{}).err(); err != nil {
		t.Error(err)
	}
}

func TestImagesAreDistinctAndExplained(t *testing.T) {
	seen := map[string]bool{}
	for _, i := range Images() {
		if seen[i.Name] || i.About == "" || len(i.Changes) == 0 {
			t.Errorf("image %q: doubled, or without a word, or without a command", i.Name)
		}
		seen[i.Name] = true
	}
}

func TestCacheKeyFollowsTheRecipe(t *testing.T) {
	busybox := filepath.Join(t.TempDir(), "busybox")
	if err := os.WriteFile(busybox, []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	image := Image{Name: "x", Changes: []string{"CMD a"}}
	first, err := cacheKey(image, busybox)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := cacheKey(image, busybox); again != first {
		t.Errorf("the same recipe has two keys: %s, %s", first, again)
	}
	image.Changes = []string{"CMD b"}
	if other, _ := cacheKey(image, busybox); other == first {
		t.Error("another command has the same key")
	}
	if _, err := cacheKey(image, busybox+"-none"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestBuildReplacesOlderArchives(t *testing.T) {
	t.Setenv("DOCKER_HARDEN_CACHE", t.TempDir())
	image := Image{Name: "small", Changes: []string{"CMD a"}}
	first, err := Build(t.Context(), image)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Build(t.Context(), image); err != nil || again != first {
		t.Errorf("a second build: %s, %v", again, err)
	}
	image.Files = []File{{Path: "etc/x", Mode: 0o600, Text: "x"}}
	second, err := Build(t.Context(), image)
	if err != nil || second == first {
		t.Errorf("a changed recipe: %s, %v", second, err)
	}
	if _, err := os.Stat(first); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the older archive is still there: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(second), ".building-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("unfinished archives: %q, %v", left, err)
	}
}

// A host that has died leaves a number that another process may have: nothing is run on this machine for it.
func TestCommandOfAHostThatIsGone(t *testing.T) {
	h := &Host{pid: os.Getpid()} // a process of this machine
	out, err := h.Command(t.Context(), "echo", "here").CombinedOutput()
	if err == nil || string(out) != "the test host is gone\n" {
		t.Errorf("%q, %v", out, err)
	}
}
