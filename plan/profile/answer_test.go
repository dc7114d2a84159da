package profile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const caps = "docker/capabilities"

// headCaps is a profile with two controls on.
const headCaps = "format: " + Format + "\nname: t\ncontrols: {icc: {}, docker/capabilities: {}}\n"

func kept(names ...string) Params {
	return Params{"drop": []string{"SETFCAP"}, "keep": append([]string{}, names...)}
}

// written is the entry that says so.
func written(keep string) string {
	return "{match: web, controls: {docker/capabilities: {params: {drop: [SETFCAP], keep: [" + keep + "]}}}}"
}

// TestAnswer: where an answer goes, byte for byte, and that the same answer is not written twice.
func TestAnswer(t *testing.T) {
	for _, c := range []struct{ name, before, after string }{
		{"no section", headCaps, headCaps + "\n" + answersHead + "\ncontainers:\n  - " + written("CHOWN") + "\n"},
		{"no final newline", headCaps + "# end", headCaps + "# end\n\n" + answersHead + "\ncontainers:\n  - " + written("CHOWN")},
		{"empty section", headCaps + "containers: # none yet\nexceptions: []\n", headCaps + "containers: # none yet\n  - " + written("CHOWN") + "\nexceptions: []\n"},
		{
			"behind others, with their comments",
			headCaps + "containers:\n- match: db # the database\n  controls: {icc: off}\n  # more of it\n\nexceptions: []\n",
			headCaps + "containers:\n- match: db # the database\n  controls: {icc: off}\n  # more of it\n- " + written("CHOWN") + "\n\nexceptions: []\n",
		},
		{"in brackets", headCaps + "containers: []\n", headCaps + "containers: [" + written("CHOWN") + "]\n"},
		{
			"in brackets behind others", headCaps + "containers: [{match: db, controls: {icc: off}}] # all\n",
			headCaps + "containers: [{match: db, controls: {icc: off}}, " + written("CHOWN") + "] # all\n",
		},
		{
			"there already", headCaps + "containers:\n  # why\n  - " + written("KILL") + " # learnt\n  - {match: db, controls: {icc: off}}\n",
			headCaps + "containers:\n  # why\n  - " + written("CHOWN") + " # learnt\n  - {match: db, controls: {icc: off}}\n",
		},
		{
			"in another form", headCaps + "containers: [ { match: \"web\",\n    controls: {capabilities: {params: {keep: [KILL]}}} } ]\n",
			headCaps + "containers: [ " + written("CHOWN") + " ]\n",
		},
		{
			"another control of it", headCaps + "containers:\n  - {match: web, controls: {icc: off}}\n",
			headCaps + "containers:\n  - {match: web, controls: {icc: off}}\n  - " + written("CHOWN") + "\n",
		},
		{
			"an entry of lines is left to its owner", headCaps + "containers:\n  - match: web\n    controls:\n      capabilities: {params: {keep: [KILL]}} # why\n",
			headCaps + "containers:\n  - match: web\n    controls:\n      capabilities: {params: {keep: [KILL]}} # why\n  - " + written("CHOWN") + "\n",
		},
		{
			"one further down says something else", headCaps + "containers:\n  - " + written("KILL") + "\n  - {match: \"w*\", controls: {capabilities: {params: {keep: [MKNOD]}}}}\n",
			headCaps + "containers:\n  - " + written("KILL") + "\n  - {match: \"w*\", controls: {capabilities: {params: {keep: [MKNOD]}}}}\n  - " + written("CHOWN") + "\n",
		},
		{
			"comments between its brackets", headCaps + "containers:\n  - {match: web, # why\n     controls: {capabilities: {params: {keep: [KILL]}}}}\n",
			headCaps + "containers:\n  - {match: web, # why\n     controls: {capabilities: {params: {keep: [KILL]}}}}\n  - " + written("CHOWN") + "\n",
		},
		{"lines of Windows", strings.ReplaceAll(headCaps+"containers: []\n", "\n", "\r\n"), strings.ReplaceAll(headCaps+"containers: ["+written("CHOWN")+"]\n", "\n", "\r\n")},
	} {
		edit, err := file(c.before).Answer("web", caps, kept("CHOWN"))
		if err != nil || string(edit.Data) != c.after {
			t.Errorf("%s: %v\n%s\nwant\n%s", c.name, err, edit.Data, c.after)
			continue
		}
		p, err := Load(edit.Data, "t.yaml", testCatalog())
		if err != nil || !says(p, "web", caps, kept("CHOWN"), testCatalog()[caps]) || says(p, "other", caps, kept("CHOWN"), testCatalog()[caps]) {
			t.Errorf("%s: %v: it does not say so", c.name, err)
		}
		if at := strings.Split(string(edit.Data), "\n")[edit.Line-1]; !strings.Contains(at, edit.Lines[len(edit.Lines)-1]) && !strings.Contains(at, answersHead) {
			t.Errorf("%s: line %d is %q", c.name, edit.Line, at)
		}
		if _, err := file(string(edit.Data)).Answer("web", caps, kept("CHOWN")); !errors.Is(err, ErrSame) {
			t.Errorf("%s: a second time: %v", c.name, err)
		}
		again, err := file(string(edit.Data)).Answer("web", caps, kept("KILL", "CHOWN"))
		if want := strings.Replace(c.after, written("CHOWN"), written("KILL, CHOWN"), 1); err != nil || string(again.Data) != want {
			t.Errorf("%s: another answer: %v\n%s", c.name, err, again.Data)
		}
	}
}

// What an entry has besides the answer stays in it.
func TestAnswerKeepsParameters(t *testing.T) {
	text := headCaps + "containers: [{match: web, controls: {capabilities: {params: {drop: [SETFCAP], keep: [KILL]}}}}]\n"
	edit, err := file(text).Answer("web", caps, Params{"keep": []string{}})
	if err != nil || !strings.Contains(string(edit.Data), "params: {drop: [SETFCAP], keep: []}") {
		t.Errorf("%v\n%s", err, edit.Data)
	}
}

func TestAnswerRefuses(t *testing.T) {
	for _, c := range []struct{ text, container, control, want string }{
		{headCaps, "web-*", caps, "not the name of one container"},
		{headCaps, "", caps, "not the name of one container"},
		{headCaps, "web", "docker/none", "there is no control"},
		{head, "web", caps, "is off for web"},
		{headCaps + "containers: [{match: \"w*\", controls: {capabilities: off}}]\n", "web", caps, "is off for web"},
		{headCaps + "containers: [{match: db, controls: {icc: off}} # why\n  ]\n", "web", caps, "comments stand between its brackets"},
		{"{format: " + Format + ", name: t, controls: {docker/capabilities: {}}}\n", "web", caps, "write each key on a line of its own"},
		{"format: 1\n", "web", caps, "format"},
	} {
		edit, err := file(c.text).Answer(c.container, c.control, kept("CHOWN"))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "internal error") || edit.Data != nil {
			t.Errorf("%s %s: %v, want %q\n%s", c.container, c.control, err, c.want, edit.Data)
		}
	}
}

// The entries of a file that this one extends are left where they are.
func TestAnswerExtends(t *testing.T) {
	dir := t.TempDir()
	parent := headCaps + "containers: [" + written("KILL") + "]\n"
	if err := os.WriteFile(filepath.Join(dir, "base.yaml"), []byte(parent), 0o600); err != nil {
		t.Fatal(err)
	}
	own := "format: " + Format + "\nname: t\nextends: base\n"
	f := File{Source: filepath.Join(dir, "t.yaml"), Data: []byte(own), Catalog: testCatalog()}
	edit, err := f.Answer("web", caps, kept("CHOWN"))
	if err != nil || !strings.HasPrefix(string(edit.Data), own) || !strings.HasSuffix(string(edit.Data), "  - "+written("CHOWN")+"\n") {
		t.Errorf("%v\n%s", err, edit.Data)
	}
	if _, err := f.Answer("web", caps, kept("KILL")); !errors.Is(err, ErrSame) {
		t.Errorf("the other file says so: %v", err)
	}
}
