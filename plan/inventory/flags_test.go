package inventory

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseFlags(t *testing.T) {
	type want = map[string][]string
	for _, tc := range []struct {
		argv string
		want want
	}{
		{"", want{}},
		{"/usr/sbin/dockerd", want{}},
		{"dockerd -H fd:// --containerd=/run/containerd/containerd.sock", want{"hosts": {"fd://"}, "containerd": {"/run/containerd/containerd.sock"}}},
		{"dockerd --log-level warn", want{"log-level": {"warn"}}},
		{"dockerd -l warn -D", want{"log-level": {"warn"}, "debug": {"true"}}},
		{"dockerd -Dlwarn", want{"debug": {"true"}, "log-level": {"warn"}}},
		{"dockerd -D=false", want{"debug": {"false"}}},
		{"dockerd -Hunix:///a -H=tcp://:2375 --host unix:///b", want{"hosts": {"unix:///a", "tcp://:2375", "unix:///b"}}},
		{"dockerd --icc=false --live-restore --iptables", want{"icc": {"false"}, "live-restore": {"true"}, "iptables": {"true"}}},
		{"dockerd --live-restore --label a=b --label=c=d", want{"live-restore": {"true"}, "labels": {"a=b", "c=d"}}},
		{"dockerd --insecure-registry r:5000 --registry-mirror=https://m", want{"insecure-registries": {"r:5000"}, "registry-mirrors": {"https://m"}}},
		{"dockerd --default-ulimit nofile=1:2 --exec-opt native.cgroupdriver=systemd --storage-opt a=b", want{"default-ulimits": {"nofile=1:2"}, "exec-opts": {"native.cgroupdriver=systemd"}, "storage-opts": {"a=b"}}},
		{"dockerd --add-runtime x=/y --authorization-plugin p -g /data", want{"runtimes": {"x=/y"}, "authorization-plugins": {"p"}, "data-root": {"/data"}}},
		{"dockerd --dns 1.1.1.1 --dns-opt ndots:1 --dns-search local", want{"dns": {"1.1.1.1"}, "dns-opts": {"ndots:1"}, "dns-search": {"local"}}},
		{"dockerd --some-new-switch --icc=false", want{"some-new-switch": {"true"}, "icc": {"false"}}},
		{"dockerd --some-new-setting value --icc=false", want{"some-new-setting": {"value"}, "icc": {"false"}}},
		{"dockerd --log-level", want{"log-level": {"true"}}},
		{"--icc=false", want{"icc": {"false"}}},
		{"dockerd -X --icc=false", want{"icc": {"false"}}},
		{"dockerd --icc=true -- --icc=false", want{"icc": {"true"}}},
	} {
		t.Run(tc.argv, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, ParseFlags(strings.Fields(tc.argv))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
