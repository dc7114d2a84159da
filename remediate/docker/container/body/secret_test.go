package body

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"docker-harden/plan"
)

const secretsDir = "/state/secrets/db.t1"

func movedSource(t *testing.T, env, imageEnv string, edits map[string]string) Source {
	t.Helper()
	all := map[string]string{"Config.Env": env, "Mounts": "[]"}
	for path, value := range edits {
		all[path] = value
	}
	src := edited(t, fixture(t, "plain", "1.41"), all)
	src.Image = json.RawMessage(`{"Config":{"Env":` + imageEnv + `}}`)
	src.SecretsDir = secretsDir
	return src
}

func move(name string) plan.Change {
	return change(plan.SecretPath(name), `"environment"`, `"/run/secrets/`+name+`"`)
}

func TestBuildMovesSecret(t *testing.T) {
	src := movedSource(t, `["PATH=/bin","DB_PASSWORD=hunter2=x","API_TOKEN=hunter3","LAST=<&>"]`, `["PATH=/bin"]`, map[string]string{
		"HostConfig.Mounts": `[{"Type":"tmpfs","Target":"/run"}]`, "Mounts": `[{"Type":"tmpfs","Destination":"/run","RW":true}]`,
	})
	r, err := Build(src, []plan.Change{move("DB_PASSWORD"), move("API_TOKEN")})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"Env": `["PATH=/bin","DB_PASSWORD_FILE=/run/secrets/DB_PASSWORD","API_TOKEN_FILE=/run/secrets/API_TOKEN","LAST=<&>"]`,
		"HostConfig.Mounts": `[{"Target":"/run","Type":"tmpfs"},{"ReadOnly":true,"Source":"/state/secrets/db.t1/DB_PASSWORD","Target":"/run/secrets/DB_PASSWORD","Type":"bind"},` +
			`{"ReadOnly":true,"Source":"/state/secrets/db.t1/API_TOKEN","Target":"/run/secrets/API_TOKEN","Type":"bind"}]`,
	} {
		if got := sent(t, r, path); got != want {
			t.Errorf("%s is sent as %s, want %s", path, got, want)
		}
	}
	if all := string(encode(r)); strings.Contains(all, "hunter") {
		t.Errorf("a value stands in the request: %s", all)
	}
	if len(r.Secrets) != 2 || r.Secrets[0] != (Secret{"DB_PASSWORD", secretsDir + "/DB_PASSWORD"}) {
		t.Errorf("secrets %+v", r.Secrets)
	}
	for name, want := range map[string]string{"DB_PASSWORD": "hunter2=x", "API_TOKEN": "hunter3"} {
		if got, err := SecretValue(src.Container, name); got != want || err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := SecretValue(src.Container, "DB"); !errors.Is(err, ErrStale) {
		t.Errorf("a variable that is not set: %v", err)
	}
}

func TestBuildRefusesSecret(t *testing.T) {
	const env = `["PATH=/bin","A=hunter2"]`
	at := func(kind, target string) map[string]string {
		return map[string]string{"Mounts": `[{"Type":"` + kind + `","Source":"/srv","Destination":"` + target + `","RW":true}]`}
	}
	for _, tt := range []struct {
		name       string
		env, image string
		edits      map[string]string
		change     plan.Change
		stale      bool
		want       string
	}{
		{"another file", env, "[]", nil, change(plan.SecretPath("A"), `"environment"`, `"/etc/shadow"`), false, "only moves"},
		{"a value", env, "[]", nil, change(plan.SecretPath("A"), `"hunter2"`, `"/run/secrets/A"`), false, "only moves"},
		{"not set", env, "[]", nil, move("B"), true, "set 0 times"},
		{"set twice", `["A=hunter2","A=hunter3"]`, "[]", nil, move("A"), true, "set 2 times"},
		{"beside its file", `["A_FILE=/x","A=hunter2"]`, "[]", nil, move("A"), true, "A_FILE is set beside"},
		{"empty", `["A="]`, "[]", nil, move("A"), false, "empty"},
		{"line break", `["A=hunter2\n"]`, "[]", nil, move("A"), false, "line break"},
		{"bytes that are not shown", `["A=hunter2\ufffd"]`, "[]", nil, move("A"), false, "all bytes"},
		{"set by the image", env, `["A=other"]`, nil, move("A"), false, "image sets"},
		{"its file set by the image", env, `["A_FILE=/x"]`, nil, move("A"), false, "image sets"},
		{"a volume in its place", env, "[]", at("volume", "/run/secrets/A"), move("A"), false, "mounted on /run/secrets/A"},
		{"memory in its place", env, "[]", at("tmpfs", "/run/secrets/A"), move("A"), false, "mounted on /run/secrets/A"},
		{"a bind above", env, "[]", at("bind", "/run/"), move("A"), false, "mounted on /run "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Build(movedSource(t, tt.env, tt.image, tt.edits), []plan.Change{tt.change})
			if err == nil || errors.Is(err, ErrStale) != tt.stale || !strings.Contains(err.Error()+" ", tt.want) {
				t.Errorf("%v", err)
			}
			if err != nil && tt.name != "a value" && strings.Contains(err.Error(), "hunter") {
				t.Errorf("the error has the value: %v", err)
			}
		})
	}
	src := movedSource(t, env, "[]", nil)
	src.SecretsDir = ""
	if _, err := Build(src, []plan.Change{move("A")}); err == nil {
		t.Error("a file without a directory")
	}
}

// A new container has the variable's file and nothing else that the old one had not.
func TestDiffOfMovedSecret(t *testing.T) {
	src := movedSource(t, `["PATH=/bin","A=hunter2","B=hunter3"]`, "[]", nil)
	r, err := Build(src, []plan.Change{move("A")})
	if err != nil {
		t.Fatal(err)
	}
	const good = `{"Type":"bind","Source":"/state/secrets/db.t1/A","Destination":"/run/secrets/A","RW":false,"Propagation":"rprivate"}`
	after := func(mounts string, edits map[string]string) json.RawMessage {
		all := map[string]string{"Mounts": mounts}
		for path, value := range edits {
			all[path] = value
		}
		return edited(t, Source{Container: made(t, src, r)}, all).Container
	}
	for _, tt := range []struct {
		name, mounts string
		edits        map[string]string
		want         string
	}{
		{"as planned", "[" + good + "]", nil, ""},
		{"a slave, below a directory that begins like the engine's", "[" + strings.Replace(good, "rprivate", "rslave", 1) + "]", nil, ""},
		{"not mounted", "[]", nil, "Mounts[/run/secrets/A]"},
		{"writable", "[" + strings.Replace(good, `"RW":false`, `"RW":true`, 1) + "]", nil, "Mounts[/run/secrets/A]"},
		{"another file", "[" + strings.Replace(good, "/state/secrets/db.t1/A", "/etc/shadow", 1) + "]", nil, "Mounts[/run/secrets/A]"},
		{"shared", "[" + strings.Replace(good, "rprivate", "rshared", 1) + "]", nil, "Mounts[/run/secrets/A]"},
		{"and another mount", "[" + good + "," + strings.ReplaceAll(good, "/A", "/B") + "]", nil, "Mounts[/run/secrets/B]"},
		{"the value is still there", "[" + good + "]", map[string]string{"Config.Env": `["PATH=/bin","A=hunter2","A_FILE=/run/secrets/A","B=hunter3"]`}, "Config.Env"},
		{"another variable is gone", "[" + good + "]", map[string]string{"Config.Env": `["PATH=/bin","A_FILE=/run/secrets/A"]`}, "Config.Env"},
	} {
		d, err := Diff(src.Container, after(tt.mounts, tt.edits), r, "1.41")
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case tt.want == "" && len(d) > 0:
			t.Errorf("%s: %v", tt.name, d)
		case tt.want != "" && (len(d) != 1 || d[0].Path != tt.want || strings.Contains(d[0].String(), "hunter")):
			t.Errorf("%s: %v", tt.name, d)
		}
	}
	if d, err := Diff(src.Container, after("["+good+"]", nil), nil, "1.41"); err != nil || len(d) == 0 {
		t.Errorf("without a request nothing may differ: %v, %v", d, err)
	}
}
