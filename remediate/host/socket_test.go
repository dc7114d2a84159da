package host

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"docker-harden/plan"
	"docker-harden/remediate"
)

// fakeSocketUnit plays systemd with docker.socket: it says what it read last, of a base and of the drop-ins below
// a root, in the order of their names.
type fakeSocketUnit struct {
	root    string
	base    settings
	loaded  settings
	pending string // the unit whose files it has not read
	fail    error
	reloads int
}

func (f *fakeSocketUnit) connect(context.Context) (socketUnits, error) { return f, nil }
func (f *fakeSocketUnit) Close()                                       {}

func (f *fakeSocketUnit) ReloadContext(context.Context) error {
	if f.fail != nil {
		return f.fail
	}
	f.reloads++
	f.loaded = settings{}
	for name, value := range f.base {
		f.loaded[name] = value
	}
	files, _ := filepath.Glob(f.root + dropInDir + "/*.conf")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, m := range regexp.MustCompile(`(?m)^(Socket\w+)=(.*)$`).FindAllStringSubmatch(string(data), -1) {
			f.loaded[m[1]] = m[2]
		}
	}
	return nil
}

func (f *fakeSocketUnit) GetAllPropertiesContext(_ context.Context, unit string) (map[string]any, error) {
	all := map[string]any{"LoadState": "loaded", "NeedDaemonReload": f.pending == unit}
	if mode, err := strconv.ParseUint(f.loaded["SocketMode"], 8, 32); err == nil && unit == socketUnitName {
		all["SocketMode"] = uint32(mode)
		all["SocketUser"], all["SocketGroup"] = f.loaded["SocketUser"], f.loaded["SocketGroup"]
	}
	return all, nil
}

// socketHost is a root with a socket of mode 0666 that belongs to 5:7, and systemd, which says the same.
func socketHost(t *testing.T) (*Socket, *fakeSocketUnit) {
	t.Helper()
	needRoot(t)
	root, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	must(t, os.MkdirAll(filepath.Join(root, filepath.Dir(dropInDir)), 0o755))
	must(t, os.MkdirAll(filepath.Join(root, "run"), 0o755))
	t.Chdir(filepath.Join(root, "run")) // the name of a socket is short
	listener, err := net.Listen("unix", "docker.sock")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	must(t, os.Chown("docker.sock", 5, 7))
	must(t, unix.Chmod("docker.sock", 0o666))
	f := &fakeSocketUnit{root: root, base: settings{"SocketMode": "0666", "SocketUser": "bob", "SocketGroup": ""}}
	must(t, f.ReloadContext(t.Context()))
	f.reloads = 0
	return &Socket{Root: root, connect: f.connect}, f
}

// socketStep plans changes given as "SocketMode 0666 0660".
func socketStep(changes ...string) plan.Step {
	s := fileStep("/run/docker.sock", changes...)
	s.Kind = plan.KindSocket
	for i := range s.Changes {
		s.Changes[i].Kind = plan.KindSocket
	}
	return s
}

func wholeSocketStep() plan.Step {
	return socketStep("SocketMode 0666 0660", "mode 0666 0660", "SocketUser bob root", "SocketGroup bob docker", "owner 5:7 0:998")
}

const wholeDropIn = dropInHead + "SocketUser=root\nSocketGroup=docker\nSocketMode=0660\n"

// dropIns are the files in the directory of drop-ins, with mode and content; "none" when there is no directory.
func dropIns(t *testing.T, root string) string {
	t.Helper()
	entries, err := os.ReadDir(root + dropInDir)
	if errors.Is(err, os.ErrNotExist) {
		return "none"
	}
	must(t, err)
	out := ""
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		data, err := os.ReadFile(filepath.Join(root, dropInDir, e.Name()))
		must(t, err)
		out += e.Name() + " " + info.Mode().String() + "\n" + string(data)
	}
	return out
}

// The drop-in lies where its directory is.
func TestDropInIsInItsDirectory(t *testing.T) {
	if got := filepath.Dir(dropInFile); got != dropInDir {
		t.Errorf("%s is in %s", dropInFile, got)
	}
}

func TestSocketThereAndBack(t *testing.T) {
	ownOld := dropInHead + "SocketMode=0600\n"
	for _, test := range []struct {
		name            string
		before          map[string]string // drop-ins
		step            plan.Step
		became, dropIns string
		says            settings
	}{
		{name: "everything", step: wholeSocketStep(), became: "0:998 0660", dropIns: "50-docker-harden.conf -rw-r--r--\n" + wholeDropIn, says: settings{"SocketMode": "0660", "SocketUser": "root", "SocketGroup": "docker"}},
		{name: "only now", step: socketStep("mode 0666 0660"), became: "5:7 0660", dropIns: "none", says: settings{"SocketMode": "0666"}},
		{name: "only the next one", step: socketStep("SocketMode 0666 0660"), became: "5:7 0666", dropIns: "50-docker-harden.conf -rw-r--r--\n" + dropInHead + "SocketMode=0660\n", says: settings{"SocketMode": "0660", "SocketUser": "bob"}},
		{
			name: "beside somebody's", before: map[string]string{"10-mine.conf": "[Socket]\nSocketMode=0666\n"}, step: socketStep("SocketMode 0666 0660", "mode 0666 0660"), became: "5:7 0660",
			dropIns: "10-mine.conf -rw-r-----\n[Socket]\nSocketMode=0666\n50-docker-harden.conf -rw-r--r--\n" + dropInHead + "SocketMode=0660\n", says: settings{"SocketMode": "0660"},
		},
		{
			name: "more in our own", before: map[string]string{"50-docker-harden.conf": ownOld}, step: socketStep("SocketGroup bob docker", "owner 5:7 0:998"), became: "0:998 0666",
			dropIns: "50-docker-harden.conf -rw-r-----\n" + dropInHead + "SocketGroup=docker\nSocketMode=0600\n", says: settings{"SocketMode": "0600", "SocketGroup": "docker"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, f := socketHost(t)
			for name, text := range test.before {
				must(t, os.MkdirAll(h.Root+dropInDir, 0o755))
				must(t, os.WriteFile(filepath.Join(h.Root, dropInDir, name), []byte(text), 0o640))
			}
			must(t, f.ReloadContext(t.Context()))
			socket, was, said := h.Root+"/run/docker.sock", dropIns(t, h.Root), f.loaded
			undo, err := h.Prepare(t.Context(), test.step)
			must(t, err)
			shows(t, socket, "5:7 0666")
			must(t, h.Do(t.Context(), test.step, undo, nil))
			shows(t, socket, test.became)
			if got := dropIns(t, h.Root); got != test.dropIns {
				t.Errorf("drop-ins:\n%s\nwant\n%s", got, test.dropIns)
			}
			for name, want := range test.says {
				if f.loaded[name] != want {
					t.Errorf("systemd says %s=%s, want %s", name, f.loaded[name], want)
				}
			}
			for i := range 2 {
				restored, err := h.Undo(t.Context(), test.step, remediate.Record{Undo: undo})
				must(t, err)
				if restored.How != plan.Exact || len(restored.Notes) != 0 || restored.Nothing != (i == 1) {
					t.Errorf("undo %d: %+v", i+1, restored)
				}
				shows(t, socket, "5:7 0666")
				if got := dropIns(t, h.Root); got != was {
					t.Errorf("drop-ins after undo:\n%s\nwant\n%s", got, was)
				}
				if f.loaded["SocketMode"] != said["SocketMode"] || f.loaded["SocketUser"] != said["SocketUser"] || f.loaded["SocketGroup"] != said["SocketGroup"] {
					t.Errorf("systemd says %v, and said %v", f.loaded, said)
				}
			}
			must(t, h.Commit(t.Context(), test.step, remediate.Record{Undo: undo}))
		})
	}
}

// A step that stops at any point is undone whole.
func TestSocketStopped(t *testing.T) {
	for _, point := range []string{"nothing", "directory", "written", "reloaded", "owned", "systemd"} {
		t.Run(point, func(t *testing.T) {
			h, f := socketHost(t)
			undo, err := h.Prepare(t.Context(), wholeSocketStep())
			must(t, err)
			stop := errors.New("stopped")
			h.hook = func(at string) error {
				if at == point {
					return stop
				}
				return nil
			}
			if point == "systemd" {
				f.fail = stop
			}
			if point != "nothing" {
				if err := h.Do(t.Context(), wholeSocketStep(), undo, nil); !errors.Is(err, stop) {
					t.Fatalf("got %v", err)
				}
			}
			if f.fail = nil; point != "nothing" && point != "directory" {
				// What a writer that was killed leaves beside the file is removed too.
				must(t, os.WriteFile(filepath.Join(h.Root, dropInDir, ".50-docker-harden.conf.docker-harden-X"), nil, 0o600))
			}
			h.hook = func(at string) error {
				if at == "put back" {
					return stop
				}
				return nil
			}
			if _, err := h.Undo(t.Context(), wholeSocketStep(), remediate.Record{Undo: undo}); !errors.Is(err, stop) {
				t.Fatalf("got %v", err)
			}
			h.hook = nil
			_, err = h.Undo(t.Context(), wholeSocketStep(), remediate.Record{Undo: undo})
			must(t, err)
			shows(t, h.Root+"/run/docker.sock", "5:7 0666")
			if got := dropIns(t, h.Root); got != "none" {
				t.Errorf("left: %s", got)
			}
			if f.loaded["SocketMode"] != "0666" {
				t.Errorf("systemd says %v", f.loaded)
			}
		})
	}
}

func TestSocketRefuses(t *testing.T) {
	mine := func(h *Socket, text string) error {
		return errors.Join(os.MkdirAll(h.Root+dropInDir, 0o755), os.WriteFile(h.Root+dropInFile, []byte(text), 0o644))
	}
	for _, test := range []struct {
		name  string
		spoil func(*Socket, *fakeSocketUnit) error
		step  plan.Step
		is    error
		says  string
	}{
		{"no socket", func(h *Socket, _ *fakeSocketUnit) error {
			return errors.Join(os.Remove(h.Root+"/run/docker.sock"), os.WriteFile(h.Root+"/run/docker.sock", nil, 0o600))
		}, wholeSocketStep(), nil, "no socket"},
		{"mode moved", func(h *Socket, _ *fakeSocketUnit) error { return unix.Chmod(h.Root+"/run/docker.sock", 0o600) }, wholeSocketStep(), plan.ErrStale, "its mode is 0600"},
		{"unit moved", func(_ *Socket, f *fakeSocketUnit) error { f.loaded["SocketUser"] = "alice"; return nil }, wholeSocketStep(), plan.ErrStale, "SocketUser is alice"},
		{"not read yet", func(_ *Socket, f *fakeSocketUnit) error { f.pending = "docker.socket"; return nil }, wholeSocketStep(), remediate.ErrRefused, "systemctl daemon-reload"},
		{"service not read yet", func(_ *Socket, f *fakeSocketUnit) error { f.pending = "docker.service"; return nil }, wholeSocketStep(), remediate.ErrRefused, "systemctl daemon-reload"},
		{"no such unit", func(_ *Socket, f *fakeSocketUnit) error { f.loaded = settings{}; return nil }, wholeSocketStep(), nil, "no such socket"},
		{"somebody's text", func(h *Socket, _ *fakeSocketUnit) error { return mine(h, "[Socket]\nSocketMode=0600\n") }, wholeSocketStep(), remediate.ErrRefused, "not as this tool writes it"},
		{"a line more", func(h *Socket, _ *fakeSocketUnit) error { return mine(h, dropInHead+"SocketMode=0600\nBacklog=1\n") }, wholeSocketStep(), remediate.ErrRefused, "not as this tool writes it"},
		{"a link", func(h *Socket, _ *fakeSocketUnit) error {
			return errors.Join(os.MkdirAll(h.Root+dropInDir, 0o755), os.Symlink("/etc/passwd", h.Root+dropInFile))
		}, wholeSocketStep(), remediate.ErrRefused, "cannot open"},
		{"directory of others", func(h *Socket, _ *fakeSocketUnit) error {
			return errors.Join(os.MkdirAll(h.Root+dropInDir, 0o755), os.Chmod(h.Root+dropInDir, 0o775))
		}, wholeSocketStep(), remediate.ErrRefused, "no directory of root's"},
		{"directory is a link", func(h *Socket, _ *fakeSocketUnit) error {
			return errors.Join(os.Mkdir(h.Root+"/elsewhere", 0o755), os.Symlink(h.Root+"/elsewhere", h.Root+dropInDir))
		}, wholeSocketStep(), remediate.ErrRefused, "no directory of root's"},
		{"a second line in a value", nil, socketStep("SocketMode 0666 0660"), remediate.ErrRefused, "is no value for it"},
		{"another setting", nil, socketStep("ExecStartPre x y"), nil, "no setting"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, f := socketHost(t)
			if test.spoil != nil {
				must(t, test.spoil(h, f))
			}
			if strings.HasPrefix(test.name, "a second line") {
				test.step.Changes[0].To, _ = json.Marshal("0660\nSocketUser=bob")
			}
			before := dropIns(t, h.Root)
			_, err := h.Prepare(t.Context(), test.step)
			if err == nil || !strings.Contains(err.Error(), test.says) || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("got %v", err)
			}
			if got := dropIns(t, h.Root); got != before || f.reloads != 0 {
				t.Errorf("it wrote\n%s", got)
			}
		})
	}
}

// Another drop-in has the last word: the change is not claimed, and is undone whole.
func TestSocketWithoutTheLastWord(t *testing.T) {
	h, f := socketHost(t)
	must(t, os.MkdirAll(h.Root+dropInDir, 0o755))
	must(t, os.WriteFile(h.Root+dropInDir+"/override.conf", []byte("[Socket]\nSocketMode=0666\n"), 0o644))
	must(t, f.ReloadContext(t.Context()))
	before := dropIns(t, h.Root)
	undo, err := h.Prepare(t.Context(), wholeSocketStep())
	must(t, err)
	if err := h.Do(t.Context(), wholeSocketStep(), undo, nil); err == nil || !strings.Contains(err.Error(), "SocketMode of docker.socket is 0666 and not 0660") {
		t.Errorf("got %v", err)
	}
	_, err = h.Undo(t.Context(), wholeSocketStep(), remediate.Record{Undo: undo})
	must(t, err)
	shows(t, h.Root+"/run/docker.sock", "5:7 0666")
	if got := dropIns(t, h.Root); got != before {
		t.Errorf("left\n%s", got)
	}
}

// What others changed since is left alone, unless that is asked for; what they put beside it stays in any case.
func TestSocketDrifted(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*Socket) error
		left  string
		notes bool
	}{
		"the drop-in": {func(h *Socket) error { return os.WriteFile(h.Root+dropInFile, []byte("[Socket]\n"), 0o644) }, "none", false},
		"no drop-in":  {func(h *Socket) error { return os.RemoveAll(h.Root + dropInDir) }, "none", false},
		"the socket":  {func(h *Socket) error { return unix.Chmod(h.Root+"/run/docker.sock", 0o640) }, "none", false},
		"one more drop-in": {func(h *Socket) error {
			return os.WriteFile(h.Root+dropInDir+"/60-x.conf", []byte("SocketMode=0600\n"), 0o644)
		}, "60-x.conf -rw-r--r--\nSocketMode=0600\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			h, _ := socketHost(t)
			undo, err := h.Prepare(t.Context(), wholeSocketStep())
			must(t, err)
			must(t, h.Do(t.Context(), wholeSocketStep(), undo, nil))
			must(t, test.spoil(h))
			now := dropIns(t, h.Root)
			_, err = h.Undo(t.Context(), wholeSocketStep(), remediate.Record{Undo: undo})
			if name != "one more drop-in" && name != "no drop-in" {
				if !errors.Is(err, remediate.ErrDrifted) || dropIns(t, h.Root) != now {
					t.Fatalf("got %v", err)
				}
			}
			restored, err := h.Undo(t.Context(), wholeSocketStep(), remediate.Record{Undo: undo, Force: true})
			must(t, err)
			if (len(restored.Notes) > 0) != test.notes || (restored.How == plan.Functional) != test.notes {
				t.Errorf("%+v", restored)
			}
			shows(t, h.Root+"/run/docker.sock", "5:7 0666")
			if got := dropIns(t, h.Root); got != test.left {
				t.Errorf("left\n%s", got)
			}
		})
	}
}

// The socket was made anew since, or is gone with the engine: the drop-in goes back all the same.
func TestSocketMadeAnew(t *testing.T) {
	for _, again := range []bool{true, false} {
		h, f := socketHost(t)
		undo, err := h.Prepare(t.Context(), wholeSocketStep())
		must(t, err)
		must(t, h.Do(t.Context(), wholeSocketStep(), undo, nil))
		must(t, os.Remove(h.Root+"/run/docker.sock"))
		if again {
			listener, err := net.Listen("unix", "docker.sock")
			must(t, err)
			t.Cleanup(func() { _ = listener.Close() })
			must(t, os.Chown("docker.sock", 0, 998))
			must(t, unix.Chmod("docker.sock", 0o660))
		}
		restored, err := h.Undo(t.Context(), wholeSocketStep(), remediate.Record{Undo: undo})
		must(t, err)
		if restored.How != plan.Exact || restored.Nothing || dropIns(t, h.Root) != "none" || f.loaded["SocketMode"] != "0666" {
			t.Errorf("%+v, %v", restored, f.loaded)
		}
		if again {
			shows(t, h.Root+"/run/docker.sock", "5:7 0666")
		}
	}
}
