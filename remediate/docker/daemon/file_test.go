package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"docker-harden/remediate"
)

func TestObserve(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "daemon.json")
	if c, err := observe(file); err != nil || c.Exists || c.doc() != nil {
		t.Errorf("observe of nothing = %+v, %v", c, err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := observe(file)
	if err != nil || !c.Exists || c.doc() == nil || c.Mode != 0o600 {
		t.Errorf("observe of an empty file = %+v, %v; want it to exist", c, err)
	}
	link, fifo := filepath.Join(dir, "link"), filepath.Join(dir, "fifo")
	if err := errors.Join(os.Symlink(file, link), syscall.Mkfifo(fifo, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, fifo, dir, filepath.Join(file, "x")} {
		if c, err := observe(path); err == nil {
			t.Errorf("observe(%s) = %+v, want an error", path, c)
		}
	}
}

func TestCheckPlace(t *testing.T) {
	tests := []struct {
		name string
		mode os.FileMode
		uid  int
		want string
	}{
		{"fine", 0o755, 0, ""},
		{"group may write", 0o775, 0, "others than root may write"},
		{"all may write", 0o777, 0, "chmod go-w"},
		{"all may write, sticky", 0o777 | os.ModeSticky, 0, "others than root may write"},
		{"somebody's", 0o755, 1000, "belongs to user 1000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "docker")
			if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, tt.mode), os.Chown(dir, tt.uid, 0)); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{filepath.Join(dir, "daemon.json"), filepath.Join(dir, "not", "there", "daemon.json")} {
				err := checkPlace(path)
				switch {
				case tt.want == "" && err != nil:
					t.Errorf("checkPlace = %v, want nil", err)
				case tt.want != "" && strings.Contains(tt.name, "sticky") && strings.Contains(path, "there"):
					// In a sticky directory nobody else can rename what we make.
				case tt.want != "" && (!errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), tt.want)):
					t.Errorf("checkPlace(%s) = %v, want %q", path, err, tt.want)
				}
			}
		})
	}
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(os.Mkdir(filepath.Join(dir, "real"), 0o755), os.WriteFile(filepath.Join(dir, "real", "d.json"), nil, 0o644),
		os.Symlink("real", filepath.Join(dir, "dirlink")), os.Symlink("real/d.json", filepath.Join(dir, "link")),
		os.Symlink("nowhere", filepath.Join(dir, "dangling")), os.Symlink("loop", filepath.Join(dir, "loop")))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"real/d.json": "real/d.json", "link": "real/d.json", "dirlink/d.json": "real/d.json",
		"dirlink/new.json": "real/new.json", "no/such/dir.json": "no/such/dir.json",
	} {
		if got, err := resolve(filepath.Join(dir, path)); err != nil || got != filepath.Join(real, want) {
			t.Errorf("resolve(%s) = %s, %v; want %s", path, got, err, want)
		}
	}
	for _, path := range []string{"dangling", "loop"} {
		if got, err := resolve(filepath.Join(dir, path)); !errors.Is(err, remediate.ErrRefused) {
			t.Errorf("resolve(%s) = %s, %v; want a refusal", path, got, err)
		}
	}
}

func TestMissingDirs(t *testing.T) {
	dir := t.TempDir()
	got := missingDirs(filepath.Join(dir, "a", "b", "daemon.json"))
	if len(got) != 2 || got[0] != filepath.Join(dir, "a") || got[1] != filepath.Join(dir, "a", "b") {
		t.Errorf("missingDirs = %v, want a and a/b, outermost first", got)
	}
	if got := missingDirs(filepath.Join(dir, "daemon.json")); got != nil {
		t.Errorf("missingDirs of an existing directory = %v", got)
	}
}

func TestWriteAndRemove(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "daemon.json")
	f := &flow{memo: memo{Resolved: path, Dirs: missingDirs(path), Original: content{Mode: newMode}}}
	if err := f.write([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.write([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("writing the same bytes again made a new file (%v)", err)
	}
	if err := f.replace([]byte("{ }"), []byte("x")); err == nil || !strings.Contains(err.Error(), "changed by somebody else") {
		t.Errorf("replace over an unexpected file = %v", err)
	}
	left := filepath.Join(dir, "a", ".daemon.json.docker-harden-X")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.sweep(), f.write(nil), f.write(nil)); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left over: %v, %v", entries, err)
	}
}
