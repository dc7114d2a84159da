package docker

import (
	"testing"

	"docker-harden/plan/inventory"
)

func TestDeviceOf(t *testing.T) {
	for text, want := range map[string]inventory.Device{
		"/dev/fuse":               {PathOnHost: "/dev/fuse", PathInContainer: "/dev/fuse", CgroupPermissions: "rwm"},
		"/dev/sda:r":              {PathOnHost: "/dev/sda", PathInContainer: "/dev/sda", CgroupPermissions: "r"},
		"/dev/sda:/dev/xvda":      {PathOnHost: "/dev/sda", PathInContainer: "/dev/xvda", CgroupPermissions: "rwm"},
		"/dev/snd/timer:/dev/t:m": {PathOnHost: "/dev/snd/timer", PathInContainer: "/dev/t", CgroupPermissions: "m"},
	} {
		if got, problem := deviceOf(text); got != want || problem != "" {
			t.Errorf("%s: %+v %s", text, got, problem)
		}
	}
	for _, text := range []string{
		"", "fuse", "/dev", "/dev/", "/dev/../etc", "/etc/shadow", "/dev/a:/etc/b:r", "/dev/a:x", "/dev/a:", "/dev/a:/dev/b:", "/dev/a:/dev/b:r:w", "/dev/a:rwmr", "/dev/a\x1b[1m",
	} {
		if got, problem := deviceOf(text); problem == "" {
			t.Errorf("%q is taken as %+v", text, got)
		}
	}
}

func TestExactCaps(t *testing.T) {
	for _, wanted := range [][]string{nil, {"CHOWN"}, {"NET_ADMIN"}, {"CHOWN", "NET_ADMIN", "NET_RAW"}, defaultCaps, capNames} {
		got := exactCaps(wanted)
		if mask := capMask(configuredCaps(got.Add, got.Drop)); mask != capMask(wanted) {
			t.Errorf("%v: CapAdd %v CapDrop %v give %v", wanted, got.Add, got.Drop, capsOf(mask))
		}
	}
}

// No plan can give a container a capability that the answer about its privilege does not name.
func TestCapAddIsGuarded(t *testing.T) {
	p := load(t, []byte("controls: {docker/privileged: {params: {accept: true, caps: [NET_ADMIN]}}, docker/capabilities: {}}\n"))
	open, plain := ordinaryContainer("open"), ordinaryContainer("plain")
	open.Inspect.HostConfig.Privileged = true
	h := ordinaryHost()
	for _, tt := range []struct {
		c        *inventory.Container
		from, to []string
		ok       bool
	}{
		{&open, nil, []string{"NET_ADMIN"}, true},
		{&open, nil, []string{"NET_ADMIN", "SYS_ADMIN"}, false},
		{&plain, nil, []string{"NET_ADMIN"}, false},
		{&plain, nil, []string{"ALL"}, false},
		{&plain, []string{"CAP_NET_ADMIN", "SYS_TIME"}, []string{"CAP_NET_ADMIN"}, true},
		{&plain, []string{"SYS_TIME"}, nil, true},
	} {
		tt.c.Inspect.HostConfig.CapAdd = tt.from
		if got := ChangesContainer(h, tt.c, p, recreateChange("CapAdd", tt.from, tt.to)); got != tt.ok {
			t.Errorf("%s: CapAdd %v -> %v: %t", tt.c.Name, tt.from, tt.to, got)
		}
	}
}
