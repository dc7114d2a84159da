package plan

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPortPath(t *testing.T) {
	for _, p := range []Port{
		{"80/tcp", PortBinding{}},
		{"80/tcp", PortBinding{HostPort: "8080"}},
		{"53/udp", PortBinding{HostIP: "127.0.0.1"}},
		{"53/udp", PortBinding{HostIP: "::", HostPort: "53"}},
		{"1/sctp", PortBinding{HostIP: "2001:db8::1", HostPort: "8000-8010"}},
		{"80/tcp", PortBinding{HostIP: "192.0.2.1", HostPort: "80"}},
	} {
		for _, setting := range []string{PortAddress, PortNumber, PortPublished} {
			path := PortPath(p, setting)
			if got, which, ok := PortOf(path); !ok || got != p || which != setting {
				t.Errorf("%s: %+v %q %t", path, got, which, ok)
			}
		}
	}
	if got := PortPath(Port{"80/tcp", PortBinding{HostIP: "::1", HostPort: "80"}}, PortAddress); got != "HostConfig.PortBindings[[::1]:80:80/tcp].HostIp" {
		t.Error(got)
	}
	for _, path := range []string{
		"HostConfig.PortBindings", "HostConfig.PortBindings[].HostIp", "HostConfig.PortBindings[80/tcp]", "HostConfig.PortBindings[80/tcp].Other",
		"HostConfig.PortBindings[[127.0.0.1]:80:80/tcp].HostIp", "HostConfig.PortBindings[:80/tcp].HostIp", "Mounts[/x].RW", "",
	} {
		if _, _, ok := PortOf(path); ok {
			t.Errorf("%q is the path of a port", path)
		}
	}
}

func portChange(p Port, setting, to string) Change {
	return Change{Path: PortPath(p, setting), To: json.RawMessage(to)}
}

func TestPublish(t *testing.T) {
	wide, six := PortBinding{HostIP: "0.0.0.0", HostPort: "80"}, PortBinding{HostIP: "::", HostPort: "80"}
	now := map[string][]PortBinding{"80/tcp": {wide, six}, "443/tcp": {{HostPort: "443"}, {HostIP: "127.0.0.1", HostPort: "8443"}}, "53/udp": {{HostPort: ""}}}
	four := func(setting, to string) Change { return portChange(Port{"80/tcp", wide}, setting, to) }
	for name, tt := range map[string]struct {
		changes []Change
		want    map[string][]PortBinding
	}{
		"nothing": {[]Change{{Path: "HostConfig.Memory"}}, now},
		"both to one": {
			[]Change{four(PortAddress, `"127.0.0.1"`), portChange(Port{"80/tcp", six}, PortAddress, `"127.0.0.1"`)},
			map[string][]PortBinding{"80/tcp": {{HostIP: "127.0.0.1", HostPort: "80"}}, "443/tcp": now["443/tcp"], "53/udp": now["53/udp"]},
		},
		"address and port": {
			[]Change{four(PortNumber, `"8080"`), four(PortAddress, `"127.0.0.1"`)},
			map[string][]PortBinding{"80/tcp": {{HostIP: "127.0.0.1", HostPort: "8080"}, six}, "443/tcp": now["443/tcp"], "53/udp": now["53/udp"]},
		},
		"not published, whatever else": {
			[]Change{four(PortNumber, `"8080"`), four(PortPublished, `false`), portChange(Port{"80/tcp", six}, PortPublished, `false`)},
			map[string][]PortBinding{"443/tcp": now["443/tcp"], "53/udp": now["53/udp"]},
		},
		"one that the engine picks": {
			[]Change{portChange(Port{"53/udp", PortBinding{}}, PortAddress, `"::1"`)},
			map[string][]PortBinding{"80/tcp": now["80/tcp"], "443/tcp": now["443/tcp"], "53/udp": {{HostIP: "::1"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Publish(now, tt.changes)
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
	if _, err := Publish(now, []Change{portChange(Port{"81/tcp", wide}, PortAddress, `""`)}); !errors.Is(err, ErrNoPort) {
		t.Errorf("of a port that is not there: %v", err)
	}
	if _, err := Publish(now, []Change{four(PortAddress, `7`)}); err == nil {
		t.Error("an address that is a number is taken")
	}
	if to, published := (Port{"80/tcp", wide}).After([]Change{four(PortAddress, `7`)}); published {
		t.Errorf("a change that cannot be read leaves %+v", to)
	}
	if len(now["80/tcp"]) != 2 || now["80/tcp"][0] != wide {
		t.Errorf("what was given is changed: %v", now)
	}
}

func TestPortIs(t *testing.T) {
	p := Port{"80/tcp", PortBinding{HostIP: "::", HostPort: "80"}}
	for _, tt := range []struct {
		setting, value string
		want           bool
	}{
		{PortAddress, `"::"`, true},
		{PortAddress, `""`, false},
		{PortNumber, `"80"`, true},
		{PortNumber, `80`, false},
		{PortPublished, `true`, true},
		{PortPublished, `false`, false},
		{PortAddress, ``, false},
	} {
		if got := p.Is(tt.setting, json.RawMessage(tt.value)); got != tt.want {
			t.Errorf("%s %s: %t", tt.setting, tt.value, got)
		}
	}
}
