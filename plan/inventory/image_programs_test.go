package inventory

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"docker-harden/plan/evidence"
)

// What an image has is what its layers have that no layer above them hides, whatever the container itself changed.
func TestImagePrograms(t *testing.T) {
	const su = 0o755 | os.ModeSetuid
	c, top, middle, bottom := layered(t)
	for _, name := range []string{"bin/su", "bin/replaced", "bin/deleted", "old/mount", "opaque/mount", "gone/mount"} {
		program(t, bottom, name, su)
	}
	program(t, bottom, "bin/ls", 0o755)
	program(t, middle, "bin/new", 0o755|os.ModeSetgid)
	program(t, middle, "bin/replaced", 0o755)
	program(t, middle, "opaque/kept", su)
	deletes(t, filepath.Join(middle, "bin/deleted"))
	deletes(t, filepath.Join(middle, "gone"))
	plant(t, middle, "old")
	if err := unix.Setxattr(filepath.Join(middle, "opaque"), "trusted.overlay.opaque", []byte("y"), 0); err != nil {
		t.Fatal(err)
	}
	program(t, top, "bin/mine", su) // the container's own
	deletes(t, filepath.Join(top, "bin/su"))

	w := layerPrograms{until: soon(), seen: map[string]evidence.Programs{}}
	for range 2 { // the second time from what is known of the layers
		got := w.ofImage(c, "")
		var names []string
		for _, p := range got.Found {
			names = append(names, p.Path)
		}
		if is := strings.Join(names, " "); is != "/bin/new /bin/su /opaque/kept" || got.Partial || got.Problem != "" || !got.Found[0].Setgid || !got.Found[1].Setuid {
			t.Errorf("%s: %+v", is, got)
		}
		if len(w.seen) != 2 {
			t.Errorf("%d layers", len(w.seen))
		}
	}
	c.Inspect.GraphDriver.Data["LowerDir"] = ""
	if got := w.ofImage(c, ""); got.Problem == "" {
		t.Errorf("an image of another kind of storage: %+v", got)
	}
}
