package baseline

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"docker-harden/plan"
)

var made = time.Date(2026, 3, 4, 5, 6, 7, 89, time.FixedZone("x", 3600))

func finding(status plan.Status, control string, r plan.Resource) plan.Finding {
	return plan.Finding{Control: control, Resource: r, Status: status}
}

func web() plan.Resource { return plan.Container("web", strings.Repeat("a", 64)) }

func encoded(t *testing.T, f File) string {
	t.Helper()
	data, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestMake(t *testing.T) {
	f := Make([]plan.Finding{
		finding(plan.Fail, "docker/seccomp", web()),
		finding(plan.Fail, "docker/log-level", plan.Daemon()),
		finding(plan.Pass, "docker/icc", plan.Daemon()),
		finding(plan.Excepted, "docker/icc", web()),
		finding(plan.Fail, "docker/capabilities", web()),
		finding(plan.Fail, "docker/daemon-json-mode", plan.File("/etc/docker/daemon.json")),
		finding(plan.Fail, "docker/seccomp", web()),
	}, []Entry{{"docker/seccomp", "container/old"}, {"docker/log-level", "daemon"}}, "docker-harden 0.1.0", made)
	const want = `{
  "format": "docker-harden/baseline/v1",
  "made_by": "docker-harden 0.1.0",
  "made": "2026-03-04T04:06:07Z",
  "failures": [
    {"control": "docker/seccomp", "target": "container/old"},
    {"control": "docker/capabilities", "target": "container/web"},
    {"control": "docker/seccomp", "target": "container/web"},
    {"control": "docker/log-level", "target": "daemon"},
    {"control": "docker/daemon-json-mode", "target": "host/etc/docker/daemon.json"}
  ]
}
`
	if diff := cmp.Diff(want, encoded(t, f)); diff != "" {
		t.Error(diff)
	}
	back, err := Decode([]byte(want))
	if diff := cmp.Diff(f, back); diff != "" || err != nil {
		t.Errorf("it comes back differently: %v\n%s", err, diff)
	}
	empty := encoded(t, Make(nil, nil, "x", made))
	if back, err := Decode([]byte(empty)); err != nil || back.Failures == nil || len(back.Failures) != 0 || !strings.Contains(empty, `"failures": []`) {
		t.Errorf("an empty one is %s, %v", empty, err)
	}
	if _, err := (File{}).Encode(); err == nil {
		t.Error("a baseline that cannot be read is written")
	}
}

// TestNames: any name comes back as it was compared, and nothing in the file acts on a terminal.
func TestNames(t *testing.T) {
	for _, name := range []string{"web", "ev\x1b[31mil", "\u009b\u202e", `q"\`, "a/b", "\xff\xfe", "\u2028", "<b>&"} {
		f := finding(plan.Fail, "docker/seccomp", plan.Container(name, ""))
		text := encoded(t, Make([]plan.Finding{f}, nil, "x", made))
		if strings.ContainsAny(text, "\x1b\u009b\u202e\u2028") {
			t.Errorf("%q is written raw: %s", name, text)
		}
		back, err := Decode([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if c := back.Compare([]plan.Finding{f}, nil); !c.Known[EntryOf(f)] {
			t.Errorf("%q is not known again: %v", name, back.Failures)
		}
	}
}

func TestEntryResource(t *testing.T) {
	for _, r := range []plan.Resource{plan.Daemon(), plan.Container("web", ""), plan.Container("a/b", ""), plan.File("/etc/docker/daemon.json"), {Kind: "image", Name: "x/y:1"}} {
		if got := EntryOf(plan.Finding{Resource: r}).Resource(); got != r {
			t.Errorf("%s comes back as %+v", r, got)
		}
	}
	if got := (Entry{"docker/seccomp", "container/web"}).String(); got != "docker/seccomp on container/web" {
		t.Errorf("an entry is printed as %q", got)
	}
}

func TestCompare(t *testing.T) {
	entry := func(name string) Entry { return Entry{"docker/seccomp", "container/" + name} }
	var f File
	names := []string{"fail", "pass", "manual", "excepted", "not-applicable", "unknown", "later", "gone", "unasked"}
	for _, name := range names {
		f.Failures = append(f.Failures, entry(name))
	}
	var findings []plan.Finding
	for _, name := range names[:7] {
		findings = append(findings, finding(plan.Status(name), "docker/seccomp", plan.Container(name, "another id")))
	}
	findings = append(findings, finding(plan.Fail, "docker/seccomp", plan.Container("new", "")))
	c := f.Compare(findings, func(e Entry) bool { return e != entry("unasked") })
	want := Comparison{
		Known: map[Entry]bool{entry("fail"): true},
		Fixed: []Entry{entry("pass"), entry("manual"), entry("excepted"), entry("not-applicable"), entry("gone")},
		Open:  []Entry{entry("unknown"), entry("later"), entry("unasked")},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
}

// TestCompareTwice: whatever the order, one failure among several verdicts of one name counts, then what is not known.
func TestCompareTwice(t *testing.T) {
	f := File{Failures: []Entry{{"c", "daemon"}}}
	for _, row := range []struct{ a, b, want plan.Status }{
		{plan.Fail, plan.Pass, plan.Fail},
		{plan.Unknown, plan.Fail, plan.Fail},
		{plan.Unknown, plan.Pass, plan.Unknown},
		{plan.Pass, plan.Manual, plan.Pass},
	} {
		for _, list := range [][]plan.Status{{row.a, row.b}, {row.b, row.a}} {
			c := f.Compare([]plan.Finding{finding(list[0], "c", plan.Daemon()), finding(list[1], "c", plan.Daemon())}, nil)
			if len(c.Known) == 1 != (row.want == plan.Fail) || len(c.Open) == 1 != (row.want == plan.Unknown) || len(c.Fixed) == 1 != (row.want == plan.Pass) {
				t.Errorf("%v: %+v", list, c)
			}
		}
	}
}

const good = `{
  "format": "docker-harden/baseline/v1",
  "made_by": "x",
  "made": "2026-03-04T05:06:07Z",
  "failures": [
    {"control": "a", "target": "daemon"},
    {"control": "b", "target": "daemon"}
  ]
}
`

func TestReadRefuses(t *testing.T) {
	swap := func(old, now string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in the sample", old)
		}
		return strings.Replace(good, old, now, 1)
	}
	for name, row := range map[string]struct{ text, want string }{
		"empty":         {"", "it is empty"},
		"blank":         {"\n\n", "it is empty"},
		"cut off":       {good[:strings.Index(good, `"b"`)], ":7: it is damaged: unexpected end"},
		"comma":         {swap(`"x",`, `"x"`), ":4: it is damaged: invalid character"},
		"twice":         {good + good, ":10: it is damaged: invalid character"},
		"no object":     {"[]", "it is not a baseline"},
		"a plan":        {swap("baseline/v1", "v1"), "it is not a baseline"},
		"newer":         {swap("v1\",\n", "v2\",\n  \"more\": {},\n"), `its format is "docker-harden/baseline/v2", this version reads`},
		"unknown key":   {swap(`"made_by"`, `"by"`), `:3: the baseline has an unknown key "by"`},
		"key twice":     {swap(`"made": "2026-03-04T05:06:07Z"`, `"made_by": "y"`), `:4: the baseline has the key "made_by" twice`},
		"no date":       {swap("  \"made\": \"2026-03-04T05:06:07Z\",\n", ""), `:8: the baseline has no "made"`},
		"bad date":      {swap("2026-03-04T05:06:07Z", "yesterday"), `:4: "made" is "yesterday", which is no time`},
		"id":            {swap(`"daemon"}`, `"daemon", "id": "x"}`), `:6: a failure has an unknown key "id"`},
		"no target":     {swap(`, "target": "daemon"}`, `}`), `:6: a failure has no "target"`},
		"empty control": {swap(`"b"`, `""`), `:7: "control" is no text`},
		"number":        {swap(`"b"`, `5`), `:7: "control" is no text`},
		"entry twice":   {swap(`"b"`, `"a"`), `:7: "a" on "daemon" is there twice, first in line 6`},
		"no list":       {swap("[\n    {\"control\": \"a\", \"target\": \"daemon\"},\n    {\"control\": \"b\", \"target\": \"daemon\"}\n  ]", "{}"), `:5: "failures" is no list`},
		"list of text":  {swap(`{"control": "a", "target": "daemon"}`, `"a"`), `:6: a failure is no object`},
	} {
		file := filepath.Join(t.TempDir(), "known.json")
		if err := os.WriteFile(file, []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Read(file)
		if err == nil || !strings.Contains(err.Error(), row.want) || !strings.HasPrefix(err.Error(), "cannot read baseline "+file) {
			t.Errorf("%s: %v, want %q", name, err, row.want)
		}
	}
}

func TestRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "known.json")
	if _, err := Read(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := Read(t.TempDir()); err == nil {
		t.Error("a directory is read")
	}
	if err := os.WriteFile(file, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := Read(file); err != nil || len(f.Failures) != 2 || f.MadeBy != "x" {
		t.Errorf("%+v, %v", f, err)
	}
	big, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(big.Truncate(maxFile+1), big.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(file); err == nil || !strings.Contains(err.Error(), "larger than 64 MiB") {
		t.Errorf("a file without end: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(good[:100]))
	f.Add([]byte(`{"format":"docker-harden/baseline/v1"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Decode(data)
		if err != nil {
			return
		}
		again, err := Decode([]byte(encoded(t, file)))
		if err != nil || !again.Made.Equal(file.Made) || !cmp.Equal(again.Failures, file.Failures) {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}
