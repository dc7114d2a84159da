package learn

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"docker-harden/plan/evidence"
	"docker-harden/plan/evidence/trace"
	"docker-harden/plan/inventory"
)

// told reads a story of one line an event: "second id name action [signal or exit status]".
func told(t *testing.T, text string) []Event {
	t.Helper()
	var out []Event
	for line := range strings.Lines(text) {
		var second, number int
		var id, name, action string
		if n, err := fmt.Sscan(line, &second, &id, &name, &action, &number); n < 4 {
			t.Fatalf("%q: %v", line, err)
		}
		e := Event{At: at(second), Container: id, Name: name, Action: action}
		switch action {
		case Killed:
			e.Signal = number
		case Died:
			e.Exit = number
		case "healthy":
			e.Action = Healthy
		}
		out = append(out, e)
	}
	return out
}

func at(second int) time.Time { return time.Unix(1000, 0).Add(time.Duration(second) * time.Second) }

func running(id string) *inventory.Container {
	c := &inventory.Container{ID: id, Name: "web", Raw: []byte(`{"Config":{"Cmd":["serve"]}}`), Proc: &inventory.Proc{}}
	c.Inspect.State.Running, c.Inspect.Image = true, "sha256:1"
	return c
}

// What the engine tells is counted into a window, and says which phase was when.
func TestTold(t *testing.T) {
	for name, tt := range map[string]struct{ story, window, phases string }{
		"nothing": {"", "0 creates, 0 starts, 0 stops", "run 0-60"},
		"a restart": {
			"10 a web kill 15\n11 a web die 0\n11 a web stop\n12 a web start",
			"0 creates, 1 starts, 1 stops, second", "run 0-10, stop 10-11, second_start 12-17, run 17-60",
		},
		"it is killed at last": {"10 a web kill 15\n20 a web kill 9\n20 a web die 137\n20 a web stop\n21 a web start", "0 creates, 1 starts, 0 stops", "run 0-10, stop 10-20, start 21-26, run 26-60"},
		"for lack of memory":   {"10 a web kill 15\n11 a web die 137", "0 creates, 0 starts, 0 stops", "run 0-10, stop 10-11"},
		"it ends unasked":      {"10 a web die 0\n11 a web start", "0 creates, 1 starts, 0 stops", "run 0-10, start 11-16, run 16-60"},
		"a reload":             {"10 a web kill 1\n20 a web die 1\n21 a web start", "0 creates, 1 starts, 0 stops", "run 0-20, start 21-26, run 26-60"},
		"a signal of its own":  {"10 a web kill 37\n11 a web die 0\n11 a web stop", "0 creates, 0 starts, 1 stops", "run 0-11"},
		"healthy": {
			"10 a web kill 3\n11 a web die 143\n12 a web start\n40 a web healthy",
			"0 creates, 1 starts, 1 stops, second", "run 0-10, stop 10-11, second_start 12-40, run 40-60",
		},
		"in a loop": {"1 a web die 1\n2 a web start\n3 a web die 1\n4 a web start", "0 creates, 2 starts, 0 stops", "run 0-1, start 2-3, start 4-9, run 9-60"},
		"anew": {
			"10 a web kill 9\n10 a web die 137\n11 b web create\n12 b web start\n30 b web kill 15\n31 b web die 0",
			"1 creates, 1 starts, 0 stops; 1", "",
		},
		"by a recreate": {
			"10 a web kill 15\n11 a web die 0\n9 b web.dh-12ab-new create\n12 a web.dh-12ab-old rename\n12 b web rename\n13 b web start\n20 b web kill 15\n21 b web die 0\n22 b web start",
			"0 creates, 2 starts, 2 stops, second", "run 0-10, stop 10-11, start 13-18, run 18-20, stop 20-21, second_start 22-27, run 27-60",
		},
		"by something else":    {"10 c web create\n11 c web start", "0 creates, 0 starts, 0 stops", "run 0-60"},
		"of which is not seen": {"10 d web create\n11 d web start\n12 d web die 1", "0 creates, 0 starts, 0 stops", "run 0-60"},
		"before and after":     {"-5 a web start\n70 a web die 0", "0 creates, 0 starts, 0 stops", "run 0-60"},
	} {
		was, next, other := running("a"), running("b"), running("c")
		other.Inspect.Image = "sha256:2"
		w := &Watch{From: at(0), To: at(60), Events: told(t, tt.story), Looks: []Look{{Container: was}, {Container: next}, {Container: other}}}
		window := evidence.Window{From: w.From, To: w.To}
		phases := w.told(was, w.same(was), &window)
		got := fmt.Sprintf("%d creates, %d starts, %d stops", window.Creates, window.Starts, window.Stops)
		if window.SecondStart {
			got += ", second"
		}
		if name == "anew" { // the second container's stop counts, and its phases follow the first one's
			if window.Creates != 1 || window.Starts != 1 || window.Stops != 1 || window.SecondStart || phases[2].Name != evidence.PhaseCreate {
				t.Errorf("%s: %+v, %+v", name, window, phases)
			}
			continue
		}
		if got != tt.window || window.Startup != (window.Starts > 0) {
			t.Errorf("%s: %s (startup %t), want %s", name, got, window.Startup, tt.window)
		}
		if got := spelt(phases); got != tt.phases {
			t.Errorf("%s: %s, want %s", name, got, tt.phases)
		}
	}
}

func spelt(phases []evidence.Phase) string {
	words := make([]string, len(phases))
	second := func(at time.Time) int { return int(at.Add(eventLag).Unix() - 1000) } // as the engine told it
	for i, p := range phases {
		words[i] = fmt.Sprintf("%s %d-%d", p.Name, second(p.From), second(p.To))
	}
	return strings.Join(words, ", ")
}

// Of a container in a restart loop the last phases are kept.
func TestManyPhases(t *testing.T) {
	was := running("a")
	w := &Watch{From: at(0), To: at(100000)}
	for i := range 2 * maxPhases {
		w.Events = append(w.Events, Event{At: at(10*i + 1), Container: "a", Name: "web", Action: Died}, Event{At: at(10*i + 2), Container: "a", Name: "web", Action: Started})
	}
	window := evidence.Window{From: w.From, To: w.To}
	if phases := w.told(was, w.same(was), &window); len(phases) != maxPhases || !phases[maxPhases-1].To.Equal(w.To) || window.Starts != 2*maxPhases {
		t.Errorf("%d phases, %d starts", len(phases), window.Starts)
	}
}

// Each start is a little earlier than the engine tells, but not before what happened before.
func TestStartIsNotLate(t *testing.T) {
	was := running("a")
	w := &Watch{From: at(0), To: at(60), Events: []Event{
		{At: at(10), Container: "a", Name: "web", Action: "die"},
		{At: at(10).Add(time.Millisecond), Container: "a", Name: "web", Action: "start"},
		{At: at(20), Container: "a", Name: "web", Action: "die"},
		{At: at(30), Container: "a", Name: "web", Action: "start"},
	}}
	window := evidence.Window{From: w.From, To: w.To}
	phases := w.told(was, w.same(was), &window)
	if len(phases) != 5 || !phases[1].From.Equal(at(10)) || !phases[3].From.Equal(at(30).Add(-eventLag)) {
		t.Errorf("%+v", phases)
	}
}

// A story keeps what is about its containers, also what happened to one before it got the name.
func TestStory(t *testing.T) {
	s := NewStory(map[string]string{"web": "a"})
	list := told(t, "1 b tmp create\n2 x other start\n3 a old rename\n4 b web rename\n5 b web start\n5 b web start\n6 a old die 0")
	var news []int
	for i, e := range list {
		if s.Add(e) {
			news = append(news, i)
		}
	}
	if fmt.Sprint(news) != "[2 3 4 6]" {
		t.Errorf("news: %v", news)
	}
	var got []string
	for _, e := range s.Events() {
		got = append(got, e.Container+" "+e.Action)
	}
	if want := "b create, a rename, b rename, b start, a die"; strings.Join(got, ", ") != want {
		t.Errorf("%s, want %s", strings.Join(got, ", "), want)
	}
	// What is told late stands where it belongs.
	s.Add(Event{At: at(2), Container: "a", Name: "web", Action: Killed})
	if list := s.Events(); !slices.IsSortedFunc(list, func(a, b Event) int { return a.At.Compare(b.At) }) || list[1].Action != Killed {
		t.Errorf("%+v", list)
	}
	for i := range maxStrange + 5 {
		s.Add(Event{Container: fmt.Sprint("z", i), Action: "create"})
	}
	if len(s.strange) != maxStrange {
		t.Errorf("%d of others are kept", len(s.strange))
	}
}

// A container that has ended is known by the last look at it, one that took its place counts with it.
func TestEvidenceOfAnEnd(t *testing.T) {
	was := running("a")
	was.Usage = &inventory.Usage{Samples: 1, WorkingSet: 10, Pids: 3}
	was.Proc.All = []inventory.Process{{Name: "serve", UID: 33}}
	look := Look{Container: was, Programs: evidence.Programs{Looked: true}, Listeners: []evidence.Listener{{Protocol: "tcp", Port: 80}}, Writes: evidence.Writes{Paths: []string{"/tmp/x"}, Files: 1}}
	w := &Watch{From: at(0), To: at(60), Hook: "h", Host: &inventory.Host{}, Looks: []Look{look}, Events: told(t, "10 a web kill 15\n11 a web die 0"), Passed: true}
	w.Counts.Execs = append(w.Counts.Execs, execOf("a", "run.sh"))
	f, err := w.Evidence(was)
	if err != nil {
		t.Fatal(err)
	}
	window := f.Windows[0]
	if window.Stops != 1 || !window.ChecksPassed || window.Lost != 0 || len(f.Processes) != 1 || len(f.Listeners) != 1 || f.Memory.WorkingSet != 10 || f.Pids.Most != 3 {
		t.Errorf("%+v", f)
	}
	if !f.Writes.Partial || !f.Writes.DirsPartial || len(f.Writes.Paths) != 1 {
		t.Errorf("what it wrote after the last look is not known: %+v", f.Writes)
	}
	if _, err := f.Encode(); err != nil {
		t.Error(err)
	}
	w.Looks[0].Programs.Found = []evidence.Program{{Path: "/ping", Gives: evidence.MaskOf(1)}}
	if f, err := w.Evidence(was); err != nil || f.Windows[0].Lost != 1 {
		t.Errorf("a program may have been the one that gives: %v, %+v", err, f.Windows)
	}
	next := running("b")
	next.Layer, next.Proc = nil, nil
	w.Looks, w.Host.Containers = append(w.Looks, Look{Container: running("b")}), []inventory.Container{*next}
	w.Events = append(w.Events, told(t, "12 b web create\n13 b web start")...)
	w.Sampled("b", &inventory.Usage{WorkingSet: 20})
	f, err = w.Evidence(was)
	if err != nil || f.Container.ID != "b" || !f.Fresh() || !f.Started() || f.Memory.WorkingSet != 20 || len(f.Execs) != 1 {
		t.Errorf("%v, %+v", err, f)
	}
}

func execOf(id, path string) trace.Exec {
	return trace.Exec{Group: trace.Group{Container: id}, Path: path, Seen: trace.Seen{Count: 1}}
}
