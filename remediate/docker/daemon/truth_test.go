package daemon

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/api/types/system"

	"docker-harden/plan"
)

func TestMeaning(t *testing.T) {
	tests := []struct{ key, raw, want string }{
		{"live-restore", "null", "false"},
		{"live-restore", "", "false"},
		{"live-restore", " true ", "true"},
		{"icc", "null", "true"},
		{"userland-proxy", "null", "true"},
		{"log-level", "null", `"info"`},
		{"insecure-registries", "null", "[]"},
		{"insecure-registries", "[ ]", "[]"},
		{"insecure-registries", `["b:5000", "http://a", "10.1.2.3/8", "127.0.0.0/8", "::1/128", "b:5000"]`, `["10.0.0.0/8","a","b:5000"]`},
		{"insecure-registries", `"wrong"`, `"wrong"`},
		{"no-such-key", "null", ""},
		{"log-opts", "{ \"a\" : \"b\" }", `{"a":"b"}`},
	}
	for _, tt := range tests {
		if got := meaning(tt.key, json.RawMessage(tt.raw)); got != tt.want {
			t.Errorf("meaning(%s, %s) = %s, want %s", tt.key, tt.raw, got, tt.want)
		}
	}
}

// What the engine shows of a list must equal what the list in the file means.
func TestInsecureRegistriesAsTheEngineShowsThem(t *testing.T) {
	var config registry.ServiceConfig
	raw := `{"InsecureRegistryCIDRs":["10.0.0.0/8","127.0.0.0/8","::1/128"],
		"IndexConfigs":{"docker.io":{"Name":"docker.io","Secure":true},"reg:5000":{"Name":"reg:5000","Secure":false}}}`
	if err := json.Unmarshal([]byte(raw), &config); err != nil {
		t.Fatal(err)
	}
	want := meaning("insecure-registries", json.RawMessage(`["reg:5000","10.9.9.9/8"]`))
	if got := insecureRegistries(&config); got != want {
		t.Errorf("insecureRegistries = %s, want %s", got, want)
	}
	if got := insecureRegistries(nil); got != "[]" {
		t.Errorf("insecureRegistries(nil) = %s, want []", got)
	}
}

func TestAutoRemoveSurvives(t *testing.T) {
	for version, want := range map[string]bool{
		"20.10.24+dfsg1": false, "23.0.18": false, "24.0.7": false, "24.0.8": true, "24.0.9-1": true, "25.0.0": true, "28.5.2": true,
		"": false, "dev": false, "24": false,
	} {
		if got := autoRemoveSurvives(system.Info{ServerVersion: version}); got != want {
			t.Errorf("autoRemoveSurvives(%q) = %v, want %v", version, got, want)
		}
	}
}

func TestExplicitAndStaged(t *testing.T) {
	changes := []plan.Change{
		set("live-restore", "null", "true"), set("insecure-registries", "null", "[]"), set("debug", "true", "false"), set("icc", "null", "false"),
	}
	before := truths{"live-restore": "false", "insecure-registries": `["a"]`, "debug": "true", "icc": "true"}
	tests := []struct{ doc, explicit, staged string }{
		{"", "{\n  \"insecure-registries\": [\"a\"],\n  \"live-restore\": false\n}\n", "{\n  \"live-restore\": true\n}\n"},
		{`{"debug":true}`, `{"debug":true,"insecure-registries":["a"],"live-restore":false}`, `{"debug":true,"live-restore":true}`},
		{`{"live-restore":null}`, `{"live-restore":false,"insecure-registries":["a"]}`, `{"live-restore":true}`},
	}
	for _, tt := range tests {
		var doc []byte
		if tt.doc != "" {
			doc = []byte(tt.doc)
		}
		got, err := explicit(doc, changes, before)
		if err != nil || !sameKeys(t, got, tt.explicit) {
			t.Errorf("explicit(%s) = %s, %v; want %s", tt.doc, got, err, tt.explicit)
		}
		got, err = staged(doc)
		if err != nil || string(got) != tt.staged {
			t.Errorf("staged(%s) = %s, %v; want %s", tt.doc, got, err, tt.staged)
		}
	}
	if _, err := staged([]byte("{broken")); err == nil {
		t.Error("staged took a broken document")
	}
}

// A detour through explicit values must be recognised by a later Undo: the same input gives the same bytes.
func TestExplicitIsAlwaysTheSame(t *testing.T) {
	changes := []plan.Change{set("live-restore", "null", "true"), set("insecure-registries", "null", "[]"), set("debug", "null", "false")}
	before := truths{"live-restore": "false", "insecure-registries": `["a"]`, "debug": "true"}
	first, err := explicit(nil, changes, before)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, err := explicit(nil, changes, before); err != nil || string(again) != string(first) {
			t.Fatalf("explicit = %q, %v; was %q", again, err, first)
		}
	}
}

func sameKeys(t *testing.T, got []byte, want string) bool {
	t.Helper()
	var a, b map[string]any
	if json.Unmarshal(got, &a) != nil || json.Unmarshal([]byte(want), &b) != nil {
		return false
	}
	return reflect.DeepEqual(a, b)
}
