//go:build reliability

package faulttest

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const listenHere = "FAULTTEST_LISTEN"

// listen stands for a docker CLI inside the host: it holds the plugin's socket open until its own input ends.
func listen(socket string) int {
	l, err := net.Listen("unix", socket)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("listening")
	go func() {
		for {
			if _, err := l.Accept(); err != nil {
				return
			}
		}
	}()
	_, _ = os.Stdin.Read(make([]byte, 1))
	return 0
}

// The docker CLI that runs the plugin without a terminal hands no signal on: newer ones close a socket instead.
// That counts as an interrupt: the step is finished, exit 130, and resume goes on.
func TestDockerClosesThePluginSocket(t *testing.T) {
	g := newRig(t, "", "aa", "bb")
	g.prove("plugin-socket", "docker harden without a terminal: docker gets SIGTERM and closes the plugin's socket",
		"the step is finished, exit 130; resume finishes the rest", "works")
	before := g.look()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const socket = "@faulttest-plugin"
	cli := g.host.Command(t.Context(), self)
	cli.Env = append(cli.Env, listenHere+"="+socket)
	input, err := cli.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cli.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cli.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = input.Close(); _ = cli.Wait() })
	if line, err := bufio.NewReader(output).ReadString('\n'); line != "listening\n" {
		t.Fatalf("%q, %v", line, err)
	}
	p := g.between()
	file := g.plan(append(recreate, "container/*")...)
	judge, held, release := hold(request("POST", "/stop", 1))
	p.set(judge)
	args := append([]string{"DOCKER_CLI_PLUGIN_SOCKET=" + socket, "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND=docker", program}, g.flags...)
	r := g.launch("env", append(args, "harden", "apply", file, "--yes", "--stable", "100ms")...)
	g.held(held)
	if err := input.Close(); err != nil { // docker ends, and with it its side of the socket
		t.Fatal(err)
	}
	if err := cli.Wait(); err != nil {
		t.Fatal(err)
	}
	close(release)
	out := r.wait()
	p.set(nil)
	if out.code != exitINT {
		t.Fatalf("exit %d", out.code)
	}
	g.says(out, "Interrupted after 1 step", "docker harden resume")
	g.run(0, "resume", "--stable", "100ms")
	g.hardened("aa", "bb")
	g.run(0, "rollback", "--yes")
	g.same(before, "after the rollback")
}

// The docker CLI of this engine has no such socket. One SIGTERM it keeps to itself and waits for the plugin, which
// ends well.
func TestSignalThroughDocker(t *testing.T) {
	g := newRig(t, "", "aa")
	g.prove("plugin-signal", "docker harden without a terminal: docker gets SIGTERM", "the run ends at a safe point or well; nothing is half done", "works")
	before := g.look()
	plugins := filepath.Join(g.dir, "cli-plugins")
	if err := os.MkdirAll(plugins, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(plugins, "docker-harden")); err != nil {
		t.Fatal(err)
	}
	p := g.between()
	file := g.plan(append(recreate, "container/aa")...)
	judge, held, release := hold(request("POST", "/stop", 1))
	p.set(judge)
	r := g.launch("docker", "-H", "unix://"+proxySocket, "harden", "apply", file, "--yes", "--stable", "100ms")
	g.held(held)
	r.kill(syscall.SIGTERM)
	close(release)
	out := r.wait()
	p.set(nil)
	t.Logf("docker ended with %d", out.code)
	g.await("no run at work", func() bool { return !strings.Contains(g.start("confirm").wait().all(), "at work") })
	if out := g.start("status").wait(); strings.Contains(out.all(), "unfinished") {
		g.run(0, "resume", "--stable", "100ms")
	}
	g.hardened("aa")
	g.run(0, "rollback", "--yes")
	g.same(before, "after the rollback")
}
