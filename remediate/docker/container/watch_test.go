package container

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
)

// well is a container that serves as it did.
func well() sight {
	return sight{
		there: true, running: true, healthy: true, id: "new", started: "2026-01-01T00:00:00Z",
		users: map[string][]int{"apache2": {0, 33, 33}, "sh": {0}},
	}
}

func TestJudge(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	workers := map[string][]int{"apache2": {0, 0, 0}, "sh": {0}}
	for name, tt := range map[string]struct {
		change  string // that was made
		before  func(*sight)
		then    func(*sight) // what the second look shows
		what    string
		cause   string
		lasting bool // it is only said when it stays
	}{
		"well":           {then: func(*sight) {}},
		"killed":         {change: "Memory", then: func(s *sight) { s.oom, s.running = true, false }, what: "lack of memory", cause: "memory limit is too low"},
		"a child killed": {change: "CapDrop", then: func(s *sight) { s.hits.killed = 1 }, what: "lack of memory"},
		"killed as before": {
			before: func(s *sight) { s.hits.killed = 4 }, then: func(s *sight) { s.hits.killed = 1 },
		},
		"killed as before, with a new limit": {
			change: "Memory", before: func(s *sight) { s.hits.killed = 4 }, then: func(s *sight) { s.hits.killed = 1 }, what: "lack of memory", cause: "memory limit",
		},
		"crowded":           {change: "PidsLimit", then: func(s *sight) { s.hits.refused = 2 }, what: "limit of processes", cause: "limit of processes is too low"},
		"crowded as before": {before: func(s *sight) { s.hits.refused = 1 }, then: func(s *sight) { s.hits.refused = 2 }},
		"crowded at another limit": {
			change: "PidsLimit", before: func(s *sight) { s.hits.refused = 1 }, then: func(s *sight) { s.hits.refused = 2 }, what: "limit of processes", cause: "too low",
		},
		"restarted by its policy": {then: func(s *sight) { s.restarts, s.started = 1, "later" }, what: "restarted by its restart policy"},
		"started by somebody":     {then: func(s *sight) { s.started = "later" }},
		"ended with an error":     {then: func(s *sight) { s.running, s.exit = false, 3 }, what: "ended with code 3"},
		"came to its end":         {then: func(s *sight) { s.running = false }},
		"removed":                 {then: func(s *sight) { *s = sight{} }},
		"another one":             {then: func(s *sight) { s.id, s.oom = "other", true }},
		"unhealthy":               {then: func(s *sight) { s.healthy, s.unhealthy = false, true }, what: "became unhealthy"},
		"unhealthy as before":     {before: func(s *sight) { s.healthy = false }, then: func(s *sight) { s.unhealthy = true }, what: "became unhealthy"},
		"refused": {
			change: "CapDrop", then: func(s *sight) { s.refused = Refusal{"CHOWN", "CHOWN denied in fchownat by chown"} },
			what: "was refused a capability that it needs: CHOWN denied in fchownat by chown", cause: "it needs capability CHOWN",
		},
		"workers stay root":     {change: "CapDrop", then: func(s *sight) { s.users = workers }, what: "runs apache2, which ran as user 33 and now runs as root", cause: "SETGID", lasting: true},
		"paused":                {then: func(s *sight) { s.users, s.paused = workers, true }, lasting: true},
		"not readable":          {then: func(s *sight) { s.users = nil }, lasting: true},
		"all workers are gone":  {then: func(s *sight) { s.users = map[string][]int{"apache2": {0}} }, lasting: true},
		"the known is root now": {then: func(s *sight) { s.users = map[string][]int{"redis": {0}} }, what: "runs redis, which ran as user 5 and now runs as root", lasting: true},
	} {
		g := &guard{step: "container/web", name: "web", before: well(), known: map[string][]int{"redis": {5}}}
		g.before.id, g.before.started = "old", "earlier"
		if tt.before != nil {
			tt.before(&g.before)
		}
		if tt.change != "" {
			g.changes = changeList{change(tt.change, "0", "1")}
		}
		if got := g.judge(well(), now); got != "" {
			t.Errorf("%s: at first %q", name, got)
		}
		s := well()
		tt.then(&s)
		got := g.judge(s, now.Add(time.Second))
		if tt.lasting {
			if got != "" {
				t.Errorf("%s: %q at once", name, got)
			}
			got = g.judge(s, now.Add(time.Second+startTime))
		}
		if !strings.Contains(got, tt.what) || (tt.what == "") != (got == "") {
			t.Errorf("%s: %q, want %q", name, got, tt.what)
		}
		if got == "" {
			continue
		}
		var gate *GateError
		if err := g.failure(got, s); !errors.As(err, &gate) || !strings.Contains(gate.Cause, tt.cause) || (tt.cause == "") != (gate.Cause == "") || (gate.Cause == "") != (gate.Next == "") {
			t.Errorf("%s: %+v", name, err)
		}
	}
}

// A program that is root for a moment, as a new worker is, and then no more has not become root.
func TestJudgeRootForAMoment(t *testing.T) {
	now := time.Now()
	g := &guard{before: well()}
	rises := well()
	rises.users = map[string][]int{"apache2": {0, 0}}
	for i, s := range []sight{well(), rises, well(), rises, rises, well()} {
		if got := g.judge(s, now.Add(time.Duration(i)*startTime*3/4)); got != "" {
			t.Errorf("look %d: %q", i, got)
		}
	}
}

// The counts of a container that was changed in place began before; those of one that was made anew are its own.
func TestBegin(t *testing.T) {
	for name, tt := range map[string]struct {
		id, started string
		fails       bool
	}{
		"in place": {"old", "earlier", false}, "started since": {"old", "later", true}, "made anew": {"new", "earlier", true},
	} {
		g := &guard{before: sight{id: "old", started: "earlier", restarts: 3}}
		s := sight{there: true, running: true, id: tt.id, started: tt.started, restarts: 3}
		if got := g.judge(s, time.Now()); (got != "") != tt.fails {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestRisenAmong(t *testing.T) {
	for name, tt := range map[string]struct{ was, is []int }{
		"as before":                {[]int{0, 33}, []int{0, 33}},
		"never another":            {[]int{0}, []int{0, 0, 0}},
		"a session ended":          {[]int{0, 0, 1000}, []int{0}},
		"fewer":                    {[]int{0, 33, 33}, []int{0, 33}},
		"new":                      {nil, []int{0}},
		"one more, and others too": {[]int{0, 33}, []int{0, 0, 33}},
	} {
		if got := risenAmong(map[string][]int{"x": tt.was}, map[string][]int{"x": tt.is}); got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
	for name, tt := range map[string]struct{ was, is []int }{
		"workers": {[]int{0, 33, 33}, []int{0, 0, 0}}, "all of it": {[]int{999}, []int{0}}, "one of two": {[]int{999, 999}, []int{0, 999}},
	} {
		if got := risenAmong(map[string][]int{"x": tt.was}, map[string][]int{"x": tt.is}); !strings.HasSuffix(got, nowRoot) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestHits(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"version 1": {
			"proc/7/cgroup": "4:memory:/docker/a\n3:cpu,pids:/docker/a\n0::/\n",
			"sys/fs/cgroup/memory/docker/a/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
			"sys/fs/cgroup/pids/docker/a/pids.events":          "max 5\n",
		},
		"version 2": {
			"proc/7/cgroup": "0::/system.slice/a\n",
			"sys/fs/cgroup/system.slice/a/memory.events": "low 0\nmax 9\noom 3\noom_kill 2\n",
			"sys/fs/cgroup/system.slice/a/pids.events":   "max 5\n",
		},
	} {
		root := t.TempDir()
		for file, text := range files {
			file = filepath.Join(root, file)
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := (Options{Root: root}).hits(7); err != nil || got != (hits{killed: 2, refused: 5}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if _, err := (Options{Root: root}).hits(8); err == nil {
			t.Errorf("%s: of a process that is not there", name)
		}
	}
}

// scripted is an engine with one container, whose restarts are those of the script, one a look.
func scripted(restarts ...int) oddEngine {
	var n atomic.Int32
	return oddEngine{func(r *http.Request) (int, string, string) {
		if r.URL.Path == "/_ping" {
			return 200, "", "OK"
		}
		if !strings.HasSuffix(r.URL.Path, "containers/web/json") {
			return 404, "", `{"message":"no such thing"}`
		}
		i := int(n.Add(1)) - 1
		now := restarts[min(i, len(restarts)-1)]
		if now < 0 {
			return 500, "", `{"message":"busy"}`
		}
		return 200, "", fmt.Sprintf(`{"Id":"%s","Name":"/web","RestartCount":%d,"State":{"Running":true,"StartedAt":"x"}}`, victimID, now)
	}}
}

func TestWatcher(t *testing.T) {
	steps := []plan.Step{{ID: "daemon", Resource: plan.Daemon()}, hostileStep()}
	for name, tt := range map[string]struct {
		engine oddEngine
		lasts  time.Duration
		want   string
	}{
		"nothing":           {scripted(2), time.Nanosecond, ""},
		"a restart":         {scripted(2, 2, 3), time.Minute, "cannot keep container/web: container web ended and was restarted by its restart policy while it was watched"},
		"out of sight once": {scripted(2, -1, 3), time.Minute, "restarted by its restart policy"},
		"out of sight":      {scripted(2, -1), time.Nanosecond, "engine: busy"},
		"not there before":  {scripted(-1, 3), time.Nanosecond, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := &Watcher{Engine: tt.engine}
			if err := w.Remember(t.Context(), steps); err != nil {
				t.Fatal(err)
			}
			err := w.Watch(t.Context(), steps, tt.lasts)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Fatalf("%v, want %q", err, tt.want)
			}
			var step *remediate.StepError
			if found := errors.As(err, &step); found != strings.Contains(tt.want, "restart") || found && step.Step != "container/web" {
				t.Errorf("%+v", step)
			}
		})
	}
}

// What the recorder says ends it too, and being interrupted is no trouble.
func TestWatcherRefused(t *testing.T) {
	w := &Watcher{Engine: scripted(0), Options: Options{Refused: func(name, id string) Refusal {
		if name != "web" || id != victimID {
			t.Errorf("asked of %s %s", name, id)
		}
		return Refusal{}
	}}}
	steps := []plan.Step{hostileStep()}
	if err := w.Remember(t.Context(), steps); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Watch(ctx, steps, time.Hour); err != nil {
		t.Errorf("interrupted: %v", err)
	}
	w.Options.Refused = func(string, string) Refusal { return Refusal{"CHOWN", "CHOWN denied in fchownat by chown"} }
	if err := w.Watch(t.Context(), steps, time.Hour); err == nil || !strings.Contains(err.Error(), "CHOWN denied in fchownat by chown") {
		t.Errorf("refused: %v", err)
	}
	w.Known = map[string][]inventory.Process{"web": {{Name: "redis", UID: 5}}}
	if got := w.guards(steps)[0].was(); len(got["redis"]) != 1 {
		t.Errorf("known: %v", got)
	}
}

// While a new container proves itself, a refusal of what it needs ends it at once.
func TestGateRefused(t *testing.T) {
	x := &swap{r: &Recreator{}, rec: &record{Name: "web"}, new: &state{ID: "new"}}
	if err := x.refused(); err != nil {
		t.Errorf("nobody listens: %v", err)
	}
	x.r.Options.Refused = func(name, id string) Refusal {
		if name != "web" || id != "new" {
			return Refusal{}
		}
		return Refusal{"CHOWN", "CHOWN denied in fchownat by chown"}
	}
	var gate *GateError
	if err := x.refused(); !errors.As(err, &gate) || gate.Capability != "CHOWN" || !strings.Contains(err.Error(), "CHOWN denied in fchownat by chown") {
		t.Errorf("%v", err)
	}
	x.new.ID = "another"
	if err := x.refused(); err != nil {
		t.Errorf("nothing was refused: %v", err)
	}
}
