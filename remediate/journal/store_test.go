package journal_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"docker-harden/remediate/journal"
)

func TestGenerationsAreNumbered(t *testing.T) {
	s, dir := open(t)
	if _, err := s.Latest(); !errors.Is(err, journal.ErrNone) {
		t.Errorf("empty store: %v", err)
	}
	if all, err := s.List(); err != nil || len(all) != 0 {
		t.Errorf("%v %v", all, err)
	}
	for n := 1; n <= 11; n++ {
		j, err := s.Create(begin())
		must(t, err)
		if j.Generation().N != n {
			t.Errorf("generation %d, want %d", j.Generation().N, n)
		}
		must(t, j.Close())
	}
	generations := filepath.Join(dir, "generations")
	must(t, os.RemoveAll(filepath.Join(generations, "3")))
	must(t, os.WriteFile(filepath.Join(generations, "2", journal.FileName), []byte("x\n"), 0o600))
	for _, name := range []string{"007", "-1", "0", "x", ".new-crashed"} {
		must(t, os.Mkdir(filepath.Join(generations, name), 0o700))
	}
	all, err := s.List()
	must(t, err)
	var got []int
	for _, g := range all {
		got = append(got, g.N)
		if broken := g.N == 2; broken != (g.Err != nil) || broken != (g.State() == journal.StateBroken) || broken && g.Unfinished() {
			t.Errorf("generation %d: %v %s", g.N, g.Err, g.State())
		}
	}
	if len(got) != 10 || got[0] != 1 || got[1] != 2 || got[2] != 4 || got[9] != 11 {
		t.Errorf("got %v", got)
	}
	if g, err := s.Latest(); err != nil || g.N != 11 {
		t.Errorf("%v", err)
	}
	for _, n := range []int{-1, 0, 3, 12} {
		if _, err := s.Load(n); !errors.Is(err, journal.ErrNone) {
			t.Errorf("generation %d: %v", n, err)
		}
	}
	j, err := s.Create(begin())
	must(t, err)
	must(t, j.Close())
	if _, err := os.Stat(filepath.Join(generations, ".new-crashed")); j.Generation().N != 12 || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("generation %d; what a crash left: %v", j.Generation().N, err)
	}
}

// A broken generation keeps its number, so that its file is not mixed up with a newer one's.
func TestBrokenNewestKeepsItsNumber(t *testing.T) {
	s, path := made(t, "")
	must(t, os.Remove(path))
	if _, err := s.Latest(); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	j, err := s.Create(begin())
	must(t, err)
	must(t, j.Close())
	if j.Generation().N != 2 {
		t.Errorf("generation %d", j.Generation().N)
	}
}

func TestOpenMakesPrivateDirectories(t *testing.T) {
	_, dir := open(t)
	for _, d := range []string{dir, filepath.Join(dir, "generations")} {
		info, err := os.Stat(d)
		must(t, err)
		if info.Mode() != fs.ModeDir|0o700 {
			t.Errorf("%s is %v", d, info.Mode())
		}
	}
	if _, err := journal.Open(dir); err != nil {
		t.Errorf("again: %v", err)
	}
	if _, err := journal.Open(filepath.Join(dir, "a", "b")); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "a")) {
		t.Errorf("below a missing directory: %v", err)
	}
}

func TestLookMakesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s, err := journal.Look(dir)
	must(t, err)
	if _, err := s.Latest(); !errors.Is(err, journal.ErrNone) {
		t.Errorf("got %v", err)
	}
	if all, err := s.List(); err != nil || len(all) != 0 {
		t.Errorf("%v %v", all, err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was made: %v", err)
	}
	must(t, os.Mkdir(dir, 0o755))
	if _, err := journal.Look(dir); err == nil || !strings.Contains(err.Error(), "others may open it") {
		t.Errorf("got %v", err)
	}
}

func TestUntrustworthyPlaces(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test must run as root, as make test does")
	}
	const nobody = 65534
	paths := map[string]string{"state": "", "generations": "generations", "generation": "generations/1", "file": "generations/1/" + journal.FileName}
	for what, below := range paths {
		for name, test := range map[string]struct {
			spoil func(path string) error
			want  string
		}{
			"group may read":   {func(p string) error { return os.Chmod(p, 0o740) }, "chmod go= "},
			"others may write": {func(p string) error { return os.Chmod(p, 0o702) }, "chmod go= "},
			"another owner":    {func(p string) error { return os.Chown(p, nobody, 0) }, "chown -R 0 "},
			"symlink": {func(p string) error {
				return errors.Join(os.Rename(p, p+".real"), os.Symlink(p+".real", p))
			}, "is a symlink"},
			"something else": {func(p string) error {
				if what == "file" {
					return errors.Join(os.Remove(p), os.Mkdir(p, 0o700))
				}
				return errors.Join(os.RemoveAll(p), os.WriteFile(p, nil, 0o600))
			}, "it is no "},
		} {
			t.Run(what+" "+name, func(t *testing.T) {
				_, file := made(t, "prepared a")
				dir := filepath.Dir(filepath.Dir(filepath.Dir(file)))
				path := filepath.Join(dir, below)
				must(t, test.spoil(path))
				for how, open := range map[string]func(string) (*journal.Store, error){"open": journal.Open, "look": journal.Look} {
					s, err := open(dir)
					if err == nil {
						_, err = s.Load(1)
					}
					if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
						t.Errorf("%s: %v", how, err)
					}
				}
			})
		}
	}
}

// Who is not root is told to become it, not to take root's files.
func TestOthersAreToldToUseSudo(t *testing.T) {
	if dir := os.Getenv("JOURNAL_TEST_OTHER"); dir != "" {
		if _, err := journal.Look(dir); err == nil || !strings.Contains(err.Error(), "use sudo") {
			t.Errorf("got %v", err)
		}
		return
	}
	dir, err := os.MkdirTemp("/tmp", "journal-test-")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	exe := filepath.Join(dir, "test")
	must(t, errors.Join(os.Chmod(dir, 0o755), os.Mkdir(filepath.Join(dir, "state"), 0o700)))
	program, err := os.ReadFile(os.Args[0])
	must(t, err)
	must(t, os.WriteFile(exe, program, 0o755))
	cmd := exec.Command(exe, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env, cmd.Dir = []string{"JOURNAL_TEST_OTHER=" + filepath.Join(dir, "state")}, dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}
