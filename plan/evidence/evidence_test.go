package evidence

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// seen is a use that was counted a number of times, so many minutes after noon.
func seen(capability string, count uint64, minutes int) Check {
	at := noon.Add(time.Duration(minutes) * time.Minute)
	return Check{Capability: capability, Call: "bind", Process: "nginx", Times: Times{Count: count, First: at, Last: at}}
}

func sample() *File {
	return &File{
		Format: Format, Container: Container{ID: "c1", Name: "web", Image: "sha256:1", Digest: Work{Image: "sha256:1"}.Digest()},
		Windows: []Window{{From: noon, To: noon.Add(time.Minute), Hook: "tp_btf/cap_capable", Startup: true}},
		Checks:  []Check{seen("NET_BIND_SERVICE", 2, 0)},
		Execs:   []Exec{{Path: "/bin/su", UID: 1000, Gained: true, Times: Times{Count: 1, First: noon, Last: noon}}},
		Memory:  Memory{Samples: 3, WorkingSet: 100}, Pids: Pids{Most: 4},
	}
}

func TestThereAndBack(t *testing.T) {
	f := sample()
	data, err := f.Encode()
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
	if !again.Watched() || !again.Started() || again.Time() != time.Minute || len(again.Gained()) != 1 || len(again.Uses("NET_BIND_SERVICE")) != 1 {
		t.Errorf("read as %+v", again)
	}
	if got := again.Uses("NET_BIND_SERVICE")[0].String(); got != "used 2x in bind by nginx (uid 0)" {
		t.Errorf("in words: %s", got)
	}
}

func TestDecodeRefuses(t *testing.T) {
	edit := func(change func(*File)) []byte {
		f := sample()
		change(f)
		data, err := f.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	whole := edit(func(*File) {})
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"not JSON":         {[]byte("x"), "no evidence"},
		"something else":   {[]byte(`{"format":"docker-harden/plan/v1"}`), "no evidence"},
		"another version":  {[]byte(`{"format":"docker-harden/evidence/v9"}`), "learn again"},
		"unknown field":    {bytes.Replace(whole, []byte(`"tool"`), []byte(`"toll"`), 1), "toll"},
		"more behind":      {append(bytes.Clone(whole), '{', '}'), "after top-level value"},
		"no container":     {edit(func(f *File) { f.Container.ID = "" }), "which container"},
		"no window":        {edit(func(f *File) { f.Windows = nil }), "when was looked"},
		"backwards":        {edit(func(f *File) { f.Windows[0].To = noon.Add(-1) }), "before it began"},
		"a use of nothing": {edit(func(f *File) { f.Noise = []Check{{Times: Times{Count: 1}}} }), "no capability"},
		"too large":        {bytes.Repeat([]byte(" "), MaxSize+1), "more than 16 MiB"},
	} {
		if _, err := Decode(tt.data); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestMerge(t *testing.T) {
	a, b := sample(), sample()
	b.Windows = []Window{{From: noon.Add(time.Hour), To: noon.Add(time.Hour + time.Minute), Reason: "no hook"}}
	b.Checks = []Check{seen("NET_BIND_SERVICE", 3, 60), seen("CHOWN", 1, 60)}
	b.Memory, b.Pids = Memory{Samples: 2, WorkingSet: 50, OOMKills: 1}, Pids{Most: 9}
	got, err := Merge(b, a) // the order in which they are given does not matter
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Windows) != 2 || !got.Windows[0].From.Equal(noon) || got.Watched() || got.Time() != 2*time.Minute {
		t.Errorf("windows %+v", got.Windows)
	}
	if len(got.Checks) != 2 || got.Checks[0].Capability != "CHOWN" || got.Checks[1].Count != 5 ||
		!got.Checks[1].First.Equal(noon) || !got.Checks[1].Last.Equal(noon.Add(time.Hour)) {
		t.Errorf("checks %+v", got.Checks)
	}
	if want := (Memory{Samples: 5, WorkingSet: 100, OOMKills: 1}); got.Memory != want || got.Pids.Most != 9 {
		t.Errorf("memory %+v, pids %+v", got.Memory, got.Pids)
	}
	if len(got.Execs) != 1 || got.Execs[0].Count != 2 {
		t.Errorf("executions %+v", got.Execs)
	}
	if _, err := Merge(a, a); err == nil || !strings.Contains(err.Error(), "doubled") {
		t.Errorf("merged with itself: %v", err)
	}
	b.Container.Digest = "other"
	if _, err := Merge(a, b); !errors.Is(err, ErrOther) {
		t.Errorf("merged with another container: %v", err)
	}
}

// What hardening changes leaves evidence valid; what changes the work does not.
func TestAbout(t *testing.T) {
	work := Work{Image: "sha256:1", Command: []string{"serve"}, Variables: []string{"A", "B"}, Places: []string{"/data", "/etc/x"}}
	f := sample()
	f.Container.Digest = work.Digest()
	other := work
	other.Variables, other.Places = []string{"B", "A"}, []string{"/etc/x", "/data"}
	if err := f.About("sha256:1", other); err != nil {
		t.Errorf("order matters: %v", err)
	}
	if err := f.About("sha256:2", work); err == nil || !strings.Contains(err.Error(), "another image") {
		t.Errorf("another image: %v", err)
	}
	for name, change := range map[string]func(*Work){
		"command": func(w *Work) { w.Command = []string{"serve", "-v"} }, "entrypoint": func(w *Work) { w.Entrypoint = []string{"sh"} },
		"user": func(w *Work) { w.User = "1000" }, "variable": func(w *Work) { w.Variables = []string{"A"} },
		"mount": func(w *Work) { w.Places = nil }, "network": func(w *Work) { w.HostNetwork = true },
	} {
		changed := work
		change(&changed)
		if err := f.About("sha256:1", changed); err == nil {
			t.Errorf("with another %s it is still used", name)
		}
	}
}

// What can be read can be written and read again, whatever it is.
func FuzzDecode(f *testing.F) {
	data, err := sample().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"format":"docker-harden/evidence/v1","container":{"id":"a","image":"b","digest":"c"},"windows":[{}],"checks":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Decode(data)
		if err != nil {
			return
		}
		again, err := file.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(again); err != nil {
			t.Fatalf("%v\n%s", err, again)
		}
	})
}
