package plan

import (
	"strings"
	"testing"
)

func TestVolumeOf(t *testing.T) {
	for _, place := range []string{"/a", "/var/log/nginx", "/odd]. name", "/ä", "/device", "/" + strings.Repeat("n", 1000)} {
		if got, ok := VolumeOf(VolumePath(place)); got != place || !ok {
			t.Errorf("%s: %q, %t", place, got, ok)
		}
	}
	for _, place := range []string{"", "/", "a", "/a/", "/a/../b", "//a", "/a\n", "/a\xff", "/dev", "/dev/shm", "/proc/x", "/sys", "/run/secrets/a", "/" + strings.Repeat("n", 1024)} {
		if got, ok := VolumeOf(VolumePath(place)); ok {
			t.Errorf("%q is a place for a volume: %q", place, got)
		}
	}
	for _, path := range []string{"Mounts[/a].RW", "Mounts[/a].Volume.x", "Mounts[/a]", "xMounts[/a].Volume", "HostConfig.Mounts"} {
		if got, ok := VolumeOf(path); ok {
			t.Errorf("%q is the volume at %q", path, got)
		}
	}
	if _, _, ok := MountOf(VolumePath("/a")); ok {
		t.Error("a volume that comes is taken for a setting of a mount that is there")
	}
}

func TestVolumeMoves(t *testing.T) {
	c := Change{Path: VolumePath("/data")}
	for field, want := range map[string]bool{"Mounts": true, "HostConfig.Mounts": true, "HostConfig.Binds": false, "HostConfig.Tmpfs": false} {
		if got := c.Moves(field); got != want {
			t.Errorf("%s: %t", field, got)
		}
	}
}
