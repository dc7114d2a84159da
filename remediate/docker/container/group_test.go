package container

import (
	"errors"
	"strings"
	"testing"
	"time"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/container/body"
)

// with adds containers to a step: "guest network vpn" is recreated, "<> app depends_on vpn" is stopped
// and started, each for its bonds to others of the step.
func with(t *testing.T, h *host.Host, step plan.Step, members ...string) plan.Step {
	t.Helper()
	known := map[string]plan.Resource{step.Resource.Name: step.Resource}
	for _, m := range members {
		words := strings.Fields(m)
		action := plan.ActionRecreate
		if words[0] == plan.ActionRestart.Symbol() {
			action, words = plan.ActionRestart, words[1:]
		}
		r := plan.Container(words[0], h.Docker(t, "inspect", "-f", "{{.Id}}", words[0]))
		known[r.Name] = r
		member := plan.Member{Resource: r, Action: action}
		for i := 1; i+1 < len(words); i += 2 {
			member.Binds = append(member.Binds, plan.Bind{To: known[words[i+1]], By: strings.ReplaceAll(words[i], "=", " ")})
		}
		step.Members = append(step.Members, member)
	}
	return step
}

// company is several containers as they were.
type company []before

func rememberAll(t *testing.T, h *host.Host, names ...string) company {
	t.Helper()
	var all company
	for _, name := range names {
		all = append(all, remember(t, h, name))
	}
	return all
}

// isBack fails unless every container is as it was, and shares what it shared.
func (all company) isBack(t *testing.T, h *host.Host) {
	t.Helper()
	for _, b := range all {
		b.isBack(t, h)
	}
	all.shared(t, h)
}

// shared fails unless every running container that borrows a namespace has the one of its provider.
func (all company) shared(t *testing.T, h *host.Host) {
	t.Helper()
	for _, b := range all {
		c := look(t, h, b.c.name())
		if c == nil || !c.State.Running {
			continue
		}
		for by, mode := range map[string]string{"network": c.HostConfig.NetworkMode, "pid": c.HostConfig.PidMode, "ipc": c.HostConfig.IpcMode} {
			ref, ok := strings.CutPrefix(mode, "container:")
			if !ok {
				continue
			}
			if p := look(t, h, ref); p == nil || !recreator(t, h).shares(c, p, bind{By: by}) {
				t.Errorf("%s does not share the %s of %s", c.name(), by, ref)
			}
		}
	}
}

// order fails unless the containers were started in this order.
func order(t *testing.T, h *host.Host, names ...string) {
	t.Helper()
	for i := 1; i < len(names); i++ {
		a, b := look(t, h, names[i-1]), look(t, h, names[i])
		if a.State.StartedAt >= b.State.StartedAt {
			t.Errorf("%s was started at %s, not before %s at %s", names[i-1], a.State.StartedAt, names[i], b.State.StartedAt)
		}
	}
}

// A container whose network, processes and shared memory others use is recreated with all of them.
func TestGroupNamespaces(t *testing.T) {
	row.Record(t, row.Row{
		Table: row.Recreate, ID: "26", Case: "network_mode: container:, provider changed",
		Apply: "dependents recreated, in the new provider's network, reachable", Rollback: "the same containers, in the old provider's network",
	})
	row.Record(t, row.Row{
		Table: row.Recreate, ID: "28", Case: "dependent with the provider's host name",
		Apply: "no conflict of host name and network mode", Rollback: "exact",
	})
	row.Record(t, row.Row{
		Table: row.Recreate, ID: "29", Case: "pid: and ipc: container: dependents",
		Apply: "run again, in the new provider's namespaces", Rollback: "exact",
	})
	h := Here(t)
	image := h.Image(t, "busybox")
	h.Docker(t, "run", "-d", "--name", "vpn", "--hostname", "vpn.example", "--ipc", "shareable", "--restart", "unless-stopped", image)
	h.Docker(t, "run", "-d", "--name", "guest", "--network", "container:vpn", "--restart", "always", image,
		"sh", "-c", "echo hi >/tmp/index.html; httpd -p 8080 -h /tmp; trap exit TERM; sleep 999 & wait")
	h.Docker(t, "run", "-d", "--name", "watcher", "--pid", "container:vpn", "--ipc", "container:vpn", image)
	h.Docker(t, "create", "--name", "later", "--network", "container:guest", image)
	names := []string{"vpn", "guest", "watcher", "later"}
	was := rememberAll(t, h, names...)
	r := recreator(t, h)
	step := with(t, h, hardening(t, h, "vpn"), "guest network vpn", "watcher pid vpn ipc vpn", "later network guest")
	rec := done(t, r, step)
	was.shared(t, h)
	order(t, h, "vpn", "guest", "watcher")
	if got := h.Docker(t, "exec", "vpn", "wget", "-qO-", "127.0.0.1:8080"); got != "hi" {
		t.Errorf("the guest's service says %q in the new network", got)
	}
	for _, b := range was {
		c := look(t, h, b.c.name())
		if c.ID == b.c.ID || c.State.Status != b.c.State.Status || c.HostConfig.RestartPolicy != b.c.HostConfig.RestartPolicy {
			t.Errorf("%s: %.12s is %s with policy %s", c.name(), c.ID, c.State.Status, c.HostConfig.RestartPolicy.Name)
		}
		if old := look(t, h, b.c.ID); old.State.Running || old.HostConfig.RestartPolicy.revived() {
			t.Errorf("the old container of %s is not asleep", c.name())
		}
	}
	if out := undone(t, r, step, rec); out.How != plan.Exact || out.Nothing || len(out.Notes) > 0 {
		t.Errorf("Undo: %+v", out)
	}
	was.isBack(t, h)
	if out := undone(t, r, step, rec); !out.Nothing {
		t.Errorf("second Undo: %+v", out)
	}
	was.isBack(t, h)
}

// A linked container is linked to the new one, by the same alias, and works after the old one is gone.
func TestGroupLinks(t *testing.T) {
	row.Record(t, row.Row{
		Table: row.Recreate, ID: "32", Case: "--link a:ali", Apply: "the alias is the new container, also when the old one is gone", Rollback: "exact",
	})
	h := Here(t)
	image := h.Image(t, "busybox")
	h.Docker(t, "run", "-d", "--name", "db", image)
	h.Docker(t, "run", "-d", "--name", "web", "--link", "db:store", "--link", "db", image)
	was := rememberAll(t, h, "db", "web")
	r := recreator(t, h)
	step := with(t, h, hardening(t, h, "db"), "web link=store db link=db db")
	rec := done(t, r, step)
	resolves := func() {
		t.Helper()
		ip := h.Docker(t, "inspect", "-f", "{{.NetworkSettings.IPAddress}}", "db")
		if got := h.Docker(t, "exec", "web", "grep", "store", "/etc/hosts"); !strings.HasPrefix(got, ip+"\t") {
			t.Errorf("store is %q, db has %s", got, ip)
		}
	}
	resolves()
	if !body.SameLinks(was[1].c.HostConfig.Links, look(t, h, "web").HostConfig.Links) {
		t.Errorf("links are %v, were %v", look(t, h, "web").HostConfig.Links, was[1].c.HostConfig.Links)
	}
	undone(t, r, step, rec)
	was.isBack(t, h)
	resolves()

	rec = done(t, r, step)
	if err := r.Commit(t.Context(), step, rec); err != nil {
		t.Fatal(err)
	}
	h.Docker(t, "restart", "-t", "1", "web")
	resolves()
	out := undone(t, r, step, rec)
	if out.How != plan.Functional {
		t.Errorf("Undo after Commit: %+v", out)
	}
	resolves()
	if now := look(t, h, "web"); len(now.HostConfig.SecurityOpt) > 0 || !body.SameLinks(was[1].c.HostConfig.Links, now.HostConfig.Links) {
		t.Errorf("web after Undo: %s", now.raw)
	}
	if got := containers(t, h); len(got) != 2 {
		t.Errorf("left over:\n%s", list(t, h))
	}
}

// What only depends on another container is stopped before it and started after it, and stays what it is.
func TestGroupOrder(t *testing.T) {
	row.Record(t, row.Row{
		Table: row.Recreate, ID: "27", Case: "order of dependents, and a provider that fails",
		Apply: "stopped first, started last; a failure rolls the whole group back", Rollback: "exact",
	})
	h := Here(t)
	image := h.Image(t, "busybox")
	h.Docker(t, "run", "-d", "--name", "db", "-v", "/data", "--health-cmd", "true", "--health-interval", "200ms", image)
	h.Docker(t, "run", "-d", "--name", "app", "--volumes-from", "db", "--restart", "unless-stopped", image)
	h.Docker(t, "run", "-d", "--name", "web", "--restart", "on-failure:3", image)
	eventually(t, "db is healthy", func() bool { return look(t, h, "db").health() == healthy })
	names := []string{"db", "app", "web"}
	was := rememberAll(t, h, names...)
	r := recreator(t, h)
	r.Options.HealthTimeout = 2 * time.Minute // others wait for it: the machine may be busy
	step := with(t, h, hardening(t, h, "db"), "<> app volumes-from db depends_on db", "<> web depends_on app")
	rec := done(t, r, step)
	order(t, h, names...)
	for _, b := range was[1:] {
		if c := look(t, h, b.c.name()); c.ID != b.c.ID || c.HostConfig.RestartPolicy != b.c.HostConfig.RestartPolicy || c.State.StartedAt == b.c.State.StartedAt {
			t.Errorf("%s: %s", c.name(), c.raw)
		}
	}
	undone(t, r, step, rec)
	order(t, h, names...)
	was.isBack(t, h)

	// What somebody did since to a container that was only started again is nobody's business here.
	rec = done(t, r, step)
	h.Docker(t, "rename", "app", "application")
	h.Docker(t, "update", "--restart", "on-failure:7", "application")
	h.Docker(t, "rm", "-f", "web")
	out := undone(t, r, step, rec)
	if out.How != plan.Exact || len(out.Notes) != 1 || !strings.HasPrefix(out.Notes[0], "web: it no longer exists") {
		t.Errorf("Undo: %+v", out)
	}
	order(t, h, "db", "application")
	if p := look(t, h, "application").HostConfig.RestartPolicy; p.Name != "on-failure" || p.MaximumRetryCount != 7 {
		t.Errorf("its restart policy became %+v", p)
	}
	if db := look(t, h, "db"); db.ID != was[0].c.ID || !db.State.Running || len(containers(t, h)) != 2 {
		t.Errorf("after undo:\n%s", list(t, h))
	}
}

// One of several containers does not work hardened: all come back, in order.
func TestGroupFails(t *testing.T) {
	h := Here(t)
	needsChown := []string{h.Image(t, "busybox"), "sh", "-ec", "trap exit TERM; touch /tmp/a; chown 5 /tmp/a; sleep 999 & wait"}
	run := func(args ...string) { h.Docker(t, append(append([]string{"run", "-d"}, args...), needsChown...)...) }
	run("--name", "vpn", "--restart", "always")
	run("--name", "guest", "--network", "container:vpn", "--restart", "unless-stopped")
	run("--name", "web")
	names := []string{"vpn", "guest", "web"}
	was := rememberAll(t, h, names...)
	for _, tt := range []struct{ fails, provider, guest string }{{"vpn", "CAP_CHOWN", "CAP_MKNOD"}, {"guest", "CAP_MKNOD", "CAP_CHOWN"}} {
		t.Run(tt.fails, func(t *testing.T) {
			step := with(t, h, stepFor(t, h, "vpn", change("CapDrop", "null", `["`+tt.provider+`"]`)), "guest network vpn", "<> web depends_on guest")
			step.Members[0].Changes = []plan.Change{change("CapDrop", "null", `["`+tt.guest+`"]`)}
			gate := failed(t, recreator(t, h), step)
			if gate.Container != tt.fails || gate.Capability != "CHOWN" {
				t.Errorf("%s failed for %q, want %s: %v", gate.Container, gate.Capability, tt.fails, gate)
			}
			was.isBack(t, h)
			order(t, h, names...)
		})
	}
}

// A container that the plan does not know of and that would be left with the old one is found before
// anything is touched, and so is a member that cannot go along.
func TestGroupRefusals(t *testing.T) {
	h := Here(t)
	image := h.Image(t, "busybox")
	h.Docker(t, "run", "-d", "--name", "vpn", image)
	h.Docker(t, "run", "-d", "--name", "guest", "--network", "container:vpn", image)
	h.Docker(t, "run", "-d", "--rm", "--name", "brief", "--network", "container:vpn", image)
	all := list(t, h)
	refuses := func(want string, members ...string) {
		t.Helper()
		_, err := recreator(t, h).Prepare(t.Context(), with(t, h, hardening(t, h, "vpn"), members...))
		if !errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("Prepare: %v, want a refusal that says %q", err, want)
		}
		if got := list(t, h); got != all {
			t.Errorf("Prepare changed something:\n%s\nbefore:\n%s", got, all)
		}
	}
	refuses("brief depends on vpn", "guest network vpn")
	refuses("brief goes along with vpn", "guest network vpn", "brief network vpn")
	h.Docker(t, "rm", "-f", "brief")
	h.Docker(t, "run", "-d", "--rm", "--name", "job", image)
	all = list(t, h)
	refuses("job was started with --rm", "guest network vpn", "<> job depends_on vpn")
	h.Docker(t, "rm", "-f", "job")
	h.Docker(t, "stop", "-t", "1", "guest")
	all = list(t, h)
	refuses("has exited", "guest network vpn")
}
