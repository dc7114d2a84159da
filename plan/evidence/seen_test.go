package evidence

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// whole is evidence in which everything was seen.
func whole() *File {
	f := sample()
	f.Windows[0] = Window{
		From: noon, To: noon.Add(time.Hour), Hook: "tp_btf/cap_capable", Startup: true,
		Creates: 1, Starts: 2, Stops: 1, SecondStart: true, Rehearsed: true, ChecksPassed: true,
	}
	f.Phases = []Phase{
		{PhaseCreate, noon, noon.Add(time.Second)},
		{PhaseStart, noon.Add(time.Second), noon.Add(3 * time.Second)},
		{PhaseRun, noon.Add(3 * time.Second), noon.Add(time.Minute)},
		{PhaseStop, noon.Add(time.Minute), noon.Add(61 * time.Second)},
		{PhaseSecondStart, noon.Add(62 * time.Second), noon.Add(63 * time.Second)},
	}
	f.Processes = []Process{{Name: "serve", UID: 1000, Init: true, Effective: MaskOf(0), Permitted: MaskOf(0), Bounding: MaskOf(0x3fb)}}
	port := 1024
	f.Sysctls = Sysctls{UnprivilegedPortStart: &port, PingGroupRange: "1 0"}
	f.Listeners = []Listener{{Protocol: "tcp", Address: "0.0.0.0", Port: 80, Process: "serve"}}
	f.Programs = Programs{Looked: true}
	f.Execs = nil
	f.Writes = Writes{Paths: []string{"/run/pid"}, Files: 1, Dirs: []Dir{{Path: "/run", Files: 1, Mode: 0o755, Image: ImageEmpty}}}
	return f
}

func TestSeenThereAndBack(t *testing.T) {
	data, err := whole().Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	second, err := again.Encode()
	if err != nil || !bytes.Equal(data, second) {
		t.Errorf("%v\n%s\n%s", err, data, second)
	}
	if *again.Sysctls.UnprivilegedPortStart != 1024 || !again.Fresh() || again.Starts() != 2 {
		t.Errorf("read as %+v", again)
	}
	// A file without any of it, as it was written before, is read as one that does not say.
	old, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"creates", "phases", "sysctls", "programs", "listeners", "dirs", "cap_eff"} {
		if bytes.Contains(old, []byte(`"`+name+`"`)) {
			t.Errorf("%s is written although it is not known", name)
		}
	}
	f, err := Decode(old)
	if err != nil || len(f.Gaps()) == 0 || f.Fresh() || f.Starts() != 1 || f.Unprivileged() == "" {
		t.Errorf("%v: %+v", err, f)
	}
}

func TestSeenRefuses(t *testing.T) {
	for want, change := range map[string]func(*File){
		"less than no starts": func(f *File) { f.Windows[0].Stops = -1 },
		"a phase":             func(f *File) { f.Phases[0].Name = "sleep" },
		"before it began":     func(f *File) { f.Phases[0].To = noon.Add(-time.Second) },
		"which are none":      func(f *File) { f.Processes[0].Bounding = "all" },
		"port 0":              func(f *File) { f.Listeners[0].Port = 0 },
		"cannot be one":       func(f *File) { f.Writes.Dirs[0].Path = "run" },
		`"/run" that cannot`:  func(f *File) { f.Writes.Dirs[0].Image = "some" },
	} {
		f := whole()
		change(f)
		data, err := f.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestPhases(t *testing.T) {
	f := whole()
	for seconds, want := range map[int]string{0: PhaseCreate, 2: PhaseStart, 10: PhaseRun, 60: PhaseStop, 62: PhaseSecondStart, 70: ""} {
		if got := f.PhaseAt(noon.Add(time.Duration(seconds) * time.Second)); got != want {
			t.Errorf("after %d s: %q, want %q", seconds, got, want)
		}
	}
	if got, ok := f.SinceStart(noon.Add(1850 * time.Millisecond)); !ok || got != 850*time.Millisecond {
		t.Errorf("%v %v", got, ok)
	}
	if got, ok := f.SinceStart(noon.Add(65 * time.Second)); !ok || got != 3*time.Second {
		t.Errorf("after the second start: %v %v", got, ok)
	}
	if _, ok := f.SinceStart(noon); ok {
		t.Error("before any start")
	}
}

// Each thing that has to be seen is missed when it was not.
func TestGaps(t *testing.T) {
	if got := whole().Gaps(); len(got) != 0 {
		t.Fatalf("gaps %q", got)
	}
	for want, change := range map[string]func(*Window){
		"every capability check": func(w *Window) { w.Hook = "" },
		"a start":                func(w *Window) { w.Startup = false },
		"an end":                 func(w *Window) { w.Stops = 0 },
		"a second start":         func(w *Window) { w.SecondStart = false },
		"a start before that":    func(w *Window) { w.Starts = 1 },
		"a check that":           func(w *Window) { w.ChecksPassed = false },
	} {
		f := whole()
		change(&f.Windows[0])
		if got := f.Gaps(); len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("gaps %q, want %s", got, want)
		}
	}
	lost := whole()
	lost.Windows[0].Lost = 1
	if got := lost.Gaps(); len(got) != 1 || !strings.HasPrefix(got[0], "every") {
		t.Errorf("with lost checks: %q", got)
	}
}

func TestUnprivileged(t *testing.T) {
	if got := whole().Unprivileged(); got != "" {
		t.Fatalf("said %q", got)
	}
	for want, change := range map[string]func(*File){
		"holds capabilities":      func(f *File) { f.Processes[0].Effective = MaskOf(1) },
		"what process serve":      func(f *File) { f.Processes[0].Permitted = "" },
		"is root":                 func(f *File) { f.Processes[0].UID = 0 },
		"its first process":       func(f *File) { f.Processes[0].Init = false },
		"execution of /bin/su":    func(f *File) { f.Execs = []Exec{{Path: "/bin/su", Gained: true}} },
		"not all of its programs": func(f *File) { f.Programs.Partial = true },
		"program /bin/su":         func(f *File) { f.Programs.Found = []Program{{Path: "/bin/su", Setuid: true}} },
	} {
		f := whole()
		change(f)
		if got := f.Unprivileged(); !strings.Contains(got, want) {
			t.Errorf("said %q, want %q", got, want)
		}
	}
}

// What was seen at any time stays; of what can only be one thing, the later one.
func TestMergeSeen(t *testing.T) {
	a, b := whole(), whole()
	b.Windows[0].From, b.Windows[0].To = noon.Add(2*time.Hour), noon.Add(3*time.Hour)
	b.Phases = []Phase{{PhaseRun, noon.Add(2 * time.Hour), noon.Add(3 * time.Hour)}}
	b.Sysctls, b.Programs = Sysctls{PingGroupRange: "0 5"}, Programs{}
	b.Listeners = append(b.Listeners, Listener{Protocol: "tcp", Port: 443})
	b.Writes = Writes{Paths: []string{"/run/pid", "/tmp/x"}, Files: 2, Dirs: []Dir{{Path: "/run", Files: 7}, {Path: "/tmp", Files: 1}}}
	got, err := Merge(b, a)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Phases) != 6 || got.Phases[5].Name != PhaseRun || len(got.Listeners) != 2 || got.Listeners[1].Port != 443 {
		t.Errorf("phases %v, listeners %v", got.Phases, got.Listeners)
	}
	if got.Sysctls.PingGroupRange != "0 5" || !got.Programs.Looked || len(got.Gaps()) != 0 {
		t.Errorf("%+v %+v %q", got.Sysctls, got.Programs, got.Gaps())
	}
	if w := got.Writes; len(w.Paths) != 2 || w.Files != 2 || len(w.Dirs) != 2 || w.Dirs[0].Files != 7 {
		t.Errorf("writes %+v", w)
	}
}
