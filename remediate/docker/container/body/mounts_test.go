package body

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"docker-harden/plan"
)

// mountedSource is a container with one bind mount, asked for in one of two ways.
func mountedSource(t *testing.T, binds, specs, mounts string) Source {
	t.Helper()
	return edited(t, fixture(t, "unmasked", "1.41"), map[string]string{
		"HostConfig.Binds": binds, "HostConfig.Mounts": specs, "Mounts": mounts,
	})
}

func bound(target, propagation string, writable bool) string {
	return string(encode([]mount{{Type: "bind", Source: "/srv", Destination: target, RW: writable, Propagation: propagation}}))
}

func TestBuildMountChange(t *testing.T) {
	slave := func(target string) plan.Change {
		return change(plan.MountPath(target, plan.MountPropagation), `"rshared"`, `"rslave"`)
	}
	readOnly := func(target string) plan.Change {
		return change(plan.MountPath(target, plan.MountWritable), "true", "false")
	}
	for _, tt := range []struct {
		name                 string
		binds, specs, mounts string
		changes              []plan.Change
		path, want           string
	}{
		{"a bind", `["/srv:/data:rshared"]`, "null", bound("/data", "rshared", true), []plan.Change{slave("/data")}, "HostConfig.Binds", `["/srv:/data:rslave"]`},
		{
			"all other words of a bind stay", `["/srv:/data:z,rw,rshared,nocopy"]`, "null", bound("/data", "rshared", true),
			[]plan.Change{slave("/data")},
			"HostConfig.Binds", `["/srv:/data:z,rw,rslave,nocopy"]`,
		},
		{
			"only its own bind", `["/a:/b:rshared","/srv:/data:rshared"]`, "null", bound("/data", "rshared", true),
			[]plan.Change{slave("/data")},
			"HostConfig.Binds", `["/a:/b:rshared","/srv:/data:rslave"]`,
		},
		{
			"shared is not rshared", `["/srv:/data:shared"]`, "null", bound("/data", "shared", true),
			[]plan.Change{change("Mounts[/data].Propagation", `"shared"`, `"slave"`)},
			"HostConfig.Binds", `["/srv:/data:slave"]`,
		},
		{
			"a mount", "null", `[{"Type":"bind","Source":"/srv","Target":"/data","Later":1.0,"BindOptions":{"Propagation":"rshared","NonRecursive":true}}]`, bound("/data", "rshared", true),
			[]plan.Change{slave("/data")},
			"HostConfig.Mounts", `[{"BindOptions":{"NonRecursive":true,"Propagation":"rslave"},"Later":1.0,"Source":"/srv","Target":"/data","Type":"bind"}]`,
		},
		{"a bind without words", `["/srv:/data"]`, "null", bound("/data", "rprivate", true), []plan.Change{readOnly("/data")}, "HostConfig.Binds", `["/srv:/data:ro"]`},
		{"a writable bind", `["/srv:/data:z,rw"]`, "null", bound("/data", "rprivate", true), []plan.Change{readOnly("/data")}, "HostConfig.Binds", `["/srv:/data:z,ro"]`},
		{"both at once", `["/srv:/data:rw,rshared"]`, "null", bound("/data", "rshared", true), []plan.Change{slave("/data"), readOnly("/data")}, "HostConfig.Binds", `["/srv:/data:ro,rslave"]`},
		{
			"a writable mount", "null", `[{"Type":"bind","Source":"/srv","Target":"/data/"}]`, bound("/data", "rprivate", true),
			[]plan.Change{readOnly("/data")},
			"HostConfig.Mounts", `[{"ReadOnly":true,"Source":"/srv","Target":"/data/","Type":"bind"}]`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := mountedSource(t, tt.binds, tt.specs, tt.mounts)
			r, err := Build(src, tt.changes)
			if err != nil {
				t.Fatal(err)
			}
			if got := sent(t, r, tt.path); got != tt.want {
				t.Errorf("%s is sent as %s, want %s", tt.path, got, tt.want)
			}
			// The engine's list of mounts is as it is only when it followed the request.
			want := mount{Type: "bind", Source: "/srv", Destination: "/data", RW: true, Propagation: parsed(t, src).Mounts[0].Propagation}
			for _, c := range tt.changes {
				if strings.HasSuffix(c.Path, plan.MountWritable) {
					want.RW = false
				} else if err := json.Unmarshal(c.To, &want.Propagation); err != nil {
					t.Fatal(err)
				}
			}
			after := edited(t, Source{Container: made(t, src, r)}, map[string]string{"Mounts": string(encode([]mount{want}))}).Container
			if d, err := Diff(src.Container, after, r, "1.41"); err != nil || len(d) > 0 {
				t.Errorf("the planned container differs: %v %v", d, err)
			}
			if d, err := Diff(src.Container, made(t, src, r), r, "1.41"); err != nil || len(d) != 1 || d[0].Path != "Mounts[/data]" {
				t.Errorf("a mount that stayed as it was is not seen: %v %v", d, err)
			}
			want.Source = "/"
			after = edited(t, Source{Container: after}, map[string]string{"Mounts": string(encode([]mount{want}))}).Container
			if d, err := Diff(src.Container, after, r, "1.41"); err != nil || len(d) != 1 {
				t.Errorf("another source is not seen: %v %v", d, err)
			}
		})
	}
}

func parsed(t *testing.T, src Source) *inspect {
	t.Helper()
	c, err := parse(src.Container)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A plan file can be edited: a change of a mount makes it narrower, or is refused.
func TestBuildMountRefuses(t *testing.T) {
	src := mountedSource(t, `["/srv:/data:rshared"]`, "null", bound("/data", "rshared", true))
	for _, tt := range []struct {
		change plan.Change
		stale  bool
	}{
		{change("Mounts[/data].Propagation", `"rshared"`, `"shared"`), false},
		{change("Mounts[/data].Propagation", `"rshared"`, `"rslave,exec"`), false},
		{change("Mounts[/data].Propagation", `"rshared"`, `"slave"`), false},
		{change("Mounts[/data].Propagation", `"rshared"`, `null`), false},
		{change("Mounts[/data].RW", `true`, `true`), false},
		{change("Mounts[/data].RW", `true`, `"ro"`), false},
		{change("Mounts[/data].RW", `false`, `true`), true},
		{change("Mounts[/data].Propagation", `"rslave"`, `"rshared"`), true},
		{change("Mounts[/other].RW", `true`, `false`), true},
	} {
		if _, err := Build(src, []plan.Change{tt.change}); err == nil || errors.Is(err, ErrStale) != tt.stale {
			t.Errorf("%s %s -> %s: %v", tt.change.Path, tt.change.From, tt.change.To, err)
		}
	}
	if _, err := Build(src, []plan.Change{change("Mounts[/data].Source", `"/srv"`, `"/"`)}); err == nil {
		t.Error("the source of a mount can be changed")
	}
	foreign := mountedSource(t, "null", "null", bound("/data", "rshared", true)) // of --volumes-from
	if _, err := Build(foreign, []plan.Change{change("Mounts[/data].Propagation", `"rshared"`, `"rslave"`)}); err == nil || !strings.Contains(err.Error(), "did not ask for it itself") {
		t.Errorf("a mount of another container: %v", err)
	}
	volume := mountedSource(t, `["data:/data"]`, "null", `[{"Type":"volume","Name":"data","Destination":"/data","RW":true}]`)
	if _, err := Build(volume, []plan.Change{change("Mounts[/data].RW", `true`, `false`)}); !errors.Is(err, ErrStale) {
		t.Errorf("a volume: %v", err)
	}
}
