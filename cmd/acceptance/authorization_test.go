package acceptance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"docker-harden/cmd/testhost/gate"
)

// An authorization plugin is given to the engine when it is there, and taken from it again: by a rollback that it denies
// everything, and by an apply that finds itself locked out.
func TestAuthorizationPluginThereAndBack(t *testing.T) {
	o := newOperator(t)
	o.host.WriteDaemonJSON(t, "{\n    \"labels\": [\"a=b\"],\n    \"live-restore\": true\n}\n")
	o.host.Restart(t)
	o.host.Docker(t, "run", "-d", "--name", "web", o.host.Image(t, "busybox"), "sleep", "3600")
	pid := o.host.Docker(t, "inspect", "-f", "{{.State.Pid}}", "web")
	before := o.record("before")

	const answer = "controls: {docker/authorization-plugin: {params: {plugins: [gate]}}}"
	if err := os.WriteFile(filepath.Join(o.dir, "answer.yaml"), []byte("format: docker-harden/profile/v1\nname: answer\n"+answer+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if made := o.run(0, "plan", "-p", "answer.yaml", "-o", "none.plan"); len(o.plan("none.plan").Steps) != 0 || !strings.Contains(words(made.stdout), "gate: there is none") {
		t.Error("a plugin that does not exist is planned")
	}
	g := gate.Start(t, "gate")
	o.run(0, "plan", "-p", "answer.yaml", "-o", "gate.plan")
	steps := o.plan("gate.plan").Steps
	if len(steps) != 1 || len(steps[0].Changes) != 1 || steps[0].Changes[0].Path != "authorization-plugins" {
		t.Fatalf("the plan has %+v", steps)
	}

	g.Say(gate.Deny)
	if locked := o.try("apply", "gate.plan", "-y"); locked.code == 0 || !strings.Contains(words(locked.stderr), "do not let this tool in") {
		t.Errorf("exit %d of an apply that locks itself out", locked.code)
	}
	o.script("check", before, o.record("locked"))

	g.Say(gate.Allow)
	o.run(0, "apply", "gate.plan", "-y")
	if got := o.host.Docker(t, "info", "-f", "{{.Plugins.Authorization}}"); got != "[gate]" {
		t.Errorf("the engine asks %s", got)
	}
	if now := o.host.Docker(t, "inspect", "-f", "{{.State.Pid}}", "web"); now != pid {
		t.Errorf("the container's process is %s and was %s", now, pid)
	}
	o.run(0, "verify")
	again := o.run(0, "plan", "-p", "answer.yaml", "-o", "again.plan")
	if len(o.plan("again.plan").Steps) != 0 || !strings.Contains(strings.ToLower(again.stdout), "no changes") {
		t.Error("a plan after the apply still changes something")
	}

	for name, verdict := range map[string]gate.Verdict{"denied": gate.Deny, "hung": gate.Hang} {
		g.Say(gate.Allow)
		if o.host.Docker(t, "info", "-f", "{{.Plugins.Authorization}}") == "[]" {
			o.run(0, "apply", "gate.plan", "-y")
		}
		g.Say(verdict)
		o.run(0, "rollback", "-y")
		if got := o.host.Docker(t, "info", "-f", "{{.Plugins.Authorization}}"); got != "[]" {
			t.Errorf("%s: after the rollback the engine asks %s", name, got)
		}
		o.script("check", before, o.record(name))
	}
}
