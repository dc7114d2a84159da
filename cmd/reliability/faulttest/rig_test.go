//go:build reliability

package faulttest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
)

// program is the built docker-harden, for every test of this package.
var program string

func TestMain(m *testing.M) {
	if socket := os.Getenv(listenHere); socket != "" {
		os.Exit(listen(socket))
	}
	os.Exit(build(m))
}

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "faulttest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "docker-harden")
	cmd := exec.Command("go", "build", "-o", program, "../../docker-harden")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// patience is how long a test waits for something that is bound to happen.
const patience = time.Minute

// rig is one host and an operator who works on it.
type rig struct {
	*testing.T
	host  *host.Host
	dir   string   // the operator's directory, the same path inside and outside of the host
	state string   // as the host names it
	flags []string // for every command of the program
}

// newRig starts a host with this daemon.json and containers aa, bb, … that want hardening.
func newRig(t *testing.T, config string, containers ...string) *rig {
	t.Helper()
	g := &rig{T: t, host: host.Start(t), dir: t.TempDir(), state: "/var/lib/docker-harden"}
	if config != "" {
		g.host.WriteDaemonJSON(t, config)
		g.host.Restart(t)
	}
	if len(containers) > 0 {
		image := g.host.Image(t, "busybox")
		for _, name := range containers {
			g.host.Docker(t, "run", "-d", "--name", name, "--stop-signal", "KILL", "--restart", "on-failure:50", image, "sleep", "3600")
		}
	}
	return g
}

// in is the rig for a subtest.
func (g *rig) in(t *testing.T) *rig {
	sub := *g
	sub.T, sub.dir = t, t.TempDir()
	return &sub
}

// prove names the row of docs/reliability.md that the test stands for.
func (g *rig) prove(id, what, apply, rollback string) {
	g.Helper()
	row.Record(g.T, row.Row{Table: row.Fault, ID: id, Case: what, Apply: apply, Rollback: rollback})
}

// What is planned, in the words of the command line: a live update, a recreate, the engine.
var (
	update   = []string{"--only", "docker/restart-policy"}
	recreate = []string{"-p", "baseline", "--only", "docker/no-new-privileges"}
	engine   = []string{"-p", "baseline", "daemon"}
	reload   = []string{"-p", "baseline", "daemon", "--only", "docker/live-restore"}
)

// plan saves a plan and returns its name.
func (g *rig) plan(args ...string) string {
	g.Helper()
	const name = "host.plan"
	g.run(0, append([]string{"plan", "-o", name}, args...)...)
	return name
}

// result is what a command printed and how it ended.
type result struct {
	stdout, stderr string
	code           int
}

func (r result) all() string { return r.stdout + r.stderr }

// running is a command at work.
type running struct {
	g      *rig
	cmd    *exec.Cmd
	name   string
	stdout bytes.Buffer
	mu     sync.Mutex
	stderr strings.Builder
	read   chan struct{} // closed at the end of stderr
}

func (g *rig) start(args ...string) *running { return g.launch(program, append(args, g.flags...)...) }

func (g *rig) launch(name string, args ...string) *running {
	g.Helper()
	r := &running{g: g, name: filepath.Base(name) + " " + strings.Join(args, " "), read: make(chan struct{})}
	r.cmd = g.host.Command(g.Context(), "env", append([]string{"-C", g.dir, "DOCKER_CONFIG=" + g.dir, name}, args...)...)
	r.cmd.Stdout = &r.stdout
	pipe, err := r.cmd.StderrPipe()
	if err != nil {
		g.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		g.Fatal(err)
	}
	go func() {
		defer close(r.read)
		in := bufio.NewReader(pipe)
		for {
			line, err := in.ReadString('\n')
			r.mu.Lock()
			r.stderr.WriteString(line)
			r.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return r
}

func (r *running) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stderr.String()
}

// until waits for words on stderr.
func (r *running) until(words string) {
	r.g.Helper()
	r.g.await(words, func() bool { return strings.Contains(r.said(), words) })
}

func (g *rig) await(what string, there func() bool) {
	g.Helper()
	for end := time.Now().Add(patience); !there(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			g.Fatalf("after %v still not: %s", patience, what)
		}
	}
}

// kill sends a signal to the program alone, which is the last in a line of only children.
func (r *running) kill(sig syscall.Signal) {
	r.g.Helper()
	pid := r.cmd.Process.Pid
	for {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
		if err != nil {
			r.g.Fatal(err)
		}
		words := strings.Fields(string(data))
		if comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); len(words) == 0 || strings.HasPrefix(string(comm), "docker") {
			break
		}
		if pid, err = strconv.Atoi(words[0]); err != nil {
			r.g.Fatal(err)
		}
	}
	if err := syscall.Kill(pid, sig); err != nil {
		r.g.Fatalf("cannot signal %s: %v", r.name, err)
	}
}

func (r *running) wait() result {
	r.g.Helper()
	<-r.read
	err := r.cmd.Wait()
	if err != nil && r.cmd.ProcessState == nil {
		r.g.Fatal(err)
	}
	out := result{r.stdout.String(), r.said(), r.cmd.ProcessState.ExitCode()}
	r.g.Logf("$ %s\n%s%sexit %d", r.name, out.stdout, out.stderr, out.code)
	return out
}

// run fails the test unless the command ends with this exit status, having said all of these words.
func (g *rig) run(code int, args ...string) result {
	g.Helper()
	r := g.start(args...).wait()
	if r.code != code {
		g.Fatalf("docker-harden %s: exit %d, want %d", strings.Join(args, " "), r.code, code)
	}
	return r
}

// says fails the test unless the result has all of these words.
func (g *rig) says(r result, words ...string) {
	g.Helper()
	for _, w := range words {
		if !strings.Contains(r.all(), w) {
			g.Errorf("nothing is said of %q:\n%s", w, r.all())
		}
	}
}

// path is where this process finds a file of the host.
func (g *rig) path(inside string) string { return g.host.Path(inside) }

func (g *rig) read(inside string) string {
	g.Helper()
	data, err := os.ReadFile(g.path(inside))
	if err != nil {
		g.Fatal(err)
	}
	return string(data)
}

func (g *rig) write(inside, text string) {
	g.Helper()
	if err := os.WriteFile(g.path(inside), []byte(text), 0o600); err != nil {
		g.Fatal(err)
	}
}

// mount mounts something inside the host for the rest of the test.
func (g *rig) mount(args ...string) {
	g.Helper()
	target := args[len(args)-1]
	g.Cleanup(func() { _ = g.host.Command(context(), "umount", "-l", target).Run() })
	g.host.Exec(g.T, "mount", args...)
}

// fill leaves at most this many pages free in a small file system of the host.
func (g *rig) fill(dir string, pages int) {
	g.Helper()
	const page = 4096
	name := g.path(filepath.Join(dir, "filler"))
	if err := os.RemoveAll(name); err != nil {
		g.Fatal(err)
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(g.path(dir), &st); err != nil {
		g.Fatal(err)
	}
	size := (int64(st.Bavail) - int64(pages)) * page
	if size < 0 {
		g.Fatalf("%s has %d pages free, fewer than %d", dir, st.Bavail, pages)
	}
	f, err := os.Create(name)
	if err == nil {
		_, err = io.CopyN(f, zeros{}, size)
	}
	if err != nil {
		g.Fatal(err)
	}
	if err := f.Close(); err != nil {
		g.Fatal(err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
