package host

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"docker-harden/plan"
	"docker-harden/remediate"
)

// spoiledDir is a directory with a file in it that belongs to 65534:7, with a mode.
func spoiledDir(t *testing.T, mode uint32) string {
	t.Helper()
	needRoot(t)
	top, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	dir := filepath.Join(top, "docker")
	must(t, errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "inside"), nil, 0o640), os.Chown(dir, 65534, 7)))
	must(t, unix.Chmod(dir, mode))
	return dir
}

// A directory goes there and back like a file, and nothing in it is touched. Links to it are no hard links.
func TestFileModeOfADirectory(t *testing.T) {
	for _, test := range []struct {
		mode        uint32
		changes     []string
		was, become string
	}{
		{0o777, []string{"mode 0777 0755"}, "65534:7 0777", "65534:7 0755"},
		{0o1777, []string{"mode 1777 0755", "owner 65534:7 0:0"}, "65534:7 1777", "0:0 0755"},
		// The kernel keeps setgid of a directory through a change of owner.
		{0o2770, []string{"mode 2770 0700", "owner 65534:7 0:0"}, "65534:7 2770", "0:0 0700"},
		{0o2755, []string{"owner 65534:7 0:0"}, "65534:7 2755", "0:0 2755"},
		{0o000, []string{"owner 65534:7 0:0"}, "65534:7 0000", "0:0 0000"},
	} {
		t.Run(strings.Join(test.changes, ", "), func(t *testing.T) {
			dir := spoiledDir(t, test.mode)
			must(t, os.Mkdir(filepath.Join(dir, "below"), 0o750)) // gives dir one more link
			h, step := &FileMode{}, fileStep(dir, test.changes...)
			undo, err := h.Prepare(t.Context(), step)
			must(t, err)
			must(t, h.Do(t.Context(), step, undo, nil))
			shows(t, dir, test.become)
			for i := range 2 {
				restored, err := h.Undo(t.Context(), step, remediate.Record{Undo: undo})
				must(t, err)
				if restored.How != plan.Exact || restored.Nothing != (i == 1) {
					t.Errorf("undo %d: %+v", i+1, restored)
				}
				shows(t, dir, test.was)
			}
			shows(t, filepath.Join(dir, "inside"), "0:0 0640")
		})
	}
}

// Killed between the change of owner and that of mode, in either direction.
func TestFileModeOfADirectoryKilled(t *testing.T) {
	killed := errors.New("killed")
	dir := spoiledDir(t, 0o2777)
	h, crash := &FileMode{}, &FileMode{hook: func(string) error { return killed }}
	step := fileStep(dir, "mode 2777 0755", "owner 65534:7 0:0")
	undo, err := h.Prepare(t.Context(), step)
	must(t, err)
	for range 2 {
		if err := crash.Do(t.Context(), step, undo, nil); !errors.Is(err, killed) {
			t.Fatal(err)
		}
		shows(t, dir, "0:0 2777")
		_, err = h.Undo(t.Context(), step, remediate.Record{Undo: undo})
		must(t, err)
		shows(t, dir, "65534:7 2777")
	}
	must(t, h.Do(t.Context(), step, undo, nil))
	if _, err := crash.Undo(t.Context(), step, remediate.Record{Undo: undo}); !errors.Is(err, killed) {
		t.Fatal(err)
	}
	_, err = h.Undo(t.Context(), step, remediate.Record{Undo: undo})
	must(t, err)
	shows(t, dir, "65534:7 2777")
}

// Between Prepare and Do, or between Do and Undo, somebody puts something else in the directory's place.
func TestFileModeSwappedDirectory(t *testing.T) {
	for name, test := range map[string]struct {
		swap func(dir, victim string) error
		undo error // of Undo after a whole Do
		says string
	}{
		"symlink to another": {func(d, v string) error { return errors.Join(os.Rename(d, d+"2"), os.Symlink(v, d)) }, nil, "is a symlink"},
		"a file":             {func(d, v string) error { return errors.Join(os.Rename(d, d+"2"), os.WriteFile(d, nil, 0o600)) }, remediate.ErrDrifted, "replaced by a file"},
		"gone":               {func(d, v string) error { return os.Rename(d, d+"2") }, remediate.ErrDrifted, "does not exist any more"},
	} {
		t.Run(name, func(t *testing.T) {
			prepared := func() (*FileMode, plan.Step, json.RawMessage, string, string) {
				dir := spoiledDir(t, 0o777)
				victim := filepath.Join(filepath.Dir(dir), "etc")
				must(t, os.Mkdir(victim, 0o711))
				h, step := &FileMode{}, fileStep(dir, "mode 0777 0755", "owner 65534:7 0:0")
				undo, err := h.Prepare(t.Context(), step)
				must(t, err)
				return h, step, undo, dir, victim
			}
			h, step, undo, dir, victim := prepared()
			must(t, test.swap(dir, victim))
			if err := h.Do(t.Context(), step, undo, nil); err == nil {
				t.Error("it was done")
			}
			shows(t, dir+"2", "65534:7 0777")
			shows(t, victim, "0:0 0711")

			h, step, undo, dir, victim = prepared()
			must(t, h.Do(t.Context(), step, undo, nil))
			must(t, test.swap(dir, victim))
			for _, force := range []bool{false, true} {
				out, err := h.Undo(t.Context(), step, remediate.Record{Undo: undo, Force: force})
				if force && test.undo != nil { // there is nothing to bring back, and the host is not stuck
					err = errors.Join(err, errors.New(strings.Join(out.Notes, " ")), test.undo)
				}
				if err == nil || !strings.Contains(err.Error(), test.says) || test.undo != nil && !errors.Is(err, test.undo) {
					t.Errorf("undo, force %t: %v", force, err)
				}
			}
			shows(t, victim, "0:0 0711")
		})
	}
}

// A directory that is swapped while it is being changed: the held one is changed, and the proof fails.
func TestFileModeDirectorySwappedInTheMiddle(t *testing.T) {
	dir := spoiledDir(t, 0o777)
	victim := filepath.Join(filepath.Dir(dir), "etc")
	must(t, os.Mkdir(victim, 0o711))
	h := &FileMode{hook: func(string) error { return errors.Join(os.Rename(dir, dir+"2"), os.Rename(victim, dir)) }}
	step := fileStep(dir, "mode 0777 0755", "owner 65534:7 0:0")
	undo, err := h.Prepare(t.Context(), step)
	must(t, err)
	if err := h.Do(t.Context(), step, undo, nil); err == nil || !strings.Contains(err.Error(), "replaced by another file") {
		t.Errorf("got %v", err)
	}
	shows(t, dir, "0:0 0711")
	shows(t, dir+"2", "0:0 0755")
}
