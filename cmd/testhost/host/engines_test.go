//go:build engines

package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A host of another release within one has that release's engine, and this machine's folders.
func TestEngineOfAnotherRelease(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("of this machine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, release := range Releases() {
		t.Run(string(release), func(t *testing.T) {
			h := Start(t, Debian(release))
			root, err := Root(t.Context(), release)
			if err != nil {
				t.Fatal(err)
			}
			deb, err := EngineOf(root)
			if err != nil {
				t.Fatal(err)
			}
			if got := h.Docker(t, "version", "-f", "{{.Server.Version}}"); !strings.HasPrefix(deb, got) {
				t.Errorf("engine %s, its package is %s", got, deb)
			}
			if got := h.Exec(t, "cat", file); got != "of this machine" {
				t.Errorf("a file of this machine holds %q", got)
			}
			if got := h.Exec(t, "cat", rootRelease); got != string(release) {
				t.Errorf("the host says that it is %q", got)
			}
			run(t, h, "limited", "-m", "64m")
			if got := h.Docker(t, "inspect", "-f", "{{.HostConfig.Memory}}", "limited"); got != "67108864" {
				t.Errorf("memory limit %s", got)
			}
			if got := h.Exec(t, "cat", "/proc/mounts"); strings.Contains(got, "/.old") || strings.Contains(got, h.state+"/new") {
				t.Errorf("mounts of the way in are left:\n%s", got)
			}
		})
	}
}
