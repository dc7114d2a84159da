package profile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testCatalog has every parameter type, and two controls that share a short name.
func testCatalog() Catalog {
	return Catalog{
		"docker/icc":       nil,
		"docker/log-level": {{Name: "level", Type: TypeChoice, Default: "info", Choices: []string{"info", "warn", "error"}}},
		"docker/capabilities": {
			{Name: "drop", Type: TypeList, Default: []string{"NET_RAW", "MKNOD"}, Choices: []string{"NET_RAW", "MKNOD", "SETFCAP"}, Doc: "what is dropped"},
			{Name: "keep", Type: TypeList, Default: []string{}},
		},
		"docker/memory-limit": {
			{Name: "floor", Type: TypeSize, Default: int64(64 << 20), Min: 6 << 20, Max: 1 << 40, Doc: "the smallest limit"},
			{Name: "factor", Type: TypeFloat, Default: 1.5, Min: 1, Max: 10},
		},
		"docker/pids-limit": {
			{Name: "floor", Type: TypeInt, Default: int64(256), Min: 16, Max: 100000},
			{Name: "strict", Type: TypeBool, Default: false},
			{Name: "note", Type: TypeText, Default: ""},
		},
		"one/same": nil,
		"two/same": nil,
	}
}

func header(rest string) string { return "format: " + Format + "\nname: t\n" + rest }

func TestLoad(t *testing.T) {
	text := header(`description: >
  what it
  is for
controls:
  log-level: {params: {level: warn}}
  docker/capabilities:
    params:
      drop: [NET_RAW]
  docker/memory-limit: {params: {floor: 256MiB, factor: 2}}
  docker/pids-limit: {params: {floor: 0x200, strict: true, note: "x: y"}}
  docker/icc: off
  one/same: on
containers:
  - match: "shop-*"
    controls:
      docker/capabilities: {params: {keep: [NET_RAW]}}
      pids-limit: off
exceptions:
  - control: docker/icc
    target: daemon
    reason: old links
    owner: ops
    expires: 2026-12-31
  - {control: icc, target: container/x, reason: a, owner: b}
`)
	p, err := Load([]byte(text), "t.yaml", testCatalog())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(text))
	want := &Profile{
		Name: "t", Description: "what it is for", Source: "t.yaml", SHA256: hex.EncodeToString(sum[:]),
		Controls: map[string]Setting{
			"docker/log-level":    {Params: Params{"level": "warn"}, Line: 7},
			"docker/capabilities": {Params: Params{"drop": []string{"NET_RAW"}}, Line: 8},
			"docker/memory-limit": {Params: Params{"floor": int64(256 << 20), "factor": 2.0}, Line: 11},
			"docker/pids-limit":   {Params: Params{"floor": int64(512), "strict": true, "note": "x: y"}, Line: 12},
			"one/same":            {Params: Params{}, Line: 14},
		},
		Overrides: []Override{{Match: "shop-*", Line: 16, Controls: map[string]OverrideSetting{
			"docker/capabilities": {Params: Params{"keep": []string{"NET_RAW"}}},
			"docker/pids-limit":   {Off: true},
		}}},
		Exceptions: []Exception{
			{Control: "docker/icc", Target: "daemon", Reason: "old links", Owner: "ops", Expires: time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC), Source: "t.yaml", Line: 21},
			{Control: "docker/icc", Target: "container/x", Reason: "a", Owner: "b", Source: "t.yaml", Line: 26},
		},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
}

func TestLoadRefuses(t *testing.T) {
	on := "controls: {docker/icc: {}}\n"
	one := func(params string) string { return header("controls:\n  " + params + "\n") }
	except := func(rest string) string {
		return header(on + "exceptions:\n- {control: docker/icc, " + rest + "}\n")
	}
	tests := map[string]struct{ text, want string }{
		"empty":                 {"", "t.yaml: the profile is empty; docker-harden profile init writes one to start from"},
		"only comments":         {"# x\n", "t.yaml: the profile is empty; docker-harden profile init writes one to start from"},
		"no mapping":            {"- a\n", "t.yaml:1:1: a profile must be a mapping (key: value), this is a list"},
		"byte order mark":       {"\xef\xbb\xbfformat: x\n", "t.yaml:1:1: it begins with a byte order mark; save it as UTF-8 without BOM"},
		"UTF-16":                {"\xff\xfef\x00", "t.yaml:1:1: it begins with a byte order mark; save it as UTF-8 without BOM"},
		"not UTF-8":             {"a: b\nc: \xfc\n", "t.yaml:2:4: byte 0xfc is not UTF-8"},
		"escape sequence":       {"a: \x1b[31m\n", "t.yaml:1:4: control character U+001B is not allowed"},
		"too large":             {"# " + strings.Repeat("x", maxSize), "t.yaml: it has 1048578 bytes; a profile may have 1048576"},
		"tab":                   {"a:\n\tb: c\n", "t.yaml:2:1: indentation must be spaces, not tabs"},
		"syntax":                {"a: [b\n", "t.yaml:1:4: sequence end token ']' not found"},
		"two documents":         {header(on) + "---\nname: u\n", "t.yaml:5:1: a second YAML document begins here; a profile is one document"},
		"anchor":                {"a: &x b\n", "t.yaml:1:4: anchors (&name) are not allowed; write the value out, or quote it when it begins with &"},
		"bare star":             {"a: *web\n", `t.yaml:1:4: a value that begins with * must be quoted ("*"); aliases are not allowed`},
		"merge":                 {"<<: b\n", "t.yaml:1:1: merge keys (<<) are not allowed; use extends"},
		"tag":                   {"a: !!binary b\n", "t.yaml:1:4: tags are not allowed; quote a value that begins with !"},
		"directive":             {"%YAML 1.2\n---\na: b\n", "t.yaml:1:1: directives (%) are not allowed; remove the line"},
		"deep":                  {"a: " + strings.Repeat("[", 20000), "t.yaml:1:20: brackets are nested too deeply"},
		"deep block":            {strings.Repeat("- ", 20000), "t.yaml:1:17: too many list marks on one line"},
		"no format":             {"name: t\n" + on, `t.yaml:1:1: "format" is missing; write format: docker-harden/profile/v1`},
		"other format":          {"format: v9\nname: t\n" + on, `t.yaml:1:9: format "v9" is not known; this version reads docker-harden/profile/v1`},
		"no name":               {"format: " + Format + "\n" + on, `t.yaml:1:1: "name" is missing`},
		"bad name":              {"format: " + Format + "\nname: a b\n" + on, `t.yaml:2:7: name "a b" may have letters, digits, dot, dash and underscore, at most 64`},
		"number as name":        {"format: " + Format + "\nname: 12\n" + on, "t.yaml:2:7: name must be text, this is a number; quote it"},
		"nothing on":            {header("description: x\n"), "t.yaml:1:1: the profile turns no control on; add extends or controls"},
		"typo in key":           {header("contrls: {}\n" + on), `t.yaml:3:1: unknown key "contrls", did you mean "controls"?`},
		"unlike any key":        {header("zzzzzz: {}\n" + on), `t.yaml:3:1: unknown key "zzzzzz": it can be format, name, description, extends, controls, recreate, containers, exceptions`},
		"key twice":             {header(on + "name: u\n"), `t.yaml:4:1: key "name" is already on line 2`},
		"number as key":         {header(on + "12: u\n"), "t.yaml:4:1: a key must be plain text, this is a number"},
		"complex key":           {header(on + "? a\n: u\n"), "t.yaml:4:1: a key must be plain text, this is something else"},
		"typo in control":       {one("docker/icx: {}"), `t.yaml:4:3: unknown control "docker/icx", did you mean "docker/icc"?`},
		"typo in short id":      {one("log-levl: {}"), `t.yaml:4:3: unknown control "log-levl", did you mean "docker/log-level"?`},
		"ambiguous short id":    {one("same: {}"), `t.yaml:4:3: control "same" can be one/same or two/same; write the whole id`},
		"control twice":         {one("icc: {}\n  docker/icc: {}"), "t.yaml:5:3: control docker/icc is already on line 4"},
		"control without":       {one("icc:"), "t.yaml:4:3: control docker/icc needs {} to be on, {params: …} or off, this is empty"},
		"control with word":     {one("icc: yes"), "t.yaml:4:8: control docker/icc needs {} to be on, {params: …} or off, this is text"},
		"controls as list":      {header("controls: [icc]\n"), "t.yaml:3:11: controls must be a mapping (key: value), this is a list"},
		"typo in params":        {one("icc: {parms: {}}"), `t.yaml:4:9: unknown key "parms", did you mean "params"?`},
		"unknown parameter":     {one("log-level: {params: {lvel: info}}"), `t.yaml:4:24: unknown parameter of docker/log-level "lvel", did you mean "level"?`},
		"no parameters":         {one("icc: {params: {a: 1}}"), `t.yaml:4:18: unknown parameter of docker/icc "a": there is none`},
		"choice typo":           {one("log-level: {params: {level: wran}}"), `t.yaml:4:31: unknown value of level "wran", did you mean "warn"?`},
		"choice unknown":        {one("log-level: {params: {level: loudest}}"), `t.yaml:4:31: unknown value of level "loudest": it can be info, warn, error`},
		"choice type":           {one("log-level: {params: {level: [info]}}"), "t.yaml:4:31: level must be text, this is a list"},
		"size word":             {one("memory-limit: {params: {floor: lots}}"), `t.yaml:4:34: floor "lots" is not a size; write it like "256MiB", "1g" or as bytes`},
		"size overflow":         {one("memory-limit: {params: {floor: 99999999999PiB}}"), `t.yaml:4:34: floor "99999999999PiB" is not a size; write it like "256MiB", "1g" or as bytes`},
		"size of no machine":    {one("memory-limit: {params: {floor: 2048PiB}}"), `t.yaml:4:34: floor "2048PiB" is not a size; write it like "256MiB", "1g" or as bytes`},
		"size negative":         {one("memory-limit: {params: {floor: -1}}"), "t.yaml:4:34: floor must be from 6MiB to 1TiB"},
		"size small":            {one("memory-limit: {params: {floor: 1MiB}}"), "t.yaml:4:34: floor must be from 6MiB to 1TiB"},
		"size type":             {one("memory-limit: {params: {floor: true}}"), `t.yaml:4:34: floor must be a size ("256MiB", or bytes), this is true or false`},
		"float infinite":        {one("memory-limit: {params: {factor: .inf}}"), "t.yaml:4:35: factor must be a number, this is a number"},
		"float text":            {one("memory-limit: {params: {factor: much}}"), "t.yaml:4:35: factor must be a number, this is text"},
		"float range":           {one("memory-limit: {params: {factor: 0.5}}"), "t.yaml:4:35: factor must be from 1 to 10"},
		"integer fraction":      {one("pids-limit: {params: {floor: 1.5}}"), "t.yaml:4:32: floor must be a whole number, this is a number"},
		"integer range":         {one("pids-limit: {params: {floor: 1}}"), "t.yaml:4:32: floor must be from 16 to 100000"},
		"integer overflow":      {one("pids-limit: {params: {floor: 18446744073709551615}}"), "t.yaml:4:32: floor is too large"},
		"bool text":             {one("pids-limit: {params: {strict: on}}"), "t.yaml:4:33: strict must be true or false, this is text"},
		"text number":           {one("pids-limit: {params: {note: 1}}"), "t.yaml:4:31: note must be text, this is a number; quote it"},
		"list text":             {one("capabilities: {params: {drop: NET_RAW}}"), "t.yaml:4:33: drop must be a list, this is text; write [A, B]"},
		"list element":          {one("capabilities: {params: {drop: [NET_RAV]}}"), `t.yaml:4:34: unknown value of drop "NET_RAV", did you mean "NET_RAW"?`},
		"list twice":            {one("capabilities: {params: {keep: [A, A]}}"), `t.yaml:4:37: "A" stands twice in keep`},
		"override no match":     {header(on + "containers:\n- controls: {}\n"), `t.yaml:5:3: "match" is missing`},
		"override bad glob":     {header(on + "containers:\n- {match: \"[a\", controls: {}}\n"), `t.yaml:5:11: "[a" is not a pattern of container names: syntax error in pattern`},
		"override slash":        {header(on + "containers:\n- {match: /web, controls: {}}\n"), `t.yaml:5:11: "/web" cannot match: a container name has no slash; write the bare name or pattern`},
		"override none":         {header(on + "containers:\n- match: a\n"), `t.yaml:5:3: "controls" is missing`},
		"recreate unknown key":  {header(on + "recreate: {writeable_layer: carry}\n"), `t.yaml:4:12: unknown key "writeable_layer", did you mean "writable_layer"?`},
		"recreate unknown word": {header(on + "recreate: {writable_layer: keep}\n"), `t.yaml:4:28: unknown value of writable_layer "keep": it can be carry, refuse`},
		"recreate no mapping":   {header(on + "recreate: refuse\n"), "t.yaml:4:11: recreate must be a mapping (key: value), this is text"},
		"override off":          {header(on + "containers:\n- {match: a, controls: {log-level: {}}}\n"), "t.yaml:5:25: control docker/log-level is off in this profile; turn it on under controls first"},
		"too many words":        {strings.Repeat("a: b\n", 20000), "t.yaml: it has 60000 words and marks; a profile may have 50000"},
		"long name":             {header("extends: " + strings.Repeat("x", 600) + "\n"), "t.yaml:3:10: extends \"" + strings.Repeat("x", 491) + "…"},
		"item no mapping":       {header(on + "exceptions: [a]\ncontainers:\n- b\n"), "t.yaml:4:14: an exception must be a mapping (key: value), this is text\nt.yaml:6:3: an entry of containers must be a mapping (key: value), this is text"},
		"containers mapping":    {header(on + "containers: {a: b}\n"), "t.yaml:4:13: containers must be a list (- …), this is a mapping"},
		"exception reason":      {except("target: daemon, owner: b"), `t.yaml:5:3: "reason" is missing`},
		"exception owner":       {except("target: daemon, reason: a, owner: ' '"), `t.yaml:5:59: "owner" is empty`},
		"exception target":      {except("target: web, reason: a, owner: b"), `t.yaml:5:33: target "web" must be daemon, swarm, host, host/PATH or container/NAME (globs allowed)`},
		"exception glob":        {except("target: 'container/[', reason: a, owner: b"), `t.yaml:5:33: cannot read target "container/[": syntax error in pattern`},
		"exception date":        {except("target: daemon, reason: a, owner: b, expires: 2026-02-30"), `t.yaml:5:71: expires "2026-02-30" must be a date, YYYY-MM-DD`},
		"exception control":     {header(on + "exceptions:\n- {control: nope, target: daemon, reason: a, owner: b}\n"), `t.yaml:5:13: unknown control "nope": it can be docker/capabilities, docker/icc, docker/log-level, docker/memory-limit, docker/pids-limit, one/same, two/same`},
		"exception typo":        {except("target: daemon, reason: a, owner: b, expire: 2026-01-01"), `t.yaml:5:62: unknown key "expire", did you mean "expires"?`},
		"extends path":          {header("extends: ../x\n"), `t.yaml:3:10: extends "../x" must be the name of an embedded profile (baseline, cis-level1, cis-level2) or of a file beside this one`},
		"extends nothing":       {header("extends: nope\n"), `t.yaml:3:10: cannot extend "nope": open nope.yaml: no such file or directory`},
		"line breaks of DOS":    {"format: " + Format + "\r\nname: t\r\ncontrls: {}\r\ncontrols: {icc: {}}\r\n", `t.yaml:3:1: unknown key "contrls", did you mean "controls"?`},
		"lone carriage return":  {"a: b\rc: d", "t.yaml:1:5: control character U+000D is not allowed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := Load([]byte(tt.text), "t.yaml", testCatalog())
			if err == nil {
				t.Fatalf("loaded %+v, want error %s", p, tt.want)
			}
			if err.Error() != tt.want {
				t.Errorf("\n got %s\nwant %s", err, tt.want)
			}
		})
	}
}

func TestLoadReportsAllErrorsInOrder(t *testing.T) {
	text := header(`extnds: x
controls:
  docker/icx: {}
  log-level: {params: {level: x}}
exceptions:
- {control: docker/icc, target: daemon}
`)
	_, err := Load([]byte(text), "dir/t.yaml", testCatalog())
	var at []string
	for _, e := range Errors(err) {
		at = append(at, fmt.Sprintf("%s:%d:%d", e.Source, e.Line, e.Col))
	}
	want := []string{"dir/t.yaml:3:1", "dir/t.yaml:5:3", "dir/t.yaml:6:31", "dir/t.yaml:8:3", "dir/t.yaml:8:3"}
	if diff := cmp.Diff(want, at); diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestLoadBoundsErrors(t *testing.T) {
	var b strings.Builder
	for i := range 200 {
		fmt.Fprintf(&b, "key%d: x\n", i)
	}
	_, err := Load([]byte(header(b.String()+"extends: nope\n")), "t.yaml", testCatalog())
	list := Errors(err)
	if len(list) != mostErrors+1 || list[mostErrors].Error() != "t.yaml: and 171 more errors" {
		t.Errorf("%d errors, last %v", len(list), list[len(list)-1])
	}
}

func TestExtends(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	base := header(`controls:
  capabilities: {params: {drop: [NET_RAW], keep: [A]}}
  icc: {}
containers:
- {match: a, controls: {icc: off}}
exceptions:
- {control: icc, target: daemon, reason: r, owner: o}
`)
	write("base.yaml", base)
	text := header(`extends: base
controls:
  capabilities: {params: {keep: [B]}}
  icc: off
  log-level: {}
containers:
- {match: b, controls: {log-level: off}}
`)
	p, err := Open(write("child.yaml", text), testCatalog())
	if err != nil {
		t.Fatal(err)
	}
	wantControls := map[string]Setting{
		"docker/capabilities": {Params: Params{"drop": []string{"NET_RAW"}, "keep": []string{"B"}}, Line: 5},
		"docker/log-level":    {Params: Params{}, Line: 7},
	}
	if diff := cmp.Diff(wantControls, p.Controls); diff != "" {
		t.Error(diff)
	}
	if len(p.Overrides) != 2 || p.Overrides[0].Match != "a" || p.Overrides[1].Match != "b" || len(p.Exceptions) != 1 {
		t.Errorf("overrides %+v, exceptions %+v", p.Overrides, p.Exceptions)
	}
	before := p.SHA256
	write("base.yaml", base+"# edited\n")
	if p, err = Open(filepath.Join(dir, "child.yaml"), testCatalog()); err != nil || p.SHA256 == before {
		t.Errorf("the sum does not cover what is extended (error %v)", err)
	}

	write("circle.yaml", header("extends: circle2\n"))
	write("circle2.yaml", header("extends: circle\n"))
	_, err = Open(filepath.Join(dir, "circle.yaml"), testCatalog())
	if err == nil || !strings.Contains(err.Error(), "extends goes in a circle") {
		t.Errorf("circle: %v", err)
	}
	write("broken.yaml", header("contrls: {}\n"))
	_, err = Open(write("of-broken.yaml", header("extends: broken\n")), testCatalog())
	want := fmt.Sprintf("%[1]s/of-broken.yaml:3:10: cannot extend \"broken\": it has errors\n%[1]s/broken.yaml:3:1: unknown key \"contrls\", did you mean \"controls\"?", dir)
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
	for i := range maxExtends + 1 {
		write(fmt.Sprintf("c%d.yaml", i), header(fmt.Sprintf("extends: c%d\n", i+1)))
	}
	if _, err = Open(filepath.Join(dir, "c0.yaml"), testCatalog()); err == nil || !strings.Contains(err.Error(), "more than 8 files") {
		t.Errorf("long chain: %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"", header("controls: {docker/icc: {}}\n"), "a: *b\n", "? [a]\n: b\n", "a: |\n b\n", "- - a: b\n", header("extends: baseline"),
		header("containers:\n- match: '*'\n  controls: {log-level: {params: {level: info}}}\n"), "!!a b", "a: 'x\n", "a: {b: c}}", "%YAML\n---", "a: .nan\nb: ~\n", "---\n...\n---\n",
	} {
		f.Add([]byte(seed))
	}
	catalog := testCatalog()
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Load(data, "fuzz.yaml", catalog)
		if (p == nil) == (err == nil) {
			t.Fatalf("profile %v, error %v", p, err)
		}
		for _, e := range Errors(err) {
			if strings.ContainsAny(e.Error(), "\n\x1b") {
				t.Errorf("an error is not one plain line: %q", e.Error())
			}
		}
	})
}
