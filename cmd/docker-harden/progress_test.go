package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"docker-harden/plan"
	"docker-harden/remediate"
)

// events of an apply with two steps, the second of which fails and is undone with the first.
func events() []remediate.Event {
	step := func(index int, id string, kind plan.Kind, phase remediate.Phase) remediate.Event {
		return remediate.Event{Generation: 3, Index: index, Total: 2, Step: id, Kind: kind, Phase: phase}
	}
	failed := step(2, "container/web", plan.KindRecreate, remediate.PhaseFailed)
	failed.Err = &remediate.StepError{
		Step: "container/web", During: "do",
		Err: errors.New("exited 1 after 0.4 s: \"bind() to 0.0.0.0:80 failed\"; likely cause: NET_BIND_SERVICE dropped\x1b[2J"),
	}
	done := step(1, "daemon", plan.KindReload, remediate.PhaseDone)
	done.Elapsed = 1234 * time.Millisecond
	progress := step(2, "container/web", plan.KindRecreate, remediate.PhaseDo)
	progress.Text = "waiting until healthy"
	return []remediate.Event{
		step(1, "daemon", plan.KindReload, remediate.PhasePrepare), step(1, "daemon", plan.KindReload, remediate.PhaseDo), done,
		step(2, "container/web", plan.KindRecreate, remediate.PhasePrepare), progress, failed,
		step(1, "container/web", plan.KindRecreate, remediate.PhaseUndo), step(1, "container/web", plan.KindRecreate, remediate.PhaseUndone),
		{Generation: 3, Phase: remediate.PhaseVerify},
	}
}

func TestPlainProgress(t *testing.T) {
	var out strings.Builder
	p := plainProgress{out: &out}
	for _, e := range events() {
		p.event(e)
	}
	p.close()
	want := ` [1/2] daemon  engine reloaded  1.2s
 [2/2] container/web  FAILED: exited 1 after 0.4 s: "bind() to 0.0.0.0:80 failed"
        likely cause: NET_BIND_SERVICE dropped\x1b[2J
 [r1/2] container/web  back
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestJSONProgress(t *testing.T) {
	var out strings.Builder
	p := jsonProgress{out: &out}
	for _, e := range events() {
		p.event(e)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(events()) {
		t.Fatalf("%d lines for %d events", len(lines), len(events()))
	}
	var failed struct {
		Step, Phase, Error string
	}
	if err := json.Unmarshal([]byte(lines[5]), &failed); err != nil {
		t.Fatal(err)
	}
	if failed.Step != "container/web" || failed.Phase != "failed" || !strings.Contains(failed.Error, "bind()") {
		t.Errorf("the failed step is told as %+v", failed)
	}
}

func TestLiveProgress(t *testing.T) {
	var out strings.Builder
	p := newLiveProgress(&out, false)
	for _, e := range events() {
		p.event(e)
	}
	p.close()
	text := out.String()
	for _, want := range []string{
		"\r\x1b[K [1/2] daemon  looking", "\r\x1b[K [1/2] daemon  engine reloaded  1.2s\n", "waiting until healthy",
		"[r1/2] container/web  bringing back", "looking at the whole host again",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in %q", want, text)
		}
	}
	if !strings.HasSuffix(text, "\r\x1b[K") {
		t.Errorf("the running line is left on the screen: %q", text)
	}
	if strings.Contains(strings.ReplaceAll(text, "\x1b[K", ""), "\x1b[") {
		t.Errorf("escape sequences of the host reach the terminal: %q", text)
	}
}

func TestLiveProgressColours(t *testing.T) {
	var out strings.Builder
	p := newLiveProgress(&out, true)
	for _, e := range events() {
		p.event(e)
	}
	p.close()
	if !strings.Contains(out.String(), "\x1b[32m") || !strings.Contains(out.String(), "\x1b[31;1m") {
		t.Errorf("good and bad have no colours: %q", out.String())
	}
}

// TestToldOnce: what progress said of a failed step is not said again at the end.
func TestToldOnce(t *testing.T) {
	for _, test := range []struct {
		progress progress
		want     bool
	}{
		{plainProgress{out: io.Discard}, true},
		{quietProgress{}, false},
		{jsonProgress{out: io.Discard}, false},
	} {
		var errs strings.Builder
		a := testApp()
		a.err = &errs
		l := &listener{progress: test.progress}
		cause := fmt.Errorf("%w: the reason", remediate.ErrRolledBack)
		if code := a.report(t.Context(), l.after(cause)); code != exitRolledBack || errs.Len() == 0 {
			t.Errorf("%T: before any step failed: exit %d, said %q", test.progress, code, errs.String())
		}
		for _, e := range events() {
			l.event(e)
		}
		errs.Reset()
		if code := a.report(t.Context(), l.after(cause)); code != exitRolledBack {
			t.Errorf("%T: exit %d", test.progress, code)
		}
		if told := errs.Len() == 0; told != test.want {
			t.Errorf("%T: the end says %q", test.progress, errs.String())
		}
	}
}
