package container

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"docker-harden/plan"
	"docker-harden/remediate"
)

// chatty writes to its log and lives on.
var chatty = []string{"sh", "-c", "trap 'exit 0' TERM; echo out; echo err >&2; sleep 10000 & wait"}

// served makes a container, applies to it, and lets the new one write what only it has.
func served(t *testing.T, args ...string) (r *Recreator, step plan.Step, rec remediate.Record, was before) {
	t.Helper()
	h := Here(t)
	h.Docker(t, append(append(append([]string{"run", "-d", "--name", "web"}, args...), h.Image(t, "busybox")), chatty...)...)
	h.Docker(t, "exec", "web", "sh", "-c", "mkdir -p /data/sub && echo old >/data/old && echo same >/data/same && echo gone >/data/gone")
	was = remember(t, h, "web")
	r = recreator(t, h)
	step = hardening(t, h, "web")
	rec = done(t, r, step)
	h.Docker(t, "exec", "web", "sh", "-c", `echo news >/data/sub/new && chmod 640 /data/sub/new && chown 5:6 /data/sub/new && ln /data/sub/new /data/twin &&
		ln -s /data/old /data/link && mkfifo /data/fifo && rm /data/gone && echo changed >/data/old && touch /data/same &&
		truncate -s 64M /data/hole && mkdir -m 1777 /srv && echo said >/proc/1/fd/1`)
	return r, step, rec, was
}

// keptIn is the one directory with what was kept, as the report names it.
func keptIn(t *testing.T, r *Recreator, out remediate.Restored) string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(r.Options.State, keptName, "*"))
	if err != nil || len(dirs) != 1 || !strings.HasPrefix(filepath.Base(dirs[0]), "web.") {
		t.Fatalf("kept: %q, %v", dirs, err)
	}
	if len(out.Notes) == 0 || !strings.HasSuffix(out.Notes[len(out.Notes)-1], "its log is kept: "+dirs[0]+"/log") || out.How != plan.Exact {
		t.Errorf("the report does not name %s: %+v", dirs[0], out)
	}
	return dirs[0]
}

// What the hardened container wrote while it served goes nowhere: a rollback brings the old one back exactly, and keeps it.
func TestKept(t *testing.T) {
	r, step, rec, was := served(t)
	h := Here(t)
	log, err := os.ReadFile(look(t, h, "web").LogPath)
	if err != nil || !bytes.Contains(log, []byte("said")) {
		t.Fatalf("its log: %q %v", log, err)
	}
	out := undone(t, r, step, rec)
	was.isBack(t, h)
	dir := keptIn(t, r, out)
	contains(t, out.Notes[0], "what it wrote since it was made is kept in "+dir+"/files: /data/fifo, /data/hole, /data/link, /data/old, /data/sub/new, /data/twin, /srv")
	if got, err := os.ReadFile(filepath.Join(dir, "log")); err != nil || !bytes.Equal(got, log) {
		t.Errorf("the kept log: %v\n%s\nwas\n%s", err, got, log)
	}
	files := filepath.Join(dir, "files")
	for name, want := range map[string]string{"data/sub/new": "news\n", "data/twin": "news\n", "data/old": "changed\n"} {
		if got, err := os.ReadFile(filepath.Join(files, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"data/same", "data/gone"} {
		if _, err := os.Lstat(filepath.Join(files, name)); err == nil {
			t.Errorf("%s is kept", name)
		}
	}
	status := func(name string) (fs.FileInfo, *syscall.Stat_t) {
		info, err := os.Lstat(filepath.Join(files, name))
		if err != nil {
			t.Fatal(err)
		}
		return info, info.Sys().(*syscall.Stat_t)
	}
	info, st := status("data/sub/new")
	if _, twin := status("data/twin"); info.Mode() != 0o640 || st.Uid != 5 || st.Gid != 6 || st.Ino != twin.Ino {
		t.Errorf("data/sub/new: %s %d:%d, one file with its twin: %t", info.Mode(), st.Uid, st.Gid, st.Ino == twin.Ino)
	}
	if info, st := status("data/hole"); info.Size() != 64<<20 || st.Blocks > 100 {
		t.Errorf("data/hole has %d bytes in %d blocks", info.Size(), st.Blocks)
	}
	for name, want := range map[string]fs.FileMode{"data/link": fs.ModeSymlink | 0o777, "data/fifo": fs.ModeNamedPipe | 0o644, "srv": fs.ModeDir | fs.ModeSticky | 0o777} {
		if info, _ := status(name); info.Mode() != want {
			t.Errorf("%s: %s", name, info.Mode())
		}
	}
	h.Docker(t, "cp", "-a", files+"/.", "web:/") // as the documentation says
	if got := h.Docker(t, "exec", "web", "stat", "-c", "%a %u:%g %h", "/data/sub/new", "/data/twin"); got != "640 5:6 2\n640 5:6 2" {
		t.Errorf("put into the old container again: %s", got)
	}
	for _, private := range []string{dir, filepath.Dir(dir)} {
		if info, err := os.Stat(private); err != nil || info.Mode() != fs.ModeDir|privateMode {
			t.Errorf("%s: %v %v", private, info.Mode(), err)
		}
	}
}

// Only what is whole is said to be kept.
func TestKeptBefore(t *testing.T) {
	b := &back{r: &Recreator{Options: Options{State: t.TempDir()}}, rec: &record{Name: "web"}, notes: note{New: "0123456789abcdef"}}
	dir := filepath.Join(b.r.Options.State, keptName, "web.0123456789ab")
	for _, tt := range []struct {
		name string
		want string
	}{{"", ""}, {keptLog, dir}, {keptPart, ""}} {
		if err := os.MkdirAll(filepath.Join(dir, tt.name), 0o700); err != nil {
			t.Fatal(err)
		}
		if got := b.before(); got != tt.want {
			t.Errorf("with %q: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A log that only the engine can read is asked for; one that is elsewhere is left there.
func TestKeptLogOfOtherDrivers(t *testing.T) {
	for driver, want := range map[string]string{"local": " err\n", "none": ""} {
		t.Run(driver, func(t *testing.T) {
			h := Here(t)
			h.Docker(t, append([]string{"run", "-d", "--name", "web", "--log-driver", driver, h.Image(t, "busybox")}, chatty...)...)
			r, step := recreator(t, h), hardening(t, h, "web")
			out := undone(t, r, step, done(t, r, step))
			if want == "" {
				if len(out.Notes) > 0 || len(entriesOf(r)) > 0 {
					t.Errorf("kept: %q %q", out.Notes, entriesOf(r))
				}
				return
			}
			got, err := os.ReadFile(filepath.Join(keptIn(t, r, out), "log"))
			if err != nil || !strings.Contains(string(got), " out\n") || !strings.Contains(string(got), want) {
				t.Errorf("the log: %q, %v", got, err)
			}
		})
	}
}

func entriesOf(r *Recreator) []string {
	found, _ := filepath.Glob(filepath.Join(r.Options.State, keptName, "*", "*"))
	return found
}

// On another disk the log is copied.
func TestKeptOnAnotherDisk(t *testing.T) {
	r, step, rec, was := served(t)
	h := Here(t)
	log, err := os.ReadFile(look(t, h, "web").LogPath)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(r.Options.State, keptName), 0o700); err != nil {
		t.Fatal(err)
	}
	small(t, filepath.Join(r.Options.State, keptName), "256m")
	dir := keptIn(t, r, undone(t, r, step, rec))
	was.isBack(t, h)
	if got, err := os.ReadFile(filepath.Join(dir, "log")); err != nil || !bytes.Equal(got, log) {
		t.Errorf("the kept log: %v\n%s\nwas\n%s", err, got, log)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "files/data/twin")); err != nil || string(got) != "news\n" {
		t.Errorf("data/twin: %q, %v", got, err)
	}
}

// A container that is made again to show its old values has a new log, and the old one is kept.
func TestKeptOfAnExactUndo(t *testing.T) {
	h := Here(t)
	h.Docker(t, append([]string{"run", "-d", "--name", "web", h.Image(t, "busybox")}, chatty...)...)
	was := look(t, h, "web")
	log, err := os.ReadFile(was.LogPath)
	if err != nil || len(log) == 0 {
		t.Fatalf("its log: %q %v", log, err)
	}
	u, step := updater(t, h), limitStep(t, h, "web")
	rec := done(t, u, step)
	rec.Exact = true
	out := undone(t, u, step, rec)
	if now := look(t, h, "web"); now.ID == was.ID || len(out.Notes) != 2 {
		t.Fatalf("Undo: %+v", out)
	}
	dir := filepath.Join(stateDir, keptName, "web."+was.ID[:12])
	contains(t, out.Notes[1], "its log is kept: "+dir+"/log")
	if got, err := os.ReadFile(filepath.Join(dir, "log")); err != nil || !bytes.HasPrefix(got, log) {
		t.Errorf("the kept log: %v\n%s\nwas\n%s", err, got, log)
	}
}

// The limits of a container that is gone need no undo, and by force the host is not stuck with it.
func TestLimitsOfOneThatIsGone(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", h.Image(t, "busybox"))
	u, step := updater(t, h), limitStep(t, h, "web")
	rec := done(t, u, step)
	h.Docker(t, "rm", "-f", "web")
	if _, err := u.Undo(t.Context(), step, rec); !errors.Is(err, remediate.ErrDrifted) {
		t.Errorf("%v", err)
	}
	rec.Force = true
	if out, err := u.Undo(t.Context(), step, rec); err != nil || !out.Nothing || out.How != plan.Functional {
		t.Errorf("by force: %+v %v", out, err)
	}
}

// Docker Compose would start the old container beside the new one, so it goes at the end of an apply: but not its log.
func TestKeptOfACompose(t *testing.T) {
	h := Here(t)
	h.Docker(t, append([]string{"run", "-d", "--name", "web", "-l", "com.docker.compose.project=shop", "-l", "com.docker.compose.service=web", h.Image(t, "busybox")}, chatty...)...)
	was := look(t, h, "web")
	r, step := recreator(t, h), hardening(t, h, "web")
	rec := done(t, r, step)
	if got := containers(t, h); len(got) != 1 {
		t.Fatalf("there are %q", got)
	}
	name := filepath.Join(stateDir, keptName, "web."+was.ID[:12], "log")
	if got, err := os.ReadFile(name); err != nil || !bytes.Contains(got, []byte(`"log":"out\n"`)) {
		t.Errorf("%s: %q, %v", name, got, err)
	}
	out := undone(t, r, step, rec)
	if all := strings.Join(out.Notes, "\n"); !strings.Contains(all, "new id") || !strings.Contains(all, "its log is kept: ") || len(containers(t, h)) != 1 {
		t.Errorf("Undo: %+v; %s", out, list(t, h))
	}
}

// An engine that names something else as the file of a log is asked for the log.
func TestLogThatIsNone(t *testing.T) {
	dir := t.TempDir()
	file, link, fifo := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "fifo")
	if err := errors.Join(os.WriteFile(file, []byte("x"), 0o600), os.Symlink(file, link), syscall.Mkfifo(fifo, 0o600)); err != nil {
		t.Fatal(err)
	}
	for path, asked := range map[string]bool{file: false, link: true, fifo: true, dir: true, "": true, file + "/none": true, "/dev/zero": true} {
		c := &state{LogPath: path}
		c.HostConfig.LogConfig.Type = "json-file"
		if l := new(Recreator).logOf(c); l.asked != asked || len(l.files) > 0 == asked {
			t.Errorf("%q: %+v", path, l)
		}
	}
}

// A container whose data can be kept nowhere stays, stopped, and the report says so.
func TestKeptNowhere(t *testing.T) {
	for name, spoil := range map[string]func(*testing.T, *Recreator){
		"no directory": func(_ *testing.T, r *Recreator) { r.Options.State = "" },
		"a directory that others may enter": func(t *testing.T, r *Recreator) {
			if err := os.Mkdir(filepath.Join(r.Options.State, keptName), 0o755); err != nil {
				t.Fatal(err)
			}
		},
		"a disk without room": func(t *testing.T, r *Recreator) {
			if err := os.Mkdir(filepath.Join(r.Options.State, keptName), 0o700); err != nil {
				t.Fatal(err)
			}
			small(t, filepath.Join(r.Options.State, keptName), "1m")
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, step, rec, was := served(t)
			h := Here(t)
			h.Docker(t, "exec", "web", "sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x >/data/large")
			spoil(t, r)
			out := undone(t, r, step, rec)
			left := look(t, h, "web.dh-"+mark(t, rec)+"-new")
			if left == nil || left.State.Running || left.HostConfig.RestartPolicy.revived() {
				t.Fatalf("the hardened container did not stay: %s", list(t, h))
			}
			if len(out.Notes) != 1 || !strings.Contains(out.Notes[0], "container "+left.name()+" stays, stopped: ") {
				t.Errorf("the report: %+v", out)
			}
			h.Docker(t, "cp", left.name()+":/data/sub/new", filepath.Join(t.TempDir(), "new"))
			if found := entriesOf(r); len(found) > 0 && name != "a disk without room" {
				t.Errorf("there is %q", found)
			}
			h.Docker(t, "rm", left.name())
			was.isBack(t, h)
		})
	}
}

// small mounts a file system of its own for the rest of the test.
func small(t *testing.T, dir, size string) {
	t.Helper()
	if err := syscall.Mount("small", dir, "tmpfs", 0, "mode=700,size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
}

// mark is the mark of a step in the names of its containers.
func mark(t *testing.T, rec remediate.Record) string {
	t.Helper()
	recs, _, err := readRecord(rec)
	if err != nil {
		t.Fatal(err)
	}
	return recs[0].tx()
}
