package baseline

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"docker-harden/plan"
)

// TestSchema: the schema accepts what is written, and refuses what the reader refuses.
func TestSchema(t *testing.T) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile(filepath.Join("..", "..", "docs", "schema", "baseline.v1.schema.json"))
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
	some := Make([]plan.Finding{finding(plan.Fail, "docker/seccomp", web())}, nil, "docker-harden 0.1.0", made)
	for _, text := range []string{encoded(t, some), encoded(t, Make(nil, nil, "x", made)), good} {
		if err := check(text); err != nil {
			t.Errorf("%v in %s", err, text)
		}
	}
	for old, now := range map[string]string{
		"baseline/v1": "baseline/v2", `"made_by"`: `"by"`, "2026-03-04T05:06:07Z": "yesterday", `"x"`: `""`, `"b"`: `"a"`,
		`"target": "daemon"}`: `"target": "daemon", "id": "x"}`, `, "target": "daemon"}`: `}`, `"a"`: `""`,
	} {
		text := strings.Replace(good, old, now, 1)
		if _, err := Decode([]byte(text)); err == nil || check(text) == nil {
			t.Errorf("%s instead of %s: the reader says %v, the schema %v", now, old, err, check(text))
		}
	}
}
