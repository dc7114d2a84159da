package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	testhost "docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/daemon/canary"
	"docker-harden/remediate/host"
)

// TestNewContainersFail: the engine starts and answers, and no container starts any more.
func TestNewContainersFail(t *testing.T) {
	r := newRig(t, "{}\n")
	r.run("web")
	before := r.state()
	live := set("live-restore", "null", "true")
	for _, tt := range []struct {
		id, name string
		change   plan.Change
		want     string
	}{
		{"76", "log driver", set("log-driver", "null", `"no-such-driver"`), "no-such-driver"},
		{"38", "ulimit", set("default-ulimits", "null", `{"nofile":{"Name":"nofile","Soft":9000,"Hard":100}}`), "a new container started before the change and does not now"},
	} {
		r.sub(t, tt.name, func(t *testing.T) {
			record(t, tt.id, "no new container starts under the changed "+tt.change.Path, "the canary fails: the step fails with the engine's words", "as before, containers kept, a new container starts")
			p := r.prepare(stepOf(plan.KindRestart, live, tt.change))
			if err := p.do(); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "a new container") {
				t.Errorf("Do = %v, want %q", err, tt.want)
			}
			p.mustUndo()
			r.expect(before)
			if _, err := canary.Run(t.Context(), r.client); err != nil {
				t.Errorf("after Undo: %v", err)
			}
		})
	}
}

// TestNoNewContainerBefore: what failed before the change says nothing of it.
func TestNoNewContainerBefore(t *testing.T) {
	record(t, "37", "daemon.json names an unknown log driver already", "said before the change; the step is judged without a new container", "byte for byte")
	r := newRig(t, "{\"log-driver\":\"no-such-driver\"}\n")
	before := r.state()
	p := r.prepare(stepOf(plan.KindRestart, set("icc", "null", "false")))
	r.must(p.do())
	if said := strings.Join(p.log.said, "\n"); !strings.Contains(said, "does not start even before the change") || !strings.Contains(said, "no-such-driver") {
		t.Errorf("progress is %s", said)
	}
	p.mustUndo()
	r.expect(before)
}

// TestStartRefusedAfterForeignEdit: somebody saves a broken file just before the engine is restarted.
func TestStartRefusedAfterForeignEdit(t *testing.T) {
	record(t, "58", "the engine does not start because of a parse error: somebody saved a broken file just before", "fails with the engine's words", "refused without --force; with it the broken file is kept aside and everything is as before")
	r := newRig(t, "{}\n")
	r.run("web")
	before := r.state()
	p := r.prepare(hardened())
	p.handler.hook = func(point string) error {
		if point == phaseWriting+" done" {
			r.WriteDaemonJSON(t, "{\"icc\": fals")
		}
		return nil
	}
	if err := p.do(); err == nil || !strings.Contains(err.Error(), "invalid character") && !strings.Contains(err.Error(), "unexpected EOF") {
		t.Errorf("Do = %v, want the engine's own words", err)
	}
	p.handler.hook = nil
	if _, err := p.undoIt(false); !errors.Is(err, remediate.ErrDrifted) {
		t.Errorf("Undo = %v, want ErrDrifted", err)
	}
	r.expectFile("{\"icc\": fals")
	if restored, err := p.undoIt(true); err != nil || restored.How != plan.Exact || len(restored.Notes) != 1 {
		t.Errorf("forced Undo = %+v, %v; want exact with one note", restored, err)
	}
	r.expect(before)
}

// TestRebootBeforeTheRestart: the final file is written, and the engine starts with it by itself.
func TestRebootBeforeTheRestart(t *testing.T) {
	record(t, "79", "the host reboots between the final write and the restart", "the engine is up with the new file", "as before; icc follows at the next start without containers")
	r := newRig(t, "{}\n")
	r.run("web", "--restart", "always")
	before := r.state()
	p := r.prepare(hardened())
	p.doAndDieAt(phaseWriting + " done")
	r.PowerLoss(t)
	r.expectFile(hardenedFile)
	before.Containers = r.containers("{{.Name}} {{.State.Running}} {{.State.Pid}}")
	restored, err := p.undoIt(false)
	r.must(err)
	if restored.How != plan.Functional || len(restored.Notes) != 1 || !strings.Contains(restored.Notes[0], "icc follows") {
		t.Errorf("Undo = %+v, want it to say that icc waits", restored)
	}
	after := r.state()
	after.Info = strings.Replace(after.Info, "icc:false", "icc:true", 1)
	if after != before {
		t.Errorf("after Undo:\n%+v\nwant\n%+v", after, before)
	}
}

// TestLeftoverOfAKilledWrite: a temporary file beside daemon.json.
func TestLeftoverOfAKilledWrite(t *testing.T) {
	record(t, "53", "a temporary file that a killed write left", "the step is made all the same", "swept up")
	r := newRig(t, "{}\n")
	before := r.state()
	left := filepath.Join(filepath.Dir(testhost.DaemonJSON), ".daemon.json.docker-harden-1234")
	r.must(os.WriteFile(left, []byte("{ha"), 0o600))
	p := r.prepare(reloadStep())
	r.must(p.do())
	p.mustUndo()
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("%s is still there (%v)", left, err)
	}
	r.expect(before)
}

// TestNoSignalBeforeTheEngineAnswers: it would end the engine.
func TestNoSignalBeforeTheEngineAnswers(t *testing.T) {
	record(t, "54", "a reload before the engine answers; the engine is played", "refused, no signal is sent", "")
	manager := &counts{}
	f := &flow{handler: &Handler{Engine: &fakeEngine{ping: func() error { return errors.New("connection refused") }}}, manager: manager, progress: func(string) {}}
	if err := f.reload(t.Context()); err == nil || !strings.Contains(err.Error(), "a signal before it is up would end it") || manager.reloads != 0 {
		t.Errorf("reload = %v, %d signals", err, manager.reloads)
	}
}

type counts struct {
	host.Manager
	reloads int
}

func (c *counts) Reload(context.Context) error { c.reloads++; return nil }

func TestAllowanceGrowsWithContainers(t *testing.T) {
	record(t, "72", "100 containers with restart always: the deadline; starts that take long are played", "60 s and 2 s for each, ten times that while the engine visibly works", "")
	many := make([]running, 0, 200)
	for i := range cap(many) {
		policy := "always"
		if i%2 == 1 {
			policy = "no"
		}
		many = append(many, running{Policy: policy})
	}
	for _, tt := range []struct {
		timeout time.Duration
		list    []running
		want    time.Duration
	}{
		{0, nil, time.Minute}, {0, many, time.Minute + 200*time.Second}, {time.Second, many[:2], 3 * time.Second},
	} {
		if got := (&Handler{Timeout: tt.timeout}).allowance(tt.list); got != tt.want {
			t.Errorf("allowance of %d = %s, want %s", len(tt.list), got, tt.want)
		}
	}
}

// TestDeadPort: docker ps shows the port, and nothing leads to it.
func TestDeadPort(t *testing.T) {
	record(t, "77", "a published port that is dead after the restart while docker ps shows it", "the step fails and names the port", "as before, the port serves")
	r := newRig(t, "{}\n")
	const address = "127.0.0.1:18081"
	r.Docker(t, "run", "-d", "--name", "web", "--stop-timeout", "1", "-p", address+":80", r.Image(t, "busybox"), "httpd", "-f", "-p", "80")
	waitFor(t, "the port", func() bool { return accepts(t.Context(), address) })
	before := r.state()
	p := r.prepare(stepOf(plan.KindRestart, set("live-restore", "null", "true"), set("no-new-privileges", "null", "true")))
	p.handler.hook = func(point string) error {
		if point == "restarted" {
			killProxies(t, r.PID(t))
			waitFor(t, "the end of the port", func() bool { return !accepts(t.Context(), address) })
		}
		return nil
	}
	if err := p.do(); err == nil || !strings.Contains(err.Error(), "published ports are dead although their containers serve: "+address) {
		t.Errorf("Do = %v, want the dead port", err)
	}
	p.handler.hook = nil
	p.mustUndo()
	r.expect(before)
	waitFor(t, "the port after Undo", func() bool { return accepts(t.Context(), address) })
}

// killProxies ends the helpers that serve the loopback ports of an engine.
func killProxies(t *testing.T, pid int) {
	t.Helper()
	waitFor(t, "docker-proxy", func() bool { return proxies(pid) > 0 })
	out, err := exec.Command("sh", "-c", "for p in /proc/[0-9]*; do read -r name < $p/comm && [ \"$name\" = docker-proxy ] && kill -9 ${p#/proc/}; done; true").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no sign of %s within a minute", what)
		}
	}
}

func TestPortsOf(t *testing.T) {
	var c container.InspectResponse
	if err := json.Unmarshal([]byte(`{"NetworkSettings":{
		"Ports":{
			"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"::","HostPort":"8080"},{"HostIp":"10.0.0.1","HostPort":"81"}],
			"53/udp":[{"HostIp":"0.0.0.0","HostPort":"53"}],
			"90/tcp":null,
			"91/tcp":[{"HostIp":"","HostPort":"9191"}]},
		"Networks":{"b":{"IPAddress":"172.18.0.2"},"a":{"IPAddress":"172.17.0.2"},"none":{}}}}`), &c); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range portsOf(c) {
		got = append(got, p.direct+" "+p.public)
	}
	want := "172.17.0.2:80 10.0.0.1:81, 172.17.0.2:80 127.0.0.1:8080, 172.17.0.2:91 127.0.0.1:9191"
	if text := strings.Join(got, ", "); text != want {
		t.Errorf("portsOf = %s, want %s", text, want)
	}
	if got := portsOf(container.InspectResponse{}); got != nil {
		t.Errorf("portsOf nothing = %v", got)
	}
}

func TestServing(t *testing.T) {
	open, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	closed, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	up, down := open.Addr().String(), closed.Addr().String()
	_ = closed.Close()
	list := []running{{ports: []published{{up, up}, {down, up}}}, {ports: []published{{up, down}}}}
	if got := serving(t.Context(), list); len(got) != 1 || got[0] != (published{up, up}) {
		t.Errorf("serving = %v", got)
	}
	if err := portsServe(t.Context(), []published{{up, up}, {down, down}, {down, up}}); err != nil {
		t.Errorf("portsServe = %v; a container that does not serve itself says nothing", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := portsServe(ctx, []published{{up, down}}); err == nil || !strings.Contains(err.Error(), down) {
		t.Errorf("portsServe = %v, want the dead port", err)
	}
}
