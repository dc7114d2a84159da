package learn

import (
	"testing"
	"time"

	"docker-harden/plan/evidence"
	"docker-harden/plan/evidence/trace"
)

func denied(capability, call int, comm, container string) trace.Check {
	return trace.Check{
		Group: trace.Group{Container: container}, Capability: capability, Call: call, Comm: comm, Denied: true,
		Seen: trace.Seen{Count: 2, First: time.Unix(10, 0), Last: time.Unix(20, 0)},
	}
}

func TestRefused(t *testing.T) {
	granted := denied(chown, callChown, "chown", "c1")
	granted.Denied = false
	borrowed := denied(chown, callOpen, "cp", "c1")
	borrowed.Borrowed = true
	got := Refused(trace.Counts{Checks: []trace.Check{
		denied(chown, callChown, "chown", "c1"), denied(chown, callChown, "chown", "c2"), granted, borrowed,
		denied(sysAdmin, callMount, "runc:[2:INIT]", "c1"), denied(sysAdmin, callMmap, "sh", "c1"),
	}}, "c1")
	if len(got) != 1 || RefusedText(got[0]) != "CHOWN denied in chown by chown" || got[0].Count != 2 {
		t.Errorf("%+v", got)
	}
}

func TestMissed(t *testing.T) {
	f := &evidence.File{
		Checks: []evidence.Check{{Capability: "CHOWN", Call: "chown", Process: "chown"}, {Capability: "DAC_OVERRIDE", Call: "openat", Process: "tar"}},
		Denied: []evidence.Check{{Capability: "DAC_OVERRIDE", Call: "openat", Process: "sh"}},
	}
	for name, tt := range map[string]struct {
		c    evidence.Check
		want bool
	}{
		"the same":              {evidence.Check{Capability: "CHOWN", Call: "chown", Process: "chown"}, true},
		"another program":       {evidence.Check{Capability: "CHOWN", Call: "chown", Process: "sh"}, true},
		"another call":          {evidence.Check{Capability: "CHOWN", Call: "fchownat", Process: "chown"}, true},
		"neither":               {evidence.Check{Capability: "CHOWN", Call: "fchownat", Process: "cp"}, false},
		"never granted":         {evidence.Check{Capability: "NET_RAW", Call: "socket", Process: "ping"}, false},
		"refused before as now": {evidence.Check{Capability: "DAC_OVERRIDE", Call: "openat", Process: "sh"}, false},
	} {
		if _, got := Missed(f, []evidence.Check{tt.c}); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// What was refused and needed counts as used afterwards, and nothing that was known is lost.
func TestAmend(t *testing.T) {
	from := time.Unix(1000, 0).UTC()
	f := &evidence.File{
		Format: evidence.Format, Container: evidence.Container{ID: "c", Name: "web", Image: "i", Digest: "d"},
		Windows:   []evidence.Window{{From: from, To: from.Add(time.Minute), Hook: "h", Startup: true, Stops: 1}},
		Checks:    []evidence.Check{{Capability: "CHOWN", Call: "chown", Process: "chown", Times: evidence.Times{Count: 1, First: from, Last: from}}},
		Processes: []evidence.Process{{Name: "web", UID: 5}}, Memory: evidence.Memory{Samples: 3, WorkingSet: 7},
		Writes: evidence.Writes{Paths: []string{"/a"}, Files: 1}, Programs: evidence.Programs{Looked: true},
	}
	later := from.Add(time.Hour)
	got, err := Amend(f, "h", evidence.Check{Capability: "KILL", Call: "kill", Process: "sh", Times: evidence.Times{Count: 1, First: later, Last: later}})
	if err != nil {
		t.Fatal(err)
	}
	if used := got.Used(); len(used) != 2 || used[1] != "KILL" || len(got.Windows) != 2 || !got.Watched() || !got.Started() {
		t.Errorf("%+v", got)
	}
	if got.Time() != f.Time() {
		t.Errorf("watched for %s, it was %s: what else was used meanwhile is not known", got.Time(), f.Time())
	}
	if len(got.Processes) != 1 || got.Memory != f.Memory || len(got.Writes.Paths) != 1 || !got.Programs.Looked {
		t.Errorf("lost: %+v", got)
	}
	data, err := got.Encode()
	if err == nil {
		_, err = evidence.Decode(data)
	}
	if err != nil {
		t.Error(err)
	}
}
