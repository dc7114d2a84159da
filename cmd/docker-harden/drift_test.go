package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

func raw(text string) json.RawMessage { return json.RawMessage(text) }

// driftHost is a host with one container and a daemon.json, as an apply left it.
func driftHost(containerRaw string, keys map[string]json.RawMessage) *inventory.Host {
	h := &inventory.Host{
		Engine: inventory.Engine{Local: true},
		Daemon: inventory.Daemon{ConfigPath: "/etc/docker/daemon.json", Keys: keys},
		Files:  map[string]inventory.File{"/etc/docker/daemon.json": {Exists: true, Mode: 0o644, UID: 0, GID: 0}},
		Containers: []inventory.Container{{
			ID: "0123456789abcdef", Name: "web", Raw: raw(containerRaw),
		}},
	}
	return h
}

func TestDrift(t *testing.T) {
	const before = `{"Image":"i","Config":{"Env":["A=1"]},"HostConfig":{"Memory":0,"CapDrop":null}}`
	old := driftHost(before, map[string]json.RawMessage{"debug": raw("true")})
	web := plan.Container("web", "0123456789abcdef")
	basis, _ := old.Basis(web)
	daemon, _ := old.Basis(plan.Daemon())
	file := plan.File("/etc/docker/daemon.json")
	fileBasis, _ := driftHost(before, nil).Basis(file)
	update := plan.Step{
		ID: "container/web", Kind: plan.KindUpdate, Resource: web, Basis: basis,
		Changes: []plan.Change{{Path: "HostConfig.Memory", From: raw("0"), To: raw("268435456"), Kind: plan.KindUpdate}},
	}
	recreate := update
	recreate.Kind, recreate.Resource.ID = plan.KindRecreate, "anotherid"
	unprivileged := recreate
	unprivileged.Changes = []plan.Change{
		{Path: "HostConfig.Privileged", From: raw("true"), To: raw("false"), Kind: plan.KindRecreate},
		{Path: "HostConfig.SecurityOpt", From: raw(`["label=disable"]`), To: raw(`["label=disable","no-new-privileges:true"]`), Kind: plan.KindRecreate},
	}
	engine := plan.Step{
		ID: "daemon", Kind: plan.KindRestart, Resource: plan.Daemon(), Basis: daemon,
		Changes: []plan.Change{{Path: "live-restore", From: raw("null"), To: raw("true"), Kind: plan.KindReload}},
	}
	mode := plan.Step{
		ID: "host/etc/docker/daemon.json", Kind: plan.KindFile, Resource: file, Basis: fileBasis,
		Changes: []plan.Change{{Path: "owner", From: raw(`"5:5"`), To: raw(`"0:0"`)}, {Path: "mode", From: raw(`"0666"`), To: raw(`"0644"`)}},
	}
	socketHost := func(mode uint32, next inventory.SocketMaker) *inventory.Host {
		h := driftHost(before, nil)
		h.Files["/run/docker.sock"] = inventory.File{Exists: true, Mode: fs.ModeSocket | fs.FileMode(mode), UID: 0, GID: 101}
		h.EngineFiles = []inventory.EngineFile{{Role: inventory.RoleEngineSocket, Resolved: "/run/docker.sock", Socket: &next}}
		return h
	}
	sock := plan.File("/run/docker.sock")
	sockBasis, _ := socketHost(0o666, inventory.SocketMaker{User: "root", Group: "users", Mode: "0666"}).Basis(sock)
	socket := plan.Step{
		ID: "host/run/docker.sock", Kind: plan.KindSocket, Resource: sock, Basis: sockBasis,
		Changes: []plan.Change{
			{Path: "SocketGroup", From: raw(`"users"`), To: raw(`"docker"`)},
			{Path: "SocketMode", From: raw(`"0666"`), To: raw(`"0660"`)},
			{Path: "mode", From: raw(`"0666"`), To: raw(`"0660"`)},
		},
	}
	const applied = `{"Image":"i","Config":{"Env":["A=1"]},"HostConfig":{"Memory":268435456,"MemorySwap":536870912,"CapDrop":null}}`
	const moved = `{"Image":"i","Config":{"Env":["A=2"]},"HostConfig":{"Memory":1,"CapDrop":null}}`
	live := map[string]json.RawMessage{"debug": raw("true"), "live-restore": raw("true")}
	for _, test := range []struct {
		name string
		step plan.Step
		now  *inventory.Host
		want []string
	}{
		{"as the apply left it", update, driftHost(applied, live), nil},
		{"value and another field", update, driftHost(moved, live), []string{
			"HostConfig.Memory: HostConfig.Memory is 1, the apply had set it to 268435456", "Config.Env: Config.Env was changed",
		}},
		{"recreated, found by name", recreate, driftHost(applied, live), nil},
		{"recreated, value moved", recreate, driftHost(moved, live), []string{"HostConfig.Memory: HostConfig.Memory is 1, the apply had set it to 268435456"}},
		{"gone", update, &inventory.Host{}, []string{": is gone, or could not be read"}},
		{"engine", engine, driftHost(applied, live), nil},
		{"engine key removed", engine, driftHost(applied, nil), []string{"live-restore: live-restore is null, the apply had set it to true"}},
		{"file", mode, driftHost(applied, live), nil},
		{"socket", socket, socketHost(0o660, inventory.SocketMaker{User: "root", Group: "docker", Mode: "0660"}), nil},
		{"socket opened again", socket, socketHost(0o660, inventory.SocketMaker{User: "root", Group: "docker", Mode: "0666"}), []string{
			`SocketMode: SocketMode is "0666", the apply had set it to "0660"`,
		}},
		{"socket of a unit that is gone", socket, socketHost(0o660, inventory.SocketMaker{Problem: "gone"}), []string{
			`SocketGroup: SocketGroup is null, the apply had set it to "docker"`, `SocketMode: SocketMode is null, the apply had set it to "0660"`,
		}},
		{"privilege gone", unprivileged, driftHost(`{"HostConfig":{"Privileged":false,"SecurityOpt":["no-new-privileges:true"]}}`, live), nil},
		{"another option gone", unprivileged, driftHost(`{"HostConfig":{"Privileged":false,"SecurityOpt":["label=disable"]}}`, live), []string{
			`HostConfig.SecurityOpt: HostConfig.SecurityOpt is ["label=disable"], the apply had set it to ["no-new-privileges:true"]`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, d := range driftOfStep(test.step, test.now) {
				got = append(got, d.Field+": "+d.What)
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestSameJSON(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"null", "[]", true},
		{"", "null", true},
		{`["a"]`, `[ "a" ]`, true},
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`, true},
		{"false", "null", false},
		{"0", "null", false},
		{"9007199254740993", "9007199254740992", false},
	} {
		if got := sameJSON(raw(test.a), raw(test.b)); got != test.want {
			t.Errorf("sameJSON(%s, %s) is %v", test.a, test.b, got)
		}
	}
}

// TestOtherState: somebody who is not root looks at his own generations, and hears where root's are.
func TestOtherState(t *testing.T) {
	root := t.TempDir()
	for dir, want := range map[string]bool{"/home/me/.local/state/docker-harden": true, root: false} {
		if got := otherState(dir, root); got != want {
			t.Errorf("%s: %v", dir, got)
		}
	}
	if otherState("/home/me", root+"/none") {
		t.Error("there is no state of root")
	}
}

// A container that went along is compared too: with its own changes, and not with what it is bound to.
func TestDriftOfMembers(t *testing.T) {
	h := driftHost(`{"HostConfig":{"Memory":5,"NetworkMode":"container:new"}}`, nil)
	member := plan.Member{Resource: plan.Container("web", "old"), Action: plan.ActionRecreate}
	if got := driftOfMember(member, h); len(got) != 0 {
		t.Errorf("unchanged: %v", got)
	}
	member.Changes = []plan.Change{{Path: "HostConfig.Memory", From: raw("0"), To: raw("6")}}
	want := []drift{{"container/web", "HostConfig.Memory", "HostConfig.Memory is 5, the apply had set it to 6"}}
	if diff := cmp.Diff(want, driftOfMember(member, h)); diff != "" {
		t.Error(diff)
	}
	member.Resource.Name = "gone"
	if got := driftOfMember(member, h); len(got) != 1 || got[0].Target != "container/gone" {
		t.Errorf("gone: %v", got)
	}
}

// What a container borrows from one that is not under its provider's name any more is told, and nothing else.
func TestDriftBinds(t *testing.T) {
	h := driftHost(`{}`, nil)
	h.Containers[0].Inspect.HostConfig.NetworkMode, h.Containers[0].Inspect.HostConfig.IpcMode = "container:old", "private"
	h.Containers = append(h.Containers, inventory.Container{ID: "new", Name: "vpn"})
	bound := func(by string) plan.Member {
		return plan.Member{Resource: plan.Container("web", ""), Binds: []plan.Bind{{To: plan.Container("vpn", "old"), By: by, Remade: true}}}
	}
	if got := driftBinds(bound("network"), h); len(got) != 1 || got[0].Target != "container/web" || got[0].Field != "network" {
		t.Errorf("provider made anew: %v", got)
	}
	for _, by := range []string{"ipc", "volumes-from"} {
		if got := driftBinds(bound(by), h); len(got) != 0 {
			t.Errorf("%s: %v", by, got)
		}
	}
	h.Containers[1].ID = "old"
	if got := driftBinds(bound("network"), h); len(got) != 0 {
		t.Errorf("the provider is there: %v", got)
	}
}

func TestMountNow(t *testing.T) {
	h := driftHost(`{}`, nil)
	h.Containers[0].Inspect.Mounts = []inventory.Mount{{Type: "bind", Destination: "/data", Propagation: "rslave"}}
	for path, want := range map[string]string{
		plan.MountPath("/data", plan.MountPropagation): `"rslave"`, plan.MountPath("/data", plan.MountWritable): "false", plan.MountPath("/gone", plan.MountWritable): "",
	} {
		if got := settingNow(h, h.Containers[0].Resource(), path); string(got) != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}

// Where the value of a variable is shows without the value.
func TestSecretNow(t *testing.T) {
	moved := inventory.Mount{Type: "bind", Source: "/state/secrets/web.t1/A", Destination: "/run/secrets/A"}
	open := moved
	open.RW = true
	for _, tt := range []struct {
		env   string
		mount inventory.Mount
		want  string
	}{
		{`"A=hunter2"`, inventory.Mount{}, `"environment"`},
		{`"A=hunter2","A_FILE=/run/secrets/A"`, moved, `"environment"`},
		{`"A_FILE=/run/secrets/A"`, moved, `"/run/secrets/A"`},
		{`"A_FILE=/run/secrets/A"`, open, ``},
		{`"A_FILE=/run/secrets/A"`, inventory.Mount{}, ``},
		{`"B=hunter2"`, moved, ``},
	} {
		h := driftHost(`{"Config":{"Env":[`+tt.env+`]}}`, nil)
		h.Containers[0].Inspect.Mounts = []inventory.Mount{tt.mount}
		if got := settingNow(h, h.Containers[0].Resource(), plan.SecretPath("A")); string(got) != tt.want {
			t.Errorf("%s: %s, want %s", tt.env, got, tt.want)
		}
	}
}

// Whether a directory is in a volume of this tool's shows in its mounts.
func TestVolumeNow(t *testing.T) {
	good := inventory.Mount{Type: "volume", Name: "docker-harden-web-t1-data", Destination: "/data", RW: true}
	readOnly, other, bind, elsewhere := good, good, good, good
	readOnly.RW, other.Name, bind.Type, elsewhere.Destination = false, "shop_data", "bind", "/data2"
	for mount, want := range map[inventory.Mount]string{good: `"volume"`, readOnly: "", other: "", bind: "", elsewhere: "", {}: ""} {
		h := driftHost("{}", nil)
		h.Containers[0].Inspect.Mounts = []inventory.Mount{mount}
		if got := settingNow(h, h.Containers[0].Resource(), plan.VolumePath("/data")); string(got) != want {
			t.Errorf("%+v: %s, want %s", mount, got, want)
		}
	}
}

// A saved plan is refused when it gives the very container that it names what no control asks for.
func TestPlannedOfContainer(t *testing.T) {
	prof, err := openProfile("cis-level1")
	if err != nil {
		t.Fatal(err)
	}
	h := driftHost(`{}`, nil)
	c := &h.Containers[0]
	c.Inspect.HostConfig.Binds = []string{"/srv:/data:rshared", "/srv:/own"}
	c.Inspect.Mounts = []inventory.Mount{{Type: "bind", Destination: "/data", Propagation: "rshared", RW: true}, {Type: "bind", Destination: "/own", RW: true}}
	for _, tt := range []struct {
		path, from, to, id string
		refused            bool
	}{
		{"Mounts[/data].Propagation", `"rshared"`, `"rslave"`, c.ID, false},
		{"Mounts[/data].Propagation", `"rshared"`, `"rprivate"`, c.ID, true},
		{"Mounts[/own].Propagation", `"rshared"`, `"rslave"`, c.ID, true},
		{"Mounts[/own].Propagation", `"rshared"`, `"rslave"`, "gone", false}, // its step is stale
		{"Mounts[/data].Source", `"/srv"`, `"/"`, c.ID, true},
		{"HostConfig.Binds", `null`, `["/:/host"]`, c.ID, true},
		{"HostConfig.CapDrop", `null`, `["NET_RAW"]`, c.ID, false},
	} {
		step := plan.Step{ID: "container/web", Kind: plan.KindRecreate, Resource: plan.Container("web", tt.id), Changes: []plan.Change{{Path: tt.path, From: raw(tt.from), To: raw(tt.to), Kind: plan.KindRecreate}}}
		err := planned(&plan.Plan{Steps: []plan.Step{step}}, h, prof)
		if (err != nil) != tt.refused || err != nil && !errors.Is(err, plan.ErrEdited) {
			t.Errorf("%s %s -> %s of %s: %v", tt.path, tt.from, tt.to, tt.id, err)
		}
	}
}
