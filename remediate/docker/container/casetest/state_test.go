package casetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/remediate/docker/container"
)

const policy = "{{.HostConfig.RestartPolicy.Name}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}}"

func TestStates(t *testing.T) {
	// asleepOld fails unless the kept container can start neither by itself nor with the engine.
	asleepOld := func(s *stage) {
		s.Helper()
		old := inspect(s.T, s.h, s.was.id())
		if got := old.of("HostConfig.RestartPolicy.Name"); old.status() != "exited" || got != "no" {
			s.Errorf("the kept container is %s with restart policy %v", old.status(), got)
		}
	}
	play(t, []scene{
		{
			Row:  row.Row{ID: "43", Case: "restart policy on-failure:3", Apply: "the same; the kept one has none", Rollback: "the same"},
			name: "onfailure", args: []string{"--restart", "on-failure:3"}, shows: policy, after: asleepOld,
		},
		{
			Row:  row.Row{ID: "43", Case: "restart policy unless-stopped", Apply: "the same; the kept one has none", Rollback: "the same"},
			name: "unlessstopped", args: []string{"--restart", "unless-stopped"}, shows: policy, after: asleepOld,
		},
		{
			Row:  row.Row{ID: "50", Case: "paused", Apply: "paused", Rollback: "paused"},
			name: "paused", ready: func(s *stage) {
				s.docker("pause", s.name)
				says(s, "it is paused: the new one is started and paused again")
			},
		},
		{
			Row:  row.Row{ID: "50", Case: "created and never started", Apply: "created", Rollback: "created"},
			name: "created", made: true, args: []string{"--restart", "always"}, shows: policy,
		},
	})
}

// What does not run, or not for long, is left alone: by the plan with a reason, and by the step again.
func TestStatesLeftAlone(t *testing.T) {
	h := host.Here(t)
	image := h.Image(t, "busybox")
	run := func(name string, args ...string) {
		h.Docker(t, append(append([]string{"run", "-d", "--name", name}, args[:len(args)-1]...), image, "sh", "-c", args[len(args)-1])...)
	}
	for _, c := range []struct {
		row.Row
		name, state  string
		make         func()
		plan, refuse string
	}{
		{
			row.Row{ID: "50", Case: "in a restart loop", Apply: "blocked in the plan, refused, loops on"},
			"looping", "restarting",
			func() { run("looping", "--restart", "always", "exit 3") }, "whether a new one works could not be seen", "restart loop",
		},
		{
			row.Row{ID: "50", Case: "exited", Apply: "blocked in the plan, refused, exit status kept"},
			"exited", "exited",
			func() { run("exited", "exit 7") }, "it has exited: a recreate would lose its exit status", "its exit status would be lost",
		},
		{
			row.Row{ID: "51", Case: "one-shot that another service waits for", Apply: "blocked in the plan, refused, exit status 0 kept"},
			"oneshot", "exited",
			func() {
				run("oneshot", "-l", "com.docker.compose.project=shop", "-l", "com.docker.compose.service=oneshot", "-l", "com.docker.compose.oneoff=False", "exit 0")
				run("waiting", "-l", "com.docker.compose.project=shop", "-l", "com.docker.compose.service=waiting",
					"-l", "com.docker.compose.depends_on=oneshot:service_completed_successfully:false", asleep)
			}, "it has exited: a recreate would lose its exit status", "its exit status would be lost",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			record(t, c.Row)
			c.make()
			state := func() string { return inspect(t, h, c.name).status() }
			eventually(t, "it is "+c.state, func() bool { return state() == c.state })
			code := inspect(t, h, c.name).of("State.ExitCode")
			s := step(t, h, c.name, hardened()...)
			leftAlone(t, h, c.name, c.plan)
			// One in a loop runs for an instant now and then: it is refused then too, for other reasons.
			eventually(t, "it is refused: "+c.refuse, func() bool {
				_, err := recreator(t, h).Prepare(t.Context(), s)
				return err != nil && strings.Contains(err.Error(), c.refuse)
			})
			if got := inspect(t, h, c.name); got.id() != s.Resource.ID || c.state == "exited" && got.of("State.ExitCode") != code || strings.Contains(mine(t, h, c.name), ".dh-") {
				t.Errorf("it was touched: exit code %v, was %v\n%s", got.of("State.ExitCode"), code, mine(t, h, c.name))
			}
		})
	}
}

// leftAlone fails unless the plan has no change for the container and says why: as what blocks one, or,
// where its processes come and go, as what could not be seen.
func leftAlone(t *testing.T, h *host.Host, name, why string) {
	t.Helper()
	said, words := false, ""
	for _, f := range findings(t, h, strict) {
		if f.Resource.Name != name {
			continue
		}
		if len(f.Changes) > 0 {
			t.Errorf("the plan changes it: %+v", f)
		}
		words += "\n" + string(f.Status) + " " + f.Message + " " + f.Blocked
		said = said || strings.Contains(f.Blocked, why) || f.Status == plan.Unknown && strings.Contains(f.Message, "its processes could not be read")
	}
	if !said {
		t.Errorf("the plan does not say %q of %s, but%s", why, name, words)
	}
}

// What fails on the way leaves the old container in service, with its id, and nothing beside it.
func TestFailuresComeBack(t *testing.T) {
	h := host.Here(t)
	h.Image(t, "busybox")
	quit := "trap exit INT TERM; "
	for _, c := range []struct {
		row.Row
		name    string
		args    []string
		cmd     string
		change  plan.Change
		gate    bool   // a GateError is wanted
		says    string // in the error
		restart bool   // whether the old container was stopped on the way
	}{
		{
			row.Row{ID: "46", Case: "the engine refuses to create it (unknown capability)", Apply: "fails without downtime", Rollback: "the same process, nothing left"},
			"badcap", nil, quit + "sleep 999 & wait", change("CapDrop", "null", `["CAP_NONSENSE"]`), false, "NONSENSE", false,
		},
		{
			row.Row{ID: "46", Case: "the engine refuses to create it (broken seccomp profile)", Apply: "fails without downtime", Rollback: "the same process, nothing left"},
			"badfilter", nil, quit + "sleep 999 & wait", change("SecurityOpt", "null", `["no-such-option=1"]`), false, "no-such-option", false,
		},
		{
			row.Row{ID: "47", Case: "it does not start (system calls refused)", Apply: "fails, the engine's words in the error", Rollback: "the old one runs again"},
			"nostart", nil, quit + "sleep 999 & wait", change("SecurityOpt", "null", `["seccomp={\"defaultAction\":\"SCMP_ACT_ERRNO\"}"]`), true, "did not start", true,
		},
		{
			row.Row{ID: "47", Case: "it ends at once (root read-only)", Apply: "fails, the last line of its log in the error", Rollback: "the old one runs again"},
			"erofs", nil, quit + "date >/stamp || exit 4; sleep 999 & wait", change("ReadonlyRootfs", "false", "true"), true, "Read-only file system", true,
		},
		{
			row.Row{ID: "48", Case: "crash loop under its restart policy", Apply: "fails at the gate", Rollback: "the old one runs again"},
			"crashing",
			[]string{"--restart", "always"},
			quit + "chown 5 /tmp || exit 4; sleep 999 & wait", change("CapDrop", "null", `["CAP_CHOWN"]`), true, "exited with code 4", true,
		},
		{
			row.Row{ID: "48", Case: "becomes unhealthy", Apply: "fails at the gate", Rollback: "the old one is healthy again"},
			"unwell",
			[]string{"--health-cmd", "touch /tmp/x && chown 5 /tmp/x", "--health-interval", "200ms", "--health-retries", "2"},
			quit + "sleep 999 & wait", change("CapDrop", "null", `["CAP_CHOWN"]`), true, "healthy", true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			record(t, c.Row)
			h.Docker(t, append(append([]string{"run", "-d", "--name", c.name}, c.args...), h.Image(t, "busybox"), "sh", "-c", c.cmd)...)
			if c.args != nil && c.args[0] == "--health-cmd" {
				healthy(&stage{T: t, h: h, name: c.name})
			}
			was, all := inspect(t, h, c.name), mine(t, h, c.name)
			r, s := recreator(t, h), step(t, h, c.name, c.change)
			r.Options.Stable = 3 * time.Second // a program needs its time to fail on a busy machine
			rec, err := attempt(t, r, s)
			var gate *container.GateError
			if err == nil || errors.As(err, &gate) != c.gate || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Do: %v, want %q", err, c.says)
			}
			if out := undone(t, r, s, rec); out.How != plan.Exact {
				t.Errorf("Undo: %+v", out)
			}
			now := inspect(t, h, c.name)
			if found := differ(was, now); len(found) > 0 || now.id() != was.id() || mine(t, h, c.name) != all {
				t.Errorf("after rollback: %v\n%s", found, mine(t, h, c.name))
			}
			if restarted := now.started() != was.started(); restarted != c.restart {
				t.Errorf("stopped on the way: %t, want %t", restarted, c.restart)
			}
			if c.args != nil && c.args[0] == "--health-cmd" {
				healthy(&stage{T: t, h: h, name: c.name})
			}
		})
	}
}

// Names that a step needs for a while and somebody else has are not taken.
func TestLeftoverNames(t *testing.T) {
	record(t, row.Row{ID: "49", Case: "a container has a name that the step needs", Apply: "refused with that name; both untouched"})
	h := host.Here(t)
	for _, suffix := range []string{"new", "old"} {
		h.Docker(t, "run", "-d", "--name", "web", h.Image(t, "busybox"))
		h.Docker(t, "run", "-d", "--name", "web.dh-tx-"+suffix, h.Image(t, "busybox"))
		r := recreator(t, h)
		r.Options.TX = func() string { return "tx" }
		refused(t, h, r, step(t, h, "web", hardened()...), "web.dh-tx-"+suffix+" exists already")
		h.Docker(t, "rm", "-f", "web", "web.dh-tx-"+suffix)
	}
}
