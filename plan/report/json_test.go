package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"docker-harden/plan"
)

func schemaFile(name string) string {
	return filepath.Join("..", "..", "docs", "schema", name+".v1.schema.json")
}

func compile(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile(schemaFile(name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, doc []byte) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(v)
}

func planJSON(t *testing.T, p *plan.Plan) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := JSON(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func findingsJSON(t *testing.T, a Audit) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := FindingsJSON(&b, a); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestJSONIsAPlanFile(t *testing.T) {
	data := planJSON(t, samplePlan())
	back, _, err := plan.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(samplePlan().Steps[1].Changes[0].ReverseNote, back.Steps[1].Changes[0].ReverseNote); diff != "" || len(back.Findings) != len(samplePlan().Findings) {
		t.Errorf("what was printed cannot be read back whole: %s", diff)
	}
	golden(t, "plan.json", string(data))
	golden(t, "findings.json", string(findingsJSON(t, auditOf(samplePlan()))))
}

func TestJSONMatchesSchema(t *testing.T) {
	empty := &plan.Plan{Format: plan.Format, Steps: []plan.Step{}, Findings: []plan.Finding{}}
	errored := samplePlan()
	errored.Errored, errored.FromSnapshot, errored.Problems[0].Fatal = true, true, true
	for name, p := range map[string]*plan.Plan{"sample": samplePlan(), "empty": empty, "errored": errored} {
		if err := validate(t, compile(t, "plan"), planJSON(t, p)); err != nil {
			t.Errorf("plan %s: %v", name, err)
		}
		if err := validate(t, compile(t, "findings"), findingsJSON(t, auditOf(p))); err != nil {
			t.Errorf("findings %s: %v", name, err)
		}
	}
	if err := validate(t, compile(t, "findings"), findingsJSON(t, Audit{})); err != nil {
		t.Errorf("zero audit: %v", err)
	}
}

// TestSchemaRefuses shows that the schema notices what is wrong with a document.
func TestSchemaRefuses(t *testing.T) {
	type object = map[string]any
	tests := map[string]func(plan object){
		"other format":      func(p object) { p["format"] = "docker-harden/plan/v2" },
		"missing steps":     func(p object) { delete(p, "steps") },
		"unknown key":       func(p object) { p["extra"] = 1 },
		"unknown kind":      func(p object) { p["steps"].([]any)[0].(object)["kind"] = "delete" },
		"unknown status":    func(p object) { p["findings"].([]any)[0].(object)["status"] = "ok" },
		"step without sees": func(p object) { delete(p["steps"].([]any)[0].(object), "sees") },
		"no changes":        func(p object) { p["steps"].([]any)[0].(object)["changes"] = []any{} },
		"time as number":    func(p object) { p["made"] = 12 },
		"time as words":     func(p object) { p["made"] = "yesterday" },
		"change without to": func(p object) { delete(p["steps"].([]any)[0].(object)["changes"].([]any)[0].(object), "to") },
		"short id":          func(p object) { p["steps"].([]any)[1].(object)["resource"].(object)["id"] = "abc" },
		"advice unowned":    func(p object) { delete(p["advice"].([]any)[0].(object), "owner") },
		"negative downtime": func(p object) { p["steps"].([]any)[0].(object)["effect"].(object)["downtime_seconds"] = -1 },
	}
	schema := compile(t, "plan")
	for name, spoil := range tests {
		var doc object
		if err := json.Unmarshal(planJSON(t, samplePlan()), &doc); err != nil {
			t.Fatal(err)
		}
		spoil(doc["plan"].(object))
		data, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, schema, data); err == nil {
			t.Errorf("%s: the schema accepts it", name)
		}
	}
}

// TestSchemaHasEveryField compares the schemas with the Go types: a field that is added to a type and
// not described fails here, also when no sample sets it.
func TestSchemaHasEveryField(t *testing.T) {
	for file, root := range map[string]reflect.Type{"plan": reflect.TypeFor[plan.Plan](), "findings": reflect.TypeFor[Audit]()} {
		raw, err := os.ReadFile(schemaFile(file))
		if err != nil {
			t.Fatal(err)
		}
		type node struct {
			Description string                     `json:"description"`
			Properties  map[string]json.RawMessage `json:"properties"`
			Defs        map[string]json.RawMessage `json:"$defs"`
		}
		decode := func(raw json.RawMessage) (n node) {
			if err := json.Unmarshal(raw, &n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		top := decode(raw)
		types := map[string]reflect.Type{}
		structs(root, types)
		for name, typ := range types {
			n := top
			if def, ok := top.Defs[name]; ok {
				n = decode(def)
			} else if typ != root {
				t.Errorf("%s: %s is not described", file, name)
				continue
			}
			var got []string
			for property, raw := range n.Properties {
				got = append(got, property)
				if text := string(raw); !strings.Contains(text, `"description"`) && !strings.Contains(text, `"$ref"`) {
					t.Errorf("%s: %s.%s has no description", file, name, property)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(fieldsOf(typ), got); diff != "" {
				t.Errorf("%s: %s differs from its Go type: %s", file, name, diff)
			}
		}
	}
}

func TestSchemasShareDefinitions(t *testing.T) {
	defs := func(file string) (out struct {
		Defs map[string]any `json:"$defs"`
	},
	) {
		raw, err := os.ReadFile(schemaFile(file))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	plans, findings := defs("plan").Defs, defs("findings").Defs
	shared := 0
	for name, def := range findings {
		if other, both := plans[name]; both {
			shared++
			if diff := cmp.Diff(other, def); diff != "" {
				t.Errorf("%s is described differently: %s", name, diff)
			}
		}
	}
	if shared < 10 {
		t.Errorf("only %d definitions are shared", shared)
	}
}

// structs collects the project's struct types below a type, by lower-case name.
func structs(t reflect.Type, out map[string]reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		structs(t.Elem(), out)
	case reflect.Struct:
		name := strings.ToLower(t.Name())
		if _, seen := out[name]; seen || !strings.HasPrefix(t.PkgPath(), "docker-harden/") {
			return
		}
		out[name] = t
		for i := range t.NumField() {
			if f := t.Field(i); f.Anonymous { // its fields are in the document, it is not
				for j := range f.Type.NumField() {
					structs(f.Type.Field(j).Type, out)
				}
				continue
			}
			structs(t.Field(i).Type, out)
		}
	}
}

func fieldsOf(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if t.Field(i).Anonymous {
			names = append(names, fieldsOf(t.Field(i).Type)...)
			continue
		}
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "-" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
