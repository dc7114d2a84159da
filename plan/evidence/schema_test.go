package evidence

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestSchema: the schema accepts what is written, with everything and with as little as older versions wrote, and
// refuses what the reader refuses.
func TestSchema(t *testing.T) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile(filepath.Join("..", "..", "docs", "schema", "evidence.v1.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	check := func(text string) error {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		return s.Validate(v)
	}
	full := whole()
	full.Denied, full.Noise = full.Checks, full.Checks
	full.Execs = []Exec{{Path: "/bin/su", UID: 1000, Gained: true, Times: Times{Count: 1, First: noon, Last: noon}}}
	full.Programs.Found = []Program{{Path: "/bin/ping", Setuid: true, Setgid: true, Gives: MaskOf(1 << 13)}}
	full.Windows[0].Lost, full.Windows[0].Reason = 1, "x"
	var texts []string
	for _, f := range []*File{full, sample(), {Format: Format, Container: sample().Container, Windows: sample().Windows}} {
		data, err := f.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(data); err != nil {
			t.Error(err)
		}
		if err := check(string(data)); err != nil {
			t.Errorf("%v in %s", err, data)
		}
		texts = append(texts, string(data))
	}
	for old, now := range map[string]string{
		"evidence/v1": "evidence/v2", `"tool"`: `"toll"`, `"image": "sha256:1"`: `"image": ""`, `"name": "create"`: `"name": "sleep"`,
		`"port": 80`: `"port": 0`, `"path": "/run"`: `"path": "run"`, `"image": "empty"`: `"image": "some"`, `"mode": 493`: `"mode": 5000`,
		`"cap_eff": "0000000000000000"`: `"cap_eff": "none"`, `"capability": "NET_BIND_SERVICE"`: `"capability": ""`, `"count": 2`: `"count": 0`,
		`"stops": 1`: `"stops": -1`, `"second_start"`: `"second"`, `"ip_unprivileged_port_start": 1024`: `"ip_unprivileged_port_start": "x"`,
	} {
		text := strings.Replace(texts[0], old, now, 1)
		if text == texts[0] {
			t.Errorf("no %s in the sample", old)
		}
		if _, err := Decode([]byte(text)); err == nil || check(text) == nil {
			t.Errorf("%s instead of %s: the reader says %v, the schema %v", now, old, err, check(text))
		}
	}
}
