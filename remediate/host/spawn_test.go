package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"docker-harden/remediate"
)

var _ remediate.Handler = (*FileMode)(nil)

func TestLimits(t *testing.T) {
	proc := t.TempDir()
	must(t, os.WriteFile(filepath.Join(proc, "limits"), []byte(
		`Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max open files            524287               524288               files
Max processes             100                  unlimited            processes
Max locked memory         8388607              8388608              bytes
`), 0o600))
	got, err := limitsOf(proc)
	must(t, err)
	want := map[string]Limit{
		"Max open files":    {Soft: 1024, Hard: 524288}, // raised by the Go runtime
		"Max processes":     {Soft: 100, Hard: unix.RLIM_INFINITY},
		"Max locked memory": {Soft: 8388607, Hard: 8388608},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v", got)
	}
	for _, test := range []struct{ soft, hard, want uint64 }{
		{1024, 4096, 1024}, {4096, 4096, 4096}, {4095, 4096, 1024}, {99, 100, 100}, {1024, 1024, 1024},
	} {
		if got := given("Max open files", test.soft, test.hard); got != test.want {
			t.Errorf("soft %d of %d: %d, want %d", test.soft, test.hard, got, test.want)
		}
	}
	must(t, os.WriteFile(filepath.Join(proc, "limits"), []byte("Max open files  some  4096  files\n"), 0o600))
	if _, err := limitsOf(proc); err == nil {
		t.Error("nonsense was read")
	}
}

// Where a process cannot be held at its start, it gets its limits while it runs.
func TestLimitOfARunningProcess(t *testing.T) {
	e := launch(t, "well")
	s := Service{Limits: map[string]Limit{"Max open files": {Soft: 100, Hard: 200}, "Max core file size": {}, "unknown": {Soft: 1}}}
	s.limit(e.cmd.Process.Pid)
	got, err := limitsOf(fmt.Sprintf("/proc/%d", e.cmd.Process.Pid))
	must(t, err)
	if got["Max open files"] != (Limit{Soft: 100, Hard: 200}) || got["Max core file size"] != (Limit{}) {
		t.Errorf("got %v", got)
	}
	// Above what may be raised: as far as the hard limit allows, or, with the privilege, all the way.
	s.Limits = map[string]Limit{"Max open files": {Soft: 300, Hard: 400}}
	s.limit(e.cmd.Process.Pid)
	if got, err = limitsOf(fmt.Sprintf("/proc/%d", e.cmd.Process.Pid)); err != nil || got["Max open files"].Soft < 200 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestCredentials(t *testing.T) {
	proc := t.TempDir()
	for text, want := range map[string]string{
		"Name:\tx\nUmask:\t0077\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\n": "2 6 63",
		"Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n":                         "0 0 18", // an old kernel
		"Uid:\t0\nGid:\t0\t0\t0\t0\n":                                  "is",
		"Uid:\tx\tx\tx\tx\nGid:\t0\t0\t0\t0\n":                         "is",
		"Gid:\t0\t0\t0\t0\n":                                           "not known",
	} {
		must(t, os.WriteFile(filepath.Join(proc, "status"), []byte(text), 0o600))
		var s Service
		err := s.credentials(proc)
		if got := fmt.Sprint(s.UID, s.GID, s.Umask); err == nil && got != want || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %s %v", text, got, err)
		}
	}
}

func TestStat(t *testing.T) {
	root := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(root, "proc/7"), 0o755))
	for text, want := range map[string]string{
		"7 (a) b) (c) S 1" + strings.Repeat(" 0", 17) + " 4242 0 0": "S 4242 false",
		"7 (x) Z 1" + strings.Repeat(" 0", 17) + " 1 0":             "Z 1 true",
		"7 (x) S 1 2 3": "unknown form",
		"":              "unknown form",
		"7 (x) S 1" + strings.Repeat(" 0", 17) + " x": "invalid syntax",
	} {
		must(t, os.WriteFile(filepath.Join(root, "proc/7/stat"), []byte(text), 0o600))
		p, err := statOf(root, 7)
		if got := fmt.Sprintf("%c %d %v", p.state, p.ticks, p.ended()); err == nil && got != want || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %s %v", text, got, err)
		}
	}
	if _, err := statOf(root, 8); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
