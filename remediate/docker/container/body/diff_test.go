package body

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"docker-harden/plan"
)

// made is how the engine would describe a container made from a request: the old answer with the new
// id and the values of the request.
func made(t *testing.T, src Source, r *Request) json.RawMessage {
	t.Helper()
	whole, err := decodeObject(src.Container)
	if err != nil {
		t.Fatal(err)
	}
	short := whole.text("Id")[:shortID]
	config, err := decodeObject(r.Create)
	if err != nil {
		t.Fatal(err)
	}
	host := config.child("HostConfig")
	delete(config, "HostConfig")
	delete(config, "NetworkingConfig")
	const id = "feedfeedfeedfeedfeedfeedfeedfeedfeedfeedfeedfeedfeedfeedfeedfeed"
	if config.text("Hostname") == "" {
		config.set("Hostname", id[:shortID])
	}
	whole["Config"], whole["HostConfig"] = encode(config), encode(host)
	whole.set("Id", id)
	whole.set("Name", "/other")
	return json.RawMessage(strings.ReplaceAll(string(encode(whole)), short, id[:shortID]))
}

func TestDiffOfFaithfulCopy(t *testing.T) {
	for _, name := range []string{"plain", "sink", "host", "hostnet", "guest", "linked", "privileged", "unmasked", "none"} {
		t.Run(name, func(t *testing.T) {
			src := fixture(t, name, "1.41")
			r, err := Build(src, nil)
			if err != nil {
				t.Fatal(err)
			}
			if d, err := Diff(src.Container, made(t, src, r), r, "1.41"); err != nil || len(d) > 0 {
				t.Errorf("Diff: %v %v", d, err)
			}
		})
	}
}

// Every change of configuration beyond the plan is seen, and nothing else is.
func TestDiffSees(t *testing.T) {
	planned := []plan.Change{change("HostConfig.CapDrop", "null", `["ALL"]`)}
	tests := []struct {
		name  string
		edits map[string]string
		want  string // the path; empty: nothing to see
	}{
		{"planned change as planned", nil, ""},
		{"planned change in other words", map[string]string{"HostConfig.CapDrop": `["cap_all"]`}, ""},
		{"planned change not made", map[string]string{"HostConfig.CapDrop": "null"}, "HostConfig.CapDrop"},
		{"environment", map[string]string{"Config.Env": `[]`}, "Config.Env"},
		{"label", map[string]string{"Config.Labels": `{"a":"b","empty":"","x":"y"}`}, "Config.Labels"},
		{"label without a value", map[string]string{"Config.Labels": `{"a":"b"}`}, "Config.Labels"},
		{"host name", map[string]string{"Config.Hostname": `"other"`}, "Config.Hostname"},
		{"stop time limit zero is not none", map[string]string{"Config.StopTimeout": `0`}, "Config.StopTimeout"},
		{"unmasked paths", map[string]string{"HostConfig.MaskedPaths": "[]"}, "HostConfig.MaskedPaths"},
		{"memory", map[string]string{"HostConfig.Memory": "0"}, "HostConfig.Memory"},
		{"capability", map[string]string{"HostConfig.CapAdd": `["NET_ADMIN","SYS_ADMIN"]`}, "HostConfig.CapAdd"},
		{"unknown field", map[string]string{"HostConfig.Future": "true"}, "HostConfig.Future"},
		{"log options of a new engine default", map[string]string{"HostConfig.LogConfig": `{"Type":"json-file","Config":{"max-size":"1m","max-file":"3"}}`}, "HostConfig.LogConfig"},
		{"restart policy still postponed", map[string]string{"HostConfig.RestartPolicy": `{"Name":"no","MaximumRetryCount":0}`}, ""},
		{"restart policy handed over", map[string]string{"HostConfig.RestartPolicy": `{"Name":"on-failure","MaximumRetryCount":3}`}, ""},
		{"another restart policy", map[string]string{"HostConfig.RestartPolicy": `{"Name":"always","MaximumRetryCount":0}`}, "HostConfig.RestartPolicy"},
		{"another image", map[string]string{"Image": `"sha256:other"`}, "Image"},
		{"another command", map[string]string{"Path": `"/bin/false"`}, "Path, Args"},
		{"another argument", map[string]string{"Args": `["-c"]`}, "Path, Args"},
		{"lost mounts", map[string]string{"Mounts": `[]`}, "Mounts[/anon]"},
		{"a network less", map[string]string{"NetworkSettings.Networks.back": ""}, "NetworkSettings.Networks.back"},
		{"another fixed address", map[string]string{"NetworkSettings.Networks.front.IPAMConfig": `{"IPv4Address":"10.77.0.8"}`}, "NetworkSettings.Networks.front.IPAMConfig"},
		{"another alias", map[string]string{"NetworkSettings.Networks.front.Aliases": `["ww"]`}, "NetworkSettings.Networks.front.Aliases"},
		{"the engine's own alias", map[string]string{"NetworkSettings.Networks.front.Aliases": `["www","feedfeedfeed","sink.example"]`}, ""},
		{"another address by chance", map[string]string{"NetworkSettings.Networks.front.IPAddress": `"10.77.0.77"`, "NetworkSettings.Networks.front.MacAddress": `"02:00:00:00:00:01"`}, ""},
		{"run state", map[string]string{"State": `{"Status":"created"}`, "RestartCount": "4", "ExecIDs": `["x"]`, "LogPath": `"/x"`}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := fixture(t, "sink", "1.41")
			src = edited(t, src, map[string]string{"HostConfig.CapDrop": "null"})
			r, err := Build(src, planned)
			if err != nil {
				t.Fatal(err)
			}
			after := remove(t, edited(t, Source{Container: made(t, src, r)}, tt.edits).Container)
			differences, err := Diff(src.Container, after, r, "1.41")
			if err != nil {
				t.Fatal(err)
			}
			var paths []string
			for _, d := range differences {
				paths = append(paths, d.Path)
			}
			if tt.want == "" && len(paths) > 0 || tt.want != "" && !strings.HasPrefix(strings.Join(paths, " "), tt.want) {
				t.Errorf("differences in %q, want %q", paths, tt.want)
			}
		})
	}
}

// remove drops networks that were edited away.
func remove(t *testing.T, raw json.RawMessage) json.RawMessage {
	t.Helper()
	whole, err := decodeObject(raw)
	if err != nil {
		t.Fatal(err)
	}
	settings := whole.child("NetworkSettings")
	networks := settings.child("Networks")
	for name, end := range networks {
		if isNull(end) {
			delete(networks, name)
		}
	}
	settings.set("Networks", networks)
	whole.set("NetworkSettings", settings)
	return encode(whole)
}

func TestDiffOfTheSameContainer(t *testing.T) {
	src := fixture(t, "sink", "1.41")
	if d, err := Diff(src.Container, src.Container, nil, "1.41"); err != nil || len(d) > 0 {
		t.Errorf("Diff with itself: %v %v", d, err)
	}
	moved := edited(t, src, map[string]string{"HostConfig.RestartPolicy": noPolicy}).Container
	if d, _ := Diff(src.Container, moved, nil, "1.41"); len(d) != 1 {
		t.Errorf("Diff with another restart policy: %v", d)
	}
	if _, err := Diff(src.Container, json.RawMessage("{}"), nil, "1.41"); err == nil {
		t.Error("Diff takes an answer without configuration")
	}
}

func TestDiffOfPlannedMount(t *testing.T) {
	src := fixture(t, "sink", "1.41")
	c, err := parse(src.Container)
	if err != nil {
		t.Fatal(err)
	}
	from := encode(c.HostConfig.strings("Binds"))
	to := strings.Replace(string(from), "/tmp:/hosttmp:ro", "/tmp:/hosttmp", 1)
	r, err := Build(src, []plan.Change{change("HostConfig.Binds", string(from), to)})
	if err != nil {
		t.Fatal(err)
	}
	mounts := strings.Replace(string(encode(c.Mounts)), `"Destination":"/hosttmp","RW":false`, `"Destination":"/hosttmp","RW":true`, 1)
	after := edited(t, Source{Container: made(t, src, r)}, map[string]string{"Mounts": mounts}).Container
	if d, err := Diff(src.Container, after, r, "1.41"); err != nil || len(d) > 0 {
		t.Errorf("Diff of the planned mount: %v %v", d, err)
	}
	mounts = strings.Replace(mounts, `"Destination":"/hostetc","RW":false`, `"Destination":"/hostetc","RW":true`, 1)
	after = edited(t, Source{Container: made(t, src, r)}, map[string]string{"Mounts": mounts}).Container
	if d, err := Diff(src.Container, after, r, "1.41"); err != nil || len(d) != 1 || d[0].Path != "Mounts[/hostetc]" {
		t.Errorf("Diff of another mount: %v %v", d, err)
	}
}

func TestDiffOfAskedMAC(t *testing.T) {
	src := fixture(t, "sink", "1.44")
	src.MACs = map[string]string{"front": "02:42:0A:00:00:99"}
	r, err := Build(src, nil)
	if err != nil {
		t.Fatal(err)
	}
	for mac, want := range map[string]int{`""`: 0, `"02:42:0a:00:00:99"`: 0, `"02:42:0a:00:00:98"`: 1} {
		after := edited(t, Source{Container: made(t, src, r)}, map[string]string{"NetworkSettings.Networks.front.MacAddress": mac}).Container
		if d, err := Diff(src.Container, after, r, "1.44"); err != nil || len(d) != want {
			t.Errorf("Diff with MAC address %s: %v %v", mac, d, err)
		}
	}
}

// A container in the network of another has the host name of that one, whose id is new when it was recreated
// along with it.
func TestDiffOfABorrowedHostName(t *testing.T) {
	src := fixture(t, "guest", "1.41")
	r, err := Build(src, nil)
	if err != nil {
		t.Fatal(err)
	}
	const mode = "HostConfig.NetworkMode"
	old := gjson.GetBytes(src.Container, mode).String()
	now := strings.Repeat("ab", 32)
	r, err = r.Rebind([]Provider{{ID: strings.TrimPrefix(old, "container:"), Name: "vpn", Now: now}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{now[:shortID]: 0, "other": 1} {
		after := edited(t, Source{Container: made(t, src, r)}, map[string]string{"Config.Hostname": `"` + name + `"`}).Container
		if d, err := Diff(src.Container, after, r, "1.41"); err != nil || len(d) != want {
			t.Errorf("Diff with host name %s: %v %v", name, d, err)
		}
	}
}
