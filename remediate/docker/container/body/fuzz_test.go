package body

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"docker-harden/plan"
)

// FuzzBuild gives the builder any description of a container and any change: it makes a request that is JSON
// and holds what was planned, or refuses. Comparing any two descriptions ends without a crash, and one compared with
// itself shows no difference.
func FuzzBuild(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "20.10", "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, []byte(`{}`), "HostConfig.CapDrop", "null", `["NET_RAW"]`, "1.41")
		f.Add(raw, raw, "HostConfig.RestartPolicy", `{"Name":"no","MaximumRetryCount":0}`, `{"Name":"always"}`, "1.44")
	}
	f.Add([]byte(`{"Id":"","Config":null,"HostConfig":[]}`), []byte(`[]`), "Config.Cmd", "1", "2", "")
	f.Add([]byte(`{"Id":"x","Config":{},"HostConfig":{"Binds":[":",""],"Mounts":[{}],"NetworkMode":"container:"},"Mounts":[{"Type":"volume"}],"NetworkSettings":{"Networks":{"":null}}}`),
		[]byte(`{"Config":{"Entrypoint":7}}`), "HostConfig..", "null", `{"a":`, "99.99")
	f.Fuzz(func(t *testing.T, container, image []byte, path, from, to, api string) {
		if !json.Valid([]byte(from)) || !json.Valid([]byte(to)) {
			return // a plan cannot hold it
		}
		src := Source{Container: container, Image: image, API: api, HostName: "h", Networks: map[string]string{}, MACs: map[string]string{"bridge": "02:42:0a:00:00:99"}}
		changes := []plan.Change{{Path: path, From: json.RawMessage(from), To: json.RawMessage(to)}}
		for _, list := range [][]plan.Change{nil, changes} {
			req, err := Build(src, list)
			if err != nil {
				continue
			}
			if !json.Valid(req.Create) {
				t.Fatalf("the request is no JSON: %q", req.Create)
			}
			for _, end := range req.Connect {
				if !json.Valid(end.Config) {
					t.Fatalf("the endpoint is no JSON: %q", end.Config)
				}
			}
			if _, err := Diff(container, image, req, api); err != nil {
				continue
			}
		}
		if differences, err := Diff(container, container, nil, api); err == nil && len(differences) > 0 {
			t.Fatalf("it differs from itself: %v", differences)
		}
	})
}
