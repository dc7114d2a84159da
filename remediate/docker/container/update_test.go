package container

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/remediate"
)

func live4(path, from, to string) plan.Change {
	c := change(path, from, to)
	c.Kind, c.Reversibility = plan.KindUpdate, plan.Functional
	return c
}

func updater(t *testing.T, h *host.Host) *Updater {
	t.Helper()
	return &Updater{Engine: h.Client(t), Options: fast()}
}

const (
	mib64  = 64 << 20
	mib128 = 128 << 20
)

func limitStep(t *testing.T, h *host.Host, name string) plan.Step {
	t.Helper()
	return stepFor(t, h, name,
		live4("Memory", "0", fmt.Sprint(mib64)), live4("MemorySwap", "0", fmt.Sprint(mib128)),
		live4("PidsLimit", "null", "100"), live4("CpuShares", "0", "512"))
}

func TestUpdateAndUndo(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", h.Image(t, "busybox"))
	was := look(t, h, "web")
	u := updater(t, h)
	step := limitStep(t, h, "web")
	rec := done(t, u, step)
	now := look(t, h, "web")
	if now.State.PID != was.State.PID || now.State.StartedAt != was.State.StartedAt {
		t.Error("the container was restarted")
	}
	if p := procOf(t, now); *p.MemoryLimit != mib64 || *p.PidsLimit != 100 || *p.CPUShares != 512 {
		t.Errorf("kernel: %d bytes, %d pids, %d shares", *p.MemoryLimit, *p.PidsLimit, *p.CPUShares)
	}
	swapComesBack(t, h, now)
	out := undone(t, u, step, rec)
	if out.How != plan.Functional || len(out.Notes) != 4 || out.Nothing {
		t.Errorf("Undo: %+v", out)
	}
	now = look(t, h, "web")
	if p := procOf(t, now); p.MemorySwapLimit != nil && *p.MemorySwapLimit != -1 {
		t.Errorf("swap after undo: %d bytes", *p.MemorySwapLimit)
	}
	if p := procOf(t, now); *p.MemoryLimit != -1 || *p.PidsLimit != -1 || *p.CPUShares != 1024 || now.State.PID != was.State.PID {
		t.Errorf("kernel after undo: %d bytes, %d pids, %d shares", *p.MemoryLimit, *p.PidsLimit, *p.CPUShares)
	}
	for i := range 2 {
		if out = undone(t, u, step, rec); out.How != plan.Functional || len(out.Notes) != 4 {
			t.Errorf("Undo again %d: %+v", i, out)
		}
	}
	h.Docker(t, "restart", "-t", "1", "web")
	if p := procOf(t, look(t, h, "web")); *p.MemoryLimit != -1 || *p.PidsLimit != -1 {
		t.Errorf("kernel after a restart: %d bytes, %d pids", *p.MemoryLimit, *p.PidsLimit)
	}
}

// swapComesBack lifts the limit of swap as systemd does, and has the engine set the same numbers again: that is what
// docker/swap-limit tells people to do.
func swapComesBack(t *testing.T, h *host.Host, c *state) {
	t.Helper()
	held := func(want int64) bool {
		p := procOf(t, c)
		return p.MemorySwapLimit != nil && *p.MemorySwapLimit == want
	}
	if p := procOf(t, c); p.MemorySwapLimit == nil {
		t.Log("this kernel keeps no account of swap")
		return
	}
	if !held(mib128) {
		t.Errorf("the kernel does not hold the limit of swap")
	}
	h.Exec(t, "sh", "-c", `set -e
		for file in $(find /sys/fs/cgroup -path "*`+c.ID+`*" -name memory.memsw.limit_in_bytes); do echo -1 >"$file"; done
		for file in $(find /sys/fs/cgroup -path "*`+c.ID+`*" -name memory.swap.max); do echo max >"$file"; done`)
	if !held(-1) {
		t.Error("the limit of swap was not lifted")
	}
	h.Docker(t, "update", "--memory", fmt.Sprint(mib64), "--memory-swap", fmt.Sprint(mib128), c.name())
	if !held(mib128) {
		t.Error("the same numbers do not bring the limit of swap back")
	}
}

func TestUpdateOfSetValuesIsExact(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", "-m", "128m", "--pids-limit", "300", "--cpu-shares", "700", "--restart", "on-failure", h.Image(t, "busybox"))
	was := remember(t, h, "web")
	u := updater(t, h)
	step := stepFor(t, h, "web", live4("Memory", fmt.Sprint(mib128), fmt.Sprint(mib64)), live4("PidsLimit", "300", "100"), live4("CpuShares", "700", "512"),
		live4("RestartPolicy", `{"Name":"on-failure","MaximumRetryCount":0}`, `{"Name":"on-failure","MaximumRetryCount":5}`))
	rec := done(t, u, step)
	out := undone(t, u, step, rec)
	if out.How != plan.Exact || len(out.Notes) > 0 {
		t.Errorf("Undo: %+v", out)
	}
	was.isBack(t, h)
	if out = undone(t, u, step, rec); !out.Nothing || out.How != plan.Exact {
		t.Errorf("second Undo: %+v", out)
	}
}

func TestUpdateExactUndoRecreates(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", "-v", "/data", h.Image(t, "busybox"))
	h.Docker(t, "exec", "web", "sh", "-c", "echo 1 >/file; echo 2 >/data/file")
	step := limitStep(t, h, "web")
	for n, finished := 0, false; !finished; n += stride(4) {
		was := look(t, h, "web")
		u := updater(t, h)
		step.Resource.ID = was.ID
		rec := done(t, u, step)
		rec.Exact = true
		if n > 0 { // killed on the way first
			dying := &Updater{Engine: &mortal{Engine: h.Client(t), left: n}, Options: fast()}
			_, err := dying.Undo(t.Context(), step, rec)
			finished = err == nil
			oneOnly(t, h)
		}
		out := undone(t, u, step, rec)
		now := look(t, h, "web")
		if out.How != plan.Functional || len(out.Notes) != 1 || !strings.Contains(out.Notes[0], "new id") {
			t.Fatalf("killed at call %d: Undo: %+v", n, out)
		}
		if l := now.HostConfig.limits; l.Memory != 0 || l.MemorySwap != 0 || l.PidsLimit != nil || l.CPUShares != 0 {
			t.Errorf("killed at call %d: limits %+v", n, l)
		}
		if got := h.Docker(t, "exec", "web", "cat", "/file", "/data/file"); got != "1\n2" || len(containers(t, h)) != 1 {
			t.Errorf("killed at call %d: files hold %q; %s", n, got, list(t, h))
		}
	}
}

// An interrupted update is undone and then made again: what the undo cannot unset is not taken for a change of
// somebody else, and the old values are still those from before the first try.
func TestUpdateAgainOverItsOwnUndo(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", h.Image(t, "busybox"))
	u := updater(t, h)
	step := limitStep(t, h, "web")
	undone(t, u, step, done(t, u, step))
	rec := done(t, u, step)
	if out := undone(t, u, step, rec); out.How != plan.Functional {
		t.Errorf("the second Undo: %+v", out)
	}
	rec.Exact = true
	undone(t, u, step, rec)
	if l := look(t, h, "web").HostConfig.limits; l.Memory != 0 || l.MemorySwap != 0 || l.PidsLimit != nil || l.CPUShares != 0 {
		t.Errorf("after the exact Undo: limits %+v", l)
	}
	if _, err := u.Prepare(t.Context(), stepFor(t, h, "web", live4("Memory", "5", "100000000"))); !errors.Is(err, plan.ErrStale) {
		t.Errorf("Prepare over another value: %v", err)
	}
}

func TestUpdateRefusals(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", "--memory-reservation", "200m", h.Image(t, "busybox"), "sh", "-c",
		"trap exit TERM; head -c 50000000 /dev/zero | tail -c 50000000 | sleep 999 & sleep 999 & wait")
	h.Docker(t, "run", "-d", "--name", "big", h.Image(t, "busybox"), "sh", "-c",
		"trap exit TERM; dd if=/dev/zero of=/dev/shm/a bs=1M count=40; sleep 999 & wait")
	eventually(t, "memory is used", func() bool {
		return h.Docker(t, "exec", "big", "sh", "-c", "stat -c %s /dev/shm/a 2>/dev/null || true") == fmt.Sprint(40<<20)
	})
	tests := []struct {
		name, container, want string
		change                plan.Change
		err                   error
	}{
		{"tiny", "big", "6 MiB", live4("Memory", "0", "1000000"), remediate.ErrRefused},
		{"below reservation", "web", "reservation", live4("Memory", "0", "100000000"), remediate.ErrRefused},
		{"in use", "big", "would kill", live4("Memory", "0", "42000000"), remediate.ErrRefused},
		{"pids in use", "big", "processes", live4("PidsLimit", "null", "1"), remediate.ErrRefused},
		{"stale", "big", "", live4("Memory", "5", "100000000"), plan.ErrStale},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := updater(t, h).Prepare(t.Context(), stepFor(t, h, tt.container, tt.change))
			if !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Prepare: %v", err)
			}
		})
	}
	if _, err := updater(t, h).Prepare(t.Context(), stepFor(t, h, "big", change("CapDrop", "null", "[]"))); err == nil {
		t.Error("Prepare takes a field that cannot be set in place")
	}
}

func TestUpdateDrift(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", h.Image(t, "busybox"))
	u := updater(t, h)
	step := limitStep(t, h, "web")
	rec := done(t, u, step)
	h.Docker(t, "update", "--pids-limit", "77", "web")
	if _, err := u.Undo(t.Context(), step, rec); !errors.Is(err, remediate.ErrDrifted) {
		t.Errorf("Undo of a changed limit: %v", err)
	}
	rec.Force = true
	if out := undone(t, u, step, rec); out.How != plan.Functional {
		t.Errorf("forced Undo: %+v", out)
	}
	h.Docker(t, "rm", "-f", "web")
	h.Docker(t, "run", "-d", "--name", "web", "--cap-drop", "all", h.Image(t, "busybox"))
	other := remember(t, h, "web")
	rec.Force = false
	if _, err := u.Undo(t.Context(), step, rec); !errors.Is(err, remediate.ErrDrifted) {
		t.Errorf("Undo on another container: %v", err)
	}
	rec.Force = true
	if out, err := u.Undo(t.Context(), step, rec); err != nil || !out.Nothing || out.How != plan.Functional {
		t.Errorf("forced Undo on another container: %+v, %v", out, err)
	}
	other.isBack(t, h)
}

func TestUpdateKilled(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "web", "-m", "128m", h.Image(t, "busybox"))
	was := remember(t, h, "web")
	step := stepFor(t, h, "web", live4("Memory", fmt.Sprint(mib128), fmt.Sprint(mib64)))
	for n, finished := 1, false; !finished; n++ {
		undo, err := updater(t, h).Prepare(t.Context(), step)
		if err != nil {
			t.Fatal(err)
		}
		err = (&Updater{Engine: &mortal{Engine: h.Client(t), left: n}, Options: fast()}).Do(t.Context(), step, undo, &notebook{})
		finished = err == nil
		undone(t, updater(t, h), step, remediate.Record{Undo: undo})
		was.isBack(t, h)
	}
}
