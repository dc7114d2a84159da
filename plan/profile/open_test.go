package profile

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// embeddedCatalog knows every control that an embedded profile names, with the parameters they set.
func embeddedCatalog(t *testing.T) Catalog {
	t.Helper()
	c := Catalog{}
	id := regexp.MustCompile(`(?m)^  (docker/[a-z0-9-]+):`)
	for _, name := range Names() {
		data, ok := Embedded(name)
		if !ok {
			t.Fatalf("profile %s is not embedded", name)
		}
		for _, m := range id.FindAllStringSubmatch(string(data), -1) {
			c[m[1]] = nil
		}
	}
	c["docker/capabilities"] = []Param{{Name: "drop", Type: TypeList}, {Name: "keep", Type: TypeList}, {Name: "drop_unused", Type: TypeBool, Default: true}}
	c["docker/memory-limit"] = []Param{{Name: "swap", Type: TypeChoice, Choices: []string{"double", "none"}, Default: "double"}, {Name: "limit", Type: TypeSize}}
	c["docker/pids-limit"] = []Param{{Name: "floor", Type: TypeInt, Default: int64(256)}}
	return c
}

func TestEmbeddedProfiles(t *testing.T) {
	c := embeddedCatalog(t)
	ids := make(map[string][]string)
	for _, name := range Names() {
		p, err := Open(name, c)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		ids[name] = slices.Sorted(maps.Keys(p.Controls))
		if p.Name != name || p.Description == "" || p.Source != "embedded:"+name+".yaml" {
			t.Errorf("%s: name %q, source %q, description %q", name, p.Name, p.Source, p.Description)
		}
	}
	want := []string{
		"docker/capabilities", "docker/daemon-no-new-privileges", "docker/live-restore",
		"docker/log-level", "docker/memory-limit", "docker/no-new-privileges",
	}
	if diff := cmp.Diff(want, ids["baseline"]); diff != "" {
		t.Errorf("baseline: %s", diff)
	}
	for _, pair := range [][2]string{{"baseline", "cis-level1"}, {"cis-level1", "cis-level2"}} {
		less, more := ids[pair[0]], ids[pair[1]]
		if len(less) >= len(more) || slices.ContainsFunc(less, func(id string) bool { return !slices.Contains(more, id) }) {
			t.Errorf("%s must have all of %s and more:\n%v\n%v", pair[1], pair[0], more, less)
		}
	}
	entries, err := embedded.ReadDir("embedded")
	if err != nil || len(entries) != len(Names()) {
		t.Errorf("%d files are embedded, %d are named (%v)", len(entries), len(Names()), err)
	}
}

// TestEmbeddedParameters shows what sets the profiles apart.
func TestEmbeddedParameters(t *testing.T) {
	c := embeddedCatalog(t)
	tests := []struct {
		profile, control string
		want             Params
	}{
		{"baseline", "docker/capabilities", Params{"drop": []string{"NET_RAW"}, "drop_unused": false}},
		{"cis-level1", "docker/capabilities", Params{}},
		{"cis-level1", "docker/memory-limit", Params{}},
		{"cis-level2", "docker/capabilities", Params{"drop": []string{"NET_RAW", "MKNOD", "AUDIT_WRITE", "SETFCAP", "SETPCAP", "SYS_CHROOT"}}},
		{"cis-level2", "docker/memory-limit", Params{"swap": "none"}},
		{"cis-level2", "docker/pids-limit", Params{"floor": int64(128)}},
	}
	for _, tt := range tests {
		p, err := Open(tt.profile, c)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, p.Controls[tt.control].Params); diff != "" {
			t.Errorf("%s %s: %s", tt.profile, tt.control, diff)
		}
	}
}

// TestFixtures loads the sample profiles: shop.yaml is what a site would write, broken.yaml has one
// of every common mistake.
func TestFixtures(t *testing.T) {
	dir := filepath.Join("..", "..", "fixtures", "profiles")
	c := embeddedCatalog(t)
	shop, err := Open(filepath.Join(dir, "shop.yaml"), c)
	if err != nil {
		t.Fatal(err)
	}
	web, on := shop.ParamsFor("docker/capabilities", "shop-web", c["docker/capabilities"])
	if !on || !slices.Equal(web.List("keep"), []string{"NET_RAW"}) || len(shop.Controls) < 20 || len(shop.Exceptions) != 2 {
		t.Errorf("shop: %v %v, %d controls, %d exceptions", on, web, len(shop.Controls), len(shop.Exceptions))
	}
	if _, on := shop.ParamsFor("docker/pids-limit", "shop-batch", nil); on {
		t.Error("shop-batch must have no pids limit")
	}
	_, err = Open(filepath.Join(dir, "broken.yaml"), c)
	var got strings.Builder
	for _, e := range Errors(err) {
		e.Source = filepath.Base(e.Source)
		got.WriteString(e.Error() + "\n")
	}
	golden := filepath.Join(dir, "broken.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("after a wanted change: go test ./plan/profile -update\n%s", diff)
	}
}

var update = flag.Bool("update", false, "rewrite the golden file in fixtures/profiles")

func TestOpen(t *testing.T) {
	here, etc := t.TempDir(), t.TempDir()
	t.Chdir(here)
	write := func(path, name string) {
		text := "format: " + Format + "\nname: " + name + "\ncontrols: {docker/icc: {}}\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(here, "mine.yaml"), "here")
	write(filepath.Join(etc, "mine.yaml"), "etc")
	write(filepath.Join(etc, "site.yaml"), "site")
	if err := syscall.Mkfifo(filepath.Join(here, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("large.yaml", make([]byte, maxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ open, name, want string }{
		{"mine.yaml", "here", ""},
		{"./mine.yaml", "here", ""},
		{"mine", "etc", ""},
		{"site", "site", ""},
		{"site.yaml", "site", ""},
		{"", "", "cannot open profile: its name is empty"},
		{"cis-levl1", "", `unknown profile "cis-levl1": no such file here or in ` + etc + `; did you mean "cis-level1"?`},
		{"strict", "", `unknown profile "strict": no such file here or in ` + etc + `; embedded are baseline, cis-level1, cis-level2`},
		{"./no.yaml", "", `cannot open profile "./no.yaml": open ./no.yaml: no such file or directory`},
		{"pipe", "", `cannot open profile "pipe": pipe is not a regular file`},
		{".", "", `cannot open profile ".": . is not a regular file`},
		{"large.yaml", "", "large.yaml: it has 1048577 bytes; a profile may have 1048576"},
	}
	for _, tt := range tests {
		p, err := open(tt.open, etc, testCatalog())
		switch {
		case tt.want != "":
			if err == nil || err.Error() != tt.want {
				t.Errorf("%q:\n got %v\nwant %s", tt.open, err, tt.want)
			}
		case err != nil || p.Name != tt.name:
			t.Errorf("%q: %v %v", tt.open, p, err)
		}
	}
}

// uncomment activates every control that Init wrote as a comment.
func uncomment(text string) string {
	return regexp.MustCompile(`(?m)^  # ((?:docker|one|two)/|  )`).ReplaceAllString(text, "  $1")
}

func TestInit(t *testing.T) {
	dir := t.TempDir()
	parent := header(`controls:
  log-level: {params: {level: warn}}
  memory-limit: {params: {floor: 100000001}}
  capabilities: {}
`)
	if err := os.WriteFile(filepath.Join(dir, "site.yaml"), []byte(parent), 0o600); err != nil {
		t.Fatal(err)
	}
	var docs []ControlDoc
	for id, params := range testCatalog() {
		docs = append(docs, ControlDoc{ID: id, Title: "The state\nof " + id, Params: params})
	}
	slices.SortFunc(docs, func(a, b ControlDoc) int { return strings.Compare(a.ID, b.ID) })
	var out strings.Builder
	if err := initFrom(&out, "site", dir, docs); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	path := filepath.Join(dir, "new.yaml")
	load := func(text string) *Profile {
		t.Helper()
		p, err := Load([]byte(text), path, testCatalog())
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		return p
	}
	if p := load(text); len(p.Controls) != 3 || len(p.Overrides)+len(p.Exceptions) != 0 {
		t.Errorf("as written it has %d controls, want the 3 of the parent", len(p.Controls))
	}
	for _, want := range []string{
		"  # The state of docker/log-level (on)\n  # docker/log-level:\n  #   params:\n  #     level: warn   # info or warn or error\n",
		"  # The state of docker/icc (off)\n  # docker/icc: {}\n",
		"  #     floor: 100000001   # size, 6MiB to 1TiB: the smallest limit\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing %q in\n%s", want, text)
		}
	}
	all := load(uncomment(text))
	site, err := open("site", dir, testCatalog())
	if err != nil {
		t.Fatal(err)
	}
	for id, spec := range testCatalog() {
		got, on := all.ParamsFor(id, "", spec)
		want, _ := site.ParamsFor(id, "", spec)
		if diff := cmp.Diff(want, got); diff != "" || !on {
			t.Errorf("%s: on %v after removing the comment marks\n%s", id, on, diff)
		}
	}
	tail := strings.NewReplacer("# - ", "- ", "\n#   ", "\n  ").Replace(initTail)
	c := testCatalog()
	c["docker/privileged"], c["docker/capabilities"] = nil, []Param{{Name: "keep", Type: TypeList}}
	if p, err := Load([]byte(header("controls: {capabilities: {}}\n"+tail)), path, c); err != nil || len(p.Overrides) != 1 || len(p.Exceptions) != 1 {
		t.Errorf("the examples do not load: %v", err)
	}
}

func TestInitRefuses(t *testing.T) {
	for from, want := range map[string]string{
		"../x": `cannot extend "../x": give the name of a profile (baseline, cis-level1, cis-level2), not a path`,
		"nope": `unknown profile "nope"`,
	} {
		var out strings.Builder
		err := initFrom(&out, from, t.TempDir(), nil)
		if err == nil || !strings.HasPrefix(err.Error(), want) || out.Len() > 0 {
			t.Errorf("%s: %v, wrote %q", from, err, out.String())
		}
	}
}

func TestFormatValueRoundTrip(t *testing.T) {
	tests := []struct {
		value any
		spec  Param
	}{
		{true, Param{Type: TypeBool}},
		{int64(-3), Param{Type: TypeInt}},
		{1.25, Param{Type: TypeFloat}},
		{float64(3), Param{Type: TypeFloat}},
		{"plain", Param{Type: TypeText}},
		{"off", Param{Type: TypeText}},
		{"12", Param{Type: TypeText}},
		{"", Param{Type: TypeText}},
		{"*: # \"x\" é", Param{Type: TypeText}},
		{"Null", Param{Type: TypeText}},
		{int64(0), Param{Type: TypeSize}},
		{int64(3 << 29), Param{Type: TypeSize}},
		{int64(12345), Param{Type: TypeSize}},
		{[]string{"A", "on", "*"}, Param{Type: TypeList}},
		{[]string{}, Param{Type: TypeList}},
	}
	for _, tt := range tests {
		tt.spec.Name = "v"
		text := FormatValue(tt.value, tt.spec.Type)
		p, err := Load([]byte(header("controls: {a/b: {params: {v: "+text+"}}}\n")), "t.yaml", Catalog{"a/b": {tt.spec}})
		if err != nil {
			t.Errorf("%v written as %s: %v", tt.value, text, err)
			continue
		}
		if diff := cmp.Diff(tt.value, p.Controls["a/b"].Params["v"]); diff != "" {
			t.Errorf("written as %s: %s", text, diff)
		}
	}
}
