package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"docker-harden/plan"
	"docker-harden/remediate"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test must run as root, as make test does")
	}
}

// fileStep plans changes given as "mode 0666 0644" or "owner 5:6 0:0".
func fileStep(path string, changes ...string) plan.Step {
	s := plan.Step{ID: "host" + path, Kind: plan.KindFile, Resource: plan.File(path)}
	for _, c := range changes {
		words := strings.Fields(c)
		from, _ := json.Marshal(words[1])
		to, _ := json.Marshal(words[2])
		s.Changes = append(s.Changes, plan.Change{Path: words[0], From: from, To: to, Kind: plan.KindFile, Reversibility: plan.Exact})
	}
	return s
}

// spoiled is a file that belongs to 65534:7, with a mode.
func spoiled(t *testing.T, mode uint32) string {
	t.Helper()
	needRoot(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	path := filepath.Join(dir, "daemon.json")
	must(t, os.WriteFile(path, []byte("{}\n"), 0o600))
	must(t, os.Chown(path, 65534, 7))
	must(t, unix.Chmod(path, mode))
	return path
}

func shows(t *testing.T, path, want string) {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Lstat(path, &st))
	if got := fmt.Sprintf("%d:%d %04o", st.Uid, st.Gid, st.Mode&0o7777); got != want {
		t.Errorf("%s has %s, want %s", filepath.Base(path), got, want)
	}
}

func TestFileModeThereAndBack(t *testing.T) {
	for _, test := range []struct {
		mode        uint32
		changes     []string
		was, become string
	}{
		{0o666, []string{"mode 0666 0644"}, "65534:7 0666", "65534:7 0644"},
		{0o666, []string{"mode 666 644", "owner 65534:7 0:0"}, "65534:7 0666", "0:0 0644"},
		{0o644, []string{"owner 65534:7 0:0"}, "65534:7 0644", "0:0 0644"},
		// A change of owner clears setuid and setgid; the plan did not ask for that.
		{0o6755, []string{"owner 65534:7 0:0"}, "65534:7 6755", "0:0 6755"},
		{0o4777, []string{"owner 65534:7 0:0", "mode 4777 0600"}, "65534:7 4777", "0:0 0600"},
		{0o000, []string{"mode 0000 0400"}, "65534:7 0000", "65534:7 0400"},
	} {
		t.Run(strings.Join(test.changes, ", "), func(t *testing.T) {
			path := spoiled(t, test.mode)
			h, step := &FileMode{}, fileStep(path, test.changes...)
			undo, err := h.Prepare(t.Context(), step)
			must(t, err)
			shows(t, path, test.was)
			must(t, h.Do(t.Context(), step, undo, nil))
			shows(t, path, test.become)
			for i := range 2 {
				restored, err := h.Undo(t.Context(), step, remediate.Record{Undo: undo})
				must(t, err)
				if restored.How != plan.Exact || len(restored.Notes) != 0 || restored.Nothing != (i == 1) {
					t.Errorf("undo %d: %+v", i+1, restored)
				}
				shows(t, path, test.was)
			}
			must(t, h.Commit(t.Context(), step, remediate.Record{Undo: undo}))
			if data, err := os.ReadFile(path); err != nil || string(data) != "{}\n" {
				t.Errorf("content %q, %v", data, err)
			}
		})
	}
}

func TestFileModeRefuses(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(t *testing.T, path string)
		step  []string
		is    error
		says  string
	}{
		{"missing", func(t *testing.T, p string) { must(t, os.Remove(p)) }, nil, fs.ErrNotExist, "daemon.json"},
		{"symlink", func(t *testing.T, p string) { must(t, errors.Join(os.Rename(p, p+"2"), os.Symlink(p+"2", p))) }, nil, nil, "is a symlink"},
		{"symlink above", func(t *testing.T, p string) {
			dir := filepath.Dir(p)
			must(t, errors.Join(os.Rename(dir, dir+"2"), os.Symlink(dir+"2", dir)))
			t.Cleanup(func() { must(t, os.RemoveAll(dir+"2")) })
		}, nil, nil, "is a symlink"},
		{"directory", func(t *testing.T, p string) { must(t, errors.Join(os.Remove(p), os.Mkdir(p, 0o755))) }, nil, plan.ErrStale, "its mode is 0755"},
		{"socket", func(t *testing.T, p string) {
			must(t, os.Remove(p))
			listener, err := net.Listen("unix", p)
			must(t, err)
			t.Cleanup(func() { must(t, listener.Close()) })
		}, nil, nil, "no regular file"},
		{"fifo", func(t *testing.T, p string) { must(t, errors.Join(os.Remove(p), unix.Mkfifo(p, 0o666))) }, nil, nil, "no regular file"},
		{"hard link", func(t *testing.T, p string) { must(t, os.Link(p, p+"2")) }, nil, nil, "2 hard links"},
		{"below a file", func(t *testing.T, p string) {
			must(t, errors.Join(os.RemoveAll(filepath.Dir(p)), os.WriteFile(filepath.Dir(p), nil, 0o600)))
		}, nil, unix.ENOTDIR, "daemon.json"},
		{"mode moved", func(t *testing.T, p string) { must(t, os.Chmod(p, 0o640)) }, nil, plan.ErrStale, "its mode is 0640"},
		{"owner moved", func(t *testing.T, p string) { must(t, os.Lchown(p, 1, 7)) }, nil, plan.ErrStale, "its owner is 1:7"},
		{"immutable", func(t *testing.T, p string) {
			must(t, exec.Command("chattr", "+i", p).Run())
			t.Cleanup(func() { must(t, exec.Command("chattr", "-i", p).Run()) })
		}, nil, remediate.ErrRefused, "immutable"},
		{"bad mode", nil, []string{"mode 0666 0999"}, nil, "no file mode"},
		{"big mode", nil, []string{"mode 0666 17777"}, nil, "no file mode"},
		{"bad owner", nil, []string{"owner 65534:7 root:root"}, nil, "uid:gid"},
		{"negative owner", nil, []string{"owner 65534:7 -1:0"}, nil, "uid:gid"},
		{"bad setting", nil, []string{"content a b"}, nil, "no setting"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := spoiled(t, 0o666)
			if test.spoil != nil {
				test.spoil(t, path)
			}
			if test.step == nil {
				test.step = []string{"mode 0666 0644", "owner 65534:7 0:0"}
			}
			_, err := (&FileMode{}).Prepare(t.Context(), fileStep(path, test.step...))
			if err == nil || !strings.Contains(err.Error(), test.says) || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("got %v", err)
			}
		})
	}
	for _, path := range []string{"", "etc/x", "/", "/etc/../etc/x", "/etc//x", "/etc/x/"} {
		if _, err := (&FileMode{}).Prepare(t.Context(), fileStep(path, "mode 0666 0644")); err == nil || !strings.Contains(err.Error(), "clean path") {
			t.Errorf("%q: %v", path, err)
		}
	}
	null := fileStep(spoiled(t, 0o666), "mode 0666 0644")
	null.Changes[0].To = json.RawMessage("17")
	if _, err := (&FileMode{}).Prepare(t.Context(), null); err == nil || !strings.Contains(err.Error(), "pair of strings") {
		t.Errorf("a number as mode: %v", err)
	}
}

// Between Prepare and Do somebody swaps the file for a symlink, a link to another file, or another file.
func TestFileModeSwappedFile(t *testing.T) {
	for name, swap := range map[string]func(path, victim string) error{
		"symlink":   func(p, v string) error { return errors.Join(os.Remove(p), os.Symlink(v, p)) },
		"hard link": func(p, v string) error { return errors.Join(os.Remove(p), os.Link(v, p)) },
		"renamed":   func(p, v string) error { return os.Rename(v, p) },
		"moved on":  func(p, v string) error { return os.Chmod(p, 0o606) },
	} {
		t.Run(name, func(t *testing.T) {
			path := spoiled(t, 0o666)
			victim := filepath.Join(filepath.Dir(path), "shadow")
			must(t, os.WriteFile(victim, nil, 0o600))
			h, step := &FileMode{}, fileStep(path, "mode 0666 0644", "owner 65534:7 0:0")
			undo, err := h.Prepare(t.Context(), step)
			must(t, err)
			must(t, swap(path, victim))
			if err := h.Do(t.Context(), step, undo, nil); err == nil {
				t.Error("it was done")
			}
			if _, err := os.Lstat(victim); err == nil {
				shows(t, victim, "0:0 0600")
			}
		})
	}
}

// A file that is swapped while it is being changed: the held one is changed, and the proof fails.
func TestFileModeSwappedInTheMiddle(t *testing.T) {
	path := spoiled(t, 0o666)
	victim := filepath.Join(filepath.Dir(path), "shadow")
	must(t, os.WriteFile(victim, nil, 0o600))
	h := &FileMode{hook: func(string) error { return errors.Join(os.Rename(path, path+"2"), os.Rename(victim, path)) }}
	step := fileStep(path, "mode 0666 0644", "owner 65534:7 0:0")
	undo, err := h.Prepare(t.Context(), step)
	must(t, err)
	if err := h.Do(t.Context(), step, undo, nil); err == nil || !strings.Contains(err.Error(), "replaced by another file") {
		t.Errorf("got %v", err)
	}
	shows(t, path, "0:0 0600")
	shows(t, path+"2", "0:0 0644")
}

// Killed between the change of owner and that of mode, in either direction.
func TestFileModeKilledInTheMiddle(t *testing.T) {
	killed := errors.New("killed")
	for _, mode := range []uint32{0o666, 0o6777} {
		path := spoiled(t, mode)
		was := fmt.Sprintf("65534:7 %04o", mode)
		h, step := &FileMode{}, fileStep(path, fmt.Sprintf("mode %04o 4711", mode), "owner 65534:7 0:0")
		undo, err := h.Prepare(t.Context(), step)
		must(t, err)
		crash := &FileMode{hook: func(string) error { return killed }}
		if err := crash.Do(t.Context(), step, undo, nil); !errors.Is(err, killed) {
			t.Fatal(err)
		}
		if _, err := crash.Undo(t.Context(), step, remediate.Record{Undo: undo}); !errors.Is(err, killed) {
			t.Fatal(err)
		}
		_, err = h.Undo(t.Context(), step, remediate.Record{Undo: undo})
		must(t, err)
		shows(t, path, was)
		must(t, h.Do(t.Context(), step, undo, nil))
		if _, err := crash.Undo(t.Context(), step, remediate.Record{Undo: undo}); !errors.Is(err, killed) {
			t.Fatal(err)
		}
		_, err = h.Undo(t.Context(), step, remediate.Record{Undo: undo})
		must(t, err)
		shows(t, path, was)
	}
}

func TestFileModeUndoAfterOthers(t *testing.T) {
	applied := func(t *testing.T) (*FileMode, plan.Step, json.RawMessage, string) {
		path := spoiled(t, 0o666)
		h, step := &FileMode{}, fileStep(path, "mode 0666 0644", "owner 65534:7 0:0")
		undo, err := h.Prepare(t.Context(), step)
		must(t, err)
		must(t, h.Do(t.Context(), step, undo, nil))
		return h, step, undo, path
	}
	for name, drift := range map[string]func(path string) error{
		"mode":  func(p string) error { return os.Chmod(p, 0o600) },
		"owner": func(p string) error { return os.Lchown(p, 33, 33) },
	} {
		h, step, undo, path := applied(t)
		must(t, drift(path))
		if _, err := h.Undo(t.Context(), step, remediate.Record{Undo: undo}); !errors.Is(err, remediate.ErrDrifted) || !strings.Contains(err.Error(), "65534:7 0666") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := h.Undo(t.Context(), step, remediate.Record{Undo: undo, Force: true}); err != nil {
			t.Errorf("%s by force: %v", name, err)
		}
		shows(t, path, "65534:7 0666")
	}

	h, step, undo, path := applied(t) // an editor writes a new file and renames it
	must(t, os.WriteFile(path+"~", []byte("new"), 0o644))
	must(t, os.Rename(path+"~", path))
	restored, err := h.Undo(t.Context(), step, remediate.Record{Undo: undo})
	must(t, err)
	if restored.How != plan.Functional || len(restored.Notes) != 1 || !strings.Contains(restored.Notes[0], "was replaced") {
		t.Errorf("%+v", restored)
	}
	shows(t, path, "65534:7 0666")

	h, step, undo, path = applied(t)
	must(t, os.Remove(path))
	if _, err := h.Undo(t.Context(), step, remediate.Record{Undo: undo}); !errors.Is(err, remediate.ErrDrifted) || !strings.Contains(err.Error(), "does not exist any more") {
		t.Errorf("removed: %v", err)
	}
	restored, err = h.Undo(t.Context(), step, remediate.Record{Undo: undo, Force: true})
	if err != nil || restored.How != plan.Functional || !restored.Nothing || len(restored.Notes) != 1 || !strings.Contains(restored.Notes[0], "does not exist any more") {
		t.Errorf("removed, by force: %+v %v", restored, err)
	}
}

func TestFileModeBelowARoot(t *testing.T) {
	path := spoiled(t, 0o666)
	h := &FileMode{Root: filepath.Dir(path)}
	step := fileStep("/daemon.json", "mode 0666 0644")
	undo, err := h.Prepare(t.Context(), step)
	must(t, err)
	must(t, h.Do(t.Context(), step, undo, nil))
	shows(t, path, "65534:7 0644")
	if strings.Contains(string(undo), h.Root) {
		t.Error("the root is no part of the record")
	}
}

func TestFileModeReadOnlyFileSystem(t *testing.T) {
	needRoot(t)
	const inside = "HOST_TEST_INSIDE"
	if os.Getenv(inside) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	path := spoiled(t, 0o666)
	dir := filepath.Dir(path)
	must(t, unix.Mount(dir, dir, "", unix.MS_BIND, ""))
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	must(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
	if _, err := (&FileMode{}).Prepare(t.Context(), fileStep(path, "mode 0666 0644")); !errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("got %v", err)
	}
}

func TestFileModeBadRecord(t *testing.T) {
	h, step := &FileMode{}, fileStep("/etc/x", "mode 0666 0644")
	if err := h.Do(t.Context(), step, json.RawMessage("{"), nil); err == nil || !strings.Contains(err.Error(), "internal error") {
		t.Errorf("got %v", err)
	}
	if _, err := h.Undo(t.Context(), step, remediate.Record{Undo: json.RawMessage("[]")}); err == nil || !strings.Contains(err.Error(), "internal error") {
		t.Errorf("got %v", err)
	}
}
