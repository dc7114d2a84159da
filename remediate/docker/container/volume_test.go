package container

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/pkg/xattr"

	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/container/layer"
)

const dataDir = "/srv/app"

// keeps runs a container whose image has files in a directory, which it has changed, deleted and added to.
func keeps(t *testing.T, h *host.Host, args ...string) {
	t.Helper()
	h.Docker(t, "run", "-d", "--name", "draft", h.Image(t, "busybox"))
	h.Docker(t, "exec", "draft", "sh", "-c", `mkdir -p /srv/app/sub /srv/app/gone && cd /srv/app && echo image >kept && echo image >changed && echo image >deleted &&
		echo image >sub/kept && echo image >gone/x && ln kept kept-too && ln -s kept link && chown 7:8 sub && chmod 1777 sub && ln -s srv /way`)
	h.Docker(t, "commit", "draft", "app")
	h.Docker(t, "rm", "-f", "draft")
	h.Docker(t, append(append([]string{"run", "-d", "--name", "web", "--restart", "always"}, args...), "app")...)
	h.Docker(t, "exec", "web", "sh", "-c", `cd /srv/app && echo web >changed && rm -r deleted gone && echo web >sub/new && ln sub/new new-too && mkfifo pipe && mkdir gone &&
		chown 3:4 sub/new && chmod 4711 sub/new && echo beside >/beside && chmod 750 /srv/app && touch -d '2001-02-03 04:05:06' changed sub .`)
	inside := h.Path("/proc/" + strconv.Itoa(look(t, h, "web").State.PID) + "/root" + dataDir + "/changed")
	if err := xattr.Set(inside, "user.note", []byte("yes")); err != nil {
		t.Fatal(err)
	}
}

// files are all that a running container has in a directory, as it sees it: content, owner, mode, times, attributes, links.
func files(t *testing.T, h *host.Host, name, dir string) map[string]string {
	t.Helper()
	return filesOf(t, h.Path("/proc/"+strconv.Itoa(look(t, h, name).State.PID)+"/root"+dir))
}

func filesOf(t *testing.T, top string) map[string]string {
	t.Helper()
	out, first := make(map[string]string), make(map[uint64]string)
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(top, path)
		st := info.Sys().(*syscall.Stat_t)
		text := fmt.Sprintf("%s %d:%d %d.%d", info.Mode(), st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec)
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if first[st.Ino] == "" {
				first[st.Ino] = rel
			}
			text += fmt.Sprintf(" %x one with %s", sha256.Sum256(data), first[st.Ino])
		}
		if target, err := os.Readlink(path); err == nil {
			text += " to " + target
		}
		names, _ := xattr.LList(path)
		for _, n := range names {
			value, _ := xattr.LGet(path, n)
			text += fmt.Sprintf(" %s=%q", n, value)
		}
		out[rel] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sameFiles(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			t.Errorf("%s: %s is %q, want %q", what, name, got[name], want[name])
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %s is more than there was", what, name)
		}
	}
}

func intoVolume(place string) plan.Change {
	return plan.Change{Path: plan.VolumePath(place), From: json.RawMessage(`"layer"`), To: json.RawMessage(`"volume"`), Kind: plan.KindRecreate, Reversibility: plan.Exact}
}

// keeping is the step that makes the root file system read-only and gives its data a volume.
func keeping(t *testing.T, h *host.Host) plan.Step {
	t.Helper()
	return stepFor(t, h, "web", change("ReadonlyRootfs", "false", "true"), intoVolume(dataDir))
}

func volumes(t *testing.T, h *host.Host) []string {
	t.Helper()
	return strings.Fields(h.Docker(t, "volume", "ls", "-q"))
}

// What the container has in the directory is in the volume to the byte; it can be written while the rest cannot; nothing
// of it is in the layer. A rollback has the old container as it was, and the volume stays when it was written to.
func TestVolumeTakesWhatIsThere(t *testing.T) {
	h := Here(t)
	keeps(t, h)
	was, had := remember(t, h, "web"), files(t, h, "web", dataDir)
	if len(had) < 11 || strings.Contains(fmt.Sprint(had), "deleted") {
		t.Fatalf("the container has %v", had)
	}
	r, step := recreator(t, h), keeping(t, h)
	rec := done(t, r, step)
	sameFiles(t, "after the apply", files(t, h, "web", dataDir), had)
	now := look(t, h, "web")
	if p := procOf(t, now); !p.ReadOnlyRoot {
		t.Error("its root can be written")
	}
	name := volumes(t, h)
	if len(name) != 1 || !strings.HasPrefix(name[0], "docker-harden-web-t") || !strings.HasSuffix(name[0], "-srv-app") {
		t.Fatalf("volumes: %q", name)
	}
	if got := h.Docker(t, "volume", "inspect", "-f", "{{index .Labels \"docker-harden.container\"}} {{index .Labels \"docker-harden.path\"}}", name[0]); got != "web /srv/app" {
		t.Errorf("labels: %s", got)
	}
	if upper, err := os.ReadDir(h.Path(now.GraphDriver.Data["UpperDir"] + dataDir)); err != nil && !os.IsNotExist(err) || len(upper) > 0 {
		t.Errorf("in the layer below the volume: %v, %v", upper, err)
	}
	if got := h.Docker(t, "exec", "web", "sh", "-c", "cat /beside; echo more >/srv/app/sub/more && echo changed >/srv/app/kept && (echo x >/x) 2>/dev/null || echo refused"); got != "beside\nrefused" {
		t.Errorf("in it: %q", got)
	}
	h.Docker(t, "restart", "-t", "0", "web")
	if got := h.Docker(t, "exec", "web", "cat", "/srv/app/kept-too", "/srv/app/sub/more"); got != "changed\nmore" {
		t.Errorf("after a restart: %q", got)
	}

	for _, nothing := range []bool{false, true} {
		out := undone(t, r, step, rec)
		if out.How != plan.Exact || out.Nothing != nothing || len(out.Notes) != 1 || !strings.Contains(out.Notes[0], "volume "+name[0]+" stays: the hardened container wrote to it as its /srv/app") {
			t.Errorf("Undo: %+v", out)
		}
		was.isBack(t, h)
		sameFiles(t, "after the rollback", files(t, h, "web", dataDir), had)
	}
	if got := filesOf(t, h.Path(h.Docker(t, "volume", "inspect", "-f", "{{.Mountpoint}}", name[0]))); got["sub/more"] == "" || got["sub/new"] != had["sub/new"] {
		t.Errorf("the volume that stays has %v", got)
	}
}

// A volume that nobody wrote to goes with the rollback; a removed old container gets back what is in the volume.
func TestVolumeOfARollback(t *testing.T) {
	h := Here(t)
	keeps(t, h)
	was, had := remember(t, h, "web"), files(t, h, "web", dataDir)
	r, step := recreator(t, h), keeping(t, h)
	rec := done(t, r, step)
	if out := undone(t, r, step, rec); out.How != plan.Exact || len(out.Notes) > 0 {
		t.Errorf("Undo: %+v", out)
	}
	was.isBack(t, h)
	sameFiles(t, "after the rollback", files(t, h, "web", dataDir), had)
	if left := volumes(t, h); len(left) > 0 {
		t.Errorf("left: %q", left)
	}

	rec = done(t, r, step)
	h.Docker(t, "exec", "web", "sh", "-c", "echo since >/srv/app/since; rm /srv/app/kept")
	had = files(t, h, "web", dataDir)
	if err := r.Commit(t.Context(), step, rec); err != nil {
		t.Fatal(err)
	}
	out := undone(t, r, step, rec)
	if out.How != plan.Functional || !strings.Contains(strings.Join(out.Notes, "\n"), "what it has in /srv/app is that of volume docker-harden-web-") {
		t.Errorf("Undo: %+v", out)
	}
	sameFiles(t, "made again", files(t, h, "web", dataDir), had)
	if got := h.Docker(t, "exec", "web", "sh", "-c", "cat /beside; echo x >/srv/app/x && cat /srv/app/x"); got != "beside\nx" {
		t.Errorf("in it: %q", got)
	}
	if left := volumes(t, h); len(left) != 1 {
		t.Errorf("the volume that was written to is gone: %q", left)
	}
}

// What would not be the same in a volume is refused before anything is touched.
func TestVolumeRefused(t *testing.T) {
	h := Here(t)
	keeps(t, h, "-v", "/srv/app/sub/deep", "--tmpfs", "/srv/tmp")
	h.Docker(t, "exec", "web", "sh", "-c", "mkdir /linked /taken && echo x >/linked/a && ln /linked/a /outside")
	h.Docker(t, "volume", "create", "docker-harden-web-tz-taken")
	was := remember(t, h, "web")
	r := recreator(t, h)
	r.Options.TX = func() string { return "tz" }
	for place, want := range map[string]string{
		"/none": "no such directory", "/beside": "is a file", "/way/app": "way is a symbolic link", "/linked": "is a hard link to a file outside",
		"/srv/app": "something is mounted on /srv/app/sub/deep", "/srv/tmp/x": "something is mounted on /srv/tmp", "/srv/app/sub/deep": "something is mounted on /srv/app/sub/deep already",
		"/taken": "a volume named docker-harden-web-tz-taken exists already",
	} {
		_, err := r.Prepare(t.Context(), stepFor(t, h, "web", intoVolume(place)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", place, err)
		}
	}
	was.isBack(t, h)
	h.Docker(t, "rm", "-f", "-v", "web")
	h.Docker(t, "run", "-d", "--name", "web", "--label", "com.docker.compose.project=shop", "app")
	if _, err := r.Prepare(t.Context(), stepFor(t, h, "web", intoVolume(dataDir))); err == nil || !strings.Contains(err.Error(), "belongs to Docker Compose") {
		t.Errorf("a service of Compose: %v", err)
	}
}

// What goes into volumes has to find room beside what is carried over in the layer.
func TestVolumeRoom(t *testing.T) {
	r, rec, l := &Recreator{}, &record{Name: "web"}, layer.Layer{Upper: t.TempDir()}
	if err := r.volumeRoom(t.TempDir(), l, new(state), layer.Written{Files: 1, Bytes: 1}, rec); err != nil {
		t.Error(err)
	}
	err := r.volumeRoom(t.TempDir(), l, new(state), layer.Written{Files: 1, Bytes: 1 << 60}, rec)
	if !errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), "no room to copy what goes into volumes of web") {
		t.Errorf("%v", err)
	}
	if err := r.volumeRoom(filepath.Join(t.TempDir(), "none"), l, new(state), layer.Written{}, rec); !errors.Is(err, remediate.ErrRefused) {
		t.Errorf("a directory that is not there: %v", err)
	}
	big := filepath.Join(l.Upper, "big")
	f, err := os.Create(big)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(1<<42), f.Close()); err != nil {
		t.Fatal(err)
	}
	if err := r.volumeRoom(filepath.Dir(l.Upper), l, new(state), layer.Written{}, rec); !errors.Is(err, remediate.ErrRefused) {
		t.Errorf("beside a layer of 4 TiB: %v", err)
	}
}

// Killed before any call or note, there and back, all comes back exactly, and nothing is left.
func TestKilledAnywhereWithAVolume(t *testing.T) {
	h := Here(t)
	keeps(t, h)
	was, had := remember(t, h, "web"), files(t, h, "web", dataDir)
	step := keeping(t, h)
	isBack := func(t *testing.T) {
		t.Helper()
		was.isBack(t, h)
		sameFiles(t, "after the rollback", files(t, h, "web", dataDir), had)
		if left := volumes(t, h); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	}
	for _, d := range []struct {
		what  string
		death func(n int) death
	}{
		{"call", func(n int) death { return death{calls: n} }},
		{"note", func(n int) death { return death{notes: n} }},
	} {
		for n, finished, ok := 1, false, true; ok && !finished; n += stride(5) {
			ok = t.Run(fmt.Sprint(d.what, " ", n), func(t *testing.T) {
				finished = killed(t, h, step, d.death(n))
				isBack(t)
			})
		}
	}
	for n, finished, ok := 1, false, true; ok && !finished; n += stride(5) {
		ok = t.Run(fmt.Sprint("call of the undo ", n), func(t *testing.T) {
			r := recreator(t, h)
			rec := done(t, r, step)
			_, err := (&Recreator{Engine: &mortal{Engine: h.Client(t), left: n}, Options: fast()}).Undo(t.Context(), step, rec)
			finished = err == nil
			oneOnly(t, h)
			undone(t, r, step, rec)
			isBack(t)
		})
	}
}

// A container that fails with its volume, after it wrote to it: the old one serves again, and what was written is named.
func TestVolumeOfAFailure(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", h.Image(t, "busybox"), "sh", "-c", "mkdir -p /srv/app && echo start >>/srv/app/log && echo x >/x && sleep 1000")
	eventually(t, "it has started", func() bool {
		_, err := os.Stat(h.Path(look(t, h, "web").GraphDriver.Data["UpperDir"] + "/x"))
		return err == nil
	})
	was, had := remember(t, h, "web"), files(t, h, "web", dataDir)
	r, step := recreator(t, h), keeping(t, h)
	undo, err := r.Prepare(t.Context(), step)
	if err != nil {
		t.Fatal(err)
	}
	log := &notebook{}
	if err := r.Do(t.Context(), step, undo, log); err == nil {
		t.Fatal("it cannot write /x, and passed")
	}
	sameFiles(t, "of the old one", filesOf(t, h.Path(was.c.GraphDriver.Data["UpperDir"]+dataDir)), had)
	out := undone(t, r, step, remediate.Record{Undo: undo, Notes: log.notes})
	left, notes := volumes(t, h), others(out.Notes)
	if len(left) != 1 || len(notes) != 1 || !strings.Contains(notes[0], left[0]+" stays") {
		t.Errorf("Undo: %+v; left: %q", out, left)
	}
}

// What was copied of a container that ran meanwhile is not all that it has.
func TestStill(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", h.Image(t, "busybox"))
	a, err := open(t.Context(), h.Client(t))
	if err != nil {
		t.Fatal(err)
	}
	x := &swap{a: a, rec: &record{Name: "web"}, old: look(t, h, "web")}
	for _, tt := range []struct {
		verb  string
		still bool
	}{{"stop", true}, {"start", false}, {"stop", false}} {
		h.Docker(t, tt.verb, "web")
		if err := x.still(t.Context()); (err == nil) != tt.still {
			t.Errorf("after %s: %v", tt.verb, err)
		}
	}
	h.Docker(t, "rm", "web")
	if x.still(t.Context()) == nil {
		t.Error("one that is gone stands still")
	}
}
