package casetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	testhost "docker-harden/cmd/testhost/host"
	"docker-harden/plan"
)

// TestSettingsThatDoNotGoTogether: refused before anything is touched, by us or by the engine's own check.
func TestSettingsThatDoNotGoTogether(t *testing.T) {
	restart := func(changes ...plan.Change) plan.Step { return stepOf(plan.KindRestart, changes...) }
	tests := []struct {
		id, name, doc string
		step          plan.Step
		want          string
		before, after func(r *rig)
	}{
		{id: "34", name: "icc off while iptables is off", doc: `{"iptables":false}`, step: restart(set("icc", "null", "false")), want: "icc false while iptables is false"},
		{id: "39", name: "a default runtime that does not exist", doc: "{}", step: restart(set("default-runtime", "null", `"nope"`)), want: "nope"},
		{
			id: "42", name: "live restore on a node of a swarm", doc: "{}", step: stepOf(plan.KindReload, set("live-restore", "null", "true")), want: "in a swarm (active)",
			before: func(r *rig) {
				r.host.Docker(r.T, "swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1:2377")
			},
			after: func(r *rig) { r.host.Docker(r.T, "swarm", "leave", "--force") },
		},
	}
	outer := newRig(t)
	for _, tt := range tests {
		outer.sub(tt.name, func(r *rig) {
			r.record(tt.id, tt.name, "refused, nothing changed", "")
			if tt.doc != "{}" {
				r.restart([]byte(tt.doc))
				defer r.restart([]byte("{}\n"))
			}
			if tt.before != nil {
				tt.before(r)
				defer tt.after(r)
			}
			r.refuses(tt.step, tt.want)
		})
	}
}

// newerEngine answers as an engine does that no longer knows a key; only one of version 23 or newer would.
const newerEngine = `#!/bin/sh
echo "unable to configure the Docker daemon with file $2: the following directives don't match any configuration option: graph" >&2
exit 1
`

func TestKeyThatANewerEngineRefuses(t *testing.T) {
	r := newRig(t)
	r.record("41", "a key that the installed engine no longer knows (graph, from 23.0); its answer is played, such an engine is not in this release", "refused: the engine would not start again without any change", "")
	r.restart([]byte(`{"graph":"/var/lib/docker"}`))
	program := "/var/lib/newer/dockerd"
	r.must(os.MkdirAll(filepath.Dir(program), 0o755))
	defer os.RemoveAll(filepath.Dir(program))
	r.must(os.WriteFile(program, []byte(newerEngine), 0o755))
	before, h := r.state(), r.handler()
	h.Daemon.Exe = program
	_, err := h.Prepare(t.Context(), stepOf(plan.KindRestart, set("icc", "null", "false")))
	if err == nil || !strings.Contains(err.Error(), "would not start again with the daemon.json and flags it has now") || !strings.Contains(err.Error(), "graph") {
		t.Errorf("Prepare = %v", err)
	}
	r.expect(before)
}

func TestDebugAgainstLogLevel(t *testing.T) {
	r := newRig(t)
	r.record("35", "debug on, which overrides log-level", "both are set; the engine says that debug is off", "byte for byte, debug on again")
	r.restart([]byte(`{"debug":true}`))
	before := r.state()
	s := r.prepare(stepOf(plan.KindRestart, set("debug", "true", "false"), set("log-level", "null", `"info"`)))
	r.must(r.do(s))
	if now := r.state(); !strings.Contains(now, "debug false") {
		t.Errorf("after Do: %s", now)
	}
	r.back(s)
	r.expect(before)
}

func TestVerifiedClientsWithoutCertificates(t *testing.T) {
	r := newRig(t)
	r.record("40", "tlsverify without certificate files", "the engine does not start: fails with its own words", "as before, containers kept")
	r.run("web", r.image())
	before, pid := r.state(), r.inspect("web", "{{.State.Pid}}")
	s := r.prepare(stepOf(plan.KindRestart, set("live-restore", "null", "true"), set("tlsverify", "null", "true")))
	if err := r.do(s); err == nil || !strings.Contains(err.Error(), "the engine said") {
		t.Errorf("Do = %v, want the engine's words", err)
	}
	r.back(s)
	r.expect(before)
	if now := r.inspect("web", "{{.State.Pid}}"); now != pid {
		t.Errorf("the container's process is %s and was %s", now, pid)
	}
}

func TestLinkToNowhere(t *testing.T) {
	r := newRig(t)
	r.record("45", "daemon.json is a link to a file that does not exist", "the plan says it, and the step is refused", "")
	r.must(os.Remove(testhost.DaemonJSON))
	r.must(os.Symlink("/srv/gone.json", testhost.DaemonJSON))
	r.host.Restart(t)
	if got := r.observe().Daemon.ParseError; !strings.Contains(got, "a link to /srv/gone.json, which does not exist") {
		t.Errorf("the plan says %q", got)
	}
	_, err := r.handler().Prepare(t.Context(), stepOf(plan.KindRestart, set("icc", "null", "false")))
	if err == nil || !strings.Contains(err.Error(), "a link to /srv/gone.json") {
		t.Errorf("Prepare = %v", err)
	}
	if target, err := os.Readlink(testhost.DaemonJSON); err != nil || target != "/srv/gone.json" {
		t.Errorf("the link leads to %s, %v", target, err)
	}
	r.must(os.Remove(testhost.DaemonJSON))
	r.write([]byte("{}\n"))
}

func TestNoSpaceForTheFile(t *testing.T) {
	r := newRig(t)
	r.record("48", "no space left, at daemon.json", "fails, the file is whole and as before", "nothing to undo")
	dir := filepath.Dir(testhost.DaemonJSON)
	r.host.Exec(t, "mount", "-t", "tmpfs", "-o", "size=16k,mode=755", "tmpfs", dir)
	defer r.host.Exec(t, "umount", "-l", dir)
	r.restart([]byte("{}\n"))
	r.must(os.WriteFile(filepath.Join(dir, "filler"), nil, 0o600))
	r.host.Exec(t, "sh", "-c", "cat /dev/zero >"+filepath.Join(dir, "filler")+" 2>/dev/null || true")
	before := r.state()
	s := r.prepare(stepOf(plan.KindReload, set("live-restore", "null", "true")))
	if err := r.do(s); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("Do = %v, want no space", err)
	}
	r.expect(before)
	if restored := r.back(s); !restored.Nothing {
		t.Errorf("Undo = %+v, want nothing to undo", restored)
	}
	r.expect(before)
}
