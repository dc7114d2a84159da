package body

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"docker-harden/plan"
)

func volumeSource(t *testing.T, edits map[string]string) Source {
	t.Helper()
	all := map[string]string{"Mounts": "[]"}
	for path, value := range edits {
		all[path] = value
	}
	src := edited(t, fixture(t, "plain", "1.41"), all)
	src.VolumePrefix = "docker-harden-web-t1-"
	return src
}

func toVolume(place string) plan.Change { return change(plan.VolumePath(place), `"layer"`, `"volume"`) }

func TestBuildMovesToVolume(t *testing.T) {
	src := volumeSource(t, map[string]string{
		"HostConfig.Mounts": `[{"Type":"tmpfs","Target":"/run"}]`, "Mounts": `[{"Type":"tmpfs","Destination":"/run","RW":true}]`,
	})
	src.EmptyVolumes = []string{"docker-harden-web-t1-srv-a"}
	r, err := Build(src, []plan.Change{toVolume("/srv/a"), toVolume("/srv-a"), toVolume("/ä b")})
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"Target":"/run","Type":"tmpfs"},{"Source":"docker-harden-web-t1-srv-a","Target":"/srv/a","Type":"volume","VolumeOptions":{"NoCopy":true}},` +
		`{"Source":"docker-harden-web-t1-srv-a-2","Target":"/srv-a","Type":"volume","VolumeOptions":{"NoCopy":true}},` +
		`{"Source":"docker-harden-web-t1---b","Target":"/ä b","Type":"volume","VolumeOptions":{"NoCopy":true}}]`
	if got := sent(t, r, "HostConfig.Mounts"); got != want {
		t.Errorf("mounts are sent as %s, want %s", got, want)
	}
	if len(r.Volumes) != 3 || r.Volumes[1] != (Volume{"/srv-a", "docker-harden-web-t1-srv-a-2"}) {
		t.Errorf("volumes %+v", r.Volumes)
	}
	long, err := Build(src, []plan.Change{toVolume("/" + strings.Repeat("n", 500)), toVolume("/" + strings.Repeat("n", 600))})
	if err != nil || len(long.Volumes[1].Name) > 100 || long.Volumes[0].Name == long.Volumes[1].Name {
		t.Errorf("%v, %+v", err, long)
	}
}

func TestBuildRefusesVolume(t *testing.T) {
	at := func(kind, target string) map[string]string {
		return map[string]string{"Mounts": `[{"Type":"` + kind + `","Source":"/srv","Destination":"` + target + `","RW":true}]`}
	}
	for _, tt := range []struct {
		name    string
		edits   map[string]string
		changes []plan.Change
		stale   bool
		want    string
	}{
		{"a volume of the plan's choice", nil, []plan.Change{change(plan.VolumePath("/a"), `"layer"`, `"shop_data"`)}, false, "only moves"},
		{"from a volume", nil, []plan.Change{change(plan.VolumePath("/a"), `"volume"`, `"layer"`)}, false, "only moves"},
		{"no place for one", nil, []plan.Change{change(plan.VolumePath("/"), `"layer"`, `"volume"`)}, false, "cannot recreate"},
		{"mounted already", at("volume", "/a"), []plan.Change{toVolume("/a")}, true, "mounted on /a already"},
		{"mounted below", at("bind", "/a/b"), []plan.Change{toVolume("/a")}, false, "mounted on /a/b"},
		{"mounted above", at("bind", "/a/"), []plan.Change{toVolume("/a/b")}, false, "mounted on /a"},
		{"memory in its place", map[string]string{"HostConfig.Tmpfs": `{"/a/":""}`}, []plan.Change{toVolume("/a")}, true, "mounted on /a already"},
		{"memory that comes in its place", nil, []plan.Change{toVolume("/a"), change("HostConfig.Tmpfs", "null", `{"/a":""}`)}, true, "mounted on /a already"},
		{"memory that comes below", nil, []plan.Change{toVolume("/a"), change("HostConfig.Tmpfs", "null", `{"/a/b":""}`)}, false, "mounted on /a/b"},
		{"twice", nil, []plan.Change{toVolume("/a"), toVolume("/a")}, true, "mounted on /a already"},
		{"one in the other", nil, []plan.Change{toVolume("/a/b"), toVolume("/a")}, false, "something is mounted on /a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Build(volumeSource(t, tt.edits), tt.changes)
			if err == nil || errors.Is(err, ErrStale) != tt.stale || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v", err)
			}
		})
	}
	src := volumeSource(t, nil)
	src.VolumePrefix = ""
	if _, err := Build(src, []plan.Change{toVolume("/a")}); err == nil {
		t.Error("a volume without a name")
	}
}

// A new container has the volume and nothing else that the old one had not.
func TestDiffOfAVolume(t *testing.T) {
	src := volumeSource(t, nil)
	r, err := Build(src, []plan.Change{toVolume("/a")})
	if err != nil {
		t.Fatal(err)
	}
	const good = `{"Type":"volume","Name":"docker-harden-web-t1-a","Source":"/var/lib/docker/volumes/docker-harden-web-t1-a/_data","Destination":"/a","Driver":"local","Mode":"z","RW":true,"Propagation":""}`
	after := func(mounts string) json.RawMessage {
		return edited(t, Source{Container: made(t, src, r)}, map[string]string{"Mounts": mounts}).Container
	}
	for _, tt := range []struct{ name, mounts, want string }{
		{"as planned", "[" + good + "]", ""},
		{"not mounted", "[]", "Mounts[/a]"},
		{"read-only", "[" + strings.Replace(good, `"RW":true`, `"RW":false`, 1) + "]", "Mounts[/a]"},
		{"another volume", "[" + strings.Replace(good, "web-t1-a", "db-t1-a", 1) + "]", "Mounts[/a]"},
		{"a directory of the host", "[" + strings.Replace(good, `"volume"`, `"bind"`, 1) + "]", "Mounts[/a]"},
		{"and another mount", "[" + good + "," + strings.ReplaceAll(good, `"/a"`, `"/b"`) + "]", "Mounts[/b]"},
	} {
		d, err := Diff(src.Container, after(tt.mounts), r, "1.41")
		if err != nil {
			t.Fatal(err)
		}
		if tt.want == "" && len(d) > 0 || tt.want != "" && (len(d) != 1 || d[0].Path != tt.want) {
			t.Errorf("%s: %v", tt.name, d)
		}
	}
	if d, err := Diff(src.Container, after("["+good+"]"), nil, "1.41"); err != nil || len(d) == 0 {
		t.Errorf("without a request nothing may differ: %v, %v", d, err)
	}
}
