package layer

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/xattr"
)

// tree makes a layer that holds one of everything. It needs root, as the program does.
func tree(t *testing.T) Layer {
	t.Helper()
	l := Layer{Upper: filepath.Join(t.TempDir(), "upper"), Lower: []string{filepath.Join(t.TempDir(), "lower")}}
	must(t, os.MkdirAll(filepath.Join(l.Upper, "srv/deep"), 0o755))
	must(t, os.MkdirAll(filepath.Join(l.Lower[0], "etc"), 0o755))
	write(t, l, "srv/a", "hello")
	must(t, os.Link(l.at("srv/a"), l.at("srv/b")))
	must(t, os.Symlink("a", l.at("srv/c")))
	must(t, syscall.Mknod(l.at("srv/gone"), syscall.S_IFCHR, 0))
	must(t, syscall.Mknod(l.at("srv/null"), syscall.S_IFCHR|0o666, 1<<8|3))
	must(t, syscall.Mkfifo(l.at("srv/pipe"), 0o600))
	write(t, l, "srv/deep/tool", "x")
	must(t, xattr.Set(l.at("srv/deep/tool"), "user.note", []byte("yes")))
	must(t, xattr.Set(l.at("srv/deep/tool"), "security.capability", []byte("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")))
	must(t, xattr.Set(l.at("srv/deep"), "trusted.overlay.opaque", []byte("y")))
	must(t, os.Lchown(l.at("srv/c"), 7, 8))
	must(t, os.Chown(l.at("srv/a"), 7, 8))
	must(t, os.Chmod(l.at("srv/a"), 0o4750|os.ModeSetuid))
	sparse, err := os.Create(l.at("srv/sparse"))
	must(t, err)
	must(t, sparse.Truncate(10<<20))
	must(t, sparse.Close())
	long := time.Unix(1000000000, 123456789)
	for _, name := range []string{"srv/deep/tool", "srv/a", "srv/deep", "srv"} {
		must(t, os.Chtimes(l.at(name), long, long))
	}
	return l
}

func (l Layer) at(name string) string { return filepath.Join(l.Upper, name) }

func write(t *testing.T, l Layer, name, text string) {
	t.Helper()
	must(t, os.WriteFile(l.at(name), []byte(text), 0o644))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCopyHoldsEverything(t *testing.T) {
	from, to := tree(t), Layer{Upper: t.TempDir()}
	must(t, os.Mkdir(to.at("srv"), 0o700)) // as the engine makes mount points
	must(t, Copy(to, from))
	if paths, err := Compare(to, from); err != nil || len(paths) > 0 {
		t.Errorf("the copy differs in %q, %v", paths, err)
	}
	var a, b, s syscall.Stat_t
	must(t, syscall.Stat(to.at("srv/a"), &a))
	must(t, syscall.Stat(to.at("srv/b"), &b))
	must(t, syscall.Stat(to.at("srv/sparse"), &s))
	if a.Ino != b.Ino {
		t.Error("hard links became two files")
	}
	if s.Blocks > 100 {
		t.Errorf("the sparse file takes %d blocks", s.Blocks)
	}
}

// Compare sees every way in which a copy can be wrong.
func TestCompareSees(t *testing.T) {
	tests := []struct {
		name string
		edit func(*testing.T, Layer)
		want string
	}{
		{"content", func(t *testing.T, l Layer) { write(t, l, "srv/deep/tool", "longer") }, "/srv/deep/tool"},
		{"time", func(t *testing.T, l Layer) { must(t, os.Chtimes(l.at("srv/deep"), time.Now(), time.Now())) }, "/srv/deep"},
		{"mode", func(t *testing.T, l Layer) { must(t, os.Chmod(l.at("srv/pipe"), 0o644)) }, "/srv/pipe"},
		{"owner", func(t *testing.T, l Layer) { must(t, os.Lchown(l.at("srv/c"), 1, 1)) }, "/srv/c"},
		{"attribute", func(t *testing.T, l Layer) {
			must(t, xattr.Remove(l.at("srv/deep"), "trusted.overlay.opaque"))
		}, "/srv/deep"},
		{"capability", func(t *testing.T, l Layer) {
			must(t, xattr.Remove(l.at("srv/deep/tool"), "security.capability"))
		}, "/srv/deep/tool"},
		{"deletion forgotten", func(t *testing.T, l Layer) { must(t, os.Remove(l.at("srv/gone"))) }, "/srv/gone"},
		{"device", func(t *testing.T, l Layer) {
			must(t, os.Remove(l.at("srv/null")))
			must(t, syscall.Mknod(l.at("srv/null"), syscall.S_IFCHR|0o666, 1<<8|5))
		}, "/srv/null"},
		{"link broken", func(t *testing.T, l Layer) {
			must(t, os.Remove(l.at("srv/b")))
			write(t, l, "srv/b", "hello")
		}, "/srv/a"},
		{"too much", func(t *testing.T, l Layer) { write(t, l, "more", "") }, "/more"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			from, to := tree(t), Layer{Upper: t.TempDir()}
			must(t, Copy(to, from))
			tt.edit(t, to)
			paths, err := Compare(to, from)
			if err != nil || !slices.Contains(paths, tt.want) {
				t.Errorf("Compare: %q, %v; want %s among them", paths, err, tt.want)
			}
		})
	}
}

func TestSince(t *testing.T) {
	base, now := tree(t), Layer{Upper: t.TempDir()}
	write(t, base, "srv/deep/text", "x")
	must(t, Copy(now, base))
	write(t, now, "srv/deep/text", "x") // the same again, at another time
	if paths, err := Since(now, base); err != nil || len(paths) > 0 {
		t.Errorf("Since after writing the same: %q, %v", paths, err)
	}
	write(t, now, "srv/deep/text", "y")
	write(t, now, "srv/new", "z")
	must(t, os.Remove(now.at("srv/pipe")))
	if paths, err := Since(now, base); err != nil || !slices.Equal(paths, []string{"/srv/deep/text", "/srv/new", "/srv/pipe"}) {
		t.Errorf("Since: %q, %v", paths, err)
	}
}

func TestWritten(t *testing.T) {
	tests := []struct {
		name  string
		make  func(*testing.T, Layer)
		stubs []string
		want  []string
	}{
		{"nothing", func(*testing.T, Layer) {}, nil, nil},
		{"mount points", func(t *testing.T, l Layer) {
			must(t, os.MkdirAll(l.at("data/deep"), 0o755))
			must(t, os.Mkdir(l.at("etc"), 0o755))
			write(t, l, "etc/conf", "")
		}, []string{"/data/deep", "/etc/conf/"}, nil},
		{"a file beside a mount point", func(t *testing.T, l Layer) {
			must(t, os.MkdirAll(l.at("data/deep"), 0o755))
			write(t, l, "data/x", "12")
		}, []string{"/data/deep"}, []string{"/data/x"}},
		{"a file where a mount point was", func(t *testing.T, l Layer) { write(t, l, "data", "12") }, []string{"/data"}, []string{"/data"}},
		{"a deleted mount point", func(t *testing.T, l Layer) { must(t, syscall.Mknod(l.at("data"), syscall.S_IFCHR, 0)) }, []string{"/data"}, []string{"/data (deleted)"}},
		{"a changed directory above a mount point", func(t *testing.T, l Layer) {
			must(t, os.Mkdir(l.at("etc"), 0o700))
		}, []string{"/etc/conf"}, []string{"/etc"}},
		{"a directory emptied above a mount point", func(t *testing.T, l Layer) {
			must(t, os.Mkdir(l.at("etc"), 0o755))
			must(t, xattr.Set(l.at("etc"), "trusted.overlay.opaque", []byte("y")))
		}, []string{"/etc/conf"}, []string{"/etc"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := Layer{Upper: t.TempDir(), Lower: []string{t.TempDir()}}
			must(t, os.Mkdir(filepath.Join(l.Lower[0], "etc"), 0o755))
			tt.make(t, l)
			w, err := l.Written(tt.stubs)
			if err != nil || !slices.Equal(w.Paths, tt.want) || w.Clean() != (len(tt.want) == 0) {
				t.Errorf("Written: %+v, %v; want %q", w, err, tt.want)
			}
		})
	}
}

func TestWrittenIsBounded(t *testing.T) {
	l := Layer{Upper: t.TempDir()}
	for i := range MaxPaths + 5 {
		write(t, l, string('a'+rune(i)), "12")
	}
	w, err := l.Written(nil)
	if err != nil || len(w.Paths) != MaxPaths || w.Files != MaxPaths+5 || w.Bytes != 2*(MaxPaths+5) {
		t.Errorf("Written: %+v, %v", w, err)
	}
}

func TestRoom(t *testing.T) {
	if err := Room(t.TempDir(), "it", Written{Bytes: 1, Files: 1}); err != nil {
		t.Error(err)
	}
	if err := Room(t.TempDir(), "it", Written{Bytes: 1 << 60}); err == nil {
		t.Error("there is room for an exbibyte")
	}
	if err := Room(filepath.Join(t.TempDir(), "none"), "it", Written{}); err == nil {
		t.Error("there is room where nothing is")
	}
}

func TestOpen(t *testing.T) {
	root := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(root, "var/upper"), 0o755))
	l, err := Open(root, "overlay2", map[string]string{"UpperDir": "/var/upper", "LowerDir": "/a:/b"})
	if err != nil || l.Upper != root+"/var/upper" || !slices.Equal(l.Lower, []string{root + "/a", root + "/b"}) {
		t.Errorf("Open: %+v, %v", l, err)
	}
	if _, err := Open(root, "btrfs", nil); !errors.Is(err, ErrDriver) {
		t.Errorf("Open with another driver: %v", err)
	}
	if _, err := Open(root, "overlay2", nil); !errors.Is(err, ErrDriver) {
		t.Errorf("Open without directories: %v", err)
	}
	if _, err := Open(root, "overlay2", map[string]string{"UpperDir": "/elsewhere"}); err == nil || errors.Is(err, ErrDriver) {
		t.Errorf("Open of another machine's layer: %v", err)
	}
}
