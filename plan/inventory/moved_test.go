package inventory

import (
	"encoding/json"
	"os"
	"testing"
)

func TestMovedSecrets(t *testing.T) {
	root := tree(t, map[string]string{"/state/secrets/db.t1/A": "x", "/state/secrets/db.t1/B": "x", "/state/secrets/db.t1/C": "x", "/srv/D": "x"})
	mount := func(source, target string) Mount { return Mount{Type: "bind", Source: source, Destination: target} }
	c := &Container{Raw: json.RawMessage(`{"Config":{"Env":["A_FILE=/run/secrets/A","B_FILE=/x","D_FILE=/run/secrets/D","E_FILE=/run/secrets/E"]}}`)}
	c.Inspect.Mounts = []Mount{
		mount("/state/secrets/db.t1/A", "/run/secrets/A"), mount("/state/secrets/db.t1/B", "/elsewhere"), mount("/state/secrets/db.t1/C", "/run/secrets/C"),
		mount("/srv/D", "/run/secrets/D"), mount("/state/secrets/db.t1/E", "/run/secrets/E"),
		{Type: "volume", Source: "/state/secrets/db.t1/A", Destination: "/run/secrets/A"},
	}
	got := root.movedSecrets(c)
	if len(got) != 2 || got[0].Variable != "A" || !got[0].File.Exists || got[1].Variable != "E" || got[1].File.Exists {
		t.Errorf("%+v", got)
	}
}

func TestLoose(t *testing.T) {
	good := File{Path: "/state/secrets/it's/A", Exists: true, Mode: 0o400}
	const fix = `run chown root:root '/state/secrets/it'\''s/A' && chmod 0400 '/state/secrets/it'\''s/A'`
	for _, tt := range []struct {
		name      string
		edit      func(*File)
		why, todo string
	}{
		{"as it was made", func(*File) {}, "", ""},
		{"read by nobody", func(f *File) { f.Mode = 0 }, "", ""},
		{"others read it", func(f *File) { f.Mode = 0o444 }, "is not root's alone", fix},
		{"root may write it", func(f *File) { f.Mode = 0o600 }, "is not root's alone", fix},
		{"setuid", func(f *File) { f.Mode |= os.ModeSetuid }, "is not root's alone", fix},
		{"somebody's", func(f *File) { f.UID = 1000 }, "is not root's alone", fix},
		{"a group's", func(f *File) { f.GID = 1000 }, "is not root's alone", fix},
		{"a directory", func(f *File) { f.Type = "directory" }, "is a directory", `put a file in the place of '/state/secrets/it'\''s/A'`},
	} {
		f := good
		tt.edit(&f)
		if why, todo := (MovedSecret{File: f}).Loose(); why != tt.why || todo != tt.todo {
			t.Errorf("%s: %q, %q", tt.name, why, todo)
		}
	}
	if why, todo := (MovedSecret{File: File{Path: "/x"}}).Loose(); why == "" || todo == "" {
		t.Errorf("gone: %q, %q", why, todo)
	}
}
