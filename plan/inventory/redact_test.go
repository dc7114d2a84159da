package inventory

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"docker-harden/plan"
)

func TestMaskArgs(t *testing.T) {
	for _, tc := range []struct{ args, want []string }{
		{nil, nil},
		{[]string{"redis-server", "--requirepass", "s3cret", "--port", "1"}, []string{"redis-server", "--requirepass", mask, "--port", "1"}},
		{[]string{"redis-server", "requirepass", "s3cret"}, []string{"redis-server", "requirepass", mask}},
		{[]string{"x", "--password=s3cret", "--user=me"}, []string{"x", "--password=" + mask, "--user=me"}},
		{[]string{"x", "--password="}, []string{"x", "--password="}},
		{[]string{"x", "--token", "--password", "s3cret"}, []string{"x", "--token", "--password", mask}},
		{[]string{"env", "API_KEY=s3cret", "run"}, []string{"env", "API_KEY=" + mask, "run"}},
		{[]string{"sh", "-c", "mysqld --password s3cret; export TOKEN='s3 cret' && x --port 80"}, []string{"sh", "-c", "mysqld --password " + mask + "; export TOKEN=" + mask + " && x --port 80"}},
		{[]string{"curl", "https://me:s3cret@host/x", "-H", "Authorization: Bearer s3cret-s3cret"}, []string{"curl", "https://" + mask + "@host/x", "-H", "Authorization: Bearer " + mask}},
		{[]string{"serve", "--key-file", "/etc/key.pem", "--no-new-privileges", "x"}, []string{"serve", "--key-file", "/etc/key.pem", "--no-new-privileges", "x"}},
		{[]string{"sleep", "100"}, []string{"sleep", "100"}},
	} {
		if got := maskArgs(tc.args); !slices.Equal(got, tc.want) {
			t.Errorf("%q: %q, want %q", tc.args, got, tc.want)
		}
	}
}

func TestMaskConfig(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", ""},
		{"{}\n", "{}\n"},
		{"{\n  \"icc\": false,\n  \"log-opts\": { \"splunk-token\" : \"s3cret\", \"max-size\": \"10m\" }\n}\n", "{\n  \"icc\": false,\n  \"log-opts\": { \"splunk-token\" : \"***\", \"max-size\": \"10m\" }\n}\n"},
		{`{"proxies":{"http-proxy":"http://u:p@ss@proxy:80","https-proxy":"u:p@proxy:80","no-proxy":"a,b"}}`, `{"proxies":{"http-proxy":"http://***@proxy:80","https-proxy":"***@proxy:80","no-proxy":"a,b"}}`},
		{`{"registry-mirrors":["https://u:p@m","https://n"],"authorization-plugins":["opa"],"tlskey":"/k"}`, `{"registry-mirrors":["https://***@m","https://n"],"authorization-plugins":["opa"],"tlskey":"/k"}`},
		{`{"a":{"password":["x","y\"\\"]},"b":"\"q\""}`, `{"a":{"password":["***","***"]},"b":"\"q\""}`},
		{`{"cluster-store-opts":{"kv.keyfile":"/k"},"exec-opts":["native.cgroupdriver=systemd","my.token=s3cret"]}`, `{"cluster-store-opts":{"kv.keyfile":"/k"},"exec-opts":["native.cgroupdriver=systemd","my.token=***"]}`},
		{`{"password":"x"`, ""},
	} {
		got := string(maskConfig([]byte(tc.in)))
		if got != tc.want {
			t.Errorf("%s\n got %s\nwant %s", tc.in, got, tc.want)
		}
		if tc.want != "" && !json.Valid([]byte(got)) {
			t.Errorf("%s became invalid", tc.in)
		}
	}
}

func TestRedactDaemon(t *testing.T) {
	d := Daemon{
		Argv:  []string{"dockerd", "--log-opt", "splunk-token=hunter2", "--registry-mirror=https://u:hunter2@m"},
		Keys:  map[string]json.RawMessage{"proxies": json.RawMessage(`{"http-proxy":"http://u:hunter2@p"}`), "icc": json.RawMessage("false"), "twice": json.RawMessage(`{"a":1,"a":"hunter2"}`)},
		Flags: map[string][]string{"log-opts": {"splunk-token=hunter2", "max-size=1m"}, "registry-mirrors": {"https://u:hunter2@m"}, "icc": {"true"}, "hosts": {"unix:///x"}},
		Bytes: []byte(`{"proxies":{"http-proxy":"http://u:hunter2@p"},"icc":false}`),
	}
	d.NextArgv = d.Argv
	h := (&Host{Daemon: d, Problems: []plan.Problem{{Reason: "http://u:hunter2@p failed"}}}).Redact()
	out, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(out, []byte("hunter2")) || bytes.Contains(h.Daemon.Bytes, []byte("hunter2")) {
		t.Errorf("%s", out)
	}
	if string(h.Daemon.Keys["icc"]) != "false" || h.Daemon.Flags["log-opts"][1] != "max-size=1m" || h.Daemon.Flags["hosts"][0] != "unix:///x" || !strings.Contains(string(h.Daemon.Keys["proxies"]), "http-proxy") {
		t.Errorf("%s", out)
	}
	if !bytes.Contains(d.Bytes, []byte("hunter2")) || d.Argv[2] != "splunk-token=hunter2" {
		t.Error("the original was changed")
	}
}

func TestRedactContainers(t *testing.T) {
	h := observeRecorded(t)
	before, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	masked := h.Redact()
	out, err := json.Marshal(masked)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"hunter2-env", "hunter2-label", "hunter2-arg", "hunter2-health"} {
		if !bytes.Contains(before, []byte(secret)) {
			t.Fatalf("%s is not in the recording", secret)
		}
		if secret != "hunter2-health" && bytes.Contains(out, []byte(secret)) {
			t.Errorf("%s is in the redacted host", secret)
		}
	}
	c := must(t, masked, "secret")
	for _, name := range []string{`"DB_PASSWORD=***"`, `"traefik.basicauth":"***"`, `"team":"web"`, `--password ***`, `"Output":"***"`} {
		if !bytes.Contains(c.Raw, []byte(name)) {
			t.Errorf("%s is missing", name)
		}
	}
	if c.Inspect.Config.Labels["traefik.basicauth"] != mask || strings.Contains(strings.Join(append(c.Inspect.Config.Cmd, c.Inspect.Args...), " "), "hunter2") || c.Inspect.Path != "sh" {
		t.Errorf("%+v", c.Inspect.Config)
	}
	if again, _ := json.Marshal(h); !bytes.Equal(before, again) {
		t.Error("the original was changed")
	}
	if masked.Redact() != masked {
		t.Error("a redacted host was redacted again")
	}
}

func TestSnapshot(t *testing.T) {
	h := observeRecorded(t)
	var file bytes.Buffer
	if err := h.Save(&file); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(file.Bytes(), []byte("hunter2-env")) {
		t.Error("a secret is in the snapshot")
	}
	loaded, err := Load(bytes.NewReader(file.Bytes()), "host.snapshot")
	if err != nil {
		t.Fatal(err)
	}
	if !loaded.Snapshot || !loaded.Redacted {
		t.Error("it is not marked as a snapshot")
	}
	for i := range h.Containers {
		r := h.Containers[i].Resource()
		want, _ := h.Basis(r)
		got, ok := loaded.Basis(r)
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("%s: basis -here +loaded:\n%s", r, diff)
		}
	}
	want := h.Redact()
	ignore := cmpopts.IgnoreFields(Host{}, "Snapshot")
	for _, h := range []*Host{want, loaded} {
		for i := range h.Containers {
			h.Containers[i].Raw = compact(h.Containers[i].Raw)
		}
		for id, image := range h.Images {
			image.Raw = compact(image.Raw)
			h.Images[id] = image
		}
	}
	if diff := cmp.Diff(want, loaded, ignore, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Container{})); diff != "" {
		t.Errorf("-saved +loaded:\n%s", diff)
	}
	// What decides findings is the same as on the host.
	for i := range h.Containers {
		a, b := h.Containers[i].Inspect, loaded.Containers[i].Inspect
		a.Config.Labels, b.Config.Labels, a.Config.Cmd, b.Config.Cmd = nil, nil, nil, nil
		a.Args, b.Args = nil, nil
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("%s: -here +loaded:\n%s", h.Containers[i].Name, diff)
		}
	}
}

func compact(raw json.RawMessage) []byte {
	var out bytes.Buffer
	if len(raw) == 0 || json.Compact(&out, raw) != nil {
		return raw
	}
	return out.Bytes()
}

func TestLoadRefuses(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", "it is not a snapshot: line 1"},
		{"nonsense", "line 1: invalid character"},
		{"{\"format\":\"docker-harden/snapshot/v1\",\n\"x", "line 2: unexpected end"},
		{"[]", "make one with docker-harden snapshot"},
		{"{}", "make one with docker-harden snapshot"},
		{`{"format":"docker-harden/snapshot/v9"}`, `its format is "docker-harden/snapshot/v9", this version reads "docker-harden/snapshot/v1"`},
		{`{"sha256":"x","plan":{}}`, "it is a saved plan"},
		{`{"format":"docker-harden/snapshot/v1","new":1}`, `unknown field "new"`},
		{`{"format":"docker-harden/snapshot/v1"} x`, "after top-level value"},
		{`{"format":"docker-harden/snapshot/v1","containers":[{"id":"a"}]}`, "no name or id"},
		{`{"format":"docker-harden/snapshot/v1","containers":[{"id":"a","name":"b"}]}`, `container "b": cannot read the engine's answer`},
		{`{"format":"docker-harden/snapshot/v1","containers":[{"id":"a","name":"b","raw":{"Id":"a","Name":"/c"}}]}`, `container "b": its inspect answer belongs to "c"`},
		{`{"format":"docker-harden/snapshot/v1","containers":[{"id":"a","name":"b","problem":"x"},{"id":"a","name":"b","problem":"x"}]}`, "is there twice"},
	} {
		_, err := Load(strings.NewReader(tc.text), "h.snap")
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "cannot read snapshot h.snap: ") {
			t.Errorf("%s: %v, want %q", tc.text, err, tc.want)
		}
	}
	h, err := Load(strings.NewReader(`{"format":"docker-harden/snapshot/v1","containers":[{"id":"a","name":"b","problem":"x"}]}`), "h")
	if err != nil || h.Find("b") == nil || h.Images == nil || h.Files == nil {
		t.Errorf("%+v %v", h, err)
	}
}

func TestSaveToFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	if err := observeRecorded(t).Save(full); err == nil || !strings.Contains(err.Error(), "cannot write snapshot") {
		t.Error(err)
	}
}
