package layer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/xattr"
)

// mounted is a layer over two layers of an image, and the place where the kernel shows what they make together. base
// makes the image.
func mounted(t *testing.T, base func(lower, middle string)) (Layer, string) {
	t.Helper()
	dir := t.TempDir()
	must(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, ""))
	t.Cleanup(func() { must(t, syscall.Unmount(dir, 0)) })
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"lower/data", "middle/data", "upper", "work", "merged"} {
		must(t, os.MkdirAll(at(name), 0o755))
	}
	base(at("lower"), at("middle"))
	options := fmt.Sprintf("lowerdir=%s:%s,upperdir=%s,workdir=%s,index=off,redirect_dir=off,metacopy=off", at("middle"), at("lower"), at("upper"), at("work"))
	must(t, syscall.Mount("overlay", at("merged"), "overlay", 0, options))
	t.Cleanup(func() { must(t, syscall.Unmount(at("merged"), 0)) })
	return Layer{Upper: at("upper"), Lower: []string{at("middle"), at("lower")}}, at("merged")
}

func put(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, []byte(text), 0o644))
	old := time.Unix(1000000000, 123456789)
	must(t, os.Chtimes(name, old, old))
}

// image has a file of every kind of fate in /data.
func image(t *testing.T) func(lower, middle string) {
	return func(lower, middle string) {
		for _, name := range []string{"kept", "changed", "deleted", "twice", "sub/kept", "sub/deleted", "gone/x", "emptied/x", "again/x", "file/x", "hidden/below"} {
			put(t, filepath.Join(lower, "data", name), "lower "+name)
		}
		put(t, filepath.Join(middle, "data/twice"), "middle")
		put(t, filepath.Join(middle, "data/hidden/above"), "middle")
		must(t, xattr.Set(filepath.Join(middle, "data/hidden"), "trusted.overlay.opaque", []byte("y")))
		must(t, syscall.Mknod(filepath.Join(middle, "data/never"), syscall.S_IFCHR, 0))
		put(t, filepath.Join(lower, "data/never"), "never seen")
		must(t, os.Link(filepath.Join(lower, "data/kept"), filepath.Join(lower, "data/kept-too")))
		must(t, os.Symlink("kept", filepath.Join(lower, "data/link")))
		must(t, xattr.Set(filepath.Join(lower, "data/kept"), "user.note", []byte("yes")))
		must(t, os.Symlink("data", filepath.Join(lower, "way")))
		put(t, filepath.Join(lower, "etc/conf"), "")
	}
}

// use does to /data what containers do.
func use(t *testing.T, merged string) {
	at := func(name string) string { return filepath.Join(merged, "data", name) }
	put(t, at("changed"), "changed")
	put(t, at("sub/new"), "new")
	must(t, os.Link(at("sub/new"), at("new-too")))
	must(t, xattr.Set(at("sub/new"), "user.note", []byte("mine")))
	must(t, xattr.Set(at("sub/new"), "security.capability", []byte("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")))
	for _, name := range []string{"deleted", "sub/deleted", "emptied/x"} {
		must(t, os.Remove(at(name)))
	}
	for _, name := range []string{"gone", "again", "file"} {
		must(t, os.RemoveAll(at(name)))
	}
	must(t, os.Mkdir(at("again"), 0o1777))
	must(t, os.Chmod(at("again"), 0o777|fs.ModeSticky))
	put(t, at("file"), "a file in place of a directory")
	must(t, os.Chown(at("sub"), 7, 8))
	must(t, os.Chmod(at("file"), 0o750|fs.ModeSetuid|fs.ModeSetgid))
	must(t, syscall.Mkfifo(at("pipe"), 0o600))
	must(t, syscall.Mknod(at("null"), syscall.S_IFCHR|0o666, 1<<8|3))
	must(t, os.Symlink("/nowhere", at("dangling")))
	must(t, os.Lchown(at("dangling"), 7, 8))
	old := time.Unix(1100000000, 987654321)
	must(t, os.Chtimes(at("sub"), old, old))
	must(t, os.Chtimes(at(""), old, old))
}

// shown is what the kernel shows of a directory.
func shown(t *testing.T, dir string) map[string]*entry {
	t.Helper()
	all, err := index(dir)
	must(t, err)
	for name, e := range all {
		all[name] = e.seen()
	}
	return all
}

// What is read from the layers is what the kernel shows of them, and so is the copy, to the byte.
func TestMergedIsWhatTheKernelShows(t *testing.T) {
	l, merged := mounted(t, image(t))
	use(t, merged)
	tree, err := l.Merged("/data")
	must(t, err)
	kernel := shown(t, filepath.Join(merged, "data"))
	if len(kernel) < 18 {
		t.Errorf("the kernel shows %d files", len(kernel))
	}
	if differ := unequal(tree.index(), kernel, exactly); len(differ) > 0 {
		t.Errorf("read otherwise: %q", differ)
	}
	to := filepath.Join(t.TempDir(), "_data")
	must(t, os.Mkdir(to, 0o700))
	must(t, tree.CopyTo(to))
	copied := shown(t, to)
	if differ := unequal(copied, kernel, exactly); len(differ) > 0 {
		t.Errorf("copied otherwise: %q", differ)
	}
	for name, e := range kernel {
		if e.mode.IsRegular() && !equalContent(filepath.Join(merged, "data", name), filepath.Join(to, name)) {
			t.Errorf("%s has another content", name)
		}
	}
	if a, b := copied["/kept"], copied["/kept-too"]; a.inode != b.inode || copied["/sub/new"].inode != copied["/new-too"].inode {
		t.Error("hard links became two files")
	}
	if err := tree.CopyTo(to); err == nil || !strings.Contains(err.Error(), "has something in it already") {
		t.Errorf("copied again: %v", err)
	}
}

// Without room for all of it nothing is copied.
func TestCopyToSmallDisk(t *testing.T) {
	dir := t.TempDir()
	must(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"))
	t.Cleanup(func() { must(t, syscall.Unmount(dir, 0)) })
	l := tree(t)
	got, err := l.Merged("/srv")
	must(t, err)
	if err := got.CopyTo(dir); err == nil || !strings.Contains(err.Error(), "no room to copy it into the volume") {
		t.Errorf("%v", err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) > 0 {
		t.Errorf("left: %v, %v", list, err)
	}
}

// A volume in place of what the image has: the kernel shows it, and none of the image.
func TestReplaceIsWhatTheKernelShows(t *testing.T) {
	for _, dir := range []string{"/data", "/data/sub", "/new/deep", "/data/hidden/deep"} {
		t.Run(dir, func(t *testing.T) {
			l, merged := mounted(t, image(t))
			if dir != "/new/deep" && dir != "/data/hidden/deep" {
				use(t, merged)
				must(t, os.Remove(filepath.Join(merged, "data/new-too"))) // a link into the directory
			} else {
				must(t, os.MkdirAll(filepath.Join(merged, dir), 0o700))
			}
			beside, err := l.Merged(filepath.Dir(dir))
			must(t, err)
			volume := t.TempDir()
			put(t, filepath.Join(volume, "sub/mine"), "mine")
			put(t, filepath.Join(volume, "kept"), "another")
			must(t, os.Link(filepath.Join(volume, "kept"), filepath.Join(volume, "linked")))
			must(t, syscall.Mknod(filepath.Join(volume, "null"), syscall.S_IFCHR|0o666, 1<<8|3))
			must(t, os.Chmod(volume, 0o710))
			must(t, syscall.Unmount(merged, 0))
			must(t, l.Replace(dir, volume))
			options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", strings.Join(l.Lower, ":"), l.Upper, filepath.Join(filepath.Dir(merged), "work"))
			must(t, syscall.Mount("overlay", merged, "overlay", 0, options))
			if differ := unequal(shown(t, filepath.Join(merged, dir)), shown(t, volume), exactly); len(differ) > 0 {
				t.Errorf("the kernel shows otherwise: %q", differ)
			}
			around := shown(t, filepath.Join(merged, filepath.Dir(dir)))
			was := beside.index()
			for _, side := range []map[string]*entry{around, was} {
				for name := range side {
					if name == "/" || anyInside(name, []string{"/" + filepath.Base(dir)}) {
						delete(side, name)
					}
				}
			}
			if differ := unequal(around, was, exactly); len(differ) > 0 {
				t.Errorf("beside it: %q", differ)
			}
		})
	}
}

func TestMergedRefuses(t *testing.T) {
	tests := map[string]struct {
		dir  string
		make func(l Layer, merged string)
		want string
	}{
		"nothing there":          {"/none", nil, "no such directory"},
		"deleted":                {"/data/gone", func(_ Layer, merged string) { must(t, os.RemoveAll(merged+"/data/gone")) }, "no such directory"},
		"a file":                 {"/data/kept", nil, "is a file"},
		"below a file":           {"/data/kept/x", nil, "is a file"},
		"behind a symbolic link": {"/way/sub", nil, "way is a symbolic link"},
		"a link to the outside": {"/data", func(_ Layer, merged string) {
			put(t, merged+"/etc/own", "x")
			must(t, os.Link(merged+"/etc/own", merged+"/data/own"))
		}, "/own in it is a hard link to a file outside"},
		"moved by the kernel": {"/data", func(l Layer, _ string) {
			must(t, os.MkdirAll(l.at("data/moved"), 0o755))
			must(t, xattr.Set(l.at("data/moved"), "trusted.overlay.redirect", []byte("/etc")))
		}, "trusted.overlay.redirect"},
		"content elsewhere": {"/data", func(l Layer, _ string) {
			put(t, l.at("data/kept"), "")
			must(t, xattr.Set(l.at("data/kept"), "trusted.overlay.metacopy", nil))
		}, "trusted.overlay.metacopy"},
		"a deletion of another kind": {"/data", func(l Layer, _ string) {
			must(t, os.MkdirAll(l.at("data/x"), 0o755))
			must(t, xattr.Set(l.at("data/x"), "trusted.overlay.opaque", []byte("x")))
		}, "trusted.overlay.opaque"},
		"a layer of a user's": {"/data", func(l Layer, _ string) {
			must(t, os.MkdirAll(l.at("data/x"), 0o755))
			must(t, xattr.Set(l.at("data/x"), "user.overlay.opaque", []byte("y")))
		}, "user.overlay.opaque"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l, merged := mounted(t, image(t))
			if tt.make != nil {
				tt.make(l, merged)
			}
			_, err := l.Merged(tt.dir)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
			if absent := tt.want == "no such directory"; errors.Is(err, ErrAbsent) != absent {
				t.Errorf("absent: %v", err)
			}
		})
	}
}

// Nothing that somebody does to a file goes unseen, also where its times are set back.
func TestDigest(t *testing.T) {
	old := time.Unix(1000000000, 0)
	same := map[string]func(dir string) error{
		"nothing":              func(string) error { return nil },
		"read":                 func(dir string) error { _, err := os.ReadFile(dir + "/a"); return err },
		"a file came and went": func(dir string) error { return errors.Join(os.WriteFile(dir+"/b", nil, 0o600), os.Remove(dir+"/b")) },
	}
	other := map[string]func(dir string) error{
		"new file":      func(dir string) error { return os.WriteFile(dir+"/b", nil, 0o600) },
		"new directory": func(dir string) error { return os.Mkdir(dir+"/b", 0o700) },
		"deleted":       func(dir string) error { return os.Remove(dir + "/a") },
		"changed, time set back": func(dir string) error {
			return errors.Join(os.WriteFile(dir+"/a", []byte("y"), 0o644), os.Chtimes(dir+"/a", old, old))
		},
		"renamed":     func(dir string) error { return os.Rename(dir+"/a", dir+"/c") },
		"mode":        func(dir string) error { return os.Chmod(dir, 0o711) },
		"attribute":   func(dir string) error { return xattr.Set(dir+"/d", "user.x", []byte("y")) },
		"another one": func(dir string) error { return os.Symlink("a", dir+"/s") },
		"linked":      func(dir string) error { return os.Link(dir+"/a", dir+"/d/a") },
	}
	for _, tests := range []map[string]func(string) error{same, other} {
		for name, do := range tests {
			t.Run(name, func(t *testing.T) {
				dir := t.TempDir()
				put(t, dir+"/a", "x")
				must(t, os.Mkdir(dir+"/d", 0o755))
				must(t, os.Chtimes(dir+"/a", old, old))
				was, err := Digest(dir)
				must(t, err)
				must(t, do(dir))
				is, err := Digest(dir)
				must(t, err)
				if _, wants := same[name]; (was == is) != wants {
					t.Errorf("%s, then %s", was, is)
				}
			})
		}
	}
	if _, err := Digest(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a digest of nothing")
	}
}

// A file is copied to the byte, whatever holes it has, and never over another one.
func TestCopyContent(t *testing.T) {
	const page = 64 << 10
	for name, pieces := range map[string]map[int64]string{
		"empty": {}, "short": {0: "x"}, "a hole first": {3 * page: "x"}, "a hole last": {0: "x", 5 * page: ""}, "holes only": {4 * page: ""},
		"holes between": {0: "a", 2*page - 1: "bc", 7 * page: strings.Repeat("d", page+1)},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
			f, err := os.Create(from)
			must(t, err)
			size := int64(0)
			for at, text := range pieces {
				_, err := f.WriteAt([]byte(text), at)
				must(t, err)
				size = max(size, at+int64(len(text)))
			}
			must(t, f.Truncate(size))
			must(t, f.Close())
			must(t, copyContent(to, from))
			want, err := os.ReadFile(from)
			must(t, err)
			if got, err := os.ReadFile(to); err != nil || string(got) != string(want) || int64(len(got)) != size {
				t.Errorf("%d bytes, %v; want %d", len(got), err, size)
			}
			if err := copyContent(to, from); !errors.Is(err, fs.ErrExist) {
				t.Errorf("over another one: %v", err)
			}
		})
	}
}

// A layer that is copied without a directory holds all the rest.
func TestCopyWithout(t *testing.T) {
	from, to := tree(t), Layer{Upper: t.TempDir()}
	must(t, os.MkdirAll(filepath.Join(to.Upper, "srv/deep"), 0o755)) // where a volume is mounted
	must(t, Copy(to, from, "/srv/deep"))
	if paths, err := Compare(to, from, "/srv/deep"); err != nil || len(paths) > 0 {
		t.Errorf("the copy differs in %q, %v", paths, err)
	}
	if paths, err := Compare(to, from); err != nil || !slices.Contains(paths, "/srv/deep/tool") {
		t.Errorf("the copy has %q, %v", paths, err)
	}
	write(t, to, "srv/deep/more", "x")
	if paths, err := Since(to, from, "/srv/deep"); err != nil || len(paths) > 0 {
		t.Errorf("since: %q, %v", paths, err)
	}
	if !Inside("/srv/deep", "/srv/deep/") || !Inside("/srv/deep/x", "/srv/deep") || Inside("/srv/deeper", "/srv/deep") || !Inside("/x", "/") {
		t.Error("Inside")
	}
}
