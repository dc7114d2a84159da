package docker

import (
	"encoding/json"
	"io/fs"
	"testing"

	"docker-harden/plan/inventory"
)

func TestSeccompUnconfined(t *testing.T) {
	for opt, want := range map[string]bool{
		"seccomp=unconfined": true, "seccomp:unconfined": true, "apparmor=unconfined": false, "seccomp=/p.json": false, "seccomp": false,
		`seccomp={"x":"unconfined"}`: false,
	} {
		if got := seccompUnconfined(opt); got != want {
			t.Errorf("%s: %v", opt, got)
		}
	}
}

func TestRootUser(t *testing.T) {
	for user, want := range map[string]bool{"": true, "0": true, "root": true, "0:0": true, "root:app": true, "00": true, ":1000": true, "1000": false, "app": false, "1000:0": false, "10": false} {
		if got := rootUser(user); got != want {
			t.Errorf("%q: %v", user, got)
		}
	}
}

func TestProxied(t *testing.T) {
	for ip, want := range map[string]bool{"": true, "0.0.0.0": true, "::": true, "[::]": true, "127.0.0.1": true, "127.3.2.1": true, "::1": true, "2001:db8::1": true, "192.0.2.1": false} {
		if got := proxied(ip); got != want {
			t.Errorf("%q: %v", ip, got)
		}
	}
}

// Whatever a file's mode is, the new one is known to every judge or as narrow as what is left, gives
// nobody more than before, and is left alone the next time.
func TestNarrowed(t *testing.T) {
	for _, c := range []struct {
		known []uint32
		want  map[uint32]uint32
	}{
		{configModes(), map[uint32]uint32{0o666: 0o644, 0o777: 0o644, 0o660: 0o640, 0o670: 0o640, 0o606: 0o600, 0o604: 0o600, 0o4755: 0o644, 0o622: 0o600, 0o444: 0o444, 0o022: 0}},
		{unitModes(), map[uint32]uint32{0o666: 0o644, 0o660: 0o600, 0o640: 0o600, 0o464: 0o444}},
		{directoryModes(), map[uint32]uint32{0o777: 0o755, 0o770: 0o700, 0o1777: 0o755, 0o2775: 0o755, 0o333: 0o311}},
		{certificateModes(), map[uint32]uint32{0o644: 0o444, 0o640: 0o400, 0o666: 0o444, 0o044: 0o044}},
		{keyModes(), map[uint32]uint32{0o600: 0o400, 0o644: 0o400, 0o040: 0, 0o7777: 0o400}},
	} {
		for mode, want := range c.want {
			if got := narrowed(mode, c.known); got != want {
				t.Errorf("%04o: %04o, want %04o", mode, got, want)
			}
		}
		for mode := range uint32(0o10000) {
			got := narrowed(mode, c.known)
			if got&^mode != 0 || got&^c.known[0] != 0 || narrowed(got, c.known) != got {
				t.Errorf("%04o: %04o gives more than there was or may be, or is narrowed again", mode, got)
			}
		}
	}
}

func TestUnixMode(t *testing.T) {
	if got := unixMode(0o640 | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky); got != 0o7640 {
		t.Errorf("%04o", got)
	}
}

func TestReaches(t *testing.T) {
	sockets := socketsOf(&inventory.Host{})
	for source, want := range map[string]string{
		"/var/run/docker.sock": "/run/docker.sock", "/run/docker.sock": "/run/docker.sock", "/run": "/run/docker.sock", "/": "/run/docker.sock",
		"/var/run/": "/run/docker.sock", "/run/containerd": "/run/containerd/containerd.sock", "/run/user": "", "/var/runner": "", "/home": "", "": "",
	} {
		if got := reaches(inventory.Mount{Type: "bind", Source: source}, sockets); got != want {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
}

func TestFlagValue(t *testing.T) {
	for _, c := range []struct {
		absent string
		values []string
		want   string
	}{
		{"true", []string{"true", "false"}, "false"},
		{"false", []string{"1"}, "true"},
		{"false", []string{"perhaps"}, `"perhaps"`},
		{`"info"`, []string{"debug", "warn"}, `"warn"`},
		{"[]", []string{"a", "b"}, `["a","b"]`},
	} {
		if got := flagValue(json.RawMessage(c.absent), c.values); string(got) != c.want {
			t.Errorf("%v: %s, want %s", c.values, got, c.want)
		}
	}
}

func TestPlainName(t *testing.T) {
	for in, want := range map[string]string{"/run/x": "/run/x", "a\x1b[2J": `"a\x1b[2J"`, "a\nb": `"a\nb"`, `q"q`: `"q\"q"`} {
		if got := plainName(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestUnwritable(t *testing.T) {
	for name, c := range map[string]struct {
		tmpfs string
		want  int
	}{
		"covered": {"/run", 0}, "the place itself": {"/run/app", 0}, "a place below": {"/run/app/x", 0}, "a neighbour": {"/run/ap", 1}, "another": {"/tmp", 1},
	} {
		container := &inventory.Container{Layer: &inventory.Layer{Files: 1, Paths: []string{"/run/app"}}}
		if got := unwritable(container, []string{c.tmpfs}); len(got) != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
