package daemon

import (
	"slices"
	"strings"
	"testing"
	"time"

	"docker-harden/cmd/testhost/gate"
	"docker-harden/plan"
)

func asksGate() plan.Step {
	return stepOf(plan.KindRestart, set(keyAuthorization, "null", `["gate"]`))
}

// runs are the containers that run, whatever their processes are now.
func (r *rig) runs() string { r.t.Helper(); return r.containers("{{.Name}} {{.State.Running}}") }

// refusedAndBack insists that a Do fails for a reason, and that the host is as before after its Undo.
func (r *rig) refusedAndBack(p *prepared, want string) {
	r.t.Helper()
	file, info, runs := r.state().File, r.info(), r.runs()
	err := p.do()
	if err == nil || !strings.Contains(err.Error(), want) {
		r.t.Fatalf("Do = %v, want %q", err, want)
	}
	p.mustUndo()
	if now := r.state(); now.File != file || now.Info != info {
		r.t.Errorf("there is\n%s\n%s\nand there was\n%s\n%s", now.File, now.Info, file, info)
	}
	if now := r.runs(); now != runs {
		r.t.Errorf("there is\n%s\nand there was\n%s", now, runs)
	}
	r.expectSettled()
}

// The engine asks a plugin after the step and does not before it and after its undo; what is denied is denied.
func TestAuthorization(t *testing.T) {
	r := newRig(t, "{\"live-restore\": true}\n")
	g := gate.Start(t, "gate")
	r.run("plain")
	before := r.state()
	p := r.prepare(asksGate())
	r.must(p.do())
	r.expectFile("{\"live-restore\": true, \"authorization-plugins\": [\"gate\"]}\n")
	if asked := g.Asked(); !slices.ContainsFunc(asked, func(q string) bool { return strings.Contains(q, "/containers/create") }) {
		t.Errorf("the proof did not go through the plugin: %q", asked)
	}
	if got := r.Docker(t, "info", "-f", "{{.Plugins.Authorization}}"); got != "[gate]" {
		t.Errorf("the engine asks %s", got)
	}
	r.expectSettled()
	p.mustUndo()
	r.expect(before)
	n := len(g.Asked())
	r.Docker(t, "ps")
	if len(g.Asked()) != n {
		t.Error("the plugin is still asked")
	}
	r.expectSettled()
}

// A plugin that lets this tool do nothing, or not what a rollback needs, or that never answers, is found out by the
// proof, and the way back needs no answer of the engine.
func TestAuthorizationThatLocksOut(t *testing.T) {
	r := newRig(t, "{}\n")
	g := gate.Start(t, "gate")
	r.run("plain")
	r.run("policy", "--restart", "unless-stopped")
	const brief = 6 * time.Second // for an engine that is not waited for in vain only
	makes := func(method, _ string) bool { return method == "POST" }
	for name, tc := range map[string]struct {
		decide  func(method, uri string) gate.Verdict
		want    string
		timeout time.Duration // 0: the usual one
	}{
		"denies everything":    {func(string, string) gate.Verdict { return gate.Deny }, "do not let this tool in", 0},
		"never answers":        {func(string, string) gate.Verdict { return gate.Hang }, "it does not answer after", brief},
		"denies what is made":  {only(gate.Deny, makes), "do not let this tool do what a rollback needs", 0},
		"denies lists":         {only(gate.Deny, func(_, uri string) bool { return strings.Contains(uri, "/json") }), "do not let this tool do what a rollback needs", 0},
		"hangs at information": {only(gate.Hang, func(_, uri string) bool { return strings.HasSuffix(uri, "/info") }), "give no answer", brief},
	} {
		r.sub(t, name, func(t *testing.T) {
			g.Say(gate.Allow)
			p := r.prepare(asksGate())
			r.handler.Timeout = tc.timeout
			g.Decide(tc.decide)
			r.refusedAndBack(p, tc.want)
		})
	}
}

// only gives the requests that are meant a verdict, and allows all others.
func only(v gate.Verdict, meant func(method, uri string) bool) func(method, uri string) gate.Verdict {
	return func(method, uri string) gate.Verdict {
		if meant(method, uri) {
			return v
		}
		return gate.Allow
	}
}

// A plugin that goes wrong after the apply keeps nobody from the way back, and what was started since runs again.
func TestAuthorizationThatGoesWrongLater(t *testing.T) {
	r := newRig(t, "{}\n")
	g := gate.Start(t, "gate")
	for name, verdict := range map[string]gate.Verdict{"denies": gate.Deny, "hangs": gate.Hang} {
		r.sub(t, name, func(t *testing.T) {
			g.Say(gate.Allow)
			file := r.state().File
			p := r.prepare(asksGate())
			r.must(p.do())
			r.run("late-" + name)
			g.Say(verdict)
			p.mustUndo()
			if now := r.state().File; now != file {
				t.Errorf("the file is\n%s\nand was\n%s", now, file)
			}
			if got := r.Docker(t, "inspect", "-f", "{{.State.Running}}", "late-"+name); got != "true" {
				t.Errorf("a container that was started since does not run: %s", got)
			}
		})
	}
}
