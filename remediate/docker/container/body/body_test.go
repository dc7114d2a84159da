package body

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"docker-harden/cmd/reliability/row"
	"docker-harden/plan"
)

// fixture is a source made from an answer that a real engine 20.10.24 gave.
func fixture(t *testing.T, name, api string) Source {
	t.Helper()
	read := func(file string) json.RawMessage {
		raw, err := os.ReadFile(filepath.Join("testdata", "20.10", file+".json"))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	src := Source{Container: read(name), Image: read("image"), API: api, HostName: "testhost", Networks: map[string]string{}}
	c, err := parse(src.Container)
	if err != nil {
		t.Fatal(err)
	}
	src.TagID = c.Image
	for name, end := range c.NetworkSettings.Networks {
		src.Networks[end.text("NetworkID")] = name
	}
	return src
}

func change(path, from, to string) plan.Change {
	return plan.Change{Path: path, From: json.RawMessage(from), To: json.RawMessage(to)}
}

// edited is a source whose inspect answer has some values replaced.
func edited(t *testing.T, src Source, edits map[string]string) Source {
	t.Helper()
	whole, err := decodeObject(src.Container)
	if err != nil {
		t.Fatal(err)
	}
	for path, value := range edits {
		if err := whole.setPath(path, json.RawMessage(value)); err != nil {
			t.Fatal(err)
		}
	}
	src.Container = encode(whole)
	return src
}

// sent is one value of the create request.
func sent(t *testing.T, r *Request, path string) string {
	t.Helper()
	create, err := decodeObject(r.Create)
	if err != nil {
		t.Fatal(err)
	}
	return string(encode(generic(create.getPath(path))))
}

const (
	noPolicy = `{"MaximumRetryCount":0,"Name":"no"}`
)

func TestBuild(t *testing.T) {
	tests := []struct {
		name    string
		fixture string
		api     string
		edits   map[string]string
		set     func(*Source)
		changes []plan.Change
		want    map[string]string // of the create request
		connect string            // networks connected afterwards
		row     row.Row           // what it proves for the table of recreates, if it does
	}{
		{name: "own host name is the engine's choice", fixture: "plain", want: map[string]string{"Hostname": `""`, "NetworkingConfig": "null"}},
		{name: "given host name stays", fixture: "sink", connect: "back", want: map[string]string{"Hostname": `"sink.example"`}},
		{name: "host name of the host is not pinned", fixture: "hostnet", want: map[string]string{"Hostname": `""`, "NetworkingConfig": "null"}},
		{name: "no host name beside the host's UTS namespace", fixture: "host", want: map[string]string{"Hostname": `""`}},
		{name: "borrowed network", fixture: "guest", edits: map[string]string{"Config.ExposedPorts": `{"80/tcp":{}}`, "HostConfig.Dns": `["1.1.1.1"]`}, want: map[string]string{
			"Hostname": `""`, "ExposedPorts": "null", "HostConfig.Dns": "null", "HostConfig.PortBindings": "null", "NetworkingConfig": "null",
		}},
		{name: "leaving the host's network", fixture: "hostnet", changes: []plan.Change{change("HostConfig.NetworkMode", `"host"`, `"default"`)}, want: map[string]string{
			"Hostname": `""`, "HostConfig.NetworkMode": `"default"`, "NetworkingConfig": "null",
		}},
		{name: "entrypoint switched off", fixture: "plain", edits: map[string]string{"Config.Entrypoint": "null"}, set: func(s *Source) {
			s.Image = json.RawMessage(`{"Config":{"Entrypoint":["/entry"]}}`)
		}, want: map[string]string{"Entrypoint": `[""]`}},
		{name: "entrypoint of an image without one", fixture: "plain", want: map[string]string{"Entrypoint": "null"}},
		{name: "tag moved", fixture: "plain", set: func(s *Source) { s.TagID = "sha256:other" }, want: map[string]string{"Image": `"` + plainImage(t) + `"`}},
		{name: "tag still there", fixture: "plain", want: map[string]string{"Image": `"testhost/anonvol:latest"`}},
		{name: "one network at create before 1.44", fixture: "sink", connect: "back", want: map[string]string{
			"NetworkingConfig.EndpointsConfig": `{"front":{"Aliases":["www"],"IPAMConfig":{"IPv4Address":"10.77.0.9"}}}`,
		}},
		{name: "all networks at create since 1.44", fixture: "sink", api: "1.44", row: row.Row{
			ID: "15", Case: "two networks with fixed addresses, API 1.44 and later (request)", Apply: "both in one create request",
		}, want: map[string]string{
			"NetworkingConfig.EndpointsConfig": `{"back":{"Aliases":["api"],"DriverOpts":{},"IPAMConfig":{"IPv4Address":"10.78.0.9"}},"front":{"Aliases":["www"],"IPAMConfig":{"IPv4Address":"10.77.0.9"}}}`,
		}},
		{
			name: "MAC address before 1.44", fixture: "sink", edits: map[string]string{"Config.MacAddress": `"02:42:0a:00:00:99"`}, connect: "back",
			want: map[string]string{"MacAddress": `"02:42:0a:00:00:99"`},
		},
		{
			name: "MAC address since 1.44", fixture: "sink", api: "1.44",
			row: row.Row{ID: "23", Case: "MAC address asked for, API 1.44 and later, also of a stopped container (request)", Apply: "asked for on its network"}, edits: map[string]string{"Config.MacAddress": `"02:42:0a:00:00:99"`},
			set:  func(s *Source) { s.MACs = map[string]string{"front": "02:42:0a:00:00:99"} },
			want: map[string]string{"MacAddress": "null", "NetworkingConfig.EndpointsConfig.front.MacAddress": `"02:42:0a:00:00:99"`},
		},
		{
			name: "network named by its id", fixture: "sink", edits: map[string]string{"HostConfig.NetworkMode": `"id-of-front"`}, connect: "back",
			set: func(s *Source) { s.Networks["id-of-front"] = "front" }, want: map[string]string{"HostConfig.NetworkMode": `"front"`},
		},
		{name: "sysctl of the first interface since 1.48", fixture: "sink", api: "1.48", edits: map[string]string{
			"HostConfig.Sysctls": `{"net.ipv4.conf.eth0.forwarding":"0","kernel.x":"1"}`,
		}, want: map[string]string{
			"HostConfig.Sysctls": `{"kernel.x":"1"}`,
			"NetworkingConfig.EndpointsConfig.front.DriverOpts": `{"com.docker.network.endpoint.sysctls":"net.ipv4.conf.IFNAME.forwarding=0"}`,
		}},
		{name: "restart policy waits", fixture: "sink", connect: "back", want: map[string]string{"HostConfig.RestartPolicy": noPolicy}},
		{name: "privilege and what came with it", fixture: "privileged", changes: []plan.Change{change("HostConfig.Privileged", "true", "false")}, want: map[string]string{
			"HostConfig.Privileged": "false", "HostConfig.SecurityOpt": "[]", "HostConfig.MaskedPaths": "null", "HostConfig.ReadonlyPaths": "null",
		}},
		{
			name: "privilege to capabilities and devices", fixture: "privileged", row: row.Row{
				ID: "52", Case: "privileged to the capabilities and devices of an answer (request)", Apply: "exactly these; no label=disable, paths masked by default",
			},
			changes: []plan.Change{
				change("HostConfig.Privileged", "true", "false"), change("HostConfig.CapAdd", "null", `["NET_ADMIN"]`), change("HostConfig.CapDrop", "null", `["MKNOD"]`),
				change("HostConfig.Devices", "[]", `[{"PathOnHost":"/dev/fuse","PathInContainer":"/dev/fuse","CgroupPermissions":"rwm"}]`),
			},
			want: map[string]string{
				"HostConfig.Privileged": "false", "HostConfig.CapAdd": `["NET_ADMIN"]`, "HostConfig.CapDrop": `["MKNOD"]`, "HostConfig.SecurityOpt": "[]", "HostConfig.MaskedPaths": "null",
				"HostConfig.Devices": `[{"CgroupPermissions":"rwm","PathInContainer":"/dev/fuse","PathOnHost":"/dev/fuse"}]`,
			},
		},
		{name: "another user", fixture: "unmasked", changes: []plan.Change{change("Config.User", `""`, `"1000:1000"`)}, want: map[string]string{"User": `"1000:1000"`}},
		{name: "another control group", fixture: "unmasked", edits: map[string]string{"HostConfig.CgroupParent": `"/big"`}, changes: []plan.Change{change("HostConfig.CgroupParent", `"/big"`, `""`)}, want: map[string]string{"HostConfig.CgroupParent": `""`}},
		{
			name: "host name with the host's name", fixture: "unmasked", edits: map[string]string{"HostConfig.UTSMode": `"host"`, "Config.Hostname": `"testhost"`},
			changes: []plan.Change{change("HostConfig.UTSMode", `"host"`, `""`)}, want: map[string]string{"HostConfig.UTSMode": `""`, "Hostname": `""`},
		},
		{
			name: "processes and ipc of the host", fixture: "host", changes: []plan.Change{change("HostConfig.PidMode", `"host"`, `""`), change("HostConfig.IpcMode", `"host"`, `"private"`)},
			want: map[string]string{"HostConfig.PidMode": `""`, "HostConfig.IpcMode": `"private"`, "HostConfig.SecurityOpt": "[]"},
		},
		{name: "label=disable stays with the host's ipc", fixture: "host", changes: []plan.Change{change("HostConfig.PidMode", `"host"`, `""`)}, want: map[string]string{
			"HostConfig.SecurityOpt": `["label=disable"]`,
		}},
		{name: "unmasked paths stay unmasked", fixture: "unmasked", want: map[string]string{"HostConfig.MaskedPaths": "[]", "HostConfig.ReadonlyPaths": "[]"}},
		{name: "links are carried", fixture: "linked", want: map[string]string{"HostConfig.Links": `["/target:/linked/ali"]`}},
		{name: "empty volume is not filled", fixture: "sink", connect: "back", set: func(s *Source) { s.EmptyVolumes = []string{"named"} }, want: map[string]string{
			"HostConfig.Binds": sinkBinds(t, "named:/named:ro,nocopy"),
		}},
		{name: "volumes by name", fixture: "sink", connect: "back", want: map[string]string{"HostConfig.VolumesFrom": "null", "HostConfig.Binds": sinkBinds(t, "named:/named:ro")}},
		{name: "a bind that is only a path", fixture: "plain", edits: map[string]string{"HostConfig.Binds": `["/data"]`}, want: map[string]string{
			"HostConfig.Binds": `["` + volumeAt(t, "plain", "/data") + `:/data:nocopy"]`,
		}},
		{name: "kernel memory since 1.42", fixture: "plain", api: "1.42", want: map[string]string{"HostConfig.KernelMemory": "null"}},
		{name: "kernel memory before", fixture: "plain", want: map[string]string{"HostConfig.KernelMemory": "0"}},
		{name: "IPv6 address, options and priority of an endpoint", fixture: "sink", api: "1.48", row: row.Row{
			ID: "17", Case: "IPv6 address, driver options and gateway priority of an endpoint, API 1.48 (request)", Apply: "all asked for again",
		}, edits: map[string]string{
			"NetworkSettings.Networks.front.IPAMConfig": `{"IPv4Address":"10.77.0.9","IPv6Address":"fd00::9","LinkLocalIPs":["169.254.1.1"]}`,
			"NetworkSettings.Networks.front.DriverOpts": `{"com.docker.network.endpoint.ifname":"lan0"}`, "NetworkSettings.Networks.front.GwPriority": "7",
			"NetworkSettings.Networks.front.Aliases": `["www"]`,
		}, want: map[string]string{
			"NetworkingConfig.EndpointsConfig.front": `{"Aliases":["www"],"DriverOpts":{"com.docker.network.endpoint.ifname":"lan0"},"GwPriority":7,"IPAMConfig":{"IPv4Address":"10.77.0.9","IPv6Address":"fd00::9","LinkLocalIPs":["169.254.1.1"]}}`,
		}},
		{name: "unknown fields survive", fixture: "plain", row: row.Row{
			ID: "65", Case: "fields that this program does not know (request)", Apply: "sent as they came, to the last digit",
		}, edits: map[string]string{"HostConfig.Future": `{"a":12345678901234567890}`, "Config.Later": `[1.0]`}, want: map[string]string{
			"HostConfig.Future": `{"a":12345678901234567890}`, "Later": `[1.0]`,
		}},
		{name: "client's file is not carried", fixture: "plain", edits: map[string]string{"HostConfig.ContainerIDFile": `"/tmp/cid"`}, want: map[string]string{"HostConfig.ContainerIDFile": `""`}},
		{name: "nested change", fixture: "plain", changes: []plan.Change{change("HostConfig.LogConfig.Type", `"json-file"`, `"local"`)}, want: map[string]string{
			"HostConfig.LogConfig": `{"Config":{},"Type":"local"}`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.row.Table = row.Recreate; tt.row.ID != "" {
				row.Record(t, tt.row)
			}
			if tt.api == "" {
				tt.api = "1.41"
			}
			src := edited(t, fixture(t, tt.fixture, tt.api), tt.edits)
			if tt.set != nil {
				tt.set(&src)
			}
			r, err := Build(src, tt.changes)
			if err != nil {
				t.Fatal(err)
			}
			for path, want := range tt.want {
				if got := sent(t, r, path); got != want {
					t.Errorf("%s is sent as %s, want %s", path, got, want)
				}
			}
			var connect []string
			for _, end := range r.Connect {
				connect = append(connect, end.Network)
			}
			if got := strings.Join(connect, " "); got != tt.connect {
				t.Errorf("connected afterwards: %q, want %q", got, tt.connect)
			}
		})
	}
}

func plainImage(t *testing.T) string {
	c, err := parse(fixture(t, "plain", "1.41").Container)
	if err != nil {
		t.Fatal(err)
	}
	return c.Image
}

func volumeAt(t *testing.T, name, target string) string {
	c, err := parse(fixture(t, name, "1.41").Container)
	if err != nil {
		t.Fatal(err)
	}
	return c.mountAt(target).Name
}

// sinkBinds are the binds of the kitchen sink: what was given, then the anonymous volumes and those
// of the donor in the order of their targets.
func sinkBinds(t *testing.T, named string) string {
	return string(encode([]string{
		named, "/tmp:/hosttmp:ro",
		volumeAt(t, "sink", "/anon") + ":/anon:nocopy", volumeAt(t, "sink", "/data") + ":/data:nocopy",
		volumeAt(t, "sink", "/donated") + ":/donated:ro,nocopy", "/etc:/hostetc:ro",
	}))
}

func TestBuildMounts(t *testing.T) {
	r, err := Build(fixture(t, "sink", "1.41"), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := sent(t, r, "HostConfig.Mounts")
	want := `[{"Source":"` + volumeAt(t, "sink", "/nosource") + `","Target":"/nosource","Type":"volume","VolumeOptions":{"NoCopy":true}},` +
		`{"Source":"named","Target":"/mounted","Type":"volume","VolumeOptions":{"DriverConfig":{},"NoCopy":true}}]`
	if got != want {
		t.Errorf("mounts are sent as\n%s, want\n%s", got, want)
	}
}

func TestBuildStale(t *testing.T) {
	src := edited(t, fixture(t, "plain", "1.41"), map[string]string{"HostConfig.CapDrop": `["net_raw","ALL","CAP_ALL"]`, "HostConfig.PidsLimit": "0", "HostConfig.Binds": "[]"})
	tests := []struct {
		name   string
		change plan.Change
		fresh  bool
	}{
		{"same set in other words", change("HostConfig.CapDrop", `["CAP_NET_RAW","all"]`, `["ALL"]`), true},
		{"another set", change("HostConfig.CapDrop", `["ALL"]`, `["NET_RAW"]`), false},
		{"null is an empty list", change("HostConfig.Binds", "null", `["/a:/b"]`), true},
		{"no limit is no limit", change("HostConfig.PidsLimit", "null", "100"), true},
		{"a number", change("HostConfig.Memory", "5", "6"), false},
		{"absent", change("HostConfig.NoSuch", "null", "6"), true},
		{"masked paths: null is not empty", change("HostConfig.MaskedPaths", "[]", "null"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Build(src, []plan.Change{tt.change})
			if tt.fresh != (err == nil) || err != nil && !errors.Is(err, ErrStale) {
				t.Errorf("Build: %v", err)
			}
		})
	}
	if _, err := Build(src, []plan.Change{change("State.Running", "true", "false")}); err == nil {
		t.Error("Build takes a path that is no configuration")
	}
	if _, err := Build(Source{Container: json.RawMessage(`{"Id":"x"}`)}, nil); err == nil {
		t.Error("Build takes an answer without configuration")
	}
	if _, err := Build(Source{Container: json.RawMessage(`[`)}, nil); err == nil {
		t.Error("Build takes broken JSON")
	}
}

// Secrets of the environment never stand in an error or a difference.
func TestNoSecretsInWords(t *testing.T) {
	src := fixture(t, "sink", "1.41")
	_, err := Build(src, []plan.Change{change("Config.Env", `["A=other"]`, "null")})
	if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "other") {
		t.Errorf("Build: %v", err)
	}
	after := edited(t, src, map[string]string{"Config.Env": `["A=secret2"]`, "Config.Labels": `{"token":"secret3"}`, "HostConfig.LogConfig": `{"Type":"splunk","Config":{"splunk-token":"secret4"}}`}).Container
	differences, err := Diff(src.Container, after, nil, "1.41")
	if err != nil || len(differences) != 3 {
		t.Fatalf("Diff: %v, %v", differences, err)
	}
	for _, d := range differences {
		if strings.Contains(d.String(), "secret") {
			t.Errorf("%s", d)
		}
	}
}
