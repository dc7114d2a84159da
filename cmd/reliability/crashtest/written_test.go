//go:build reliability

package crashtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"docker-harden/cmd/testhost/host"
)

// witness is where containers that are hardened say that they have written something.
const witness = dir + "/witness"

// writes is what a container does that writes and logs only when it is hardened: the old one, started again, is as it was.
const writes = `if grep -q 'NoNewPrivs:.1' /proc/self/status; then echo data >/note; echo logged; echo $HOSTNAME >>/witness/ids; fi; exec sleep 2147483647`

// writer has a container that writes while it is in service.
func writer(t *testing.T, h *host.Host) {
	if err := os.MkdirAll(h.Path(witness), 0o755); err != nil {
		t.Fatal(err)
	}
	h.Docker(t, "run", "-d", "--name", "web", "--restart", "always", "--stop-signal", "KILL", "-v", witness+":/witness", h.Image(t, "busybox"), "sh", "-c", writes)
	h.Docker(t, "exec", "web", "sh", "-c", "echo 1 >/file")
}

// unwritten forgets what earlier points have left.
func unwritten(t *testing.T, h *host.Host) {
	t.Helper()
	for _, path := range []string{witness + "/ids", state + "/kept"} {
		if err := os.RemoveAll(h.Path(path)); err != nil {
			t.Fatal(err)
		}
	}
}

// keptOfAll fails unless what each hardened container had written and logged is still there.
func keptOfAll(t *testing.T, h *host.Host) {
	t.Helper()
	ids, err := os.ReadFile(h.Path(witness + "/ids"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, id := range strings.Fields(string(ids)) {
		place := h.Path(filepath.Join(state, "kept", "web."+id))
		note, err := os.ReadFile(filepath.Join(place, "files", "note"))
		log, lerr := os.ReadFile(filepath.Join(place, "log"))
		if err != nil || string(note) != "data\n" || lerr != nil || !strings.Contains(string(log), `"log":"logged\n"`) {
			t.Errorf("of container %s is kept: file %q (%v), log %q (%v)", id, note, err, log, lerr)
		}
	}
}
