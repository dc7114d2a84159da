package host

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"docker-harden/cmd/testhost/leak"
	"docker-harden/plan/inventory"
)

// asEngine makes the test binary play an engine: it keeps a pid file, hears HUP and TERM, and says
// what it was started with. Its value is how it behaves.
const asEngine = "HOST_TEST_ENGINE"

func TestMain(m *testing.M) {
	if how := os.Getenv(asEngine); how != "" {
		os.Exit(playEngine(how))
	}
	os.Exit(leak.Checked(m, leak.Engines()).Run())
}

func playEngine(how string) int {
	heard := make(chan os.Signal, 8)
	signal.Notify(heard, unix.SIGHUP, unix.SIGTERM)
	dir, _ := os.Getwd()
	if text, err := os.ReadFile("config"); err == nil && strings.Contains(string(text), "broken") {
		fmt.Fprintln(os.Stderr, "unable to configure the engine: config is broken")
		return 1
	}
	mask := unix.Umask(0)
	unix.Umask(mask)
	sid, _ := unix.Getsid(0)
	out, _ := exec.Command("sh", "-c", "ulimit -Sn; ulimit -Hn").Output()
	fmt.Printf("start argv=%q dir=%s secret=%s path=%q umask=%04o leader=%v limits=%q\n", os.Args[1:], dir, os.Getenv("SECRET"),
		os.Getenv("PATH"), mask, sid == os.Getpid(), strings.Fields(string(out)))
	for i, arg := range os.Args {
		if arg == "--pidfile" {
			if err := os.WriteFile(os.Args[i+1], fmt.Appendf(nil, "%d\n", os.Getpid()), 0o600); err != nil {
				return 2
			}
		}
	}
	fmt.Println("ready")
	if how != "slow" {
		_, _ = daemon.SdNotify(false, daemon.SdNotifyReady)
	}
	for {
		select {
		case s := <-heard:
			fmt.Println("heard", s)
			if s == unix.SIGTERM && how != "stubborn" {
				time.Sleep(100 * time.Millisecond)
				fmt.Println("end")
				return 0
			}
		case <-time.After(2 * time.Minute): // nobody ended it
			return 3
		}
	}
}

// engine is a process that plays an engine.
type engine struct {
	t   *testing.T
	dir string
	cmd *exec.Cmd
}

// launch starts one as an installer's script would, with the given behaviour.
func launch(t *testing.T, how string) *engine {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	e := &engine{t: t, dir: dir}
	e.run(how, "--pidfile", e.path("pid"), "--flag", "two words")
	return e
}

func (e *engine) run(how string, args ...string) {
	e.t.Helper()
	before := strings.Count(e.log(), "ready\n")
	log, err := os.OpenFile(e.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(e.t, err)
	defer log.Close()
	e.cmd = &exec.Cmd{Path: "/bin/sh", Args: append([]string{"sh", "-c", `umask 027; ulimit -Sn 1024; ulimit -Hn 2000; exec "$0" "$@"`, os.Args[0]}, args...)}
	e.cmd.Env, e.cmd.Dir = []string{asEngine + "=" + how, "SECRET=hunter2", "PATH=/usr/bin:/bin", "EMPTY="}, e.dir
	e.cmd.Stdout, e.cmd.Stderr = log, log
	must(e.t, e.cmd.Start())
	pid := e.cmd.Process.Pid
	p, err := statOf("", pid)
	must(e.t, err)
	cmd := e.cmd
	reaped := make(chan struct{})
	go func() { _ = cmd.Wait(); close(reaped) }()
	e.t.Cleanup(func() {
		if h, err := hold(pid, p.ticks); err == nil {
			_ = h.signal(unix.SIGKILL)
			h.close()
		}
		<-reaped
	})
	e.until("it is ready", func() bool { return strings.Count(e.log(), "ready\n") > before })
}

func (e *engine) path(name string) string { return filepath.Join(e.dir, name) }

func (e *engine) log() string {
	data, _ := os.ReadFile(e.path("log"))
	return string(data)
}

func (e *engine) until(what string, ok func() bool) {
	e.t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			e.t.Fatalf("waited in vain until %s; log:\n%s", what, e.log())
		}
	}
}

// described is the service as it would be recorded.
func (e *engine) described() Service {
	e.t.Helper()
	argv, err := readStrings(fmt.Sprintf("/proc/%d/cmdline", e.cmd.Process.Pid))
	must(e.t, err)
	s, err := Describe(inventory.Daemon{PID: e.cmd.Process.Pid, Manager: Bare, Argv: argv}, "")
	must(e.t, err)
	return s
}

func (e *engine) manager(s Service) Manager {
	e.t.Helper()
	m, err := Open(s)
	must(e.t, err)
	e.t.Cleanup(func() { // what the manager started, and nothing else
		b := m.(*bare)
		if h, err := hold(b.service.PID, b.service.StartTicks); err == nil && b.service.PID != e.cmd.Process.Pid {
			must(e.t, h.signal(unix.SIGKILL))
			h.close()
			e.until("it ended", func() bool { return !alive(b.service.PID, b.service.StartTicks) })
		}
	})
	return m
}

func (e *engine) status(m Manager) Status {
	e.t.Helper()
	s, err := m.Status(e.t.Context())
	must(e.t, err)
	return s
}

// kill ends a process without leave.
func (e *engine) kill(pid int) {
	e.t.Helper()
	must(e.t, syscall.Kill(pid, unix.SIGKILL))
	e.until("it is dead", func() bool { p, err := statOf("", pid); return err != nil || p.ended() })
}
