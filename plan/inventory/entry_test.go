package inventory

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"docker-harden/cmd/testhost/host"
)

// container100 is a host whose process 100 has the root /c. Files in executable places are made
// executable, and those whose text is "setuid" setuid.
func container100(t *testing.T) *procReader {
	t.Helper()
	files := map[string]string{
		"/proc/100/root": "-> ../../c", "/real/su": "setuid", "/c/real/su": "plain",
		"/c/bin/su": "setuid", "/c/bin/sleep": "plain", "/c/bin/sgid": "setgid", "/c/bin/tini": "plain", "/c/bin/dumb-init": "setuid", "/c/bin/env": "plain", "/c/bin/sh": "plain",
		"/c/bin/absolute": "-> /real/su", "/c/bin/upward": "-> ../../../../real/su", "/c/bin/loop": "-> loop", "/c/bin/dangling": "-> nowhere",
		"/c/opt/app/run": "plain", "/c/opt/app/sleep": "setuid", "/c/opt/deep/x/y": "plain", "/c/opt/link": "-> deep/x", "/c/opt/deep/run": "setuid",
		"/c/opt/dir/sleep/": "", "/c/opt/data/sleep": "data", "/c/opt/file": "data",
	}
	root := tree(t, files)
	modes := map[string]os.FileMode{"setuid": 0o755 | os.ModeSetuid, "setgid": 0o755 | os.ModeSetgid, "plain": 0o755}
	for name, text := range files {
		if mode, ok := modes[text]; ok {
			if err := os.Chmod(root.join(name), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	return &procReader{root: root}
}

func TestEntry(t *testing.T) {
	const none, missing, lost = "", "there is no such program in the container now", "what it starts could not be found"
	for _, tc := range []struct {
		name, line, search, dir, want, problem string
		setuid                                 bool
	}{
		{"absolute", "/bin/sleep 1", "/bin", "", "/bin/sleep", none, false},
		{"setuid", "/bin/su x", "/bin", "", "/bin/su", none, true},
		{"setgid", "/bin/sgid", "/bin", "", "/bin/sgid", none, true},
		{"through PATH", "su x", "/nowhere:/bin", "", "/bin/su", none, true},
		{"first in PATH", "sleep", "/opt/app:/bin", "", "/opt/app/sleep", none, true},
		{"a directory and a data file in PATH", "sleep", "/opt/dir:/opt/data:/opt/file:/bin", "", "/bin/sleep", none, false},
		{"empty element of PATH", "run", "/bin:", "/opt/app", "/opt/app/run", none, false},
		{"empty PATH", "run", "", "/opt/app", "/opt/app/run", none, false},
		{"relative element of PATH", "sleep", "app", "/opt", "/opt/app/sleep", none, true},
		{"slash", "./run", "/bin", "/opt/app", "/opt/app/run", none, false},
		{"slash without working directory", "opt/app/run", "/bin", "", "/opt/app/run", none, false},
		{"up from a link", "../run", "/bin", "/opt/link", "../run", none, true},
		{"absolute link stays inside", "absolute", "/bin", "", "/bin/absolute", none, false},
		{"upward link stays inside", "upward", "/bin", "", "/bin/upward", none, false},
		{"loop", "loop", "/bin", "", "loop", "too many levels of symbolic links", false},
		{"dangling", "dangling", "/bin", "", "dangling", missing, false},
		{"gone", "/usr/bin/app --password hunter2", "/bin", "", "/usr/bin/app", missing, false},
		{"data", "/opt/file", "/bin", "", "/opt/file", missing, false},
		{"launcher", "tini -g -p SIGTERM -- su -c x", "/bin", "", "/bin/su", none, true},
		{"launchers", "/bin/tini -- env -u HOME A=/bin/su sleep su", "/bin", "", "/bin/sleep", none, false},
		{"setuid launcher", "dumb-init sleep", "/bin", "", "/bin/dumb-init", none, true},
		{"launcher of nothing", "tini", "/bin", "", "/bin/tini", lost, false},
		{"launcher of a secret", "tini hunter2", "/bin", "", "/bin/tini", lost, false},
		{"env with one argument", "env -iS su sleep", "/bin", "", "/bin/env", lost, false},
		{"env without arguments", "env --split-string=su sleep", "/bin", "", "/bin/env", lost, false},
		{"too many launchers", "tini tini tini tini tini su", "/bin", "", "tini", "it starts too many launchers in a row", false},
		{"shell", "sh -c su", "/bin", "", "/bin/sh", none, false},
		{"nothing", "", "/bin", "", "", "the engine does not name it", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var i Inspect
			if words := strings.Fields(tc.line); len(words) > 0 {
				i.Path, i.Args = words[0], words[1:]
			}
			i.Config.WorkingDir = tc.dir
			want := &Executable{Path: tc.want, Setuid: tc.setuid, Problem: tc.problem}
			if diff := cmp.Diff(want, container100(t).entry(100, &i, tc.search)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestEntryFollowsNoMagicLink(t *testing.T) {
	r := &procReader{root: tree(t, map[string]string{"/proc/100/root": "-> /"})}
	for _, name := range []string{"/proc/self/exe", "/proc/self/root/bin/sh", "/proc/self/cwd/x"} {
		e := r.entry(100, &Inspect{Path: name}, defaultSearch)
		if e.Problem != "too many levels of symbolic links" {
			t.Errorf("%s: %+v", name, e)
		}
	}
	if e := r.entry(7, &Inspect{Path: "/bin/sh"}, defaultSearch); e.Problem != "no such file or directory" || e.Path != "/bin/sh" {
		t.Errorf("a process that ended: %+v", e)
	}
}

func TestSearchPath(t *testing.T) {
	for _, tc := range []struct {
		env  []string
		want string
	}{
		{nil, defaultSearch},
		{[]string{"MANPATH=/x", "A=PATH=/y"}, defaultSearch},
		{[]string{"PATH=/a", "B=1", "PATH=/b:/c"}, "/b:/c"},
		{[]string{"PATH="}, ""},
	} {
		if got := searchPath(tc.env); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.env, got, tc.want)
		}
	}
}

// TestEntryOfContainers looks at real ones: what runs there no longer shows what it was started by.
func TestEntryOfContainers(t *testing.T) {
	h := host.Here(t)
	busybox, setuid := h.Image(t, "busybox"), h.Image(t, "setuid")
	for name, args := range map[string][]string{
		"setuid":  {setuid},
		"init":    {"--init", setuid},
		"filecap": {h.Image(t, "filecap")},
		"plain":   {busybox, "sleep", "100000"},
		"env":     {"--entrypoint", "env", setuid, "X=hunter2", "/usr/bin/su", "-s", "/bin/sh", "-c", "exec sleep 100000", "app"},
		"path":    {"-e", "PATH=/usr/bin:/bin", "--entrypoint", "su", setuid, "-s", "/bin/sh", "-c", "exec sleep 100000", "app"},
		"shell":   {"--entrypoint", "sh", setuid, "-c", "exec /usr/bin/su -s /bin/sh -c 'exec sleep 100000' app"},
	} {
		h.Docker(t, append([]string{"run", "-d", "--name", name}, args...)...)
	}
	found := observe(t, h)
	for name, want := range map[string]Executable{
		"setuid":  {Path: "/usr/bin/su", Setuid: true},
		"init":    {Path: "/usr/bin/su", Setuid: true},
		"filecap": {Path: "/usr/bin/sleep", FileCaps: true},
		"plain":   {Path: "/bin/sleep"},
		"env":     {Path: "/usr/bin/su", Setuid: true},
		"path":    {Path: "/usr/bin/su", Setuid: true},
		"shell":   {Path: "/bin/sh"},
	} {
		c := must(t, found, name)
		if c.Proc == nil {
			t.Errorf("%s: %s", name, c.ProcProblem)
			continue
		}
		if diff := cmp.Diff(&want, c.Proc.Entry); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}
