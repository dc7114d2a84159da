//go:build reliability

package faulttest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"docker-harden/cmd/testhost/host"
)

// stride is how many pages a search for the edge leaps.
const stride = 8

const someKeys = "{\n  \"log-level\": \"debug\",\n\t\"labels\": [\"a=b\"]\n}\n"

// The state directory fills up at every page that a run wants: whatever is written then (service file, plan
// copy, first line, its end, reserve, any record) fails once. Nothing is half done: refused before the
// first change, or rolled back.
func TestFullStateDirectory(t *testing.T) {
	shared := newRig(t, "", "aa")
	for name, args := range map[string][]string{"update": update, "recreate": recreate} {
		t.Run(name, func(t *testing.T) {
			g := shared.in(t)
			g.prove("enospc-journal-"+name, "state directory full at the n-th page that an apply writes ("+name+")",
				"refused with nothing begun, or undone; the message says what there is no space for", "works on the full disk")
			g.state = "/run/state-" + name
			g.host.Exec(t, "mkdir", "-m", "700", g.state)
			g.mount("-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", g.state)
			g.flags = []string{"--state-dir", g.state}
			plan := g.plan(append(args, "container/aa")...)
			before := g.look()
			refused, undone, fine := 0, 0, false
			for pages := 0; ; {
				if pages > 400 {
					t.Fatal("it never fits")
				}
				g.fill(g.state, pages)
				r := g.start("apply", plan, "--yes", "--stable", "300ms").wait()
				switch r.code {
				case 1:
					refused++
					g.says(r, "no space left")
					if n := g.generations(); n != undone {
						t.Errorf("%d pages: %d generations, want %d", pages, n, undone)
					}
				case 3:
					undone++
					g.says(r, "no space left")
				case 0:
					undone++
					g.fill(g.state, 0)
					g.run(0, "rollback", "--yes")
					g.same(before, "after the rollback")
					if fine {
						t.Logf("refused %d times, undone %d times, applied with %d pages", refused, undone, pages)
						if refused < 4 {
							t.Errorf("refused %d times only: this did not test what it should", refused)
						}
						return
					}
				default:
					t.Fatalf("%d pages: exit %d", pages, r.code)
				}
				g.same(before, "with too few pages free")
				if t.Failed() {
					return
				}
				// The big pieces in big strides; when they fit, back by one, and on page by page.
				switch {
				case fine:
					pages++
				case r.code == 1:
					pages += stride
				default:
					fine, pages = true, max(0, pages-stride)+1
				}
			}
		})
	}
}

// /etc/docker is full: the new daemon.json is not begun, the old one is not touched.
func TestFullEtcDocker(t *testing.T) {
	g := newRig(t, someKeys)
	g.prove("enospc-daemon-json", "no space for the new daemon.json (a tmpfs as /etc/docker)", "undone, old file untouched, no temporary file", "")
	g.mount("-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", "/etc/docker")
	g.host.WriteDaemonJSON(t, someKeys)
	g.host.Restart(t)
	plan := g.plan(engine...)
	before := g.look()
	g.fill("/etc/docker", 0)
	r := g.run(3, "apply", plan, "--yes")
	g.says(r, "daemon.json", "no space left", "Nothing changed on this host")
	g.same(before, "after the failed apply")
	g.run(0, "status")
	if err := os.Remove(g.path("/etc/docker/filler")); err != nil {
		t.Fatal(err)
	}
	g.run(0, "apply", g.plan(engine...), "--yes")
	g.run(0, "rollback", "--yes")
	g.same(before, "after the rollback")
}

// The plan itself cannot be saved: what was there before stays.
func TestFullOutFile(t *testing.T) {
	g := newRig(t, someKeys)
	g.prove("enospc-out-file", "no space for the file of plan -o", "exit 1, the file that was there is untouched, no temporary file", "")
	g.host.Exec(t, "mkdir", "/run/out")
	g.mount("-t", "tmpfs", "-o", "size=128k,mode=700", "tmpfs", "/run/out")
	const file = "/run/out/host.plan"
	g.run(0, "plan", "-o", file)
	old := g.read(file)
	for pages := range 3 {
		g.fill("/run/out", pages)
		g.says(g.run(1, "plan", "-o", file), "cannot write "+file, "no space left")
		entries, err := os.ReadDir(g.path("/run/out"))
		if err != nil || len(entries) != 2 || g.read(file) != old {
			t.Errorf("%d pages: %v %v", pages, entries, err)
		}
	}
	g.fill("/run/out", 0)
	g.says(g.run(1, "snapshot", "-o", "/run/out/host.snapshot"), "cannot write /run/out/host.snapshot", "no space left")
}

// What an administrator did to keep daemon.json as it is, is left as it is, and named.
func TestDaemonJSONThatCannotBeReplaced(t *testing.T) {
	shared := newRig(t, someKeys)
	for _, test := range []struct {
		id, what string
		spoil    func(*rig)
		mend     func(*rig)
		words    []string
	}{
		{
			"read-only-etc", "/etc/docker is mounted read-only",
			func(g *rig) {
				g.host.Exec(g.T, "mount", "--bind", "/etc/docker", "/etc/docker")
				g.host.Exec(g.T, "mount", "-o", "remount,bind,ro", "/etc/docker")
			},
			func(g *rig) { g.host.Exec(g.T, "umount", "/etc/docker") },
			[]string{"read-only"},
		},
		{
			"bind-mounted", "daemon.json is bind-mounted (EBUSY)",
			func(g *rig) {
				g.host.Exec(g.T, "cp", "-p", host.DaemonJSON, "/run/daemon.json")
				g.host.Exec(g.T, "mount", "--bind", "/run/daemon.json", host.DaemonJSON)
			},
			func(g *rig) { g.host.Exec(g.T, "umount", host.DaemonJSON) },
			[]string{"mount point"},
		},
		{
			"immutable", "daemon.json is immutable (chattr +i)",
			func(g *rig) { g.host.Exec(g.T, "chattr", "+i", host.DaemonJSON) },
			func(g *rig) { g.host.Exec(g.T, "chattr", "-i", host.DaemonJSON) },
			[]string{"immutable", "chattr -i"},
		},
		{
			"append-only", "daemon.json is append-only (chattr +a)",
			func(g *rig) { g.host.Exec(g.T, "chattr", "+a", host.DaemonJSON) },
			func(g *rig) { g.host.Exec(g.T, "chattr", "-a", host.DaemonJSON) },
			[]string{"append-only", "chattr -a"},
		},
		{
			"hard-link", "daemon.json has a second name (hard link)",
			func(g *rig) { g.host.Exec(g.T, "ln", host.DaemonJSON, "/etc/daemon.json.second") },
			func(g *rig) { g.host.Exec(g.T, "rm", "/etc/daemon.json.second") },
			[]string{"hard links"},
		},
	} {
		t.Run(test.id, func(t *testing.T) {
			g := shared.in(t)
			g.prove(test.id, test.what, "refused before anything is touched, with the reason", "")
			before := g.look()
			test.spoil(g)
			defer test.mend(g)
			g.host.Restart(t) // for any change of the file, also of its links alone, looks like one that the engine has not read
			planned := g.run(0, "plan", "-o", "host.plan", "-p", "baseline", "daemon")
			r := g.start("apply", "host.plan", "--yes").wait()
			saidByPlan := r.code == 0 && strings.Contains(r.stdout, "Nothing to do.")
			if r.code != 1 && r.code != 8 && !saidByPlan || g.generations() > 0 {
				t.Errorf("exit %d with %d generations: not refused", r.code, g.generations())
			}
			if saidByPlan {
				r.stdout += planned.stdout
			}
			g.says(r, append(test.words, "daemon.json")...)
			g.same(before, "after the refusal")
		})
	}
	shared.host.Restart(t)
	before := shared.look()
	shared.run(0, "apply", shared.plan(engine...), "--yes")
	shared.run(0, "rollback", "--yes")
	shared.same(before, "after the rollback")
}

// A link stays a link: the file it leads to is edited, there and back.
func TestSymlinkedDaemonJSON(t *testing.T) {
	g := newRig(t, someKeys)
	g.prove("symlink", "daemon.json is a symlink", "the link stays, its target is edited", "the target has its old bytes, the link stays")
	const real = "/etc/managed/engine.json"
	g.host.Exec(t, "mkdir", filepath.Dir(real))
	g.host.Exec(t, "mv", host.DaemonJSON, real)
	g.host.Exec(t, "ln", "-s", real, host.DaemonJSON)
	g.host.Restart(t)
	before := g.look()
	g.run(0, "apply", g.plan(engine...), "--yes")
	if !strings.Contains(g.read(real), "live-restore") || g.host.Exec(t, "readlink", host.DaemonJSON) != real {
		t.Errorf("the link leads to %s, its target holds %s", g.host.Exec(t, "readlink", host.DaemonJSON), g.read(real))
	}
	g.run(0, "rollback", "--yes")
	g.same(before, "after the rollback")
	if got := g.read(real); got != someKeys {
		t.Errorf("the target holds %s", got)
	}
	if names := g.host.Exec(t, "ls", "-A", filepath.Dir(real)); names != filepath.Base(real) {
		t.Errorf("beside the target: %s", names)
	}
}
