package inventory

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"docker-harden/plan/evidence"
)

// plant makes files, and directories where a name ends with a slash.
func plant(t *testing.T, root string, names ...string) {
	t.Helper()
	for _, name := range names {
		at := filepath.Join(root, name)
		dir := filepath.Dir(at)
		if strings.HasSuffix(name, "/") {
			dir = at
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if dir == at {
			continue
		}
		if err := os.WriteFile(at, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// deletes puts what overlay writes for a deleted name.
func deletes(t *testing.T, at string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mknod(at, unix.S_IFCHR, 0); err != nil {
		t.Fatalf("overlay's deletions cannot be made here: %v", err)
	}
}

// layered is a container of two image layers, and its writable one.
func layered(t *testing.T) (c *Container, top, middle, bottom string) {
	t.Helper()
	root := t.TempDir()
	top, middle, bottom = filepath.Join(root, "top"), filepath.Join(root, "middle"), filepath.Join(root, "bottom")
	for _, dir := range []string{top, middle, bottom} {
		plant(t, dir, "./")
	}
	c = &Container{ID: "c1", Name: "web"}
	c.Inspect.GraphDriver.Data = map[string]string{"UpperDir": top, "LowerDir": middle + ":" + bottom}
	return c, top, middle, bottom
}

func TestWrittenDirs(t *testing.T) {
	c, top, middle, bottom := layered(t)
	plant(t, bottom, "run/", "var/log/nginx/", "var/lib/nginx/", "etc/nginx/nginx.conf", "srv/old/file", "tmp/", "opt/app/data")
	plant(t, middle, "var/lib/nginx/", "usr/share/x", "srv/old/")
	deletes(t, filepath.Join(middle, "srv/old/file"))
	plant(t, top, "run/nginx.pid", "var/log/nginx/access.log", "var/log/nginx/error.log", "var/lib/nginx/body/0/1/a", "srv/old/new",
		"tmp/", "data/db/1", "file", "opt/app/cache/x", "etc/hosts", "proc/x")
	if err := os.Chmod(filepath.Join(top, "tmp"), 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(filepath.Join(top, "run"), 7, 8); err != nil && !errors.Is(err, unix.EPERM) {
		t.Fatal(err)
	}
	dirs, partial, err := c.WrittenDirs()
	if err != nil || partial {
		t.Fatal(partial, err)
	}
	got := make(map[string]evidence.Dir)
	for _, d := range dirs {
		got[d.Path] = d
	}
	for name, want := range map[string]evidence.Dir{
		"/run":           {Files: 1, Image: evidence.ImageEmpty},
		"/var/log/nginx": {Files: 2, Image: evidence.ImageEmpty},
		"/var/lib/nginx": {Files: 1, Image: evidence.ImageEmpty},
		"/srv/old":       {Files: 1, Image: evidence.ImageEmpty}, // what the image had there, a later layer of it deletes
		"/tmp":           {Files: 1, Image: evidence.ImageEmpty},
		"/data":          {Files: 1, Image: evidence.ImageAbsent},
		"/":              {Files: 1, Image: evidence.ImageContent},
		"/opt/app":       {Files: 1, Image: evidence.ImageContent},
	} {
		if d := got[name]; d.Files != want.Files || d.Image != want.Image {
			t.Errorf("%s: %+v, want %+v", name, d, want)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("also %v: the engine's own files are nobody's", got)
	}
	for _, d := range dirs {
		switch {
		case d.Path == "/var/log/nginx" && d.Bytes != 2:
			t.Errorf("bytes in /var/log/nginx: %d", d.Bytes)
		case d.Path == "/tmp" && d.Mode != 0o1777:
			t.Errorf("mode of /tmp: %o", d.Mode)
		case d.Path == "/run" && os.Geteuid() == 0 && (d.UID != 7 || d.GID != 8):
			t.Errorf("owner of /run: %d:%d", d.UID, d.GID)
		}
	}
}

// An opaque directory hides what the layers below it have.
func TestOpaque(t *testing.T) {
	c, top, middle, bottom := layered(t)
	plant(t, bottom, "cache/old/file", "keep/file")
	plant(t, middle, "cache/old/", "keep/")
	plant(t, top, "cache/old/new", "keep/new")
	if err := unix.Setxattr(filepath.Join(middle, "cache"), "trusted.overlay.opaque", []byte("y"), 0); err != nil {
		t.Fatalf("overlay's marks cannot be set here: %v", err)
	}
	dirs, _, err := c.WrittenDirs()
	if err != nil || len(dirs) != 2 {
		t.Fatal(dirs, err)
	}
	if dirs[0].Path != "/cache/old" || dirs[0].Image != evidence.ImageEmpty || dirs[1].Image != evidence.ImageContent {
		t.Errorf("%+v", dirs)
	}
}

// A link that a container puts where a directory was leads nowhere.
func TestWrittenDirsFollowNoLink(t *testing.T) {
	c, top, _, bottom := layered(t)
	outside := t.TempDir()
	plant(t, outside, "secret/file")
	plant(t, bottom, "a/")
	if err := os.Symlink(outside, filepath.Join(bottom, "link")); err != nil {
		t.Fatal(err)
	}
	plant(t, top, "a/x", "link/secret/y")
	dirs, _, err := c.WrittenDirs()
	if err != nil || len(dirs) != 2 || dirs[1].Path != "/link" || dirs[1].Image != evidence.ImageAbsent {
		t.Errorf("%+v, %v", dirs, err)
	}
}

func TestWrittenDirsWithout(t *testing.T) {
	c, _, middle, _ := layered(t)
	if dirs, _, err := c.WrittenDirs(); err != nil || len(dirs) != 0 {
		t.Errorf("nothing was written: %v, %v", dirs, err)
	}
	c.Inspect.GraphDriver.Data["LowerDir"] = "l/ABC:l/DEF"
	if _, _, err := c.WrittenDirs(); err == nil || !strings.Contains(err.Error(), "cannot be found from outside") {
		t.Errorf("relative layers: %v", err)
	}
	c.Inspect.GraphDriver.Data["LowerDir"] = middle + "/none"
	if _, _, err := c.WrittenDirs(); err == nil || !strings.Contains(err.Error(), "layers of the image") {
		t.Errorf("layers that are not there: %v", err)
	}
	c.Inspect.GraphDriver.Data = nil
	c.Inspect.GraphDriver.Name = "btrfs"
	if _, _, err := c.WrittenDirs(); err == nil || !strings.Contains(err.Error(), "btrfs") {
		t.Errorf("another driver: %v", err)
	}
}

func TestManyWrittenDirs(t *testing.T) {
	c, top, _, bottom := layered(t)
	for i := range maxWrittenDirs + 1 {
		name := "d/" + strings.Repeat("x", i+1)
		plant(t, bottom, name+"/")
		plant(t, top, name+"/file")
	}
	if dirs, partial, err := c.WrittenDirs(); err != nil || !partial || len(dirs) != maxWrittenDirs {
		t.Errorf("%d, partial %t, %v", len(dirs), partial, err)
	}
}

// A volume without a name, or of this tool's, is no part of how a container works: with one more, what was learnt holds.
func TestWorkWithoutAnonymousVolumes(t *testing.T) {
	c := &Container{}
	before := c.Work().Digest()
	for _, name := range []string{strings.Repeat("0a", 32), "docker-harden-web-3fa2b1c4-var-lib-app"} {
		c.Inspect.Mounts = []Mount{{Type: "volume", Name: name, Destination: "/var/lib/app"}}
		if c.Work().Digest() != before {
			t.Errorf("volume %s changes the work", name)
		}
	}
	for _, m := range []Mount{{Type: "volume", Name: "data", Destination: "/var/lib/app"}, {Type: "bind", Destination: "/var/lib/app"}} {
		c.Inspect.Mounts = []Mount{m}
		if c.Work().Digest() == before || c.Work().ID() != c.Work().Digest()[:16] {
			t.Errorf("%+v does not", m)
		}
	}
}

// How much a container has in a directory: what its image has, what it has written, and nothing that it has deleted.
func TestContents(t *testing.T) {
	c, top, middle, bottom := layered(t)
	plant(t, bottom, "data/a", "data/b", "data/sub/x", "data/sub/y", "data/gone/z", "data/again/old", "file", "logs/")
	plant(t, middle, "data/b", "data/again/")
	deletes(t, filepath.Join(middle, "data/sub/y"))
	plant(t, top, "data/b", "data/sub/new", "data/file", "made/1")
	deletes(t, filepath.Join(top, "data/gone"))
	if err := unix.Setxattr(filepath.Join(middle, "data/again"), "trusted.overlay.opaque", []byte("y"), 0); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		os.WriteFile(filepath.Join(top, "data/file"), make([]byte, 1000), 0o600), os.Symlink("data", filepath.Join(top, "way")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	got := hostRoot("").contents(c, []string{"/data", "/data/sub", "/logs", "/made", "/none", "/data/gone", "/file", "/way/sub"})
	for place, want := range map[string]Held{
		"/data":      {Files: 7, Bytes: 1004}, // a, b, sub, sub/x, sub/new, again, file
		"/data/sub":  {Files: 2, Bytes: 2},
		"/logs":      {},
		"/made":      {Files: 1, Bytes: 1},
		"/none":      {Problem: "the container has no directory /none"},
		"/data/gone": {Problem: "the container has no directory /data/gone"},
		"/file":      {Problem: "/file is no directory of its own: /file is a file or a symbolic link"},
		"/way/sub":   {Problem: "/way/sub is no directory of its own: /way is a file or a symbolic link"},
	} {
		if got[place] != want {
			t.Errorf("%s: %+v, want %+v", place, got[place], want)
		}
	}
	if got := hostRoot("").contents(c, nil); got != nil {
		t.Errorf("nobody asked: %v", got)
	}
	c.Inspect.GraphDriver.Data = nil
	if got := hostRoot("").contents(c, []string{"/data"}); !strings.Contains(got["/data"].Problem, "cannot be listed from outside") {
		t.Errorf("another driver: %+v", got)
	}
}
