package host

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The real systemd: a timer that fires, one that is taken away, and the unit of the next boot, in a
// directory whose name is as awkward as can be.
func TestAlarmOnSystemd(t *testing.T) {
	if os.Getenv(insideSystemd) == "" {
		onSystemd(t)
		return
	}
	h := &unitHost{t: t}
	dir := filepath.Join(t.TempDir(), `a $HOME 50%n "x" \y 'z'`)
	must(t, os.Mkdir(dir, 0o700))
	flag := filepath.Join(dir, "it ran")
	timer := Timer{
		Name: "9", Dir: filepath.Join(dir, "confirm"), Program: "/bin/touch", As: "touch", Try: []string{"--version"}, Args: []string{flag},
		Log: filepath.Join(dir, "log"), After: "docker.service", Why: "a test of 100% 'this'",
	}
	left := func() {
		t.Helper()
		out := h.systemctl("list-units", "--all", "--plain", "--no-legend", "docker-harden-*")
		files, err := filepath.Glob("/etc/systemd/system/*/docker-harden-*")
		must(t, err)
		more, err := filepath.Glob("/etc/systemd/system/docker-harden-*")
		must(t, err)
		if out != "" || len(files)+len(more) > 0 {
			t.Errorf("left: %s %v %v", out, files, more)
		}
		gone(t, timer.Dir)
	}
	for _, within := range []time.Duration{time.Hour, 2 * time.Second} {
		planned, err := timer.Plan(t.Context())
		must(t, err)
		a, err := timer.Arm(t.Context(), planned, within)
		must(t, err)
		if a.By != Systemd {
			t.Fatalf("%+v", a)
		}
		if within == time.Hour {
			must(t, Check(t.Context(), a))
			gone(t, flag)
			// What the next boot would do, now.
			h.systemctl("start", filepath.Base(a.Boot))
			must(t, os.Remove(flag))
		} else {
			for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
				if _, err := os.Stat(flag); err == nil {
					break
				} else if time.Now().After(end) {
					t.Fatal("the timer did not fire: " + h.systemctl("status", a.Timer))
				}
			}
		}
		must(t, Disarm(t.Context(), a))
		left()
	}
}
