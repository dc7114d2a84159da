package inventory

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlaces(t *testing.T) {
	const own = `20 10 0:50 / / rw,relatime - overlay overlay rw
21 20 8:1 /srv /data rw,relatime shared:7 - ext4 /dev/sda1 rw
22 20 8:1 /srv /slave rw,relatime master:7 - ext4 /dev/sda1 rw
23 20 8:1 /srv /own rw,relatime shared:99 master:7 - ext4 /dev/sda1 rw
24 20 8:1 /etc /host\040etc ro,relatime - ext4 /dev/sda1 rw
25 20 8:1 /run /run rw,relatime - ext4 /dev/sda1 ro
26 20 8:1 /a /twice rw,relatime shared:7 - ext4 /dev/sda1 rw
27 26 8:1 /b /twice ro,relatime - ext4 /dev/sda1 rw
28 20 8:1 /c /real/place rw,relatime shared:7 - ext4 /dev/sda1 rw
`
	root := tree(t, map[string]string{
		"/proc/1/mountinfo":   "30 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n31 30 8:2 / /srv rw shared:7 - ext4 /dev/sda2 rw\n32 30 0:5 / /x rw - tmpfs none rw\n",
		"/proc/100/mountinfo": own, "/proc/100/root/link": "-> /real/place",
	})
	got, err := root.places(100, []string{"/data", "/slave", "/own", "/host etc", "/run", "/twice", "/link", "/none"})
	want := map[string]Place{
		"/data": {Shared: true}, "/slave": {}, "/own": {}, "/host etc": {ReadOnly: true}, "/run": {ReadOnly: true},
		"/twice": {ReadOnly: true}, "/link": {Shared: true},
	}
	if err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
	if got, err := root.places(100, nil); got != nil || err != nil {
		t.Errorf("of no place: %v %v", got, err)
	}
	if _, err := root.places(7, []string{"/data"}); err == nil {
		t.Error("a process that is gone has mounts")
	}
}

func TestOfSystem(t *testing.T) {
	for source, want := range map[string]bool{
		"/": true, "/etc": true, "/etc/": true, "/etc/ssh": true, "/etcetera": false, "/srv": false, "/run": true, "/var/run": true, "/var/run/dbus": true,
		"/var/runner": false, "/usr/share/zoneinfo": true, "/root/.ssh": true, "/var/lib/docker/volumes": true, "/var/lib/dockerish": false, "/home/a": false,
	} {
		if got := (Mount{Type: "bind", Source: source}).OfSystem(); got != want {
			t.Errorf("%s: %t", source, got)
		}
		if (Mount{Type: "volume", Source: source}).OfSystem() {
			t.Errorf("a volume of %s counts", source)
		}
	}
}

func TestReaching(t *testing.T) {
	i := Inspect{Mounts: []Mount{
		{Type: "bind", Source: "/srv", Destination: "/private", Propagation: "rprivate"},
		{Type: "bind", Source: "/srv", Destination: "/plain"},
		{Type: "bind", Source: "/srv", Destination: "/shared", Propagation: "rshared"},
		{Type: "bind", Source: "/srv", Destination: "/slave", Propagation: "slave"},
		{Type: "bind", Source: "/etc", Destination: "/etc", Propagation: "rprivate"},
		{Type: "volume", Source: "/var/lib/docker/volumes/x/_data", Destination: "/volume"},
	}}
	if diff := cmp.Diff([]string{"/shared", "/slave", "/etc"}, i.reaching()); diff != "" {
		t.Error(diff)
	}
}
