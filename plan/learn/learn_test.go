package learn

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"docker-harden/plan/evidence"
	"docker-harden/plan/evidence/trace"
	"docker-harden/plan/inventory"
)

const (
	setpcap, sysAdmin, chown, netRaw, dacOverride = 8, 21, 0, 13, 1

	callMmap, callChown, callOpen, callCapset, callFaccessat, callMount = 9, 92, 257, 126, 269, 165
)

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		capabilityName(chown): "CHOWN", capabilityName(netRaw): "NET_RAW", capabilityName(99): "CAPABILITY_99",
		callName(callMmap): "mmap", callName(callCapset): "capset", callName(-1): "syscall_-1",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Every check is found where it belongs, with the reason.
func TestSortChecks(t *testing.T) {
	for name, tt := range map[string]struct {
		check trace.Check
		want  string
	}{
		"its own":                         {trace.Check{Capability: chown, Call: callChown, Comm: "chown"}, "check CHOWN"},
		"refused":                         {trace.Check{Capability: chown, Call: callChown, Comm: "chown", Denied: true}, "denied CHOWN"},
		"refused to the runtime":          {trace.Check{Capability: sysAdmin, Call: callMount, Comm: "runc:[2:INIT]", Denied: true}, "denied SYS_ADMIN"},
		"the runtime's":                   {trace.Check{Capability: sysAdmin, Call: callMount, Comm: "runc:[2:INIT]"}, "noise SYS_ADMIN " + byRuntime},
		"the mounter's":                   {trace.Check{Capability: sysAdmin, Call: callOpen, Comm: "nginx", Borrowed: true}, "noise SYS_ADMIN " + byMounter},
		"asked with its real ids":         {trace.Check{Capability: dacOverride, Call: callFaccessat, Comm: "test", Borrowed: true}, "check DAC_OVERRIDE"},
		"the mounter's, asked in passing": {trace.Check{Capability: sysAdmin, Call: callFaccessat, Comm: "sshd", Borrowed: true}, "noise SYS_ADMIN " + byMounter},
		"memory accounting":               {trace.Check{Capability: sysAdmin, Call: callMmap, Comm: "nginx"}, "noise SYS_ADMIN " + forAccount},
		"another capability of that":      {trace.Check{Capability: chown, Call: callMmap, Comm: "nginx"}, "check CHOWN"},
		"SYS_ADMIN for what needs it":     {trace.Check{Capability: sysAdmin, Call: callMount, Comm: "mount"}, "check SYS_ADMIN"},
		"a process named like a runtime":  {trace.Check{Capability: chown, Call: callChown, Comm: "runc"}, "check CHOWN"},
		"what capset is asked for":        {trace.Check{Capability: setpcap, Call: callCapset, Comm: "ping", Wanted: 1 << netRaw}, "asked NET_RAW, check SETPCAP"},
	} {
		tt.check.Count = 1
		f := &evidence.File{}
		sortChecks(f, []trace.Check{tt.check})
		var got []string
		for _, c := range f.Checks {
			got = append(got, map[bool]string{true: "asked ", false: "check "}[c.Asked]+c.Capability)
		}
		for _, c := range f.Denied {
			got = append(got, strings.TrimSpace("denied "+c.Capability+" "+c.Reason))
		}
		for _, c := range f.Noise {
			got = append(got, "noise "+c.Capability+" "+c.Reason)
		}
		if strings.Join(got, ", ") != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// The same use in two groups of one container is one use.
func TestSortChecksJoins(t *testing.T) {
	f := &evidence.File{}
	one := trace.Check{Capability: chown, Call: callChown, Comm: "sh", Seen: trace.Seen{Count: 2, First: time.Unix(10, 0), Last: time.Unix(20, 0)}}
	two := one
	two.Count, two.First, two.Last = 3, time.Unix(5, 0), time.Unix(15, 0)
	sortChecks(f, []trace.Check{one, two})
	if len(f.Checks) != 1 || f.Checks[0].Count != 5 || f.Checks[0].First.Unix() != 5 || f.Checks[0].Last.Unix() != 20 {
		t.Errorf("%+v", f.Checks)
	}
}

func TestEvidenceRefuses(t *testing.T) {
	was := &inventory.Container{ID: "c1", Name: "web"}
	running := inventory.Container{ID: "c1", Name: "web", ProcProblem: "permission denied"}
	running.Inspect.State.Running = true
	for want, now := range map[string][]inventory.Container{
		"it is gone":          nil,
		"no answer":           {{ID: "c1", Name: "web", Problem: "no answer"}},
		"it ended meanwhile":  {{ID: "c1", Name: "web"}},
		"permission denied":   {running},
		"learn of container ": nil,
	} {
		w := &Watch{Host: &inventory.Host{Containers: now}}
		if _, err := w.Evidence(was); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "web") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestEvidence(t *testing.T) {
	from := time.Now().Add(-time.Minute)
	c := inventory.Container{
		ID: "c1", Name: "web", Raw: []byte(`{"Config":{"Cmd":["serve"],"Env":["TOKEN=secret"]}}`),
		Proc:  &inventory.Proc{Init: inventory.Process{PID: -1}, All: []inventory.Process{{PID: -1, Name: "nginx", CapEff: 1, CapBnd: 3}, {Name: "nginx", UID: 33}, {Name: "nginx", UID: 33, NoNewPrivs: true}}},
		Usage: &inventory.Usage{Samples: 3, WorkingSet: 10, Pids: 4}, Layer: &inventory.Layer{Files: 2, Paths: []string{"/a"}},
	}
	c.Inspect.State.Running, c.Inspect.State.StartedAt = true, from.Add(time.Second).Format(time.RFC3339Nano)
	w := &Watch{
		From: from, To: from.Add(time.Minute), Hook: "tp_btf/cap_capable", Host: &inventory.Host{Containers: []inventory.Container{c}},
		Counts: trace.Counts{
			Checks: []trace.Check{
				{Group: trace.Group{Container: "c1"}, Capability: chown, Call: callChown, Seen: trace.Seen{Count: 1}},
				{Group: trace.Group{Container: "c2"}, Capability: netRaw, Call: callChown, Seen: trace.Seen{Count: 1}},
			},
			Execs: []trace.Exec{{Group: trace.Group{Container: "c1"}, Path: "su", UID: 1000, Gained: true, Seen: trace.Seen{Count: 1}}},
		},
	}
	f, err := w.Evidence(&c)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Used(); len(got) != 1 || got[0] != "CHOWN" {
		t.Errorf("used %q: those of another container are not its own", got)
	}
	if !f.Started() || f.Watched() || f.Windows[0].Lost != 1 || len(f.Processes) != 3 || len(f.Gained()) != 1 || f.Memory.Samples != 3 || f.Pids.Most != 4 || !f.Writes.Partial {
		t.Errorf("%+v", f)
	}
	if p := f.Processes[0]; !p.Init || p.Effective != evidence.MaskOf(1) || p.Bounding != evidence.MaskOf(3) || f.Processes[1].Init || f.Unprivileged() == "" {
		t.Errorf("processes %+v", f.Processes)
	}
	if !f.Programs.Looked || f.Programs.Problem == "" || f.Writes.DirsProblem == "" {
		t.Errorf("of a process that is not there: %+v, %+v", f.Programs, f.Writes)
	}
	w.Counts.Execs = nil
	if all, err := w.Evidence(&c); err != nil || !all.Watched() {
		t.Errorf("without a program that could not be looked at: %v, watched %t", err, all.Watched())
	}
	if err := f.About(c.Inspect.Image, c.Work()); err != nil {
		t.Errorf("it is not about what it was made of: %v", err)
	}
	data, err := f.Encode()
	if err != nil || strings.Contains(string(data), "secret") {
		t.Errorf("%v, or a value of a variable is in it", err)
	}
}

func TestUnwatched(t *testing.T) {
	err := fmt.Errorf("start: %w", &trace.UnsupportedError{Reasons: []error{errors.New("it needs root")}})
	if got := Unwatched(err); !strings.Contains(got, "it needs root") || strings.Contains(got, "start:") {
		t.Errorf("said %q", got)
	}
	if got := Unwatched(errors.New("other")); got != "other" {
		t.Errorf("said %q", got)
	}
}
