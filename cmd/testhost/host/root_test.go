package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestRootKeysDiffer(t *testing.T) {
	seen := map[string]Release{}
	for _, r := range append(Releases(), Own, Virtual) {
		key := rootKey(r)
		if other, ok := seen[key]; ok {
			t.Errorf("%q and %q have the same key", r, other)
		}
		seen[key] = r
		if rootKey(r) != key {
			t.Errorf("%q has two keys", r)
		}
	}
}

func TestUnknownReleaseIsRefused(t *testing.T) {
	if _, err := Root(t.Context(), "woody"); err == nil || !strings.Contains(err.Error(), "woody") || !strings.Contains(err.Error(), "trixie") {
		t.Errorf("got %v", err)
	}
	t.Setenv(EngineVariable, "woody")
	if _, err := Launch(t.Context()); err == nil || !strings.Contains(err.Error(), "woody") {
		t.Errorf("Launch: %v", err)
	}
}

func TestMirrorIn(t *testing.T) {
	dir := t.TempDir()
	for name, tt := range map[string]struct{ text, want string }{
		"security first": {"Types: deb\nURIs: http://m.example/debian-security\n\nTypes: deb\nURIs: http://m.example/debian/\n", "http://m.example/debian"},
		"one line":       {"deb [signed-by=/k.gpg] https://m.example/debian bookworm main\n", "https://m.example/debian"},
		"comment":        {"# deb http://old.example/debian bookworm main\n", defaultArchive},
		"source":         {"deb-src http://m.example/debian bookworm main\n", defaultArchive},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := mirrorIn([]string{filepath.Join(dir, "none"), path}); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestSourcesOfMixed(t *testing.T) {
	args, remove, err := sourcesOf(Mixed, "/target")
	if err != nil {
		t.Fatal(err)
	}
	hook, rest := args[0], args[1:]
	if rest[0] != "trixie" || rest[1] != "/target" || !strings.Contains(rest[2], " trixie main") || !strings.Contains(rest[3], " sid main") {
		t.Errorf("arguments: %q", rest)
	}
	path := strings.Split(hook, "'")[1]
	if data, err := os.ReadFile(path); err != nil || string(data) != mixedPreferences {
		t.Errorf("the preferences hold %q, %v", data, err)
	}
	remove()
	if _, err := os.Stat(path); err == nil {
		t.Error("the preferences are left behind")
	}
}

func TestMasks(t *testing.T) {
	if slices.Contains(masksOf(Virtual), "apparmor.service") || !slices.Contains(masksOf(Trixie), "apparmor.service") {
		t.Error("AppArmor's profiles are loaded where there is a kernel for them, and only there")
	}
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "etc/systemd/system"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := maskUnits(root, []string{"a.service"}); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"a.service": "/dev/null", "default.target": "/lib/systemd/system/multi-user.target"} {
		if to, err := os.Readlink(filepath.Join(root, "etc/systemd/system", name)); err != nil || to != want {
			t.Errorf("%s leads to %q, %v", name, to, err)
		}
	}
}
