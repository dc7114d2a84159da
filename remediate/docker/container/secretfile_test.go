package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/container/body"
	"docker-harden/remediate/internal/atomic"
)

const secretValue = "hunter2-\"quoted\"=\tvalue"

// secretStep moves the value of DB_PASSWORD of the container that keeper describes.
func secretStep() plan.Step {
	r := plan.Container("web", victimID)
	return plan.Step{ID: r.String(), Resource: r, Kind: plan.KindRecreate, Changes: []plan.Change{{
		Path: plan.SecretPath("DB_PASSWORD"), From: json.RawMessage(`"environment"`), To: json.RawMessage(`"/run/secrets/DB_PASSWORD"`), Kind: plan.KindRecreate,
	}}}
}

// keeper is an engine with one container that has a value in its environment; listed is its list of containers.
func keeper(listed string) oddEngine {
	value, _ := json.Marshal("DB_PASSWORD=" + secretValue)
	one := strings.Replace(fmt.Sprintf(victim, victimID), `"Labels":{}`, `"Labels":{},"Env":["PATH=/bin",`+string(value)+`]`, 1)
	plain := except("", "", "", 0)
	return oddEngine{func(r *http.Request) (int, string, string) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/containers/web/json"), strings.HasSuffix(r.URL.Path, "/containers/"+victimID+"/json"):
			return 200, "", one
		case strings.HasSuffix(r.URL.Path, "/containers/json"):
			return 200, "", listed
		}
		return plain.respond(r)
	}}
}

// prepared is the record of secretStep, and a handler that keeps values below a directory of the test.
func prepared(t *testing.T, listed string) (*Recreator, *record, json.RawMessage) {
	t.Helper()
	o := fast()
	o.State = t.TempDir()
	r := &Recreator{Engine: keeper(listed), Options: o}
	undo, err := r.Prepare(t.Context(), secretStep())
	if err != nil {
		t.Fatal(err)
	}
	rec := new(record)
	if err := json.Unmarshal(undo, rec); err != nil {
		t.Fatal(err)
	}
	return r, rec, undo
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	list, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

// Prepare writes nothing but says where the file will be; the request has no value in it.
func TestPrepareSecret(t *testing.T) {
	r, rec, _ := prepared(t, "[]")
	if got := entries(t, r.Options.State); len(got) > 0 {
		t.Errorf("Prepare made %q", got)
	}
	want := filepath.Join(r.Options.State, "secrets", "web.") // and the mark of the step
	if len(rec.New.Secrets) != 1 || !strings.HasPrefix(rec.New.Secrets[0].Source, want) || filepath.Base(rec.New.Secrets[0].Source) != "DB_PASSWORD" {
		t.Fatalf("secrets %+v", rec.New.Secrets)
	}
	if strings.Contains(string(rec.New.Create), "hunter2") || !strings.Contains(string(rec.Old.Create), "hunter2") {
		t.Error("the value has to be in the request for the old container, and in no other")
	}
	r.Options.State = ""
	if _, err := r.Prepare(t.Context(), secretStep()); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("without a directory: %v", err)
	}
}

func TestSecretsDir(t *testing.T) {
	o := Options{State: "/state"}
	for name, want := range map[string]string{
		"db": "/state/secrets/db.t1", "a_b-c.d": "/state/secrets/a_b-c.d.t1", strings.Repeat("n", 250): "/state/secrets/" + strings.Repeat("n", 64) + ".t1",
		"../../etc": "/state/secrets/" + victimID + ".t1", ".": "/state/secrets/" + victimID + ".t1", "": "/state/secrets/" + victimID + ".t1",
	} {
		got, err := o.secretsDir(&record{Name: name, ID: victimID, TempOld: name + ".dh-t1-old"})
		if err != nil || got != want {
			t.Errorf("%q: %s, %v", name, got, err)
		}
	}
}

// written is a swap whose file is on the host.
func written(t *testing.T, r *Recreator, rec *record) (place string) {
	t.Helper()
	a, err := open(t.Context(), r.Engine)
	if err != nil {
		t.Fatal(err)
	}
	old, err := a.named(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	x := &swap{r: r, a: a, rec: rec, old: old}
	for range 2 { // a second Do finds what a killed one left
		if err := x.file(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return rec.New.Secrets[0].Source
}

// forgotten is what an undo says when it removes the file.
func forgotten(t *testing.T, r *Recreator, rec *record) *back {
	t.Helper()
	a, err := open(t.Context(), r.Engine)
	if err != nil {
		t.Fatal(err)
	}
	b := &back{r: r, a: a, rec: rec}
	if err := b.forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSecretFileComesAndGoes(t *testing.T) {
	r, rec, _ := prepared(t, "[]")
	place := written(t, r, rec)
	text, err := os.ReadFile(place)
	if err != nil || string(text) != secretValue {
		t.Errorf("the file does not hold the value: %v", err)
	}
	for name, mode := range map[string]os.FileMode{place: 0o400, filepath.Dir(place): 0o700 | os.ModeDir, filepath.Join(r.Options.State, "secrets"): 0o700 | os.ModeDir} {
		if info, err := os.Lstat(name); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if why := privateFile(place, place); why != "" {
		t.Error(why)
	}
	if b := forgotten(t, r, rec); !b.acted || len(b.said) > 0 {
		t.Errorf("acted %t, said %q", b.acted, b.said)
	}
	if left := entries(t, filepath.Join(r.Options.State, "secrets")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if b := forgotten(t, r, rec); b.acted {
		t.Error("an undo after the undo did something")
	}
}

// A kill between the file and the container that would mount it: the undo finds the old container as it was, takes the
// file away, and has nothing to do the second time.
func TestUndoOfAKillBeforeTheContainer(t *testing.T) {
	r, rec, undo := prepared(t, "[]")
	written(t, r, rec)
	for _, nothing := range []bool{false, true} {
		back, err := r.Undo(t.Context(), secretStep(), remediate.Record{Undo: undo})
		if err != nil || back.How != plan.Exact || back.Nothing != nothing {
			t.Errorf("%+v, %v", back, err)
		}
		if left := entries(t, filepath.Join(r.Options.State, "secrets")); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	}
}

// What a container has in files may stand in its log too.
func TestValuesOfFiles(t *testing.T) {
	r, rec, _ := prepared(t, "[]")
	place := written(t, r, rec)
	c := new(state)
	const mounted = `{"Mounts":[{"Type":"bind","Source":%q,"Destination":"/run/secrets/DB_PASSWORD"},{"Type":"bind","Source":"/etc/hostname","Destination":"/run/secrets/hostname"}]}`
	if err := json.Unmarshal(fmt.Appendf(nil, mounted, place), c); err != nil {
		t.Fatal(err)
	}
	if c.had = r.values(c); len(c.had) != 1 {
		t.Fatalf("%d values", len(c.had))
	}
	if got := c.printable("no access with " + secretValue); got != "no access with "+hidden {
		t.Error(got)
	}
}

// A write that was killed leaves its temporary file, which goes with the undo; what is not ours stays.
func TestForgetHalfWritten(t *testing.T) {
	r, rec, _ := prepared(t, "[]")
	place := rec.New.Secrets[0].Source
	dir := filepath.Dir(place)
	if err := makePrivate(0, filepath.Dir(dir), dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".DB_PASSWORD.docker-harden-XYZ", "somebody-elses"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	forgotten(t, r, rec)
	if left := entries(t, dir); len(left) != 1 || left[0] != "somebody-elses" {
		t.Errorf("left: %q", left)
	}
}

// A file that a container mounts stays, and the undo says so.
func TestForgetKeepsWhatIsMounted(t *testing.T) {
	r, rec, _ := prepared(t, "[]")
	place := written(t, r, rec)
	r.Engine = keeper(fmt.Sprintf(`[{"Id":"x","Names":["/other"],"Mounts":[{"Type":"bind","Source":%q}]}]`, place))
	if b := forgotten(t, r, rec); b.acted || len(b.said) != 1 || !strings.Contains(b.said[0], "container other mounts it") {
		t.Errorf("acted %t, said %q", b.acted, b.said)
	}
	if _, err := os.Stat(place); err != nil {
		t.Errorf("the file is gone: %v", err)
	}
	r.Engine = keeper(`[{"Id":"x","Names":["/all"],"Mounts":[{"Type":"bind","Source":"/"},{"Type":"volume","Source":"` + place + `"}]}]`)
	if forgotten(t, r, rec); len(entries(t, filepath.Dir(filepath.Dir(place)))) > 0 {
		t.Error("a container that sees the whole host keeps the file")
	}
}

// Directories that others may enter, and links, are not trusted with a value.
func TestMakePrivateRefuses(t *testing.T) {
	dir := t.TempDir()
	open, link, file := filepath.Join(dir, "open"), filepath.Join(dir, "link"), filepath.Join(dir, "file")
	for _, err := range []error{
		os.Mkdir(open, 0o755), os.Chmod(open, 0o755), os.Symlink(dir, link), os.WriteFile(file, nil, 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{open, link, file, filepath.Join(dir, "missing", "deep")} {
		if err := makePrivate(0, name); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	others := filepath.Join(dir, "others")
	if err := errors.Join(os.Mkdir(others, 0o700), os.Chown(others, 1234, 0)); err != nil {
		t.Fatal(err)
	}
	if err := makePrivate(0, others); err == nil {
		t.Error("a directory of somebody else is taken")
	}
}

// A record names no file but one that this tool makes.
func TestSecretPlaceRefuses(t *testing.T) {
	r := &Recreator{Options: Options{Root: "/host"}}
	if place, err := r.secretPlace(body.Secret{Variable: "A", Source: "/state/secrets/db.t1/A"}); err != nil || place != "/host/state/secrets/db.t1/A" {
		t.Errorf("%s, %v", place, err)
	}
	for _, s := range []body.Secret{
		{Variable: "A", Source: "/etc/shadow"},
		{Variable: "shadow", Source: "/etc/shadow"},
		{Variable: "A", Source: "state/secrets/db/A"},
		{Variable: "A", Source: "/state/secrets/db/../A"},
		{Variable: "A", Source: "/state/secrets/A"},
		{Variable: "..", Source: "/state/secrets/db/.."},
		{Variable: "", Source: "/state/secrets/db/"},
		{Variable: "B", Source: "/state/secrets/db/A"},
	} {
		if place, err := r.secretPlace(s); err == nil {
			t.Errorf("%+v: %s", s, place)
		}
	}
}

func TestPrivateFile(t *testing.T) {
	dir := t.TempDir()
	good, other := filepath.Join(dir, "good"), filepath.Join(dir, "other")
	for _, name := range []string{good, other} {
		if err := atomic.WriteFile(name, []byte("x"), atomic.Options{Mode: secretMode}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		place, inside, want string
		mode                os.FileMode
	}{
		{good, good, "", 0o400},
		{good, other, "another one", 0o400},
		{good, filepath.Join(dir, "none"), "in the container", 0o400},
		{filepath.Join(dir, "none"), good, "on the host", 0o400},
		{good, good, "root's alone", 0o404},
		{dir, dir, "root's alone", 0o400},
	} {
		if err := os.Chmod(good, tt.mode); err != nil {
			t.Fatal(err)
		}
		if got := privateFile(tt.place, tt.inside); got != tt.want && (tt.want == "" || !strings.Contains(got, tt.want)) {
			t.Errorf("%s in %s: %q, want %q", tt.place, tt.inside, got, tt.want)
		}
	}
}

// The log of a new container may speak of a value that only the old one had in its environment.
func TestPrintableHidesWhatWasMoved(t *testing.T) {
	c := state{had: []string{"DB_PASSWORD=abc", "PATH=/bin"}}
	c.Config.Env = []string{"DB_PASSWORD_FILE=/run/secrets/DB_PASSWORD"}
	if got := c.printable("login with abc failed"); got != "login with *** failed" {
		t.Error(got)
	}
}

func TestInEnviron(t *testing.T) {
	for environ, want := range map[string]bool{
		"PATH=/bin\x00A=hunter2\x00": true, "A=": true, "A\x00": false, "": false, "B=A=x\x00": false, "A_FILE=/x\x00AA=1": false,
	} {
		if got := inEnviron([]byte(environ), "A"); got != want {
			t.Errorf("%q: %t", environ, got)
		}
	}
}

// A container that is only stopped and started has nothing moved.
func TestNoSecretsOfARestart(t *testing.T) {
	x := &swap{r: &Recreator{}, rec: &record{Restart: true}}
	b := &back{r: x.r, rec: x.rec}
	if err := errors.Join(x.file(t.Context()), b.forget(t.Context())); err != nil || len(x.secretsTruth()) > 0 {
		t.Errorf("%v", err)
	}
}
