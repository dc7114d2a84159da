package inventory

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"docker-harden/cmd/testhost/host"
)

func TestMade(t *testing.T) {
	nothing := Made{LogOptions: map[string]string{}, Ulimits: json.RawMessage("null")}
	for name, c := range map[string]struct {
		raw  string
		want Made
	}{
		"nothing": {``, nothing},
		"nulls":   {`{"HostConfig":{"LogConfig":{"Type":"","Config":null},"Ulimits":null,"Init":null},"Config":{},"ExecIDs":null}`, nothing},
		"all": {
			`{"HostConfig":{"LogConfig":{"Type":"local","Config":{"max-size":"1m"}},"Ulimits":[{"Name":"nofile","Hard":2,"Soft":1}],"Init":false},` +
				`"Config":{"AttachStdin":false,"AttachStdout":true},"ExecIDs":["a","b"]}`,
			Made{"local", map[string]string{"max-size": "1m"}, json.RawMessage(`[{"Name":"nofile","Hard":2,"Soft":1}]`), []string{"nofile"}, true, true, 2},
		},
		"other types": {`{"HostConfig":{"Ulimits":"x"},"ExecIDs":"y"}`, nothing},
	} {
		t.Run(name, func(t *testing.T) {
			got := (&Container{Raw: json.RawMessage(c.raw)}).Made()
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What was read of a container before its secrets were masked is not told afterwards.
func TestMadeIsMasked(t *testing.T) {
	c := Container{Raw: json.RawMessage(`{"Id":"a","Name":"/b","HostConfig":{"LogConfig":{"Type":"splunk","Config":{"splunk-token":"hunter2"}}}}`)}
	if _, err := c.walk(); err != nil || c.Made().LogOptions["splunk-token"] != "hunter2" {
		t.Fatalf("%v: %v", c.Made().LogOptions, err)
	}
	masked := (&Host{Containers: []Container{c}}).Redact().Containers[0].Made()
	if got := masked.LogOptions["splunk-token"]; got == "hunter2" || masked.LogDriver != "splunk" {
		t.Errorf("%q of driver %q", got, masked.LogDriver)
	}
}

func TestUlimits(t *testing.T) {
	root := tree(t, map[string]string{"/proc/100/limits": `Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max processes             15                   unlimited            processes
Max open files            1024                 524288               files
`})
	got := root.ulimits(100, []string{"nofile", "nproc", "core", "no-such"})
	if diff := cmp.Diff(map[string]string{"nofile": "1024:524288", "nproc": "15:-1"}, got); diff != "" {
		t.Error(diff)
	}
	if got := root.ulimits(7, []string{"nofile"}); got != nil {
		t.Errorf("of no process: %v", got)
	}
}

func TestSubmounts(t *testing.T) {
	below := tree(t, map[string]string{"/proc/1/mountinfo": "20 1 0:50 / / rw - ext4 x rw\n21 20 0:51 / /srv/data\\040x/deep rw - tmpfs t rw\n22 20 0:52 / /home rw - tmpfs t rw\n"}).submounts()
	for dir, want := range map[string]bool{"/": true, "/srv": true, "/srv/data x/": true, "/srv/data x/deep": false, "/home": false, "/hom": false, "/etc": false} {
		if got := below(dir); got != want {
			t.Errorf("%s: %t, want %t", dir, got, want)
		}
	}
	if tree(t, map[string]string{"/x": ""}).submounts()("/") {
		t.Error("a table that cannot be read has mounts")
	}
}

func TestOnlySecrets(t *testing.T) {
	for name, c := range map[string]struct {
		paths []string
		files int64
		want  bool
	}{
		"nothing":   {nil, 0, true},
		"secrets":   {[]string{"/run", "/run/secrets", "/run/secrets/a"}, 3, true},
		"more":      {[]string{"/run/secrets/a"}, 2, false},
		"others":    {[]string{"/run/lock"}, 1, false},
		"a deleted": {[]string{"/run/secrets/a (deleted)"}, 1, false},
	} {
		if got := OnlySecrets(c.paths, c.files); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}

// A bind whose source was replaced still shows the old one in the container, also behind a link there.
func TestReplacedBinds(t *testing.T) {
	h := host.Here(t)
	dir := t.TempDir()
	for _, name := range []string{"same", "other", "linked"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("linked", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	h.Docker(t, "run", "-d", "--name", "binder", "--stop-signal", "KILL", "-v", dir+"/same:/a", "-v", dir+"/other:/b:ro", "-v", dir+"/link:/c:ro",
		"-v", "/run/docker.sock:/d", "-v", "/sys:/sys2:ro", h.Image(t, "busybox"), "sleep", "600")
	if err := os.Rename(filepath.Join(dir, "other"), filepath.Join(dir, "moved")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "other"), 0o755); err != nil {
		t.Fatal(err)
	}
	seen, err := Collect(t.Context(), h.Client(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := seen.Find("binder")
	if diff := cmp.Diff([]string{filepath.Join(dir, "other")}, c.Replaced); diff != "" {
		t.Errorf("replaced: %s", diff)
	}
	if diff := cmp.Diff([]string{"/sys"}, c.Submounts); diff != "" {
		t.Errorf("submounts: %s", diff)
	}
	if _, err := BindReplaced("", c.Inspect.State.PID, filepath.Join(dir, "gone"), "/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a source that is missing is no error")
	}
}
