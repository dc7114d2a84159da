package docker

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/control"
	record "docker-harden/plan/evidence"
	"docker-harden/plan/inventory"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// lived is evidence of a whole life of a container that was watched for an hour.
func lived(c *inventory.Container, used ...string) *record.File {
	port := 0
	f := &record.File{
		Format: record.Format, Container: record.Container{ID: c.ID, Name: c.Name, Image: c.Inspect.Image, Digest: c.Work().Digest()},
		Windows: []record.Window{{
			From: noon, To: noon.Add(time.Hour), Hook: "tp_btf/cap_capable", Startup: true, Creates: 1, Starts: 2, Stops: 1, SecondStart: true, ChecksPassed: true,
		}},
		Phases:    []record.Phase{{Name: record.PhaseStart, From: noon, To: noon.Add(5 * time.Second)}, {Name: record.PhaseSecondStart, From: noon.Add(time.Minute), To: noon.Add(2 * time.Minute)}},
		Processes: []record.Process{{Name: "serve", Init: true, Capabilities: true, Effective: record.MaskOf(1), Permitted: record.MaskOf(1)}},
		Execs:     []record.Exec{{Path: "/usr/bin/serve", Times: record.Times{Count: 2, First: noon, Last: noon}}},
		Sysctls:   record.Sysctls{UnprivilegedPortStart: &port},
		Programs:  record.Programs{Looked: true},
	}
	for _, name := range used {
		f.Checks = append(f.Checks, record.Check{
			Capability: name, Call: "call", Process: "serve", Times: record.Times{Count: 2, First: noon.Add(850 * time.Millisecond), Last: noon.Add(time.Hour)},
		})
	}
	return f
}

// watchedWeb is a container that was watched while it used these.
func watchedWeb(used ...string) *inventory.Container {
	c := ordinaryContainer("web")
	c.Proc.All = []inventory.Process{c.Proc.Init}
	c.Learnt = lived(&c, used...)
	return &c
}

// judged is the finding of a control with a profile for web.
func judged(t *testing.T, c *inventory.Container, id, params string) plan.Finding {
	t.Helper()
	text := fmt.Sprintf("controls: {%s: {}}\ncontainers: [{match: web, controls: {%s: {params: {%s}}}}]\n", id, id, params)
	h := ordinaryHost()
	h.Containers = []inventory.Container{*c}
	found := control.Evaluate(h, load(t, []byte(text)), Controls(), now)
	if len(found) != 1 {
		t.Fatalf("%d findings", len(found))
	}
	return found[0]
}

// answers are what evidence answers with a profile for web.
func answers(t *testing.T, c *inventory.Container, id, params string) []LearntAnswer {
	t.Helper()
	text := fmt.Sprintf("controls: {%s: {}}\ncontainers: [{match: web, controls: {%s: {params: {%s}}}}]\n", id, id, params)
	return LearntAnswers(ordinaryHost(), c, load(t, []byte(text)), "")
}

func one(t *testing.T, list []LearntAnswer) LearntAnswer {
	t.Helper()
	if len(list) != 1 {
		t.Fatalf("answers %+v", list)
	}
	return list[0]
}

func (a LearntAnswer) why() string {
	var out []string
	for _, line := range a.Why {
		out = append(out, line.Text+" ["+line.Sure+"]")
	}
	return strings.Join(out, "\n")
}

// The question's answer is whole: with it, the control asks for exactly what was seen, and nothing more.
func TestLearntCapabilities(t *testing.T) {
	c := watchedWeb("CHOWN", "SETGID", "SETUID")
	f := judged(t, c, "docker/capabilities", "")
	id := c.Work().ID()
	want := fmt.Sprintf(`Answer in the profile: containers: [{match: "web", controls: {docker/capabilities: {params: {drop: [ALL], keep: [CHOWN, SETGID, SETUID], learnt: %q}}}}]`, id)
	if f.Status != plan.Manual || len(f.Changes) > 0 || !strings.HasSuffix(f.Question, want) || !strings.Contains(f.Question, "only CHOWN, SETGID, SETUID (watched about an hour, once made anew, started 2 times, stopped once)") {
		t.Fatalf("%+v", f)
	}
	answer := one(t, answers(t, c, "docker/capabilities", ""))
	for _, line := range []string{
		"keep CHOWN: used 2x in call by serve (uid 0), 0.85 s after a start [high]",
		"drop NET_RAW: not used, watched about an hour, once made anew, started 2 times, stopped once [high]",
		"drop KILL: not used, watched about an hour, once made anew, started 2 times, stopped once [medium]",
		"everybody may open ports from 0 on",
	} {
		if got := answer.why(); line != "everybody may open ports from 0 on" && !strings.Contains(got, line) {
			t.Errorf("no %q in\n%s", line, got)
		}
	}
	said := answer.text()
	c.Learnt = nil // what is in the profile holds without the evidence
	f = judged(t, c, "docker/capabilities", said)
	if len(f.Changes) != 1 || f.Changes[0].Path != "HostConfig.CapDrop" || strings.Contains(string(f.Changes[0].To), "SETUID") || strings.Count(string(f.Changes[0].To), ",") != 10 {
		t.Errorf("with the answer: %+v", f.Changes)
	}
	f = judged(t, c, "docker/capabilities", said+", form: all-but")
	if got := fmt.Sprintf("%s %s", f.Changes[0].To, f.Changes[1].To); got != `["ALL"] ["CHOWN","SETGID","SETUID"]` {
		t.Errorf("as all but: %s", got)
	}
	for _, change := range f.Changes {
		if h := ordinaryHost(); !ChangesContainer(h, c, load(t, []byte("controls: {docker/capabilities: {params: {"+said+", form: all-but}}}\n")), change) {
			t.Errorf("a plan may not have what the control asks for: %s", change.Path)
		}
	}
	more := plan.Change{Path: "HostConfig.CapAdd", From: []byte("null"), To: []byte(`["CHOWN","SETGID","SETUID","SYS_ADMIN"]`)}
	if ChangesContainer(ordinaryHost(), c, load(t, []byte("controls: {docker/capabilities: {params: {"+said+", form: all-but}}}\n")), more) {
		t.Error("a plan that somebody edited gives more")
	}
}

// What is applied is the end of it: nothing is asked any more, and the answer stays what it is.
func TestLearntCapabilitiesConverge(t *testing.T) {
	c := watchedWeb("CHOWN", "SETGID")
	first := one(t, answers(t, c, "docker/capabilities", ""))
	for _, apply := range []func(){
		func() { c.Inspect.HostConfig.CapDrop = without(defaultCaps, []string{"CHOWN", "SETGID"}) },
		func() {
			c.Inspect.HostConfig.CapAdd, c.Inspect.HostConfig.CapDrop = []string{"CHOWN", "SETGID"}, []string{"ALL"}
		},
	} {
		apply()
		held := capMask([]string{"CHOWN", "SETGID"})
		c.Proc.Init.CapBnd, c.Proc.Init.CapEff, c.Proc.Init.CapPrm = held, held, held
		c.Proc.All = []inventory.Process{c.Proc.Init}
		for _, form := range []string{formLess, formAll} {
			if f := judged(t, c, "docker/capabilities", first.text()+", form: "+form); f.Status != plan.Pass {
				t.Errorf("%s: %+v", form, f)
			}
		}
		if again := one(t, answers(t, c, "docker/capabilities", first.text())); again.text() != first.text() {
			t.Errorf("then %s, first %s", again.text(), first.text())
		}
	}
}

// Each part of a life that was not seen leaves the control with its own rule, and gives no answer.
func TestLearntCapabilitiesOfHalfALife(t *testing.T) {
	for want, change := range map[string]func(*record.Window){
		"a second start":         func(w *record.Window) { w.SecondStart = false },
		"an end":                 func(w *record.Window) { w.Stops = 0 },
		"a start":                func(w *record.Window) { w.Startup = false },
		"a check that it works":  func(w *record.Window) { w.ChecksPassed = false },
		"every capability check": func(w *record.Window) { w.Lost = 3 },
	} {
		c := watchedWeb("CHOWN")
		change(&c.Learnt.Windows[0])
		if a := one(t, answers(t, c, "docker/capabilities", "")); !strings.Contains(a.Refused, "not seen were "+want) || a.Params != nil {
			t.Errorf("%s: %+v", want, a)
		}
		f := judged(t, c, "docker/capabilities", "")
		if f.Question != "" || len(f.Changes) != 1 || string(f.Changes[0].To) != `["MKNOD","NET_RAW","SETFCAP","AUDIT_WRITE"]` {
			t.Errorf("%s: %q %s", want, f.Question, f.Changes)
		}
	}
}

// A container that was never seen new keeps what puts files right; file capabilities, capset and old ports count.
func TestLearntCapabilitiesKept(t *testing.T) {
	c := watchedWeb("SETUID")
	c.Learnt.Windows[0].Creates = 0
	a := one(t, answers(t, c, "docker/capabilities", ""))
	if got := a.list("keep"); !slices.Equal(got, []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETUID"}) {
		t.Errorf("never seen new: %q", got)
	}
	if !strings.Contains(a.why(), "keep CHOWN: not used, but it was not seen made anew") || !strings.Contains(a.why(), "drop KILL: not used, watched about an hour, never made anew, started 2 times, stopped once [low]") {
		t.Errorf("why:\n%s", a.why())
	}

	c = watchedWeb()
	c.Learnt.Checks = []record.Check{{Capability: "NET_RAW", Call: "execve", Process: "ping", Asked: true, Times: record.Times{Count: 1, First: noon.Add(70 * time.Second)}}}
	c.Learnt.Listeners = []record.Listener{{Protocol: "tcp", Port: 80}}
	if got := one(t, answers(t, c, "docker/capabilities", "")); !slices.Equal(got.list("keep"), []string{"NET_RAW"}) || !strings.Contains(got.why(), "asked for 1x in execve by ping (uid 0), first at its second start") ||
		!strings.Contains(got.why(), "drop NET_BIND_SERVICE") || !strings.Contains(got.why(), "everybody may open ports from 0 on") {
		t.Errorf("%q\n%s", got.list("keep"), got.why())
	}
	port := 1024
	c.Learnt.Sysctls.UnprivilegedPortStart = &port
	if got := one(t, answers(t, c, "docker/capabilities", "")); !slices.Equal(got.list("keep"), []string{"NET_BIND_SERVICE", "NET_RAW"}) {
		t.Errorf("with the kernel's own first port: %q\n%s", got.list("keep"), got.why())
	}
	c.Learnt.Sysctls.UnprivilegedPortStart = nil
	if got := one(t, answers(t, c, "docker/capabilities", "")); !slices.Contains(got.list("keep"), "NET_BIND_SERVICE") {
		t.Errorf("without knowing: %q", got.list("keep"))
	}
}

// Nothing is given that the container does not have, what the profile keeps stays, and what only reads is doubted.
func TestLearntCapabilitiesOfWhatItHas(t *testing.T) {
	c := watchedWeb("CHOWN", "SYS_ADMIN", "DAC_READ_SEARCH")
	c.Inspect.HostConfig.CapAdd = []string{"DAC_READ_SEARCH", "NET_ADMIN", "SYS_TIME"}
	a := one(t, answers(t, c, "docker/capabilities", "keep: [SYS_TIME]"))
	if got := a.list("keep"); !slices.Equal(got, []string{"CHOWN", "DAC_READ_SEARCH", "SYS_TIME"}) {
		t.Errorf("keeps %q\n%s", got, a.why())
	}
	if !strings.Contains(a.why(), "such a use often works without, so try that [low]") || !strings.Contains(a.why(), "keep SYS_TIME: the profile keeps it [high]") {
		t.Errorf("why:\n%s", a.why())
	}
}

// Without the kernel's counters, a container in which nobody holds anything needs nothing.
func TestLearntCapabilitiesWithoutCounters(t *testing.T) {
	c := watchedWeb()
	c.Learnt.Windows = []record.Window{{From: noon, To: noon.Add(time.Minute), Reason: "no hook"}}
	c.Learnt.Processes = []record.Process{{Name: "serve", UID: 1000, Init: true, Effective: record.MaskOf(0), Permitted: record.MaskOf(0)}}
	for _, root := range []string{"", "0:0", "root"} { // an entry script that has become somebody else before anybody looked
		c.Inspect.Config.User = root
		if a := one(t, answers(t, c, "docker/capabilities", "")); !strings.Contains(a.Refused, "a start") {
			t.Errorf("as %q: %+v", root, a)
		}
	}
	c.Inspect.Config.User = "1000"
	a := one(t, answers(t, c, "docker/capabilities", ""))
	if a.Refused != "" || len(a.list("keep")) != 0 || !strings.Contains(a.why(), "drop SETUID: no process holds a capability") {
		t.Errorf("%+v", a)
	}
	c.Learnt.Programs.Found = []record.Program{{Path: "/bin/su", Setuid: true}}
	if a := one(t, answers(t, c, "docker/capabilities", "")); a.Refused == "" {
		t.Errorf("a setuid program is there: %+v", a)
	}
}

// An answer that was learnt of something else is asked again, whatever the container is now.
func TestLearntAnswerOutdated(t *testing.T) {
	c := watchedWeb("CHOWN")
	said := one(t, answers(t, c, "docker/capabilities", "")).text()
	old := c.Work().ID()
	c.Inspect.HostConfig.CapDrop = without(defaultCaps, []string{"CHOWN"})
	c.Learnt = nil
	for name, change := range map[string]func(*inventory.Container){
		"another image":   func(c *inventory.Container) { c.Inspect.Image = "sha256:other" },
		"another user":    func(c *inventory.Container) { c.Inspect.Config.User = "1000" },
		"another command": func(c *inventory.Container) { c.Raw = []byte(`{"Config":{"Cmd":["other"]}}`) },
	} {
		now := *c
		change(&now)
		f := judged(t, &now, "docker/capabilities", said)
		if f.Status != plan.Manual || len(f.Changes) > 0 || !strings.Contains(f.Question, "before its image or configuration changed (of "+old) ||
			!strings.Contains(f.Question, `learnt: `) || !strings.Contains(f.Question, "keep: [CHOWN]") {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if f := judged(t, c, "docker/capabilities", said); strings.Contains(f.Question, "before its image") {
		t.Errorf("as it was: %+v", f)
	}
	// With evidence of what it is now, the question has the new answer, without what was kept before.
	c.Inspect.Image, c.Inspect.HostConfig.CapDrop = "sha256:other", nil
	c.Learnt = lived(c, "SETUID")
	f := judged(t, c, "docker/capabilities", said)
	if !strings.Contains(f.Question, "before its image") || !strings.Contains(f.Question, "keep: [SETUID], learnt: ") {
		t.Errorf("%s", f.Question)
	}
}
