package container

import (
	"fmt"
	"strings"
	"testing"

	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/remediate"
)

// mostCalls is more than any way there or back of these groups takes.
const mostCalls = 60

// troupe is a provider, a container in its network, and one that is only stopped and started with it.
func troupe(t *testing.T, h *host.Host) (plan.Step, company) {
	t.Helper()
	image := h.Image(t, "busybox")
	h.Docker(t, "run", "-d", "--name", "vpn", "--restart", "unless-stopped", image)
	h.Docker(t, "run", "-d", "--name", "guest", "--network", "container:vpn", "--restart", "always", image)
	h.Docker(t, "run", "-d", "--name", "web", "--restart", "on-failure:3", image)
	h.Docker(t, "exec", "guest", "sh", "-c", "echo 1 >/file")
	was := rememberAll(t, h, "vpn", "guest", "web")
	return with(t, h, hardening(t, h, "vpn"), "guest network vpn", "<> web depends_on guest"), was
}

// oneEach fails when two containers of one name run, or more than one would be started by a reboot, or
// one runs without what it is bound to.
func oneEach(t *testing.T, h *host.Host) {
	t.Helper()
	running, revived := map[string]int{}, map[string]int{}
	for _, id := range containers(t, h) {
		c := look(t, h, id)
		name, _, _ := strings.Cut(c.name(), ".dh-")
		if c.State.Running {
			running[name]++
		}
		if c.HostConfig.RestartPolicy.revived() {
			revived[name]++
		}
		if ref, ok := strings.CutPrefix(c.HostConfig.NetworkMode, "container:"); ok && c.State.Running {
			if p := look(t, h, ref); p == nil || !p.State.Running || !recreator(t, h).shares(c, p, bind{By: "network"}) {
				t.Errorf("%s runs without the network it is bound to", c.name())
			}
		}
	}
	for name := range running {
		if running[name] > 1 || revived[name] > 1 {
			t.Errorf("%s: %d run, %d have a restart policy:\n%s", name, running[name], revived[name], list(t, h))
		}
	}
}

// A process that is killed before any engine call or any note of a group's Do leaves what Undo brings
// back exactly, and at no moment two containers of one name.
func TestGroupKilledAnywhereInDo(t *testing.T) {
	h := Here(t)
	step, was := troupe(t, h)
	kill := func(name string, calls, notes int) (finished bool) {
		if max(calls, notes) > mostCalls {
			t.Fatalf("Do does not come to its end")
		}
		ok := t.Run(fmt.Sprintf("%s %d", name, max(calls, notes)), func(t *testing.T) {
			undo, err := recreator(t, h).Prepare(t.Context(), step)
			if err != nil {
				t.Fatal(err)
			}
			engine, log := &mortal{Engine: h.Client(t), left: calls}, &notebook{fail: notes}
			err = (&Recreator{Engine: engine, Options: fast()}).Do(t.Context(), step, undo, log)
			if finished = err == nil; !finished && !engine.dead() && notes == 0 {
				t.Fatalf("Do: %v", err)
			}
			oneEach(t, h)
			undone(t, recreator(t, h), step, remediate.Record{Undo: undo, Notes: log.notes})
			was.isBack(t, h)
		})
		return finished || !ok
	}
	for n := 1; !kill("call", n, 0); n += stride(45) {
	}
	for n := 1; !kill("note", 0, n); n += stride(45) {
	}
}

// An Undo of a group that is killed before any of its calls is finished by the next one.
func TestGroupKilledAnywhereInUndo(t *testing.T) {
	h := Here(t)
	step, was := troupe(t, h)
	for n, finished, ok := 1, false, true; ok && !finished; n += stride(45) {
		ok = t.Run(fmt.Sprint("call ", n), func(t *testing.T) {
			r := recreator(t, h)
			rec := done(t, r, step)
			dying := &Recreator{Engine: &mortal{Engine: h.Client(t), left: n}, Options: fast()}
			_, err := dying.Undo(t.Context(), step, rec)
			if finished = err == nil; !finished && n > mostCalls {
				t.Fatalf("Undo: %v", err)
			}
			oneEach(t, h)
			undone(t, r, step, rec)
			was.isBack(t, h)
		})
	}
}

// The provider was removed, and what is bound to it cannot start any more: an Undo that is killed
// anywhere is finished by the next one, with both made again and bound to each other.
func TestGroupKilledAnywhereInRebuild(t *testing.T) {
	h := Here(t)
	image := h.Image(t, "busybox")
	for n, finished, ok := 1, false, true; ok && !finished; n += stride(45) {
		ok = t.Run(fmt.Sprint("call ", n), func(t *testing.T) {
			h.Docker(t, "run", "-d", "--name", "vpn", "--restart", "always", image)
			h.Docker(t, "run", "-d", "--name", "guest", "--network", "container:vpn", "--restart", "always", "-v", "/data", image)
			h.Docker(t, "exec", "guest", "sh", "-c", "echo 1 >/file; echo 2 >/data/file")
			was := rememberAll(t, h, "vpn", "guest")
			r := recreator(t, h)
			step := with(t, h, hardening(t, h, "vpn"), "guest network vpn")
			rec := done(t, r, step)
			h.Docker(t, "rm", step.Resource.ID)
			dying := &Recreator{Engine: &mortal{Engine: h.Client(t), left: n}, Options: fast()}
			_, err := dying.Undo(t.Context(), step, rec)
			if finished = err == nil; !finished && n > mostCalls {
				t.Fatalf("Undo: %v", err)
			}
			oneEach(t, h)
			if out := undone(t, r, step, rec); out.How != plan.Functional || len(out.Notes) < 2 {
				t.Errorf("Undo: %+v", out)
			}
			was.shared(t, h)
			for _, b := range was {
				c := look(t, h, b.c.name())
				if !c.State.Running || c.HostConfig.RestartPolicy.Name != "always" || len(c.HostConfig.SecurityOpt) > 0 {
					t.Errorf("after undo: %s", c.raw)
				}
			}
			if got := h.Docker(t, "exec", "guest", "cat", "/file", "/data/file"); got != "1\n2" || len(containers(t, h)) != 2 {
				t.Errorf("files hold %q; there are\n%s", got, list(t, h))
			}
			h.Docker(t, "rm", "-f", "-v", "guest", "vpn")
			h.Docker(t, "volume", "prune", "-f")
		})
	}
}

// A power loss after any call leaves each name to one container, and Undo brings all of them back.
func TestGroupPowerLostAnywhere(t *testing.T) {
	h := Here(t)
	step, was := troupe(t, h)
	for n, finished := 1, false; !finished; n += stride(45) {
		undo, err := recreator(t, h).Prepare(t.Context(), step)
		if err != nil {
			t.Fatal(err)
		}
		log := &notebook{}
		err = (&Recreator{Engine: &mortal{Engine: h.Client(t), left: n}, Options: fast()}).Do(t.Context(), step, undo, log)
		if finished = err == nil; !finished && n > mostCalls {
			t.Fatalf("Do: %v", err)
		}
		h.PowerLoss(t)
		undone(t, recreator(t, h), step, remediate.Record{Undo: undo, Notes: log.notes})
		oneEach(t, h)
		for _, b := range was {
			if c := look(t, h, b.c.name()); c.ID != b.c.ID || !c.State.Running || c.HostConfig.RestartPolicy != b.c.HostConfig.RestartPolicy {
				t.Errorf("after a loss at call %d: %s", n, list(t, h))
			}
		}
		if t.Failed() {
			return
		}
	}
}
