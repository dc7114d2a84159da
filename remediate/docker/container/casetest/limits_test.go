package casetest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
	"docker-harden/plan/inventory"
	"docker-harden/remediate/docker/container"
)

func kernelMemory(t *testing.T, h *host.Host, name string) int64 {
	t.Helper()
	p, err := inventory.ReadProc("", int(inspect(t, h, name).of("State.Pid").(float64)))
	if err != nil || p.MemoryLimit == nil {
		t.Fatalf("cannot read the memory limit of %s: %v", name, err)
	}
	return *p.MemoryLimit
}

func TestLiveLimit(t *testing.T) {
	record(t, row.Row{ID: "57", Case: "memory limit of a running container", Apply: "same process, the kernel holds it", Rollback: "same process, the kernel is unlimited again"})
	h := host.Here(t)
	h.Docker(t, "run", "-d", "--name", "web", h.Image(t, "busybox"))
	was := inspect(t, h, "web")
	u, s := updater(t, h), step(t, h, "web", live("Memory", "0", "67108864"))
	same := func(when string, limit int64) {
		t.Helper()
		now := inspect(t, h, "web")
		if now.started() != was.started() || now.of("State.Pid") != was.of("State.Pid") {
			t.Errorf("after %s it was restarted", when)
		}
		if got := kernelMemory(t, h, "web"); got != limit {
			t.Errorf("after %s the kernel's limit is %d", when, got)
		}
	}
	rec := done(t, u, s)
	same("apply", 64<<20)
	undone(t, u, s, rec)
	same("rollback", -1)
}

func TestLimitsRefused(t *testing.T) {
	h := host.Here(t)
	h.Docker(t, "run", "-d", "--name", "reserved", "--memory-reservation", "200m", h.Image(t, "busybox"))
	h.Docker(t, "run", "-d", "--name", "full", "--shm-size", "64m", h.Image(t, "busybox"), "sh", "-c", "dd if=/dev/zero of=/dev/shm/a bs=1M count=40 2>/dev/null; touch /tmp/full; "+asleep)
	eventually(t, "memory is in use", func() bool { return h.Docker(t, "exec", "full", "sh", "-c", "ls /tmp/full 2>/dev/null || true") != "" })
	for _, c := range []struct {
		row.Row
		name, limit, says string
	}{
		{row.Row{ID: "58", Case: "memory limit below the reservation", Apply: "refused before the engine is called"}, "reserved", "104857600", "below its memory reservation"},
		{row.Row{ID: "59", Case: "memory limit below what is in use (control groups v1; v2 by the same reading of its files)", Apply: "refused before the engine is called"}, "full", "41943040", "would kill it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			record(t, c.Row)
			refused(t, h, updater(t, h), step(t, h, c.name, live("Memory", "0", c.limit)), c.says)
			if got := kernelMemory(t, h, c.name); got != -1 {
				t.Errorf("the kernel's limit is %d", got)
			}
		})
	}
}

// On a host with control groups of version 2 the kernel would kill what does not fit: the files of such
// a group are recorded here, the container is real.
func TestLimitsRefusedOnV2(t *testing.T) {
	record(t, row.Row{ID: "59", Case: "memory limit below what is in use (control groups v2, recorded files)", Apply: "refused before the engine is called"})
	h := host.Here(t)
	h.Docker(t, "run", "-d", "--name", "web", h.Image(t, "busybox"))
	pid := fmt.Sprint(inspect(t, h, "web").of("State.Pid"))
	root := t.TempDir()
	for file, content := range map[string]string{
		"proc/" + pid + "/cgroup":               "0::/docker/x\n",
		"sys/fs/cgroup/docker/x/memory.current": "52428800\n",
		"sys/fs/cgroup/docker/x/memory.stat":    "anon 41943040\ninactive_file 4194304\n",
		"sys/fs/cgroup/docker/x/pids.current":   "3\n",
	} {
		path := root + "/" + file
		if err := os.MkdirAll(path[:strings.LastIndex(path, "/")], 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	u := updater(t, h)
	u.Options.Root = root
	refused(t, h, u, step(t, h, "web", live("Memory", "0", "50000000")), "would kill it")
}

// deaf is an engine that says yes to every update and does nothing.
type deaf struct{ container.Engine }

func (d deaf) Dialer() func(context.Context) (net.Conn, error) {
	real := d.Engine.Dialer()
	return func(ctx context.Context) (net.Conn, error) {
		here, there := net.Pipe()
		go func() {
			defer there.Close()
			in := bufio.NewReader(there)
			request, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			if strings.HasSuffix(request.URL.Path, "/update") {
				_, _ = there.Write([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\nConnection: close\r\n\r\n{\"Warnings\":null}"))
				return
			}
			conn, err := real(ctx)
			if err != nil {
				return
			}
			defer conn.Close()
			if request.Write(conn) != nil {
				return
			}
			answer, err := http.ReadResponse(bufio.NewReader(conn), request)
			if err == nil {
				_ = answer.Write(there)
			}
		}()
		return here, nil
	}
}

func TestUpdateThatDoesNothing(t *testing.T) {
	record(t, row.Row{ID: "60", Case: "the engine takes an update and ignores it", Apply: "fails: seen not to hold", Rollback: "nothing to undo"})
	h := host.Here(t)
	h.Docker(t, "run", "-d", "--name", "web", h.Image(t, "busybox"))
	u, s := updater(t, h), step(t, h, "web", live("PidsLimit", "null", "100"))
	u.Engine = deaf{u.Engine}
	rec, err := attempt(t, u, s)
	if err == nil || !strings.Contains(err.Error(), "the engine took 100 for PidsLimit but shows") {
		t.Errorf("Do: %v", err)
	}
	if out := undone(t, updater(t, h), s, rec); !out.Nothing {
		t.Errorf("Undo: %+v", out)
	}
	unknown := step(t, h, "web", live("CapDrop", "null", `["CAP_CHOWN"]`))
	if _, err := updater(t, h).Prepare(t.Context(), unknown); err == nil {
		t.Error("Prepare takes a field that the engine would ignore")
	}
}
