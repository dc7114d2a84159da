package inventory

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"docker-harden/plan"
)

// decodedBasis is the basis by decoding everything, which is slow and plain.
func decodedBasis(t *testing.T, c *Container) plan.Basis {
	t.Helper()
	var answer struct {
		Image              string
		Config, HostConfig map[string]any
	}
	dec := json.NewDecoder(strings.NewReader(string(c.Raw)))
	dec.UseNumber()
	if err := dec.Decode(&answer); err != nil {
		t.Fatal(err)
	}
	basis := plan.Basis{"Name": c.Name, "Image": answer.Image}
	for prefix, fields := range map[string]map[string]any{"Config.": answer.Config, "HostConfig.": answer.HostConfig} {
		for name, value := range fields {
			if value == nil || prefix+name == "Config.MacAddress" {
				continue
			}
			text := jsonOf(value)
			if word, ok := value.(string); ok { // a scalar is hashed as the engine wrote it
				text = `"` + word + `"`
			}
			if text != "0" && text != "false" && text != `""` && text != "[]" && text != "{}" { // what is not set
				basis[prefix+name], _ = shortHash(nil, c.ID, prefix+name, text)
			}
		}
	}
	return basis
}

func TestBasisIsThatOfTheDecodedAnswer(t *testing.T) {
	h := observeRecorded(t)
	for i := range h.Containers {
		c := &h.Containers[i]
		got, err := c.basis()
		if err != nil {
			t.Fatal(err)
		}
		networks := 0
		maps.DeleteFunc(got, func(field, _ string) bool {
			network := strings.HasPrefix(field, "Networks.")
			if network {
				networks++
			}
			return network || field == "Mounts"
		})
		if diff := cmp.Diff(decodedBasis(t, c), got); diff != "" || networks != len(c.Inspect.NetworkSettings.Networks) {
			t.Errorf("%s: %d networks, -decoded +walked:\n%s", c.Name, networks, diff)
		}
	}
}

func TestBasisOfOddAnswers(t *testing.T) {
	of := func(raw string) (plan.Basis, error) { return (&Container{ID: "x", Raw: json.RawMessage(raw)}).basis() }
	for raw, want := range map[string]string{
		``: "not JSON", `{`: "not JSON", `{"Config":[]}`: "Config is no object", `{"HostConfig":"x"}`: "HostConfig is no object",
		`{"NetworkSettings":{"Networks":{"a":[]}}}`: "cannot unmarshal array",
	} {
		if _, err := of(raw); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", raw, err, want)
		}
	}
	plain, _ := of(`{"Image":"i","HostConfig":{"A":{"x":[1,"<"],"y":2},"B":[1,2]}}`)
	for raw, moved := range map[string]string{
		`{"HostConfig":{"B":[ 1, 2 ],"A":{"y": 2,"x":[1,"\u003c"]}},"Image":"i","Config":null}`:                                          "",
		`{"HostConfig":{"B":[2,1],"A":{"x":[1,"<"],"y":2}},"Image":"i"}`:                                                                 "HostConfig.B",
		`{"HostConfig":{"B":[1,2],"A":null},"Image":"i"}`:                                                                                "HostConfig.A",
		`{"HostConfig":{"B":[1,2],"A":{"x":[1,"<"],"y":2}},"Image":"j","Config":{"User":"u"}}`:                                           "Config.User Image",
		`{"HostConfig":{"B":[1,2],"A":{"x":[1,"<"],"y":2},"C":[ ],"D":{ },"E":0,"F":false},"Image":"i","Config":{"User":"","Cmd":null}}`: "",
	} {
		basis, err := of(raw)
		if got := strings.Join(plain.Moved(basis), " "); err != nil || got != moved {
			t.Errorf("%s: moved %q, want %q (%v)", raw, got, moved, err)
		}
	}
}

func TestCanonical(t *testing.T) {
	for raw, want := range map[string]string{
		`1`: `1`, `"a b"`: `"a b"`, `[]`: `[]`, `{}`: `{}`, `["a b",1]`: `["a b",1]`, `[ 1 ]`: `[1]`, "[1\n]": `[1]`, `["<"]`: `["\u003c"]`,
		`["\u003c"]`: `["\u003c"]`, `["\/"]`: `["/"]`, `[{"b":1,"a":2}]`: `[{"a":2,"b":1}]`, `{ "b":[ 1.50 ],"a":"é" }`: `{"a":"é","b":[1.50]}`,
		`{"b":{"d":null,"c":[[],{}]},"a":true}`: `{"a":true,"b":{"c":[[],{}],"d":null}}`, `{"a":1,"a":2}`: `{"a":2}`, `{"\u0061":1}`: `{"a":1}`,
		`{"a" : "<" }`: `{"a":"\u003c"}`, `[1 , 2e3,-0.10 ]`: `[1,2e3,-0.10]`, `[["a"],"b"]`: `[["a"],"b"]`,
	} {
		if got, err := canonical(gjson.Parse(raw)); err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", raw, got, err, want)
		}
	}
}

func TestNothingChosen(t *testing.T) {
	for raw, want := range map[string]bool{
		`{}`: true, `{"IPAMConfig":null,"Links":null,"GwPriority":0,"IPAddress":"1.2.3.4"}`: true,
		`{"Aliases":["a"]}`: false, `{"GwPriority":1}`: false, `{"IPAMConfig":{}}`: false, `[]`: false, `null`: false,
	} {
		if got := nothingChosen(gjson.Parse(raw)); got != want {
			t.Errorf("%s: %v", raw, got)
		}
		if want && jsonOf(endpoint{}) != "{}" {
			t.Error("an endpoint of which nothing was chosen is not the empty object")
		}
	}
}
