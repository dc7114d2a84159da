package casetest

import (
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/remediate"
)

// What a recreate would lose or change unsaid is refused: the plan says why, and so does the step
// should it come to that after the plan was made. Nothing is touched.
func TestRefused(t *testing.T) {
	h := host.Here(t)
	build(&stage{T: t, h: h}, "linked", "RUN ln -s /srv /link")
	dir := t.TempDir()
	for _, c := range []struct {
		row.Row
		name, image  string
		args         []string
		spoil        func(name string)
		plan, refuse string
		after        func(t *testing.T)
	}{
		{
			row.Row{ID: "9", Case: "source of a bind mount is missing", Apply: "blocked, refused; no directory is made"},
			"nosource", "",
			[]string{"-v", dir + "/gone:/x"},
			func(string) { h.Exec(t, "rm", "-r", dir+"/gone") }, "gone is missing on the host", "is missing on the host",
			func(t *testing.T) {
				if _, err := os.Stat(dir + "/gone"); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("the source is there: %v", err)
				}
			},
		},
		{
			row.Row{ID: "10", Case: "file of a bind mount was replaced", Apply: "blocked, refused"},
			"newinode", "",
			[]string{"-v", dir + "/file:/x"},
			func(string) { h.Exec(t, "sh", "-c", "echo new >"+dir+"/file.new && mv "+dir+"/file.new "+dir+"/file") },
			"file was replaced on the host since it started", "was replaced on the host since", nil,
		},
		{
			row.Row{ID: "10", Case: "directory of a bind mount was replaced, mounted behind a link of the image", Apply: "blocked, refused"},
			"newdirectory", "linked:1",
			[]string{"-v", dir + "/dir:/link/x"},
			func(string) { h.Exec(t, "sh", "-c", "mv "+dir+"/dir "+dir+"/dir.old && mkdir "+dir+"/dir") },
			"dir was replaced on the host since it started", "was replaced on the host since", nil,
		},
		{
			row.Row{ID: "40", Case: "--rm", Apply: "blocked, refused"},
			"autoremoved", "",
			[]string{"--rm", "-v", "/x"},
			nil,
			"it was started with --rm", "was started with --rm", nil,
		},
		{
			row.Row{ID: "64", Case: "task of a Swarm service", Apply: "blocked with the command to use instead, refused"},
			"task", "",
			[]string{"-l", "com.docker.swarm.service.name=shop", "-l", "com.docker.swarm.service.id=1", "-l", "com.docker.swarm.task.id=2"},
			nil,
			"owned by Swarm service shop", "belongs to swarm (shop)", nil,
		},
		{
			row.Row{ID: "64", Case: "container of a Kubernetes pod", Apply: "blocked with what to change instead, refused"},
			"k8s_web_shop_ns_1_0", "",
			[]string{"-l", "io.kubernetes.pod.name=shop", "-l", "io.kubernetes.pod.namespace=ns"},
			nil, "owned by Kubernetes pod ns/shop", "belongs to kubernetes (ns/shop)", nil,
		},
		{
			row.Row{ID: "12", Case: "files in the writable layer of a Compose service", Apply: "blocked, refused: the next docker compose up would drop them"},
			"composed", "",
			[]string{"-l", "com.docker.compose.project=shop", "-l", "com.docker.compose.service=composed"},
			func(name string) { h.Docker(t, "exec", name, "touch", "/written") },
			"would be lost at the next docker compose up", "docker compose up", nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			record(t, c.Row)
			for _, name := range []string{"gone", "dir"} {
				h.Exec(t, "mkdir", "-p", filepath.Join(dir, name))
			}
			h.Exec(t, "touch", dir+"/file")
			h.Docker(t, slices.Concat([]string{"run", "-d", "--name", c.name}, c.args, []string{cmp.Or(c.image, h.Image(t, "busybox")), "sh", "-c", asleep})...)
			s := step(t, h, c.name, hardened()...)
			if c.spoil != nil {
				c.spoil(c.name)
			}
			blocked(t, h, c.name, c.plan)
			refused(t, h, recreator(t, h), s, c.refuse)
			if c.after != nil {
				c.after(t)
			}
		})
	}
}

// A profile may want no files carried over: also not those that came after the plan.
func TestLayerRefused(t *testing.T) {
	record(t, row.Row{ID: "12", Case: "files in the writable layer and writable_layer: refuse in the profile", Apply: "blocked, refused, also when they came after the plan"})
	h := host.Here(t)
	h.Docker(t, "run", "-d", "--name", "web", h.Image(t, "busybox"), "sh", "-c", asleep)
	const refuse = strict + "recreate: {writable_layer: refuse}\n"
	clean := about(findings(t, h, refuse), "web")
	if len(clean) == 0 || clean[0].Blocked != "" || clean[0].WritableLayer != plan.LayerRefuse {
		t.Fatalf("with an empty layer the plan says %+v", clean)
	}
	h.Docker(t, "exec", "web", "touch", "/written")
	for _, f := range about(findings(t, h, refuse), "web") {
		contains(t, f.Blocked, "1 file in the writable layer (/written) and the profile says writable_layer: refuse")
	}
	s := step(t, h, "web", hardened()...)
	s.WritableLayer = plan.LayerRefuse
	refused(t, h, recreator(t, h), s, "the profile says writable_layer: refuse")
}

// Docker Compose puts secrets into the layer of each container it makes, before it starts it.
func TestComposeSecret(t *testing.T) {
	record(t, row.Row{ID: "13", Case: "secret that Compose put into the writable layer", Apply: "there", Rollback: "there; the old container is made again (another id)"})
	h := host.Here(t)
	h.Docker(t, "create", "--name", "web", "-l", "com.docker.compose.project=shop", "-l", "com.docker.compose.service=web", "-v", "data:/data", h.Image(t, "busybox"), "sh", "-c", asleep)
	dir := t.TempDir()
	h.Exec(t, "sh", "-c", "mkdir -p "+dir+"/run/secrets && echo hunter2 >"+dir+"/run/secrets/token && chmod 400 "+dir+"/run/secrets/token")
	h.Docker(t, "cp", dir+"/run", "web:/")
	h.Docker(t, "start", "web")
	secret := func() string {
		return h.Docker(t, "exec", "web", "sh", "-c", "cat /run/secrets/token; stat -c %a:%u /run/secrets/token")
	}
	want := secret()
	for _, f := range about(findings(t, h, strict), "web") {
		if f.Blocked != "" {
			t.Errorf("blocked: %s", f.Blocked)
		}
	}
	r, s := recreator(t, h), step(t, h, "web", hardened()...)
	rec := done(t, r, s)
	if got := secret(); got != want {
		t.Errorf("after apply %q, before %q", got, want)
	}
	undone(t, r, s, rec)
	if got := secret(); got != want {
		t.Errorf("after rollback %q, before %q", got, want)
	}
	if strings.Contains(mine(t, h, "web"), ".dh-") || status(t, h, "web", "NoNewPrivs") != "0" {
		t.Errorf("after rollback:\n%s", mine(t, h, "web"))
	}
}

// A docker run that systemd keeps running would make the container anew in its own way.
func TestSystemdUnit(t *testing.T) {
	if os.Getenv(onSystemd) != "" { // only there are systemd's processes what they seem
		for _, f := range findings(t, &host.Host{}, strict) {
			t.Logf("%s: %s", f.Resource, f.Blocked)
		}
		return
	}
	record(t, row.Row{ID: "41", Case: "docker run --rm of a systemd unit", Apply: "blocked with the unit's name, refused"})
	h := host.Start(t, host.Systemd())
	h.Start(t)
	image := h.Image(t, "busybox")
	unit := "[Service]\nExecStart=/usr/bin/docker run --rm --name web " + image + "\n"
	if err := os.WriteFile(h.Path("/etc/systemd/system/web.service"), []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	h.Exec(t, "systemctl", "start", "web.service")
	eventually(t, "it runs", func() bool { return h.Docker(t, "ps", "-q", "--filter", "name=web") != "" })
	_, err := recreator(t, h).Prepare(t.Context(), step(t, h, "web", hardened()...))
	if !errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), "--rm") {
		t.Errorf("Prepare: %v", err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const there = "/usr/local/bin/cases"
	h.CopyIn(t, exe, there)
	contains(t, h.Exec(t, "env", onSystemd+"=1", there, "-test.run=^TestSystemdUnit$", "-test.v"),
		"started by systemd unit web.service, which would make it again: add")
}

// onSystemd is set for this program when it runs on the host of TestSystemdUnit.
const onSystemd = "DOCKER_HARDEN_CASES_ON_SYSTEMD"

// Somebody prunes stopped containers: what was kept is gone, and the way back is the record.
func TestPrunedBetween(t *testing.T) {
	record(t, row.Row{
		ID: "66", Case: "docker container prune between apply and rollback", Apply: "hardened",
		Rollback: "made again from the record, with its volumes and the files of its layer; what differs is named",
	})
	h := host.Here(t)
	h.Docker(t, "run", "-d", "--name", "web", "-v", "/data", "--restart", "always", h.Image(t, "busybox"), "sh", "-c", asleep)
	h.Docker(t, "exec", "web", "sh", "-c", "echo volume >/data/file; echo layer >/file")
	was := inspect(t, h, "web")
	r, s := recreator(t, h), step(t, h, "web", hardened()...)
	rec := done(t, r, s)
	h.Docker(t, "container", "prune", "-f")
	out := undone(t, r, s, rec)
	if out.How != plan.Functional || !strings.Contains(strings.Join(out.Notes, ";"), "made again and has a new id") {
		t.Errorf("Undo: %+v", out)
	}
	if got := h.Docker(t, "exec", "web", "cat", "/data/file", "/file"); got != "volume\nlayer" {
		t.Errorf("files hold %q", got)
	}
	if found := differ(was, inspect(t, h, "web"), "HostConfig.Binds"); len(found) > 0 {
		t.Errorf("after rollback: %v", found)
	}
	if out := undone(t, r, s, rec); !out.Nothing {
		t.Errorf("a second Undo: %+v", out)
	}
}

// Nothing that this tool removes takes a volume with it.
func TestVolumesAreKept(t *testing.T) {
	record(t, row.Row{ID: "67", Case: "volumes when old and new containers are removed", Apply: "none is removed, none is left over", Rollback: "likewise"})
	h := host.Here(t)
	h.Docker(t, "run", "-d", "--name", "web", "-v", "/anon", "-v", "kept:/named", h.Image(t, "anonvol"))
	volumes := func() string {
		list := strings.Fields(h.Docker(t, "volume", "ls", "-q"))
		slices.Sort(list)
		return strings.Join(list, " ")
	}
	before := volumes()
	r, s := recreator(t, h), step(t, h, "web", hardened()...)
	rec := done(t, r, s)
	undone(t, r, s, rec) // removes the new one
	if got := volumes(); got != before {
		t.Errorf("after rollback %s, before %s", got, before)
	}
	rec = done(t, r, s)
	if err := r.Commit(t.Context(), s, rec); err != nil { // removes the old one
		t.Fatal(err)
	}
	if got := volumes(); got != before {
		t.Errorf("after the old one was removed %s, before %s", got, before)
	}
	undone(t, r, s, rec)
	if got := volumes(); got != before {
		t.Errorf("after a rollback from the record %s, before %s", got, before)
	}
}

// What a container keeps secret is in the undo record, which only the journal holds, and nowhere else.
func TestSecretsStayInTheJournal(t *testing.T) {
	record(t, row.Row{ID: "68", Case: "environment, labels and arguments with secrets", Apply: "in the undo record alone: not in plan, notes, progress or errors", Rollback: "not in its report"})
	h := host.Here(t)
	h.Docker(t, "run", "-d", "--name", "web", "-e", "DB_PASSWORD=hunter2", "-l", "token=hunter2", "--log-opt", "env=hunter2", h.Image(t, "busybox"),
		"sh", "-c", ": hunter2; "+asleep)
	r, st := recreator(t, h), planned(t, h, "web")
	if st == nil {
		t.Fatal("the plan does not recreate it")
	}
	undo, err := r.Prepare(t.Context(), *st)
	if err != nil {
		t.Fatal(err)
	}
	log := &notebook{}
	if err := r.Do(t.Context(), *st, undo, log); err != nil {
		t.Fatal(err)
	}
	bad := *st
	bad.Changes = []plan.Change{{Path: "Config.Env", From: json.RawMessage(`["A=hunter2"]`), To: json.RawMessage("null"), Kind: plan.KindRecreate}}
	bad.Resource.ID = inspect(t, h, "web").id()
	_, failed := r.Prepare(t.Context(), bad)
	out := undone(t, r, *st, remediate.Record{Undo: undo, Notes: log.notes})
	for what, v := range map[string]any{"plan": st, "notes": log.notes, "progress": log.said, "error": failed.Error(), "report": out} {
		if strings.Contains(text(v), "hunter2") {
			t.Errorf("the %s shows a secret: %s", what, text(v))
		}
	}
	if !strings.Contains(string(undo), "hunter2") {
		t.Error("the undo record lacks the environment: the container could not be made again from it")
	}
}
