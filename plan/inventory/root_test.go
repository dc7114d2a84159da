package inventory

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// tree makes a host's files below a fresh directory. "-> TARGET" makes a symlink, a name that ends
// in a slash a directory.
func tree(t testing.TB, files map[string]string) hostRoot {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		full := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		target, link := strings.CutPrefix(text, "-> ")
		switch {
		case link:
			err = os.Symlink(target, full)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(full, 0o755)
		default:
			err = os.WriteFile(full, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return hostRoot(root)
}

func TestResolve(t *testing.T) {
	root := tree(t, map[string]string{
		"/run/x": "1", "/var/run": "-> /run", "/up": "-> ../../../run/x", "/loop": "-> loop",
		"/a": "-> b", "/b": "-> /var/run/x", "/dangling": "-> /no/where", "/d/e/f": "", "/d/back": "-> e/../../run",
	})
	for _, tc := range []struct{ name, want, links string }{
		{"/run/x", "/run/x", ""},
		{"/var/run/x", "/run/x", "/var/run"},
		{"/up", "/run/x", "/up"},
		{"/a", "/run/x", "/a /b /var/run"},
		{"/dangling", "/no/where", "/dangling"},
		{"/not/there", "/not/there", ""},
		{"/d/back/x", "/run/x", "/d/back"},
		{"/../../run/x", "/run/x", ""},
		{"/", "/", ""},
	} {
		got, links, err := root.resolve(tc.name)
		if err != nil || got != tc.want || strings.Join(links, " ") != tc.links {
			t.Errorf("resolve(%s) = %s %v %v, want %s %s", tc.name, got, links, err, tc.want, tc.links)
		}
	}
	if _, _, err := root.resolve("/loop"); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a loop of links: %v", err)
	}
}

func TestReadConfig(t *testing.T) {
	root := tree(t, map[string]string{"/ok": "text", "/dir/": "", "/link": "-> ok"})
	if err := os.Chmod(root.join("/ok"), 0o640|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	file, data, err := root.readConfig("/ok")
	if err != nil || string(data) != "text" || !file.Exists || file.Path != "/ok" || file.Changed.IsZero() {
		t.Errorf("%+v %q %v", file, data, err)
	}
	if unixMode(file.Mode) != 0o2640 || file.SHA256 != "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1" {
		t.Errorf("%+v", file)
	}
	if file, data, err := root.readConfig("/missing"); err != nil || file.Exists || data != nil {
		t.Errorf("a missing file: %+v %v", file, err)
	}
	if file, _, err := root.readConfig("/ok/below"); err != nil || file.Exists {
		t.Errorf("below a file: %+v %v", file, err)
	}
	if file, _, err := root.readConfig("/dir"); err == nil || !file.Exists || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory: %v", err)
	}
	if _, _, err := root.readConfig("/link"); err == nil {
		t.Error("a link that was not resolved was followed")
	}
	if err := syscall.Mkfifo(root.join("/fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := root.readConfig("/fifo"); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a fifo: %v", err)
	}
	if err := os.Truncate(root.join("/ok"), maxConfig+1); err != nil {
		t.Fatal(err)
	}
	if _, _, err := root.readConfig("/ok"); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a huge file: %v", err)
	}
}

func TestReadLimited(t *testing.T) {
	long := strings.Repeat("0123456789", 5000)
	root := tree(t, map[string]string{"/empty": "", "/long": long})
	for name, want := range map[string]string{"/empty": "", "/long": long} {
		if got, err := root.readFile(name, maxConfig); err != nil || string(got) != want {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if _, err := root.readFile("/long", 49_999); err == nil {
		t.Error("the limit does not hold")
	}
	if _, err := root.readFile("/none", 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := root.readFile("/", 1); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("a directory: %v", err)
	}
}

func TestHolder(t *testing.T) {
	for root, want := range map[string]int{"": 0, "/proc/42/root": 42, "/proc/42/root/": 42, "/proc/x/root": 0, "/srv/proc/42/root": 0, "/proc/42": 0} {
		if got := hostRoot(root).holder(); got != want {
			t.Errorf("holder(%q) = %d, want %d", root, got, want)
		}
	}
}
