package docker

import (
	"slices"
	"strings"
	"testing"
	"time"

	"docker-harden/plan"
	record "docker-harden/plan/evidence"
	"docker-harden/plan/inventory"
)

// wrote is a container that was seen to write into these.
func wrote(dirs ...record.Dir) *inventory.Container {
	c := watchedWeb()
	c.Learnt.Writes = record.Writes{Files: int64(len(dirs)), Dirs: dirs}
	return c
}

func TestLearntReadOnly(t *testing.T) {
	c := wrote(
		record.Dir{Path: "/run", Files: 1, Bytes: 3, Mode: 0o755, Image: record.ImageEmpty},
		record.Dir{Path: "/srv/spool", Files: 2, UID: 33, GID: 34, Mode: 0o1770, Image: record.ImageAbsent},
		record.Dir{Path: "/srv/spool/in", Files: 1, Image: record.ImageEmpty}, // is in the one above
		record.Dir{Path: "/var/lib/nginx", Files: 1, Mode: 0o700, Image: record.ImageEmpty},
	)
	a := one(t, answers(t, c, "docker/read-only-rootfs", ""))
	want := []string{"/run:uid=0,gid=0,mode=0755", "/srv/spool:uid=33,gid=34,mode=1770", "/var/lib/nginx:uid=0,gid=0,mode=0700"}
	if got := a.list("tmpfs"); a.Refused != "" || !slices.Equal(got, want) {
		t.Fatalf("%q: %q", a.Refused, got)
	}
	for _, line := range []string{"tmpfs on /run: it writes there", "[high]", "tmpfs on /srv/spool: it makes that itself", "[low]", "[medium]"} {
		if !strings.Contains(a.why(), line) {
			t.Errorf("no %q in\n%s", line, a.why())
		}
	}
	f := judged(t, c, "docker/read-only-rootfs", "")
	if !strings.Contains(f.Question, `accept: true, tmpfs: ["/run:uid=0,gid=0,mode=0755", `) {
		t.Errorf("asked %s", f.Question)
	}
	said := a.text()
	c.Learnt = nil
	f = judged(t, c, "docker/read-only-rootfs", said)
	if len(f.Changes) != 2 || string(f.Changes[1].To) != `{"/run":"uid=0,gid=0,mode=0755","/srv/spool":"uid=33,gid=34,mode=1770","/var/lib/nginx":"uid=0,gid=0,mode=0700"}` {
		t.Errorf("with the answer: %+v", f)
	}
	c.Inspect.Image = "sha256:other"
	if f := judged(t, c, "docker/read-only-rootfs", said); len(f.Changes) > 0 || !strings.Contains(f.Question, "before its image") {
		t.Errorf("of another image: %+v", f)
	}
	c.Inspect.HostConfig.ReadonlyRootfs, c.Proc.ReadOnlyRoot, c.Learnt = true, true, lived(c)
	if got := answers(t, c, "docker/read-only-rootfs", ""); len(got) != 0 {
		t.Errorf("it is so already: %+v", got)
	}
}

// Where it writes what nobody can put into a tmpfs, there is no answer, and it says where.
func TestLearntReadOnlyRefused(t *testing.T) {
	empty := func(path string) record.Dir {
		return record.Dir{Path: path, Files: 1, Mode: 0o755, Image: record.ImageEmpty}
	}
	for want, c := range map[string]*inventory.Container{
		"writes into /etc/nginx, where":           wrote(empty("/etc/nginx")),
		"writes into /usr, where":                 wrote(empty("/usr")),
		"writes into /bin, where":                 wrote(empty("/bin")),
		"writes into /lib64, where":               wrote(empty("/lib64")),
		"writes into /sbin/x, where":              wrote(empty("/sbin/x")),
		"writes files into / itself":              wrote(record.Dir{Path: "/", Image: record.ImageContent}),
		"what the image has in /x was not seen":   wrote(record.Dir{Path: "/x"}),
		"/a cannot be a volume: it has another":   mounting(wrote(record.Dir{Path: "/a", Image: record.ImageContent}), "/a/b"),
		"would hide: that is too much for a volu": wrote(record.Dir{Path: "/var", Image: record.ImageContent}),
		"Docker Compose made the container":       composed(wrote(record.Dir{Path: "/a", Image: record.ImageContent})),
		"keeps 5 B in /d, which would be gone":    composed(wrote(record.Dir{Path: "/d", Bytes: 5, Image: record.ImageEmpty})),
		"cannot be written in an option":          wrote(empty("/run/a:b")),
	} {
		if a := one(t, answers(t, c, "docker/read-only-rootfs", "")); !strings.Contains(a.Refused, want) || a.Params != nil || a.Why != nil {
			t.Errorf("%s: %+v", want, a)
		}
		f := judged(t, c, "docker/read-only-rootfs", "")
		if !strings.HasSuffix(f.Question, "accept: true, tmpfs: []}}}}]") || !strings.Contains(show([]plan.Finding{f}), "not answered: ") {
			t.Errorf("%s: asked %s", want, f.Question)
		}
	}
	// A place that a person has listed is decided.
	if a := one(t, answers(t, wrote(record.Dir{Path: "/data", Bytes: 5, Image: record.ImageEmpty}), "docker/read-only-rootfs", `tmpfs: ["/data:size=1m"]`)); a.Refused != "" || !slices.Equal(a.list("tmpfs"), []string{"/data:size=1m"}) {
		t.Errorf("%+v", a)
	}
	// /etcetera is not in /etc.
	if a := one(t, answers(t, wrote(empty("/etcetera")), "docker/read-only-rootfs", "")); a.Refused != "" {
		t.Errorf("%+v", a)
	}
}

func mounting(c *inventory.Container, place string) *inventory.Container {
	c.Inspect.Mounts = append(c.Inspect.Mounts, inventory.Mount{Type: "bind", Destination: place})
	return c
}

func composed(c *inventory.Container) *inventory.Container {
	c.Owner.Kind = inventory.OwnedByCompose
	return c
}

// Where it keeps data, or its image has files, it gets a volume, with the reason and how sure it is.
func TestLearntReadOnlyVolumes(t *testing.T) {
	c := wrote(
		record.Dir{Path: "/run", Files: 1, Bytes: 3, Mode: 0o755, Image: record.ImageEmpty},
		record.Dir{Path: "/srv/data", Files: 1, Bytes: 5, Image: record.ImageEmpty},
		record.Dir{Path: "/srv/data/sub", Files: 1, Bytes: 5, Image: record.ImageContent}, // is in the one above
		record.Dir{Path: "/srv/own", Files: 1, Bytes: 5, Image: record.ImageAbsent},
		record.Dir{Path: "/var/cache/app", Files: 1, Image: record.ImageContent},
	)
	a := one(t, answers(t, c, "docker/read-only-rootfs", "volumes: [/srv/listed]"))
	if a.Refused != "" || !slices.Equal(a.list("volumes"), []string{"/srv/listed", "/srv/data", "/srv/own", "/var/cache/app"}) || !slices.Equal(a.list("tmpfs"), []string{"/run:uid=0,gid=0,mode=0755"}) {
		t.Fatalf("%+v", a)
	}
	for _, line := range []string{
		"volume on /srv/data: it keeps 5 B in /srv/data, which would be gone from a tmpfs at every stop; all that is there is carried over [high]",
		"volume on /var/cache/app: the image has files in /var/cache/app, which a tmpfs would hide; all that is there is carried over [medium]",
	} {
		if !strings.Contains(a.why(), line) {
			t.Errorf("no %q in\n%s", line, a.why())
		}
	}
	if a := one(t, answers(t, c, "docker/read-only-rootfs", "volumes: [/srv/data/deep]")); !strings.Contains(a.Refused, "/srv/data cannot be a volume: it has another mount in it, on /srv/data/deep") {
		t.Errorf("one in another: %+v", a)
	}
	said := a.text()
	c.Learnt = nil
	if f := judged(t, c, "docker/read-only-rootfs", said); len(f.Changes) != 6 || f.Changes[2].Note != "how much is carried over was not looked at" {
		t.Errorf("%+v", f)
	}
	c.Held = map[string]inventory.Held{"/srv/listed": {}, "/srv/data": {Files: 2, Bytes: 5}, "/srv/own": {Files: 1}, "/var/cache/app": {Files: 1, Bytes: 2048}}
	f := judged(t, c, "docker/read-only-rootfs", said)
	if len(f.Changes) != 6 || f.Changes[3].Path != "Mounts[/srv/data].Volume" || f.Changes[3].Note != "2 files, 5 B, are carried over" {
		t.Errorf("with the answer: %+v", f)
	}
	h := ordinaryHost()
	h.Engine.SELinux = true
	if got := noVolume(h, c); !strings.Contains(got, "SELinux") {
		t.Error(got)
	}
	c.Inspect.GraphDriver.Name = "btrfs"
	if got := noVolume(h, c); !strings.Contains(got, "storage driver btrfs") {
		t.Error(got)
	}
	h.Engine.SELinux, h.Engine.Local = false, false
	if got := noVolume(h, c); !strings.Contains(got, "another host") {
		t.Error(got)
	}
	c.Owner.Kind = inventory.OwnedBySwarm
	if got := noVolume(ordinaryHost(), c); !strings.HasPrefix(got, "swarm made") {
		t.Error(got)
	}
}

// The inventory looks at the directories that the profile means to put into volumes, and at no others.
func TestGivenVolumes(t *testing.T) {
	p := load(t, []byte(`controls: {docker/read-only-rootfs: {}}
containers:
  - {match: web, controls: {docker/read-only-rootfs: {params: {accept: true, volumes: [/a, /b]}}}}
  - {match: db, controls: {docker/read-only-rootfs: {params: {volumes: [/a]}}}}
`))
	for name, want := range map[string][]string{"web": {"/a", "/b"}, "db": nil, "other": nil} {
		if got := GivenVolumes(p)(name); !slices.Equal(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := GivenVolumes(load(t, []byte("controls: {docker/icc: {}}\n")))("web"); got != nil {
		t.Errorf("without the control: %q", got)
	}
}

func TestLearntReadOnlyNotKnown(t *testing.T) {
	for want, change := range map[string]func(*record.File){
		"a second start":           func(f *record.File) { f.Windows[0].SecondStart = false },
		"was not seen: no overlay": func(f *record.File) { f.Writes.Problem = "no overlay" },
		"was not seen: no layers":  func(f *record.File) { f.Writes.DirsProblem = "no layers" },
		"learn again":              func(f *record.File) { f.Writes.Dirs = nil },
		"more places":              func(f *record.File) { f.Writes.DirsPartial = true },
	} {
		c := wrote(record.Dir{Path: "/run", Image: record.ImageEmpty})
		change(c.Learnt)
		if a := one(t, answers(t, c, "docker/read-only-rootfs", "")); !strings.Contains(a.Refused, want) {
			t.Errorf("%s: %+v", want, a)
		}
	}
	c := wrote(record.Dir{Path: "/run", Image: record.ImageEmpty})
	c.Learnt.Windows[0].Hook = "" // paths need no counters
	if a := one(t, answers(t, c, "docker/read-only-rootfs", "")); a.Refused != "" {
		t.Errorf("without counters: %+v", a)
	}
	h := ordinaryHost()
	h.Engine.UsernsRemap = true
	if a, _ := answerReadOnly(h, c, learntRule{}); !strings.Contains(a.Refused, "other numbers") {
		t.Errorf("with mapped users: %+v", a)
	}
	if a := one(t, answers(t, wrote(), "docker/read-only-rootfs", "")); len(a.list("tmpfs")) != 0 || !strings.Contains(a.why(), "it wrote nothing") {
		t.Errorf("nothing written: %+v", a)
	}
}

func TestLearntNoNewPrivileges(t *testing.T) {
	c := watchedWeb()
	c.Inspect.Config.User = "1000"
	c.Proc.Init.UID, c.Proc.Init.CapEff, c.Proc.Init.CapPrm = 1000, 0, 0
	c.Proc.All = []inventory.Process{c.Proc.Init}
	f := judged(t, c, "docker/no-new-privileges", "")
	if len(f.Changes) != 1 || len(f.Risk.Reasons) > 0 || !strings.Contains(show([]plan.Finding{f}), "gained nothing: none of 2 executions gained privileges, watched about an hour") {
		t.Errorf("nothing gains: %s", show([]plan.Finding{f}))
	}
	if got := answers(t, c, "docker/no-new-privileges", ""); len(got) != 0 {
		t.Errorf("nothing is asked: %+v", got)
	}
	// Something speaks against it, and a whole life without a gain answers that.
	c.Proc.Entry = &inventory.Executable{Path: "/usr/bin/ping", FileCaps: true}
	a := one(t, answers(t, c, "docker/no-new-privileges", ""))
	if a.Refused != "" || !strings.HasPrefix(a.text(), "accept: true, learnt: ") || !strings.Contains(a.why(), "[medium]") {
		t.Errorf("%+v", a)
	}
	said := a.text()
	if f := judged(t, c, "docker/no-new-privileges", said); len(f.Changes) != 1 || f.Question != "" {
		t.Errorf("with the answer: %+v", f)
	}
	c.Learnt.Windows[0].To = noon.Add(25 * time.Hour)
	if a := one(t, answers(t, c, "docker/no-new-privileges", "")); !strings.Contains(a.why(), "[high]") {
		t.Errorf("after a day: %s", a.why())
	}
	c.Learnt.Windows[0].Stops = 0
	if a := one(t, answers(t, c, "docker/no-new-privileges", "")); !strings.Contains(a.Refused, "an end") {
		t.Errorf("%+v", a)
	}
	c.Learnt.Execs = []record.Exec{{Path: "/bin/su", UID: 1000, Gained: true, Times: record.Times{Count: 3}}}
	const su = "/bin/su was executed 3 times and gained privileges (uid 1000, then 0)"
	if a := one(t, answers(t, c, "docker/no-new-privileges", "")); a.Refused != su {
		t.Errorf("%+v", a)
	}
	if f := judged(t, c, "docker/no-new-privileges", ""); len(f.Changes) > 0 || !strings.Contains(f.Question, su) {
		t.Errorf("%+v", f)
	}
	c.Inspect.Image = "sha256:other"
	if f := judged(t, c, "docker/no-new-privileges", said); len(f.Changes) > 0 || !strings.Contains(f.Question, "before its image") {
		t.Errorf("of another image: %+v", f)
	}
}

func TestLearntPrivileged(t *testing.T) {
	c := watchedWeb("CHOWN", "NET_ADMIN")
	c.Inspect.HostConfig.Privileged = true
	if got := answers(t, c, "docker/capabilities", ""); len(got) != 0 {
		t.Errorf("capabilities of a privileged container: %+v", got)
	}
	a := one(t, answers(t, c, "docker/privileged", ""))
	if !a.Asked || a.Refused != "" || !strings.HasPrefix(a.text(), "accept: true, caps: [CHOWN, NET_ADMIN], devices: [], learnt: ") ||
		!strings.Contains(a.why(), "which devices of the host it uses was not watched") || !strings.Contains(a.why(), "take the rest: not used") {
		t.Errorf("%+v", a)
	}
	f := judged(t, c, "docker/privileged", "")
	if !strings.Contains(f.Question, "which devices it uses was not watched") || !strings.Contains(f.Question, "caps: [CHOWN, NET_ADMIN]") {
		t.Errorf("asked %s", f.Question)
	}
	f = judged(t, c, "docker/privileged", a.text())
	if got := show([]plan.Finding{f}); !strings.Contains(got, `CapAdd null -> ["NET_ADMIN"]`) || !strings.Contains(got, "which devices it uses of its privilege was not observed") {
		t.Errorf("with the answer: %s", got)
	}
	c.Learnt.Windows[0].SecondStart = false
	if a := one(t, answers(t, c, "docker/privileged", "")); !strings.Contains(a.Refused, "a second start") {
		t.Errorf("%+v", a)
	}
	if f := judged(t, c, "docker/privileged", ""); strings.Contains(f.Question, "NET_ADMIN") {
		t.Errorf("half a life: %s", f.Question)
	}
}
