package inventory

import (
	"os"
	"path/filepath"
	"testing"

	"docker-harden/cmd/testhost/host"
)

func TestBindSourcesAreLookedAt(t *testing.T) {
	h := host.Here(t)
	there, gone := t.TempDir(), filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(gone, 0o755); err != nil {
		t.Fatal(err)
	}
	h.Docker(t, "run", "-d", "--name", "binder", "--stop-signal", "KILL", "-v", there+":/a", "-v", gone+":/b", h.Image(t, "busybox"), "sleep", "600")
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	seen, err := Collect(t.Context(), h.Client(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{there: true, gone: false} {
		if file, ok := seen.Files[path]; !ok || file.Exists != want {
			t.Errorf("%s: looked at %v, exists %v, want %v", path, ok, file.Exists, want)
		}
	}
}
