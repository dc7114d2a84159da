package casetest

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"docker-harden/plan"
)

// TestPortThroughARestart: what a restart costs although every container lives.
func TestPortThroughARestart(t *testing.T) {
	r := newRig(t)
	r.record("70", "a loopback port while the engine restarts", "away for a moment, serves again; the plan says so before", "serves again")
	const address = "127.0.0.1:18082"
	r.run("web", "-p", address+":80", r.image(), "httpd", "-f", "-p", "80")
	r.until("the port", func() bool { return open(address) })
	ctx, stop := context.WithCancel(t.Context())
	longest := make(chan time.Duration)
	go func() { longest <- outage(ctx, address) }()
	s := r.prepare(alive())
	r.must(r.do(s))
	r.until("the port after Do", func() bool { return open(address) })
	r.back(s)
	r.until("the port after Undo", func() bool { return open(address) })
	stop()
	away := <-longest
	t.Logf("the port was away for %s at most", away.Round(10*time.Millisecond))
	if away == 0 || away > 2*time.Minute {
		t.Errorf("the port was away for %s: the plan says some seconds", away)
	}
}

// alive is a restart that containers live through.
func alive() plan.Step {
	return stepOf(plan.KindRestart, set("live-restore", "null", "true"), set("no-new-privileges", "null", "true"))
}

func open(address string) bool {
	conn, err := net.DialTimeout("tcp4", address, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// outage is the longest time without an answer, until ctx ends.
func outage(ctx context.Context, address string) time.Duration {
	var longest time.Duration
	last := time.Now()
	for ctx.Err() == nil {
		if open(address) {
			longest, last = max(longest, time.Since(last)), time.Now()
		}
		time.Sleep(10 * time.Millisecond)
	}
	return longest
}

func (r *rig) until(what string, is func() bool) {
	r.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			r.Fatalf("no sign of %s within a minute", what)
		}
	}
}

// TestManyContainersThatTheEngineStartsFirst: it serves its API only after it started them.
func TestManyContainersThatTheEngineStartsFirst(t *testing.T) {
	const many = 8
	r := newRig(t)
	r.record("72", fmt.Sprintf("containers with restart always, live restore off (%d of them; the deadline for 100 is a test of its own)", many), "not given up too early, all run", "all run")
	for i := range many {
		r.run(fmt.Sprintf("always%d", i), "--restart", "always", r.image())
	}
	before := r.state()
	s := r.prepare(stepOf(plan.KindRestart, set("log-level", "null", `"warn"`)))
	s.handler.Timeout = 20 * time.Second
	r.must(r.do(s))
	if got := r.host.Docker(t, "ps", "-q"); len(strings.Fields(got)) != many {
		t.Errorf("these run: %s", got)
	}
	r.back(s)
	r.expect(before)
}

// TestOldContainerKeepsItsPrivileges: no-new-privileges of the engine is for containers made later.
func TestOldContainerKeepsItsPrivileges(t *testing.T) {
	r := newRig(t)
	r.record("74", "a container made before no-new-privileges", "it still has none, and the inventory shows it; a new one has it", "as before")
	r.run("old", r.image())
	s := r.prepare(stepOf(plan.KindRestart, set("live-restore", "null", "true"), set("no-new-privileges", "null", "true")))
	r.must(r.do(s))
	r.run("new", r.image())
	for name, want := range map[string]bool{"old": false, "new": true} {
		status, err := os.ReadFile("/proc/" + r.inspect(name, "{{.State.Pid}}") + "/status")
		if err != nil || strings.Contains(string(status), "NoNewPrivs:\t1") != want {
			t.Errorf("the kernel's word on %s is not %v (%v)", name, want, err)
		}
		seen := false
		for _, c := range r.observe().Containers {
			if c.Name == name && c.Proc != nil {
				for _, p := range c.Proc.All {
					seen = true
					if p.NoNewPrivs != want {
						t.Errorf("the inventory says %v of %s", p.NoNewPrivs, name)
					}
				}
			}
		}
		if !seen {
			t.Errorf("the inventory shows no process of %s", name)
		}
	}
	r.host.Docker(t, "rm", "-f", "new")
	r.back(s)
}
