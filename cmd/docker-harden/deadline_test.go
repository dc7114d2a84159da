package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"docker-harden/plan"
	"docker-harden/remediate/host"
	"docker-harden/remediate/journal"
)

func TestTimesAsPeopleReadThem(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 400 * time.Millisecond: "0s", 31 * time.Second: "31s", 5 * time.Minute: "5m", 90 * time.Second: "1m30s",
		time.Hour: "1h", 24 * time.Hour: "24h", time.Hour + 5*time.Second: "1h0m5s", 10*time.Minute - 1: "10m",
	} {
		if got := left(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	day := time.Date(2020, 2, 3, 4, 5, 6, 0, time.Local)
	if got := clockTime(day); got != "2020-02-03 04:05:06" {
		t.Errorf("another day: %s", got)
	}
	now := time.Now()
	if got := clockTime(now); got != now.Format(time.TimeOnly) {
		t.Errorf("today: %s", got)
	}
}

func TestEstimate(t *testing.T) {
	steps := []plan.Step{
		{Kind: plan.KindRestart, Effect: plan.Effect{Downtime: 0}},
		{Kind: plan.KindRecreate, Effect: plan.Effect{Downtime: 2}},
		{Kind: plan.KindUpdate},
	}
	if got := estimate(steps, 0); got != 10*time.Second {
		t.Errorf("%s", got)
	}
	if got := estimate(steps, time.Minute); got != 65*time.Second {
		t.Errorf("%s", got)
	}
}

// waiter is a generation that waits, with records after those of its apply.
func waiter(t *testing.T, boot string, more ...journal.Kind) *journal.Generation {
	t.Helper()
	store, err := journal.Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	step := plan.Step{ID: "daemon", Kind: plan.KindRestart, Resource: plan.Daemon()}
	j, err := store.Create(journal.Begin{Plan: []byte("{}"), Steps: []plan.Step{step}})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	from, err := host.Clock()
	if err != nil {
		t.Fatal(err)
	}
	if boot != "" {
		from.Boot = boot
	}
	write := func(kind journal.Kind, step string, v any) {
		t.Helper()
		if err := j.Write(kind, step, v); err != nil {
			t.Fatal(err)
		}
	}
	write(journal.Awaiting, "", journal.Deadline{From: from, Within: time.Hour, Timer: json.RawMessage(`{"by":"detached","dir":"/nonexistent"}`)})
	write(journal.Prepared, "daemon", nil)
	write(journal.Done, "daemon", nil)
	for _, kind := range more {
		var data any
		if kind == journal.Expired {
			data = journal.Expiry{Why: journal.Rebooted, By: "timer"}
		}
		write(kind, "", data)
	}
	gen, err := store.Load(1)
	if err != nil {
		t.Fatal(err)
	}
	return gen
}

func TestWhatIsSaidOfADeadline(t *testing.T) {
	a := &app{}
	for _, test := range []struct {
		name, boot           string
		records              []journal.Kind
		json, history, lines string
	}{
		{"waits", "", []journal.Kind{journal.Applied}, "waiting", "applied, confirm by ", "unless you run sudo docker-harden confirm"},
		{"half done", "", nil, "waiting", "applying, back at ", "unless it is finished and confirmed before that"},
		{"rebooted", "b", []journal.Kind{journal.Applied}, "overdue", "applied, overdue", "because the host was rebooted before anybody confirmed it: sudo docker-harden rollback 1"},
		{"kept", "", []journal.Kind{journal.Applied, journal.Confirmed}, "settled", "confirmed", ""},
		{"gone back", "b", []journal.Kind{journal.Applied, journal.Expired, journal.RollingBack, journal.RolledBack}, "expired", "rolled-back, not confirmed", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			gen := waiter(t, test.boot, test.records...)
			g := generationOf(gen)
			if g.Confirm == nil || g.Confirm.State != test.json || g.Confirm.Within != 3600 {
				t.Fatalf("%+v", g.Confirm)
			}
			if got := g.stateText(); !strings.HasPrefix(got, test.history) {
				t.Errorf("history: %q", got)
			}
			if got := a.confirmText(&g); !strings.Contains(got, test.lines) || (test.lines == "") != (got == "") {
				t.Errorf("status: %q", got)
			}
			a.checkTimer(nil, gen, nil)
			if got := expiredText(gen); strings.Contains(got, "was rolled back at") != (test.json == "expired") {
				t.Errorf("status of the newest: %q", got)
			}
		})
	}
}

// What the copy gets reaches the same engine, wherever the copy is started and whatever becomes of
// the environment and the current context.
func TestWhatTheTimerIsTold(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	env := map[string]string{"HOME": "/h", "PATH": "/p", "DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKER_API_VERSION": "1.40", "SECRET": "x", "DOCKER_TLS_VERIFY": "1"}
	a := &app{getenv: func(name string) string { return env[name] }}
	var got saved
	var name string
	library := &cli.App{Name: program, Flags: append(globalFlags(), waitFlags()...), Action: func(c *cli.Context) error {
		s, err := alarm{app: a, c: c}.saved()
		if err != nil {
			return err
		}
		got = s
		timer, err := alarm{app: a, c: c, unit: "docker.service"}.timer(&journal.Generation{N: 3, Dir: "g"})
		name = timer.Name + " " + strings.Join(timer.Args, " ") + " " + timer.Dir
		return err
	}}
	library.HideHelp = true
	if err := library.Run([]string{program, "--tlscacert", "ca.pem", "--stable", "3s", "--state-dir", "state"}); err != nil {
		t.Fatal(err)
	}
	want := saved{
		Flags: map[string]string{"host": "tcp://127.0.0.1:1", "tls": "true", "tlsverify": "true", "tlscacert": filepath.Join(dir, "ca.pem"), "stable": "3s"},
		Env:   map[string]string{"HOME": "/h", "PATH": "/p", "DOCKER_API_VERSION": "1.40"},
	}
	if g, w := mustJSON(t, got), mustJSON(t, want); g != w {
		t.Errorf("got  %s\nwant %s", g, w)
	}
	if !strings.HasPrefix(name, "3-") || !strings.Contains(name, " rollback 3 --unconfirmed --state-dir="+dir+"/state "+dir+"/g/confirm") {
		t.Errorf("%q", name)
	}
	// And takes it over.
	file := filepath.Join(dir, alarmFile)
	if err := os.WriteFile(file, []byte(mustJSON(t, want)), 0o600); err != nil {
		t.Fatal(err)
	}
	for k := range want.Env {
		t.Setenv(k, "")
	}
	library.Action = func(c *cli.Context) error {
		if err := a.restore(c, file); err != nil {
			return err
		}
		if c.String("host") != want.Flags["host"] || !c.Bool("tlsverify") || c.Duration("stable") != 3*time.Second || os.Getenv("HOME") != "/h" {
			t.Errorf("%s %v %v %s", c.String("host"), c.Bool("tlsverify"), c.Duration("stable"), os.Getenv("HOME"))
		}
		return a.restore(c, filepath.Join(dir, "none"))
	}
	if err := library.Run([]string{program}); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	library.Action = func(c *cli.Context) error { return a.restore(c, file) }
	if err := library.Run([]string{program}); err == nil || !strings.Contains(err.Error(), "what the timer is to do") {
		t.Errorf("a broken file: %v", err)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
