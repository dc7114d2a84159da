package container

import (
	"strings"
	"testing"
	"time"

	"docker-harden/plan"
)

func TestRecreateDefaultContainer(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", "--restart", "unless-stopped", h.Image(t, "busybox"))
	was := remember(t, h, "web")
	r := recreator(t, h)
	r.Options.Stable = 2 * time.Second
	r.Engine = busy{r.Engine, r.Options.Stable}
	step := hardening(t, h, "web")
	rec := done(t, r, step)
	seen := time.Now()

	now := look(t, h, "web")
	if at, err := time.Parse(time.RFC3339Nano, now.State.StartedAt); err != nil || seen.Sub(at) < r.Options.Stable {
		t.Errorf("it started at %s (%v) and was trusted after %s, not %s", now.State.StartedAt, err, seen.Sub(at), r.Options.Stable)
	}
	if now.ID == was.c.ID || !now.State.Running {
		t.Fatalf("the new container is not in place: %s", list(t, h))
	}
	p := procOf(t, now)
	if mknod := mask([]string{"MKNOD"}); !p.Init.NoNewPrivs || p.Init.CapBnd&mknod != 0 || p.Init.CapBnd|mknod != procBound(t) {
		t.Errorf("kernel: NoNewPrivs %t, CapBnd %x", p.Init.NoNewPrivs, p.Init.CapBnd)
	}
	if got := now.HostConfig.RestartPolicy.Name; got != "unless-stopped" {
		t.Errorf("restart policy %q", got)
	}
	old := look(t, h, was.c.ID)
	if old == nil || old.State.Running || old.HostConfig.RestartPolicy.Name != "no" {
		t.Errorf("the kept container is not asleep: %+v", old)
	}

	out := undone(t, r, step, rec)
	if out.How != plan.Exact || len(out.Notes) > 0 || out.Nothing {
		t.Errorf("Undo: %+v", out)
	}
	was.isBack(t, h)
	again := undone(t, r, step, rec)
	if !again.Nothing || again.How != plan.Exact {
		t.Errorf("second Undo: %+v", again)
	}
	was.isBack(t, h)
}

// procBound is the engine's standard set.
func procBound(*testing.T) uint64 { return mask(standard) }

func TestRecreateTwiceGrowsNothing(t *testing.T) {
	h := Here(t)
	h.Docker(t, "network", "create", "--subnet", "10.77.0.0/24", "front")
	h.Docker(t, "network", "create", "--subnet", "10.78.0.0/24", "back")
	h.Docker(t, "run", "-d", "--name", "web", "--network", "front", "--ip", "10.77.0.9", "--network-alias", "www", h.Image(t, "busybox"))
	h.Docker(t, "network", "connect", "--ip", "10.78.0.9", "--alias", "api", "back", "web")
	r := recreator(t, h)
	for _, drop := range []string{"CAP_MKNOD", "CAP_NET_RAW"} {
		was := remember(t, h, "web")
		from := "null"
		if len(was.c.HostConfig.CapDrop) > 0 {
			from = `["CAP_MKNOD"]`
		}
		step := stepFor(t, h, "web", change("CapDrop", from, `["`+drop+`"]`))
		rec := done(t, r, step)
		if got := h.Docker(t, "inspect", "-f", "{{.NetworkSettings.Networks.front.IPAddress}} {{.NetworkSettings.Networks.back.IPAddress}}", "web"); got != "10.77.0.9 10.78.0.9" {
			t.Errorf("addresses: %s", got)
		}
		h.Docker(t, "run", "--rm", "--network", "back", h.Image(t, "busybox"), "nslookup", "api")
		undone(t, r, step, rec)
		was.isBack(t, h)
		rec = done(t, r, step)
		if err := r.Commit(t.Context(), step, rec); err != nil {
			t.Fatal(err)
		}
	}
	aliases := h.Docker(t, "inspect", "-f", "{{.NetworkSettings.Networks.front.Aliases}}", "web")
	id := h.Docker(t, "inspect", "-f", "{{.Id}}", "web")
	if aliases != "[www "+id[:12]+"]" && aliases != "[www]" {
		t.Errorf("aliases %s", aliases)
	}
	if got := list(t, h); strings.Count(got, "\n") != 0 {
		t.Errorf("left over:\n%s", got)
	}
}

func TestRecreateCreatedPrivileged(t *testing.T) {
	h := Here(t)
	h.Docker(t, "create", "--name", "box", "--privileged", "--restart", "always", h.Image(t, "busybox"))
	was := remember(t, h, "box")
	r := recreator(t, h)
	step := stepFor(t, h, "box", change("Privileged", "true", "false"))
	rec := done(t, r, step)
	now := look(t, h, "box")
	if now.State.Status != "created" || now.HostConfig.Privileged || len(now.HostConfig.SecurityOpt) != 0 {
		t.Errorf("new container: %s, privileged %t, %v", now.State.Status, now.HostConfig.Privileged, now.HostConfig.SecurityOpt)
	}
	if got := h.Docker(t, "inspect", "-f", "{{len .HostConfig.MaskedPaths}} {{.HostConfig.RestartPolicy.Name}}", "box"); strings.HasPrefix(got, "0 ") || !strings.HasSuffix(got, " always") {
		t.Errorf("masked paths and policy: %s", got)
	}
	undone(t, r, step, rec)
	was.isBack(t, h)
}

func TestRecreatePaused(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", h.Image(t, "busybox"))
	h.Docker(t, "pause", "web")
	was := remember(t, h, "web")
	r := recreator(t, h)
	step := hardening(t, h, "web")
	rec := done(t, r, step)
	if now := look(t, h, "web"); !now.State.Paused {
		t.Errorf("the new container is %s", now.State.Status)
	}
	undone(t, r, step, rec)
	was.isBack(t, h)
}

func TestRecreateNoEntrypoint(t *testing.T) {
	h := Here(t)
	h.Exec(t, "sh", "-c", "printf 'FROM "+h.Image(t, "busybox")+"\nENTRYPOINT [\"/bin/false\"]\n' | docker build -q -t entry -")
	h.Docker(t, "run", "-d", "--name", "web", "--entrypoint", "", "entry", "sh", "-c", "trap exit TERM; sleep 999 & wait")
	was := remember(t, h, "web")
	r := recreator(t, h)
	step := hardening(t, h, "web")
	rec := done(t, r, step)
	if got := h.Docker(t, "inspect", "-f", "{{.Path}} {{json .Config.Entrypoint}}", "web"); got != "sh null" {
		t.Errorf("command: %s", got)
	}
	undone(t, r, step, rec)
	was.isBack(t, h)
}

func TestRecreateAnonymousVolume(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "db", "-v", "/scratch", "--mount", "type=volume,dst=/more", h.Image(t, "anonvol"))
	h.Docker(t, "exec", "db", "sh", "-c", "rm /data/hello; echo 1 >/scratch/x; echo 2 >/more/x")
	was := remember(t, h, "db")
	volumes := h.Docker(t, "volume", "ls", "-q")
	r := recreator(t, h)
	step := hardening(t, h, "db")
	rec := done(t, r, step)
	// The emptied volume stays empty although the image has content there.
	if got := h.Docker(t, "exec", "db", "sh", "-c", "ls /data; cat /scratch/x /more/x"); got != "1\n2" {
		t.Errorf("volumes hold %q", got)
	}
	if got := h.Docker(t, "volume", "ls", "-q"); got != volumes {
		t.Errorf("volumes:\n%s\nbefore:\n%s", got, volumes)
	}
	undone(t, r, step, rec)
	was.isBack(t, h)
	rec = done(t, r, step)
	if err := r.Commit(t.Context(), step, rec); err != nil {
		t.Fatal(err)
	}
	if got := h.Docker(t, "volume", "ls", "-q"); got != volumes {
		t.Errorf("volumes after commit:\n%s\nbefore:\n%s", got, volumes)
	}
}

func TestRecreateDirtyLayer(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", h.Image(t, "anonvol"))
	h.Docker(t, "exec", "web", "sh", "-c", `mkdir -p /srv/deep && echo hi >/srv/deep/a && ln /srv/deep/a /srv/deep/b && ln -s a /srv/deep/c &&
		chown -R 7:8 /srv && chmod 4750 /srv/deep/a && touch -d @1000000000 /srv/deep/a /srv/deep && mkfifo /srv/pipe && mknod /srv/null c 1 3 &&
		rm /bin/uniq && rm -rf /var && mkdir /var && echo x >/var/x`)
	h.Exec(t, "sh", "-c", "setfattr -n user.note -v yes $(docker inspect -f '{{.GraphDriver.Data.UpperDir}}' web)/srv/deep/a 2>/dev/null || true")
	was := remember(t, h, "web")
	show := "cd / && stat -c '%n %a %u:%g %F %h %s %Y' /srv/* /srv/deep/* /var /var/x; ls /bin/uniq; true"
	want := h.Docker(t, "exec", "web", "sh", "-c", show)
	r := recreator(t, h)
	step := hardening(t, h, "web")
	rec := done(t, r, step)
	if got := h.Docker(t, "exec", "web", "sh", "-c", show); got != want {
		t.Errorf("in the new container:\n%s\nin the old one:\n%s", got, want)
	}
	if got := h.Docker(t, "diff", "web"); sorted(got) != was.diff {
		t.Errorf("its layer:\n%s\nwas:\n%s", got, was.diff)
	}
	h.Docker(t, "exec", "web", "sh", "-c", "echo new >/srv/since")
	out := undone(t, r, step, rec)
	if out.How != plan.Exact || len(out.Notes) != 1 || !strings.Contains(out.Notes[0], "/srv/since") {
		t.Errorf("Undo: %+v", out)
	}
	was.isBack(t, h)
}

func TestRecreateReadOnly(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", h.Image(t, "busybox"), "sh", "-ec", "date >/tmp/date; trap exit TERM; sleep 999 & wait")
	was := remember(t, h, "web")
	r := recreator(t, h)
	step := stepFor(t, h, "web", change("ReadonlyRootfs", "false", "true"), change("Tmpfs", "null", `{"/tmp":"rw,noexec,nosuid,nodev,size=1m"}`))
	rec := done(t, r, step)
	now := look(t, h, "web")
	if !procOf(t, now).ReadOnlyRoot {
		t.Error("the root file system can be written")
	}
	if got := h.Docker(t, "exec", "web", "sh", "-c", "touch /file 2>&1; test -s /tmp/date && echo yes"); !strings.Contains(got, "Read-only") || !strings.HasSuffix(got, "yes") {
		t.Errorf("inside: %s", got)
	}
	undone(t, r, step, rec)
	was.isBack(t, h)
}
