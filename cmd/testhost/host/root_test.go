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

func TestWantedOfANewerEngine(t *testing.T) {
	args := wanted(t.Context(), Sid, "/target")
	if n := len(args); args[n-3] != "sid" || args[n-2] != "/target" || !strings.HasSuffix(args[n-1], " sid main") || !slices.Contains(args, "--variant=extract") {
		t.Errorf("arguments: %q", args)
	}
	if args := wanted(t.Context(), Own, "/target"); !slices.Contains(args, "--variant=minbase") || !slices.Contains(args, "/target") {
		t.Errorf("arguments of a whole system: %q", args)
	}
}

func TestEngineOnly(t *testing.T) {
	root := t.TempDir()
	if _, err := EngineOf(root); err == nil || !strings.Contains(err.Error(), root) {
		t.Errorf("EngineOf = %v", err)
	}
	for _, dir := range []string{"etc/docker", "usr/share", "var/lib/dpkg"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	list := filepath.Join(root, packageList)
	if err := os.WriteFile(list, []byte("tini_0.19.0-3_amd64.deb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := EngineOf(root); err == nil || !strings.Contains(err.Error(), "docker.io") {
		t.Errorf("EngineOf = %v", err)
	}
	if err := os.WriteFile(list, []byte("docker-cli_1_amd64.deb\ndocker.io_1%3a26.1.5+dfsg1-9_amd64.deb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := engineOnly(root, nil); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(root, "*")); err != nil || len(left) != 1 || filepath.Base(left[0]) != "usr" {
		t.Errorf("left: %q, %v", left, err)
	}
	if got, err := EngineOf(root); err != nil || got != "1:26.1.5+dfsg1-9" {
		t.Errorf("EngineOf = %q, %v", got, err)
	}
}

func TestMasks(t *testing.T) {
	if slices.Contains(masksOf(Virtual), "apparmor.service") || !slices.Contains(masksOf(Own), "apparmor.service") || masksOf(Trixie) != nil {
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
