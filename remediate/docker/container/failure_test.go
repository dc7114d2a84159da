package container

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
)

// failed prepares and makes a step whose gate must refuse, and undoes it. The gate watches for longer than
// it does over a healthy container: on a busy machine a program needs its time to fail.
func failed(t *testing.T, r *Recreator, step plan.Step) *GateError {
	t.Helper()
	r.Options.Stable = 3 * time.Second
	undo, err := r.Prepare(t.Context(), step)
	if err != nil {
		t.Fatalf("Prepare: %v", err)
	}
	log := &notebook{}
	err = r.Do(t.Context(), step, undo, log)
	var gate *GateError
	if !errors.As(err, &gate) {
		t.Fatalf("Do: %v, want a GateError", err)
	}
	out := undone(t, r, step, remediate.Record{Undo: undo, Notes: log.notes})
	if out.How != plan.Exact || len(others(out.Notes)) > 0 {
		t.Errorf("Undo: %+v", out)
	}
	return gate
}

// others are the notes of an undo that do not say what was kept of the container that failed.
func others(notes []string) []string {
	return slices.DeleteFunc(slices.Clone(notes), func(note string) bool { return strings.Contains(note, " is kept") })
}

func TestGateFailures(t *testing.T) {
	h := Here(t)
	tests := []struct {
		name    string
		run     []string
		changes []plan.Change
		what    string // part of GateError.What
		cap     string
		cause   string
		user    int // whom it runs as when it has settled; 0 is whoever
	}{
		{
			name: "device", run: []string{h.Image(t, "mknod")}, what: "exited with code 1", cap: "MKNOD",
			changes: []plan.Change{change("CapDrop", "null", `["CAP_MKNOD","CAP_AUDIT_WRITE"]`)}, cause: "capability MKNOD",
		},
		{
			name: "owner", cap: "CHOWN", what: "exited with code", cause: "capability CHOWN",
			run:     []string{h.Image(t, "busybox"), "sh", "-ec", "trap exit TERM; touch /tmp/a; chown 5 /tmp/a; sleep 999 & wait"},
			changes: []plan.Change{change("CapDrop", "null", `["CAP_CHOWN"]`)},
		},
		{
			name: "readonly", what: "exited with code", cause: "read-only",
			run:     []string{h.Image(t, "busybox"), "sh", "-ec", "trap exit TERM; date >/tmp/a; sleep 999 & wait"},
			changes: []plan.Change{change("ReadonlyRootfs", "false", "true")},
		},
		{
			name: "suexec", run: []string{h.Image(t, "suexec")}, what: "", cap: "SETGID", cause: "capability SET",
			changes: []plan.Change{change("CapDrop", "null", `["CAP_SETGID","CAP_CHOWN"]`)},
		},
		{
			name: "filecap", run: []string{h.Image(t, "filecap")}, what: "exited", cause: "file capabilities",
			changes: []plan.Change{change("CapDrop", "null", `["CAP_NET_RAW"]`)},
		},
		{
			name: "risen", user: 1234, cap: "SETUID", cause: "capability SETUID", what: "sleep, which ran as user 1234 and now runs as root",
			// As of a web server: one as root, and a worker that goes on as root where it cannot give it up.
			run:     []string{h.Image(t, "busybox"), "sh", "-c", `printf 'x:x:1234:1234::/:/bin/sh\n' >>/etc/passwd; (su x -c 'exec sleep 999' 2>/dev/null || exec sleep 999) & exec sleep 998`},
			changes: []plan.Change{change("CapDrop", "null", `["CAP_SETUID","CAP_SETGID"]`)},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h.Docker(t, append([]string{"run", "-d", "-t", "--stop-timeout", "1", "--name", tt.name, "--restart", "on-failure:3"}, tt.run...)...)
			eventually(t, "it settled", func() bool {
				all := procOf(t, look(t, h, tt.name)).All
				return len(all) > 0 && (tt.user == 0 || slices.ContainsFunc(all, func(p inventory.Process) bool { return p.UID == tt.user }))
			})
			was := remember(t, h, tt.name)
			gate := failed(t, recreator(t, h), stepFor(t, h, tt.name, tt.changes...))
			t.Logf("%v\nnext: %s", gate, gate.Next)
			contains(t, gate.What, tt.what)
			contains(t, gate.Cause, tt.cause)
			if gate.Capability != tt.cap {
				t.Errorf("capability %q, want %q", gate.Capability, tt.cap)
			}
			was.isBack(t, h)
			h.Docker(t, "rm", "-f", tt.name)
		})
	}
}

func TestRefusals(t *testing.T) {
	h := Here(t)
	image := h.Image(t, "busybox")
	h.Docker(t, "network", "create", "lost")
	tests := []struct {
		name string
		run  []string
		prep func(name string)
		want string
	}{
		{name: "autoremove", run: []string{"run", "-d", "--rm"}, want: "--rm"},
		{name: "swarm", run: []string{"run", "-d", "-l", "com.docker.swarm.task.id=1"}, want: "belongs to swarm (1)"},
		{name: "exited", run: []string{"run", "-d"}, prep: func(n string) { h.Docker(t, "stop", n) }, want: "exited"},
		{name: "provider", run: []string{"run", "-d"}, want: "depends on", prep: func(n string) {
			h.Docker(t, "run", "-d", "--name", "guest", "--network", "container:"+n, image)
		}},
		{name: "bind", run: []string{"run", "-d", "-v", "/tmp/source-of-bind:/x"}, want: "missing on the host", prep: func(string) {
			h.Exec(t, "rm", "-rf", "/tmp/source-of-bind")
		}},
		{name: "replaced", run: []string{"run", "-d", "-v", "/tmp/bound:/x"}, want: "replaced on the host", prep: func(string) {
			h.Exec(t, "sh", "-c", "mv /tmp/bound /tmp/moved && mkdir /tmp/bound")
		}},
		{name: "composed", run: []string{"run", "-d", "-l", "com.docker.compose.project=p"}, want: "docker compose up", prep: func(n string) {
			h.Docker(t, "exec", n, "touch", "/written")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h.Docker(t, append(append(tt.run, "--name", tt.name), image)...)
			if tt.prep != nil {
				tt.prep(tt.name)
			}
			all := list(t, h)
			_, err := recreator(t, h).Prepare(t.Context(), hardening(t, h, tt.name))
			if !errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Prepare: %v, want a refusal that says %q", err, tt.want)
			}
			if got := list(t, h); got != all {
				t.Errorf("Prepare changed something:\n%s\nbefore:\n%s", got, all)
			}
			h.Docker(t, "rm", "-f", tt.name)
		})
	}
}

func TestImageGoneIsRefused(t *testing.T) {
	h := Here(t)
	h.Docker(t, "tag", h.Image(t, "busybox"), "short-lived")
	h.Exec(t, "sh", "-c", `printf 'FROM short-lived\nLABEL a=b\n' | docker build -q -t short-lived -`)
	h.Docker(t, "create", "--name", "web", "short-lived")
	h.Docker(t, "rmi", "-f", h.Docker(t, "inspect", "-f", "{{.Image}}", "web"))
	_, err := recreator(t, h).Prepare(t.Context(), hardening(t, h, "web"))
	if !errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), "image") {
		t.Errorf("Prepare: %v", err)
	}
}

func TestStale(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", "--cap-drop", "CHOWN", h.Image(t, "busybox"))
	r := recreator(t, h)
	if _, err := r.Prepare(t.Context(), hardening(t, h, "web")); !errors.Is(err, plan.ErrStale) {
		t.Errorf("Prepare with another CapDrop: %v", err)
	}
	step := stepFor(t, h, "web", change("CapDrop", `["chown"]`, `["ALL"]`))
	h.Docker(t, "rm", "-f", "web")
	if _, err := r.Prepare(t.Context(), step); !errors.Is(err, plan.ErrStale) {
		t.Errorf("Prepare without the container: %v", err)
	}
	h.Docker(t, "run", "-d", "--name", "web", "--cap-drop", "CHOWN", h.Image(t, "busybox"))
	if _, err := r.Prepare(t.Context(), step); !errors.Is(err, plan.ErrStale) {
		t.Errorf("Prepare with another container: %v", err)
	}
}

// A create that the engine refuses costs no downtime.
func TestCreateRefusedCostsNothing(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", h.Image(t, "busybox"))
	was := remember(t, h, "web")
	r := recreator(t, h)
	step := stepFor(t, h, "web", change("CapDrop", "null", `["CAP_NONSENSE"]`))
	undo, err := r.Prepare(t.Context(), step)
	if err != nil {
		t.Fatal(err)
	}
	log := &notebook{}
	if err := r.Do(t.Context(), step, undo, log); err == nil || !strings.Contains(err.Error(), "NONSENSE") {
		t.Errorf("Do: %v", err)
	}
	if out := undone(t, r, step, remediate.Record{Undo: undo, Notes: log.notes}); !out.Nothing {
		t.Errorf("Undo: %+v", out)
	}
	was.isBack(t, h)
	if now := look(t, h, "web"); now.State.StartedAt != was.c.State.StartedAt {
		t.Error("the container was restarted")
	}
}
