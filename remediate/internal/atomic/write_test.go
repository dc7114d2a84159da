package atomic_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/pkg/xattr"
	"golang.org/x/sys/unix"

	"docker-harden/remediate/internal/atomic"
)

// plain is a new file of the caller's own.
func plain() atomic.Options { return atomic.Options{UID: os.Getuid(), GID: os.Getgid(), Mode: 0o644} }

func put(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("this test must run as root, as make test does")
	}
}

// state is everything a caller may see of a file.
type state struct {
	text     string
	uid, gid uint32
	mode     fs.FileMode
	attrs    map[string]string
}

func look(t *testing.T, path string) state {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	attrs, err := atomic.ReadXattrs(path)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	s := state{text: string(data), uid: st.Uid, gid: st.Gid, mode: info.Mode(), attrs: map[string]string{}}
	for name, value := range attrs {
		s.attrs[name] = string(value)
	}
	return s
}

func (s state) same(t *testing.T, want state) {
	t.Helper()
	if s.text != want.text || s.uid != want.uid || s.gid != want.gid || s.mode != want.mode || !maps.Equal(s.attrs, want.attrs) {
		t.Errorf("got %+v\nwant %+v", s, want)
	}
}

// alone fails when the directory holds anything but these names.
func alone(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, names) {
		t.Errorf("the directory holds %q, want %q", got, names)
	}
}

func TestWriteFile(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "daemon.json")
	for _, o := range []atomic.Options{
		{Mode: 0o644},
		{UID: 65534, GID: 7, Mode: 0o4750 | fs.ModeSetuid},
		{UID: 1, GID: 2, Mode: 0o700 | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky, Xattrs: map[string][]byte{"user.note": []byte("x"), "user.empty": {}}},
		{Mode: 0},
	} {
		o.Mode &= fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
		text := o.Mode.String()
		if err := atomic.WriteFile(path, []byte(text), o); err != nil {
			t.Fatal(err)
		}
		want := state{text: text, uid: uint32(o.UID), gid: uint32(o.GID), mode: o.Mode, attrs: map[string]string{}}
		for name, value := range o.Xattrs {
			want.attrs[name] = string(value)
		}
		look(t, path).same(t, want)
		alone(t, dir, "daemon.json")
	}
}

func TestKeepCopiesEverything(t *testing.T) {
	needRoot(t)
	path := filepath.Join(t.TempDir(), "f")
	put(t, path, "old", 0o600)
	if err := errors.Join(os.Chown(path, 65534, 12), os.Chmod(path, 0o640|fs.ModeSetuid)); err != nil {
		t.Fatal(err)
	}
	// An access list that lets user 5 read: mask r--, so the mode's group bits are r--.
	acl := []byte{
		2, 0, 0, 0,
		1, 0, 6, 0, 255, 255, 255, 255,
		2, 0, 4, 0, 5, 0, 0, 0,
		4, 0, 0, 0, 255, 255, 255, 255,
		16, 0, 4, 0, 255, 255, 255, 255,
		32, 0, 0, 0, 255, 255, 255, 255,
	}
	for name, value := range map[string][]byte{"user.origin": []byte("ansible"), "trusted.thing": {0, 1}, "system.posix_acl_access": acl} {
		if err := xattr.Set(path, name, value); err != nil {
			t.Fatal(err)
		}
	}
	want := look(t, path)
	if len(want.attrs) != 3 {
		t.Fatalf("the test could not set its attributes: %v", want.attrs)
	}
	want.text = "new"
	if err := atomic.WriteFile(path, []byte("new"), atomic.Options{Keep: true, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	look(t, path).same(t, want)
}

func TestKeepOfNothingUsesTheOptions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	o := plain()
	o.Keep = true
	if err := atomic.WriteFile(path, nil, o); err != nil {
		t.Fatal(err)
	}
	if got := look(t, path); got.mode != 0o644 || got.text != "" {
		t.Errorf("got %+v", got)
	}
}

func TestInheritedAccessListIsNotTaken(t *testing.T) {
	dir := t.TempDir()
	acl := []byte{
		2, 0, 0, 0,
		1, 0, 7, 0, 255, 255, 255, 255,
		2, 0, 7, 0, 5, 0, 0, 0,
		4, 0, 5, 0, 255, 255, 255, 255,
		16, 0, 7, 0, 255, 255, 255, 255,
		32, 0, 5, 0, 255, 255, 255, 255,
	}
	if err := xattr.Set(dir, "system.posix_acl_default", acl); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "f")
	if err := atomic.WriteFile(path, []byte("x"), plain()); err != nil {
		t.Fatal(err)
	}
	if got := look(t, path); len(got.attrs) != 0 || got.mode != 0o644 {
		t.Errorf("got %+v", got)
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name, want string
		make       func(t *testing.T, path string)
	}{
		{"symlink", "it is a symlink", func(t *testing.T, path string) { must(t, os.Symlink("/etc/hostname", path)) }},
		{"dangling symlink", "it is a symlink", func(t *testing.T, path string) { must(t, os.Symlink("nowhere", path)) }},
		{"directory", "no regular file", func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o755)) }},
		{"fifo", "no regular file", func(t *testing.T, path string) { must(t, unix.Mkfifo(path, 0o600)) }},
		{"hard link", "2 hard links", func(t *testing.T, path string) {
			put(t, path, "old", 0o600)
			must(t, os.Link(path, path+".other"))
			t.Cleanup(func() { must(t, os.Remove(path+".other")) })
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "f")
			test.make(t, path)
			before, err := os.ReadDir(dir)
			must(t, err)
			err = atomic.WriteFile(path, []byte("new"), plain())
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v", err)
			}
			after, err := os.ReadDir(dir)
			must(t, err)
			if len(after) != len(before) {
				t.Errorf("left %v", after)
			}
		})
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "missing", "f"), "/", t.TempDir() + "/..", ""} {
		if err := atomic.WriteFile(path, nil, plain()); err == nil {
			t.Errorf("%q was written", path)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestImmutable(t *testing.T) {
	needRoot(t)
	for _, flag := range []string{"i", "a"} {
		dir := t.TempDir()
		path := filepath.Join(dir, "f")
		put(t, path, "old", 0o644)
		before := look(t, path)
		if out, err := exec.Command("chattr", "+"+flag, path).CombinedOutput(); err != nil {
			t.Fatalf("the test needs a file system with chattr below %s: %v: %s", dir, err, out)
		}
		t.Cleanup(func() { must(t, exec.Command("chattr", "-"+flag, path).Run()) })
		err := atomic.WriteFile(path, []byte("new"), atomic.Options{Keep: true})
		if !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "chattr -"+flag) {
			t.Errorf("got %v", err)
		}
		look(t, path).same(t, before)
		alone(t, dir, "f")
		if err := atomic.Remove(path); !errors.Is(err, unix.EPERM) {
			t.Errorf("remove: %v", err)
		}
	}
}

func TestRemove(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	put(t, path, "x", 0o600)
	for range 2 {
		must(t, atomic.Remove(path))
		alone(t, dir)
	}
	must(t, atomic.Remove(filepath.Join(dir, "no", "such")))
	must(t, os.Mkdir(path, 0o700))
	if err := atomic.Remove(path); err == nil {
		t.Error("a directory was removed")
	}
}

func TestMkdir(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o277))
	path := filepath.Join(t.TempDir(), "d")
	must(t, atomic.Mkdir(path, 0o755))
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode() != fs.ModeDir|0o755 {
		t.Errorf("mode %v", info.Mode())
	}
	if err := atomic.Mkdir(path, 0o755); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
}

func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "daemon.json")
	put(t, path, "", 0o600)
	long := filepath.Join(dir, strings.Repeat("n", 255))
	must(t, atomic.WriteFile(long, []byte("x"), plain()))
	must(t, os.Remove(long))
	for _, name := range []string{".daemon.json.docker-harden-ABC", ".other.docker-harden-ABC", "daemon.json.docker-harden-ABC", ".docker-harden-ABC"} {
		put(t, filepath.Join(dir, name), "", 0o600)
	}
	got, err := atomic.Leftovers(path)
	must(t, err)
	if want := []string{filepath.Join(dir, ".daemon.json.docker-harden-ABC")}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, err := atomic.Leftovers(filepath.Join(dir, "no", "such")); err != nil || got != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	put(t, path, "12345", 0o600)
	if data, err := atomic.ReadFile(path, 5); err != nil || string(data) != "12345" {
		t.Errorf("%q %v", data, err)
	}
	if _, err := atomic.ReadFile(path, 4); err == nil || !strings.Contains(err.Error(), "more than 4 bytes") {
		t.Errorf("got %v", err)
	}
	must(t, os.Symlink(path, path+".link"))
	must(t, unix.Mkfifo(path+".fifo", 0o600))
	for _, name := range []string{path + ".link", path + ".fifo", dir, path + ".missing"} {
		if _, err := atomic.ReadFile(name, 5); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}
