package profile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// risk is the exception that the tests add.
func risk() Exception {
	return Exception{
		Control: "docker/icc", Target: "container/web-*", Reason: "old links; they end", Owner: "platform team",
		Expires: time.Date(2027, 6, 30, 0, 0, 0, 0, time.UTC),
	}
}

const riskLines = `- control: docker/icc
  target: "container/web-*"
  reason: "old links; they end"
  owner: platform team
  expires: 2027-06-30
`

const riskBraces = `{control: docker/icc, target: "container/web-*", reason: "old links; they end", owner: platform team, expires: 2027-06-30}`

// indented moves lines in.
func indented(text string, by int) string {
	pad := strings.Repeat(" ", by)
	return pad + strings.TrimSuffix(strings.ReplaceAll(text, "\n", "\n"+pad), pad)
}

func file(text string) File {
	return File{Source: "t.yaml", Data: []byte(text), Catalog: testCatalog()}
}

const head = "format: " + Format + "\nname: t\ncontrols: {icc: {}}\n"

// one and two are entries as a person may write them.
const (
	one = "  - control: docker/log-level   # level\n    target: daemon\n    reason: >\n      folded\n\n      # no comment\n    owner: ops\n"
	two = "  -\n    control: same2\n    target: host\n    owner: \"o\n\n      # inside\"\n    reason: r\n"
)

// TestAdd: where an entry goes, byte for byte, and that removing it gives the file back.
func TestAdd(t *testing.T) {
	two := strings.ReplaceAll(two, "same2", "one/same")
	for _, c := range []struct{ name, before, after string }{
		{"no section", head, head + "\n" + sectionHead + "\nexceptions:\n" + indented(riskLines, 2)},
		{"no section, no final newline", head + "# end", head + "# end\n\n" + sectionHead + "\nexceptions:\n" + strings.TrimSuffix(indented(riskLines, 2), "\n")},
		{"no section, blank end", head + "\n\n", head + "\n\n\n" + sectionHead + "\nexceptions:\n" + indented(riskLines, 2)},
		{"no section, end mark", "---\n" + head + "...\n# after\n", "---\n" + head + "\n" + sectionHead + "\nexceptions:\n" + indented(riskLines, 2) + "...\n# after\n"},
		{"no section, indented", indented(head, 3), indented(head+"\n", 3) + ""},
		{"empty section", head + "exceptions:\n", head + "exceptions:\n" + indented(riskLines, 2)},
		{"empty section with a comment", head + "exceptions: # none yet\n\n# more\nrecreate:\n", head + "exceptions: # none yet\n" + indented(riskLines, 2) + "\n# more\nrecreate:\n"},
		{"empty section, no final newline", head + "exceptions:", head + "exceptions:\n" + strings.TrimSuffix(indented(riskLines, 2), "\n")},
		{"example commented out", head + "exceptions:\n# - control: docker/icc\n#   target: daemon\n", head + "exceptions:\n" + riskLines + "# - control: docker/icc\n#   target: daemon\n"},
		{"deep comment below the key", head + "exceptions:\n      # deep\n", head + "exceptions:\n" + indented(riskLines, 6) + "      # deep\n"},
		{"as other lists", head + "containers:\n- match: x\n  controls: {icc: off}\nexceptions:\n", head + "containers:\n- match: x\n  controls: {icc: off}\nexceptions:\n" + riskLines},
		{"behind one", head + "exceptions:\n" + one, head + "exceptions:\n" + one + indented(riskLines, 2)},
		{"behind its comments", head + "exceptions:\n" + one + "    # of one\n  # of none\n\nrecreate: {}\n", head + "exceptions:\n" + one + "    # of one\n" + indented(riskLines, 2) + "  # of none\n\nrecreate: {}\n"},
		{"behind two", head + "exceptions:\n" + one + "  # about two\n" + two + "\n# about recreate\nrecreate: {}\n", head + "exceptions:\n" + one + "  # about two\n" + two + indented(riskLines, 2) + "\n# about recreate\nrecreate: {}\n"},
		{"kept apart", head + "exceptions:\n" + one + "\n  # about two\n" + two + "recreate: {}\n", head + "exceptions:\n" + one + "\n  # about two\n" + two + "\n" + indented(riskLines, 2) + "recreate: {}\n"},
		{"dashes at the edge", head + "exceptions:\n- control: one/same\n  target: host\n  reason: r\n  owner: o", head + "exceptions:\n- control: one/same\n  target: host\n  reason: r\n  owner: o\n" + strings.TrimSuffix(riskLines, "\n")},
		{"braces in a list with dashes", head + "exceptions:\n- {control: one/same, target: host, reason: r,\n  owner: o} # why\nrecreate: {}\n", head + "exceptions:\n- {control: one/same, target: host, reason: r,\n  owner: o} # why\n" + riskLines + "recreate: {}\n"},
		{"brackets", head + "exceptions: [] # none\n", head + "exceptions: [" + riskBraces + "] # none\n"},
		{"brackets with a blank", head + "exceptions: [ ]", head + "exceptions: [" + riskBraces + " ]"},
		{"brackets with one", head + "exceptions: [ {control: one/same, target: \"host/é/ü\", reason: r, owner: ö} ]\n", head + "exceptions: [ {control: one/same, target: \"host/é/ü\", reason: r, owner: ö}, " + riskBraces + " ]\n"},
		{"brackets over lines", head + "exceptions: [\n  {control: one/same, target: host, reason: r, owner: o}\n]\nrecreate: {}\n", head + "exceptions: [\n  {control: one/same, target: host, reason: r, owner: o},\n  " + riskBraces + "\n]\nrecreate: {}\n"},
		{"tabs before comments", head + "exceptions:\t# tab\n- control: one/same\t# tab\n  target: host\n  reason: r\n  owner: o\t \n", head + "exceptions:\t# tab\n- control: one/same\t# tab\n  target: host\n  reason: r\n  owner: o\t \n" + riskLines},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "no section, indented" {
				c.after = c.before + "\n" + indented(sectionHead+"\nexceptions:\n"+indented(riskLines, 2), 3)
			}
			for _, crlf := range []bool{false, true} {
				before, after := c.before, c.after
				if crlf {
					before, after = strings.ReplaceAll(before, "\n", "\r\n"), strings.ReplaceAll(after, "\n", "\r\n")
				}
				edit, err := file(before).Add(risk())
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(after, string(edit.Data)); diff != "" {
					t.Fatalf("crlf %v: (-want +got)\n%s", crlf, diff)
				}
				if at := strings.Split(after, "\n")[edit.Line-1]; !strings.Contains(at, strings.TrimSpace(edit.Lines[0])) {
					t.Errorf("line %d is %q, want %q on it", edit.Line, at, edit.Lines[0])
				}
				back, err := file(after).Remove(risk().Control, risk().Target, 0)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(before, string(back.Data)); diff != "" {
					t.Errorf("crlf %v: add and remove leave (-want +got)\n%s", crlf, diff)
				}
			}
		})
	}
}

// TestAddNull: a null that is written out has to go, and nothing else.
func TestAddNull(t *testing.T) {
	for before, after := range map[string]string{
		"exceptions: ~\n":                "exceptions:\n" + indented(riskLines, 2),
		"exceptions:  null  # none\n":    "exceptions: # none\n" + indented(riskLines, 2),
		"\"exceptions\": null\t# none\n": "\"exceptions\": # none\n" + indented(riskLines, 2),
	} {
		edit, err := file(head + before).Add(risk())
		if err != nil {
			t.Errorf("%q: %v", before, err)
		} else if diff := cmp.Diff(head+after, string(edit.Data)); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", before, diff)
		}
	}
}

// TestAddRefuses: what cannot be added, and a file that stays as it is says why.
func TestAddRefuses(t *testing.T) {
	with := func(change func(*Exception)) Exception { e := risk(); change(&e); return e }
	braces := "{control: one/same, target: host, reason: r, owner: o}"
	for _, c := range []struct {
		name, text string
		e          Exception
		want       string
	}{
		{"there already", head + "exceptions:\n" + indented(riskLines, 2), risk(), "t.yaml:5: such an exception is already here: docker/icc on container/web-*"},
		{"there with another expiry", head + "exceptions:\n" + riskLines, with(func(e *Exception) { e.Expires = time.Time{} }), "t.yaml:5: such an exception"},
		{"errors", head + "nmae: x\n", risk(), `t.yaml:4:1: unknown key "nmae"`},
		{"anchors", head + "exceptions: &a []\n", risk(), "anchors (&name) are not allowed"},
		{"tabs", head + "exceptions:\n\t- control: x\n", risk(), "t.yaml:5:1: indentation must be spaces, not tabs"},
		{"all in braces", "{format: " + Format + ", name: t, controls: {icc: {}}}\n", risk(), "t.yaml:1:1: the whole profile stands in braces"},
		{"comments in brackets", head + "exceptions: [ # first\n  " + braces + "]\n", risk(), "line 4: comments stand between its brackets"},
		{"comments in braces", head + "exceptions: [\n  {control: one/same, # x\n  target: host, reason: r, owner: o}]\n", risk(), "line 5: comments stand between its brackets"},
		{"null on its own line", head + "exceptions:\n  ~\n", risk(), "t.yaml:5:1: this stands where a list is expected"},
		{"blanks at the end of a text", head + "description: |\n  a  ", risk(), "t.yaml is left as it is"},
		{"not indented", head + "exceptions:\n  -\n  control: one/same\n  target: host\n  reason: r\n  owner: o\n", risk(), "t.yaml:6:3: this entry is not further in than its dash"},
		{"no control", head, with(func(e *Exception) { e.Control = "docker/x" }), `no control "docker/x"`},
		{"no reason", head, with(func(e *Exception) { e.Reason = " \t" }), "the reason is empty"},
		{"no owner", head, with(func(e *Exception) { e.Owner = "" }), "the owner is empty"},
		{"two lines", head, with(func(e *Exception) { e.Reason = "a\nb" }), "the reason must be one line"},
		{"no text", head, with(func(e *Exception) { e.Owner = "\xff" }), "the owner is not UTF-8"},
		{"kind", head, with(func(e *Exception) { e.Target = "image/x" }), `target "image/x" must be daemon, swarm, host`},
		{"glob", head, with(func(e *Exception) { e.Target = "container/[" }), "syntax error in pattern"},
		{"glob of the host", head, with(func(e *Exception) { e.Target = "host/etc/*" }), "would match nothing"},
		{"slash in a name", head, with(func(e *Exception) { e.Target = "container//web" }), "a container name has no slash"},
		{"year", head, with(func(e *Exception) { e.Expires = time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC) }), "no date that can be written"},
	} {
		t.Run(c.name, func(t *testing.T) {
			edit, err := file(c.text).Add(c.e)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if edit.Data != nil {
				t.Errorf("a text came out of an error:\n%s", edit.Data)
			}
		})
	}
}

// TestRemove: exactly the entry and what belongs to it goes.
func TestRemove(t *testing.T) {
	two := strings.ReplaceAll(two, "same2", "one/same")
	three := "  - {control: two/same, target: host, reason: r, owner: o} # three\n"
	for _, c := range []struct{ name, before, control, target, after string }{
		{"first", "exceptions:\n  # about one\n  # at length\n" + one + "    # in one\n  # about two\n" + two, "docker/log-level", "daemon", "exceptions:\n  # about two\n" + two},
		{"last", "exceptions:\n" + one + "  # about two\n" + two + "    # in two\n  # general\n# end\n", "one/same", "host", "exceptions:\n" + one + "  # general\n# end\n"},
		{"middle", "exceptions:\n" + one + two + three, "one/same", "host", "exceptions:\n" + one + three},
		{"middle, kept apart", "exceptions:\n" + one + "\n# about two\n" + two + "\n" + three + "\nrecreate: {}\n", "one/same", "host", "exceptions:\n" + one + "\n" + three + "\nrecreate: {}\n"},
		{"first, kept apart", "exceptions:\n" + one + "\n# about two\n" + two + "\n" + three, "docker/log-level", "daemon", "exceptions:\n# about two\n" + two + "\n" + three},
		{"last, kept apart", "exceptions:\n" + one + "\n" + two + "\n" + three + "recreate: {}\n", "two/same", "host", "exceptions:\n" + one + "\n" + two + "recreate: {}\n"},
		{"only", "exceptions: # all\n" + two + "\n# recreate\nrecreate: {}\n", "one/same", "host", "exceptions: # all\n\n# recreate\nrecreate: {}\n"},
		{"comment apart stays", "exceptions:\n  # general\n\n" + one, "docker/log-level", "daemon", "exceptions:\n  # general\n\n"},
		{"example stays", "exceptions:\n# - control: x\n#   target: y\n" + one, "docker/log-level", "daemon", "exceptions:\n# - control: x\n#   target: y\n"},
		{"made section with more in it", "\n" + sectionHead + "\nexceptions:\n" + one + "  # keep\n", "docker/log-level", "daemon", "\n" + sectionHead + "\nexceptions:\n  # keep\n"},
		{"made section elsewhere", "\n" + sectionHead + "\nexceptions:\n" + one + "\nrecreate: {}\n", "docker/log-level", "daemon", "\nrecreate: {}\n"},
		{"brackets, first", "exceptions: [{control: two/same, target: host, reason: r, owner: o}, {control: icc, target: daemon, reason: r, owner: o}]\n", "two/same", "host", "exceptions: [{control: icc, target: daemon, reason: r, owner: o}]\n"},
		{"brackets, only, comma", "exceptions: [\n  {control: two/same, target: host, reason: r, owner: o},\n]\n", "two/same", "host", "exceptions: [\n  \n]\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, crlf := range []bool{false, true} {
				before, after := head+c.before, head+c.after
				if crlf {
					before, after = strings.ReplaceAll(before, "\n", "\r\n"), strings.ReplaceAll(after, "\n", "\r\n")
				}
				edit, err := file(before).Remove(c.control, c.target, 0)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(after, string(edit.Data)); diff != "" {
					t.Errorf("crlf %v: (-want +got)\n%s", crlf, diff)
				}
				if got := strings.Split(strings.ReplaceAll(before, "\r", ""), "\n")[edit.Line-1]; !strings.Contains(got, edit.Lines[0]) {
					t.Errorf("it says that %q stood on line %d, which is %q", edit.Lines[0], edit.Line, got)
				}
			}
		})
	}
}

func TestRemoveRefuses(t *testing.T) {
	twice := head + "exceptions:\n" + riskLines + strings.Replace(riskLines, "2027", "2028", 1)
	for _, c := range []struct {
		text string
		line int
		want string
	}{
		{head, 0, "t.yaml: there is no such exception: docker/icc on container/web-*"},
		{head + "exceptions:\n" + riskLines, 7, "t.yaml:7: there is no such exception: docker/icc on container/web-*"},
		{twice, 0, "t.yaml: there is more than one such exception: docker/icc on container/web-*, on the lines 5 and 10"},
		{head + "exceptions: [" + riskBraces + ", # x\n]", 0, "comments stand between its brackets"},
		{head + "exceptions: 7", 0, "t.yaml:4:13: exceptions must be a list"},
	} {
		if _, err := file(c.text).Remove(risk().Control, risk().Target, c.line); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	edit, err := file(twice).Remove(risk().Control, risk().Target, 10)
	if want := head + "exceptions:\n" + riskLines; err != nil || string(edit.Data) != want {
		t.Errorf("by line: %v\n%s", err, edit.Data)
	}
}

// TestReplace: only values change; comments, order and what is the same stay as they are.
func TestReplace(t *testing.T) {
	for _, c := range []struct{ name, before, after string }{
		{
			"all new", "# a\n- control: icc # b\n  # c\n  target: 'container/web-*'\n  reason: x   # d\n\n  owner: y\n  # e\n- control: icc\n  target: daemon\n  reason: r\n  owner: o\n",
			"# a\n- control: icc # b\n  # c\n  target: 'container/web-*'\n  reason: \"old links; they end\"   # d\n\n  owner: platform team\n  expires: 2027-06-30\n  # e\n- control: icc\n  target: daemon\n  reason: r\n  owner: o\n",
		},
		{
			"other order", "-   expires: 2026-01-01\t# f\n    owner: |\n      platform team\n    reason: >-\n      a\n\n      b\n    target: \"container/web-*\"\n    control: icc",
			"-   expires: 2027-06-30\t# f\n    owner: |\n      platform team\n    reason: \"old links; they end\"\n    target: \"container/web-*\"\n    control: icc",
		},
		{"braces", "- {control: icc, target: \"container/web-*\",\n  reason: r, owner: o} # g\n", "- " + riskBraces + " # g\n"},
		{"dash alone", "-  # h\n   control: icc\n   target: \"container/web-*\"\n   reason: r\n   owner: o\n", "-  # h\n   control: icc\n   target: \"container/web-*\"\n   reason: \"old links; they end\"\n   owner: platform team\n   expires: 2027-06-30\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			edit, err := file(head + "exceptions:\n" + c.before).Replace(risk())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(head+"exceptions:\n"+c.after, string(edit.Data)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	never := risk()
	never.Expires = time.Time{}
	edit, err := file(head + "exceptions:\n" + strings.Replace(riskLines, "06-30", "06-30 # i", 1)).Replace(never)
	if want := head + "exceptions:\n" + strings.Replace(riskLines, "expires: 2027-06-30", "# i", 1); err != nil || string(edit.Data) != want {
		t.Errorf("without an end: %v\n%s", err, edit.Data)
	}
}

func TestReplaceRefuses(t *testing.T) {
	never := risk()
	never.Expires = time.Time{}
	for _, c := range []struct {
		text string
		want string
	}{
		{"exceptions:\n", "t.yaml: there is no such exception"},
		{"exceptions:\n- expires: 2027-06-30\n  control: icc\n  target: \"container/web-*\"\n  reason: r\n  owner: o\n", "begins with its expiry"},
		{"exceptions:\n- control: icc\n  target: \"container/web-*\"\n  reason: \"a\n    b\" # c\n  owner: o\n", "line 8 has a comment inside"},
		{"exceptions:\n" + riskLines + strings.Replace(riskLines, "2027", "2028", 1), "more than one"},
	} {
		if edit, err := file(head + c.text).Replace(never); err == nil || !strings.Contains(err.Error(), c.want) || edit.Data != nil {
			t.Errorf("got %v and %q, want %q", err, edit.Data, c.want)
		}
	}
}

// TestEditInherited: an exception of the parent is not touched through the child.
func TestEditInherited(t *testing.T) {
	dir := t.TempDir()
	parent := filepath.Join(dir, "base.yaml")
	if err := os.WriteFile(parent, []byte(strings.Replace(head, "name: t", "name: base", 1)+"exceptions:\n"+riskLines), 0o600); err != nil {
		t.Fatal(err)
	}
	f := file("format: " + Format + "\nname: t\nextends: base\nexceptions:\n" + strings.Replace(riskLines, "web-*", "db", 1))
	f.Source = filepath.Join(dir, "t.yaml")
	p, err := Load(f.Data, f.Source, f.Catalog)
	if err != nil || len(p.Exceptions) != 2 || p.Exceptions[0].Source != parent || p.Exceptions[1].Source != f.Source {
		t.Fatalf("%v\n%+v", err, p)
	}
	if _, err := f.Remove(risk().Control, risk().Target, 0); err == nil || !strings.Contains(err.Error(), "stands in "+parent+":5, which "+f.Source+" extends") {
		t.Errorf("remove: %v", err)
	}
	if _, err := f.Replace(risk()); !errors.Is(err, ErrInherited) {
		t.Errorf("replace: %v", err)
	}
	if _, err := f.Add(risk()); err == nil || !strings.Contains(err.Error(), parent+":5: docker/icc on container/web-* is excepted here for as long") {
		t.Errorf("add: %v", err)
	}
	longer := risk()
	longer.Expires = longer.Expires.AddDate(0, 1, 0)
	edit, err := f.Add(longer)
	if err != nil || !strings.HasSuffix(string(edit.Data), strings.Replace(riskLines, "06-30", "07-30", 1)) {
		t.Fatalf("add for longer: %v\n%s", err, edit.Data)
	}
	f.Data = edit.Data
	if edit, err = f.Remove(longer.Control, longer.Target, 0); err != nil || !bytes.HasSuffix(edit.Data, []byte("container/db\"\n  reason: \"old links; they end\"\n  owner: platform team\n  expires: 2027-06-30\n")) {
		t.Errorf("remove of the own one: %v\n%s", err, edit.Data)
	}
}

func TestOpenFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "site.yaml"), []byte(head), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"site", filepath.Join(dir, "site.yaml")} {
		if f, err := openFile(name, dir, testCatalog()); err != nil || string(f.Data) != head || f.Source != filepath.Join(dir, "site.yaml") {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
	if _, err := openFile("cis-level1", dir, testCatalog()); !errors.Is(err, ErrEmbedded) {
		t.Errorf("embedded: %v", err)
	}
	if _, err := openFile("nowhere", dir, testCatalog()); err == nil {
		t.Error("a file that is not there was opened")
	}
}

// TestWord: whatever a person writes comes back from both styles as it was.
func TestWord(t *testing.T) {
	for _, s := range []string{
		"x", "the host's counters", "a, b", "a: b", "a #b", "true", "null", "1", "1e3", "- x", "é", "a  b", "{x}", "[", "'", `"`, "\\n", "a\u202eb", "a\u00a0b", "😀", "\U000e0001",
		"2027-01-01", "0x1f", "yes no", "~", "a 'b'", "x/", "don't", "a-", "a -b", "*", "&a", "!t", "%", "@", "`", "|", ">", "?", "? x", "a\ufeffb", "a?",
	} {
		for _, style := range []string{"exceptions:\n", "exceptions: []\n"} {
			e := risk()
			e.Reason, e.Owner, e.Target = s, s, "container/"+strings.NewReplacer("[", "(", "\\", "-", "/", "-").Replace(s)
			edit, err := file(head + style).Add(e)
			if err != nil {
				t.Errorf("%q: %v", s, err)
				continue
			}
			p, err := Load(edit.Data, "t.yaml", testCatalog())
			if err != nil || p.Exceptions[0].Reason != s || p.Exceptions[0].Owner != s || p.Exceptions[0].Target != e.Target {
				t.Errorf("%q came back as %+v, %v from\n%s", s, p, err, edit.Data)
			}
		}
	}
}

// TestExamples: the files of this project can be edited too.
func TestExamples(t *testing.T) {
	catalog := embeddedCatalog(t)
	var written bytes.Buffer
	var docs []ControlDoc
	for id, params := range catalog {
		docs = append(docs, ControlDoc{ID: id, Title: id, Params: params})
	}
	slices.SortFunc(docs, func(a, b ControlDoc) int { return strings.Compare(a.ID, b.ID) })
	if err := Init(&written, "baseline", docs); err != nil {
		t.Fatal(err)
	}
	texts := []string{written.String()}
	for _, name := range Names() {
		text, _ := Embedded(name)
		texts = append(texts, string(text))
	}
	for _, text := range texts {
		f := File{Source: "t.yaml", Data: []byte(text), Catalog: catalog}
		e := risk()
		e.Control = docs[0].ID
		edit, err := f.Add(e)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if !inOrder(f.Data, edit.Data) {
			t.Errorf("bytes were lost:\n%s", edit.Data)
		}
		f.Data = edit.Data
		if back, err := f.Remove(e.Control, e.Target, 0); err != nil || string(back.Data) != text {
			t.Errorf("%v: add and remove leave (-want +got)\n%s", err, cmp.Diff(text, string(back.Data)))
		}
	}
}
