package trace

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// namesVariable makes the test binary a process that asks for capabilities under many names, as often as it says.
const namesVariable = "TRACE_TEST_NAMES"

const (
	namesMany    = 200
	namesRounds  = 25
	namesAtOnce  = 4
	namePrefix   = "count-"
	checksByCall = 2 // of one call of chown, for the user and for the group
)

// The ways to call chown, by number. Go has none for SYS_CHOWN.
var chowns = map[int]func(path string, fd, uid int) error{
	unix.SYS_FCHOWN:   func(_ string, fd, uid int) error { return unix.Fchown(fd, uid, 1000) },
	unix.SYS_LCHOWN:   func(path string, _, uid int) error { return unix.Lchown(path, uid, 1000) },
	unix.SYS_FCHOWNAT: func(path string, _, uid int) error { return unix.Fchownat(unix.AT_FDCWD, path, uid, 1000, 0) },
}

// manyNames calls chown in every way under every name, in turn. A name is of a thread: the caller must not leave its own.
func manyNames(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	for round := range namesRounds {
		for i := range namesMany {
			if err := os.WriteFile("/proc/thread-self/comm", []byte(fmt.Sprint(namePrefix, i)), 0); err != nil {
				return err
			}
			for _, chown := range chowns {
				if err := chown(file, int(f.Fd()), 1000+round%2); err != nil {
					return err
				}
			}
		}
	}
	return f.Close()
}

// startNames starts the processes that do so at the same time. They end when they are done.
func startNames(t *testing.T) <-chan error {
	t.Helper()
	ended := make(chan error, namesAtOnce)
	for i := range namesAtOnce {
		cmd := exec.CommandContext(t.Context(), "unshare", "-m", os.Args[0])
		cmd.Env = append(os.Environ(), namesVariable+"="+fmt.Sprint(t.TempDir(), "/", i))
		go func() {
			out, err := cmd.CombinedOutput()
			if err != nil {
				err = fmt.Errorf("%w: %s", err, out)
			}
			ended <- err
		}()
	}
	return ended
}

// named are the counted checks of the processes above: by name and number of the call.
func named(t *testing.T, r *Recorder) map[string]Seen {
	t.Helper()
	counts, err := r.Counts()
	if err != nil {
		t.Fatal(err)
	}
	if counts.Lost != 0 {
		t.Fatalf("lost %d", counts.Lost)
	}
	out := make(map[string]Seen)
	for _, c := range counts.Checks {
		if !strings.HasPrefix(c.Comm, namePrefix) || c.Capability != 0 || c.Borrowed {
			continue
		}
		key := fmt.Sprint(c.Comm, " ", c.Call)
		if _, twice := out[key]; twice {
			t.Fatalf("%s is there twice", key)
		}
		out[key] = c.Seen
	}
	return out
}

// More kinds of checks than a processor has slots for, by several processes in turn, are counted exactly; read meanwhile,
// no count is more than that, and none goes back.
func TestCountsExactly(t *testing.T) {
	r, err := start(os.Getenv(hookVariable))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // the test's end
	const each = namesAtOnce * namesRounds * checksByCall
	before := make(map[string]Seen)
	for run := 1; run <= 2; run++ {
		began := time.Now()
		ended := startNames(t)
		for running := namesAtOnce; running > 0; {
			now := named(t, r)
			for key, was := range before {
				if seen := now[key]; seen.Count < was.Count || seen.Count > uint64(run*each) || seen.First.After(seen.Last) {
					t.Fatalf("%s: %+v after %+v", key, seen, was)
				}
			}
			before = maps.Clone(now)
			select {
			case err := <-ended:
				if err != nil {
					t.Fatal(err)
				}
				running--
			default:
			}
		}
		all := named(t, r)
		if len(all) != namesMany*len(chowns) || len(all) <= ways<<setsBits {
			t.Fatalf("%d kinds of checks", len(all))
		}
		for key, seen := range all {
			// The time of the last is exact to a tick.
			if seen.Count != uint64(run*each) || seen.Last.Before(began.Add(-time.Second)) {
				t.Errorf("run %d: %s: %+v, want %d", run, key, seen, run*each)
			}
		}
	}
}

// Slots are in use: most of what one process asks again and again is counted in them.
func TestSlotted(t *testing.T) {
	r, err := start("tp_btf/" + checked)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // the test's end
	const calls = 5000
	cmd := exec.CommandContext(t.Context(), "unshare", "-m", os.Args[0])
	cmd.Env = append(os.Environ(), workVariable+"="+fmt.Sprint(calls))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	slots, err := r.slotted()
	if err != nil {
		t.Fatal(err)
	}
	for key, s := range slots {
		if c := decodeCheck([]byte(key)); c.Capability == 0 && c.Call == unix.SYS_FCHOWN && s.count > calls && s.last != 0 {
			return
		}
	}
	t.Errorf("not among %d slots", len(slots))
}
