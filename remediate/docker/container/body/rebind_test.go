package body

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestRebind(t *testing.T) {
	providers := []Provider{{ID: "old", Name: "vpn", Now: "new"}}
	for name, test := range map[string]struct {
		host, want string
		paths      []string // of the transforms
	}{
		"by id":            {`{"NetworkMode":"container:old"}`, `{"NetworkMode":"container:new"}`, []string{"HostConfig.NetworkMode"}},
		"by name":          {`{"PidMode":"container:vpn"}`, `{"PidMode":"container:new"}`, []string{"HostConfig.PidMode"}},
		"several":          {`{"IpcMode":"container:old","NetworkMode":"container:old"}`, `{"IpcMode":"container:new","NetworkMode":"container:new"}`, []string{"HostConfig.NetworkMode", "HostConfig.IpcMode"}},
		"another provider": {`{"NetworkMode":"container:else"}`, `{"NetworkMode":"container:else"}`, nil},
		"none":             {`{"NetworkMode":"host","PidMode":""}`, `{"NetworkMode":"host","PidMode":""}`, nil},
		"linked": {
			`{"Links":["/vpn:/web/v","/db:/web/db"],"NetworkMode":"default"}`, `{"Links":["new:v","/db:/web/db"],"NetworkMode":"default"}`, []string{linksField},
		},
		"a name on a network": {`{"Links":["vpn:v"],"NetworkMode":"front"}`, `{"Links":["vpn:v"],"NetworkMode":"front"}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			req := &Request{Create: json.RawMessage(`{"Image":"x","HostConfig":` + test.host + `}`), Changed: []string{"HostConfig.CapDrop"}}
			got, err := req.Rebind(providers)
			if err != nil {
				t.Fatal(err)
			}
			create, err := decodeObject(got.Create)
			if err != nil || string(encode(create.child("HostConfig"))) != test.want || create.text("Image") != "x" {
				t.Errorf("%s, %v", got.Create, err)
			}
			var paths []string
			for _, tr := range got.Transforms {
				paths = append(paths, tr.Path)
			}
			if !slices.Equal(paths, test.paths) || len(got.Changed) != 1 || len(req.Transforms) != 0 {
				t.Errorf("transforms %v, changed %v", paths, got.Changed)
			}
		})
	}
	if _, err := (&Request{Create: json.RawMessage("[")}).Rebind(providers); err == nil {
		t.Error("Rebind takes a broken request")
	}
}

// A rebound container may differ in what it is bound to, and in nothing else.
func TestDiffOfRebound(t *testing.T) {
	const before = `{"Id":"a","Name":"/guest","Config":{},"HostConfig":{"NetworkMode":"container:old","Memory":0}}`
	req, err := (&Request{Create: json.RawMessage(`{"HostConfig":{"NetworkMode":"container:old","Memory":0}}`)}).Rebind([]Provider{{ID: "old", Now: "new"}})
	if err != nil {
		t.Fatal(err)
	}
	for after, want := range map[string]int{
		`{"NetworkMode":"container:new","Memory":0}`: 0, `{"NetworkMode":"container:old","Memory":0}`: 1,
		`{"NetworkMode":"container:new","Memory":5}`: 1, `{"NetworkMode":"host","Memory":5}`: 2,
	} {
		got, err := Diff(json.RawMessage(before), json.RawMessage(`{"Id":"b","Name":"/guest","Config":{},"HostConfig":`+after+`}`), req, "1.41")
		if err != nil || len(got) != want {
			t.Errorf("%s: %v, %v", after, got, err)
		}
	}
}

// The host name in a borrowed network is the new provider's: what the engine made of its id.
func TestHostNameOfRebound(t *testing.T) {
	const now = "bbbbbbbbbbbbbbbbbbbb"
	before := edited(t, Source{Container: json.RawMessage(`{"Id":"x","Name":"/guest","Config":{},"HostConfig":{}}`)}, map[string]string{
		"Config.Hostname": `"aaaaaaaaaaaa"`, "HostConfig.NetworkMode": `"container:aaaaaaaaaaaaaaaaaaaa"`,
	}).Container
	req, err := Build(Source{Container: before, API: "1.41"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if req, err = req.Rebind([]Provider{{ID: "aaaaaaaaaaaaaaaaaaaa", Now: now}}); err != nil {
		t.Fatal(err)
	}
	for hostname, want := range map[string]int{"bbbbbbbbbbbb": 0, "aaaaaaaaaaaa": 0, "": 1, "somebody": 1} {
		after := `{"Id":"y","Name":"/guest","Config":{"Hostname":"` + hostname + `"},"HostConfig":{"NetworkMode":"container:` + now + `"}}`
		got, err := Diff(before, json.RawMessage(after), req, "1.41")
		if err != nil || len(got) != want {
			t.Errorf("host name %q: %v, %v", hostname, got, err)
		}
	}
}

func TestSameLinks(t *testing.T) {
	if !SameLinks([]string{"/a:/web/x", "/b:/web/b"}, []string{"/b:/other/b", "a:x"}) {
		t.Error("the same links differ")
	}
	if SameLinks([]string{"/a:/web/x"}, []string{"/a.dh-1-old:/web/x"}) || SameLinks([]string{"/a:/web/x"}, nil) {
		t.Error("other links are the same")
	}
}
