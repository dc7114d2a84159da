package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sys/unix"
)

// sleeper is a timer whose program waits, and does nothing else.
func sleeper(t *testing.T) Timer {
	t.Helper()
	dir := t.TempDir()
	timer := Timer{
		Name: "7", Dir: filepath.Join(dir, "confirm"), Program: "/bin/sleep", As: "sleep", Try: []string{"0"}, Args: []string{"1000"},
		Files: map[string][]byte{"run.json": []byte("{}")}, Env: []string{"X=1"}, Log: filepath.Join(dir, "confirm.log"),
		After: "docker.service", Why: "100% of a test", units: filepath.Join(dir, "units"),
		reach: func(context.Context) (transients, error) { return nil, errors.New("no systemd") },
	}
	t.Cleanup(func() { must(t, endCopies(context.Background(), timer.Dir)) })
	return timer
}

func gone(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
}

func TestDetachedAlarm(t *testing.T) {
	timer := sleeper(t)
	planned, err := timer.Plan(t.Context())
	must(t, err)
	if want := (Alarm{By: Detached, Dir: timer.Dir}); planned != want {
		t.Errorf("%+v", planned)
	}
	gone(t, timer.Dir)
	a, err := timer.Arm(t.Context(), planned, time.Minute)
	must(t, err)
	if err := Check(t.Context(), a); err != nil || a.PID == 0 || !alive(a.PID, a.StartTicks) || !strings.Contains(a.String(), fmt.Sprint(a.PID)) {
		t.Errorf("%v %+v", err, a)
	}
	if sid, err := unix.Getsid(a.PID); err != nil || sid != a.PID {
		t.Errorf("its session is %d: %v", sid, err)
	}
	proc := fmt.Sprintf("/proc/%d/", a.PID)
	env, err := os.ReadFile(proc + "environ")
	if err != nil || string(env) != "X=1\x00" {
		t.Errorf("its environment is %q: %v", env, err)
	}
	for link, want := range map[string]string{"cwd": "/", "fd/0": os.DevNull, "fd/1": timer.Log, "fd/2": timer.Log, "exe": filepath.Join(timer.Dir, "sleep")} {
		if got, err := os.Readlink(proc + link); err != nil || got != want {
			t.Errorf("%s is %q: %v", link, got, err)
		}
	}
	for name, mode := range map[string]fs.FileMode{timer.Dir: fs.ModeDir | 0o700, timer.Dir + "/run.json": 0o600, timer.Dir + "/sleep": 0o700, timer.Log: 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	for range 2 {
		must(t, Disarm(t.Context(), a))
		gone(t, timer.Dir)
		if alive(a.PID, a.StartTicks) {
			t.Error("the process is still there")
		}
	}
	if err := Check(t.Context(), a); err == nil {
		t.Error("an alarm that was taken away will go off")
	}
}

// The process was killed: nobody waits any more, which can be seen, and taken away.
func TestDetachedAlarmThatWasKilled(t *testing.T) {
	timer := sleeper(t)
	a, err := timer.Arm(t.Context(), Alarm{By: Detached, Dir: timer.Dir}, time.Minute)
	must(t, err)
	must(t, unix.Kill(a.PID, unix.SIGKILL))
	for end := time.Now().Add(time.Minute); alive(a.PID, a.StartTicks) && time.Now().Before(end); {
		time.Sleep(poll)
	}
	if err := Check(t.Context(), a); err == nil || !strings.Contains(err.Error(), "is gone") {
		t.Errorf("got %v", err)
	}
	must(t, Disarm(t.Context(), a))
	gone(t, timer.Dir)
}

// A crash before the process's number was written down: it is found by what it runs.
func TestDetachedAlarmWithoutItsNumber(t *testing.T) {
	timer := sleeper(t)
	planned := Alarm{By: Detached, Dir: timer.Dir}
	a, err := timer.Arm(t.Context(), planned, time.Minute)
	must(t, err)
	// Its copy was removed under it, too.
	must(t, os.Remove(filepath.Join(timer.Dir, "sleep")))
	must(t, Disarm(t.Context(), planned))
	if alive(a.PID, a.StartTicks) {
		t.Error("the process is still there")
	}
	gone(t, timer.Dir)
}

func TestAlarmThatCannotBeArmed(t *testing.T) {
	for _, test := range []struct {
		name string
		how  func(*Timer)
		want string
	}{
		{"no program", func(t *Timer) { t.Program = "/nonexistent" }, "cannot copy /nonexistent"},
		{"does not run", func(t *Timer) { t.Try = []string{"nonsense"} }, "does not run in"},
		{"ends at once", func(t *Timer) { t.Args = []string{"nonsense"} }, "ended at once"},
		{"no log", func(t *Timer) { t.Log = t.Dir + "/none/log" }, "no such file"},
		{"no directory", func(t *Timer) { t.Dir = "/proc/none" }, "none"},
	} {
		t.Run(test.name, func(t *testing.T) {
			timer := sleeper(t)
			dir := timer.Dir
			test.how(&timer)
			planned := Alarm{By: Detached, Dir: timer.Dir}
			if _, err := timer.Arm(t.Context(), planned, time.Minute); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
			if timer.Dir == dir {
				must(t, Disarm(t.Context(), planned))
				gone(t, dir)
			}
		})
	}
}

// fakeTransients plays a systemd that makes units. Its units are what was started and not stopped.
type fakeTransients struct {
	*fakeUnits
	started map[string]string // unit: its state
	made    map[string]map[string]any
	mains   map[string]int
}

func (f *fakeTransients) StartTransientUnitAux(_ context.Context, name, mode string, properties []dbus.Property, aux []dbus.PropertyCollection, done chan<- string) (int, error) {
	if err := f.fail["transient"]; err != nil {
		return 0, err
	}
	f.calls = append(f.calls, "make "+name+" "+mode)
	for _, c := range append(aux, dbus.PropertyCollection{Name: name, Properties: properties}) {
		f.made[c.Name] = map[string]any{}
		for _, p := range c.Properties {
			f.made[c.Name][p.Name] = p.Value.Value()
		}
	}
	f.started[name] = "active"
	done <- f.verdict
	return 1, nil
}

func (f *fakeTransients) GetAllPropertiesContext(_ context.Context, unit string) (map[string]any, error) {
	state := f.started[unit]
	if state == "" {
		state = "inactive"
	}
	return map[string]any{"ActiveState": state, "MainPID": uint32(f.mains[unit])}, f.fail["properties"]
}

func (f *fakeTransients) StopUnitContext(_ context.Context, unit, mode string, done chan<- string) (int, error) {
	f.calls = append(f.calls, "stop "+unit+" "+mode)
	delete(f.started, unit)
	done <- "done"
	return 1, f.fail["stop"]
}

func withUnits(t *testing.T) (Timer, *fakeTransients) {
	t.Helper()
	_, plain := fakeSystemd()
	f := &fakeTransients{plain, map[string]string{}, map[string]map[string]any{}, map[string]int{}}
	timer := sleeper(t)
	timer.reach = func(ctx context.Context) (transients, error) { f.open++; return f, f.fail["connect"] }
	must(t, os.MkdirAll(timer.units, 0o755))
	return timer, f
}

func TestAlarmOfUnits(t *testing.T) {
	timer, f := withUnits(t)
	timer.Args = []string{"1000", "a b", `$HOME %n "x" \y`}
	planned, err := timer.Plan(t.Context())
	must(t, err)
	boot, wants := timer.units+"/docker-harden-confirm-7.service", timer.units+"/multi-user.target.wants/docker-harden-confirm-7.service"
	if want := (Alarm{
		By: Systemd, Dir: timer.Dir, Timer: "docker-harden-deadline-7.timer", Service: "docker-harden-deadline-7.service",
		Boot: boot, Wants: wants, MadeDir: true,
	}); planned != want {
		t.Errorf("%+v", planned)
	}
	a, err := timer.Arm(t.Context(), planned, 5*time.Minute)
	must(t, err)
	if a != planned || a.String() != "systemd timer docker-harden-deadline-7.timer" {
		t.Errorf("%+v", a)
	}
	must(t, checkUnits(t.Context(), a, timer.reach))
	text, err := os.ReadFile(boot)
	must(t, err)
	for _, want := range []string{
		"Description=100%% of a test\n", "After=docker.service\n", "WantedBy=multi-user.target\n", "KillMode=process\n",
		`ExecStart="/bin/sh" "-c" "exec \"$$0\" \"$$@\"" "` + timer.Dir + `/sleep" "1000" "a b" "$$HOME %%n \"x\" \\y"` + "\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the unit has no %q:\n%s", want, text)
		}
	}
	if link, err := os.Readlink(wants); err != nil || link != "../docker-harden-confirm-7.service" {
		t.Errorf("%q %v", link, err)
	}
	if bytes.Contains(text, []byte("X=1")) {
		t.Error("the environment stands in a unit file that everybody may read")
	}
	service := f.made[a.Service]
	if service["KillMode"] != "process" || service["Type"] != "oneshot" || f.made[a.Timer]["RemainAfterElapse"] != false {
		t.Errorf("%v", f.made)
	}
	if got := f.made[a.Timer]["TimersMonotonic"]; !slices.Equal(got.([]monotonic), []monotonic{{"OnActiveSec", 300_000_000}}) {
		t.Errorf("%v", got)
	}
	for range 2 {
		must(t, disarm(t.Context(), a, timer.reach))
		gone(t, timer.Dir, boot, filepath.Dir(wants))
	}
	if len(f.started) > 0 || f.open != 0 {
		t.Errorf("%v, %d connections are open", f.started, f.open)
	}
	if slices.Contains(f.calls, "stop "+a.Service+" replace") {
		t.Errorf("a service that does not run was stopped: %v", f.calls)
	}
}

// The timer that has fired takes everything away but itself.
func TestAlarmDisarmsItself(t *testing.T) {
	timer, f := withUnits(t)
	must(t, os.MkdirAll(filepath.Join(timer.units, wantsDir), 0o755))
	planned, err := timer.Plan(t.Context())
	must(t, err)
	a, err := timer.Arm(t.Context(), planned, time.Minute)
	must(t, err)
	f.started[a.Service], f.mains[a.Service] = "activating", os.Getpid()
	f.started[filepath.Base(a.Boot)], f.mains[filepath.Base(a.Boot)] = "activating", 1
	must(t, disarm(t.Context(), a, timer.reach))
	if len(f.started) != 1 || f.started[a.Service] == "" {
		t.Errorf("%v", f.started)
	}
	gone(t, a.Boot, a.Wants)
	if _, err := os.Stat(filepath.Join(timer.units, wantsDir)); err != nil {
		t.Errorf("a directory of others was removed: %v", err)
	}
}

func TestAlarmOfUnitsFails(t *testing.T) {
	for _, test := range []struct {
		name string
		how  func(*Timer, *fakeTransients)
		want string
	}{
		{"systemd refuses", func(_ *Timer, f *fakeTransients) { f.fail["transient"] = errors.New("boom") }, "boom"},
		{"the job fails", func(_ *Timer, f *fakeTransients) { f.verdict = "failed" }, `result is "failed"`},
		{"systemd went away", func(_ *Timer, f *fakeTransients) { f.fail["connect"] = errors.New("gone") }, "gone"},
		{"nowhere for units", func(timer *Timer, _ *fakeTransients) { must(t, os.RemoveAll(timer.units)) }, "acts after a reboot"},
	} {
		t.Run(test.name, func(t *testing.T) {
			timer, f := withUnits(t)
			planned, err := timer.Plan(t.Context())
			must(t, err)
			test.how(&timer, f)
			if _, err := timer.Arm(t.Context(), planned, time.Minute); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
			delete(f.fail, "connect")
			must(t, disarm(t.Context(), planned, timer.reach))
			gone(t, timer.Dir, planned.Boot, planned.Wants)
		})
	}
	timer, f := withUnits(t)
	planned, err := timer.Plan(t.Context())
	must(t, err)
	a, err := timer.Arm(t.Context(), planned, time.Minute)
	must(t, err)
	delete(f.started, a.Timer)
	if err := checkUnits(t.Context(), a, timer.reach); err == nil || !strings.Contains(err.Error(), "is inactive") {
		t.Errorf("got %v", err)
	}
	must(t, os.Remove(a.Wants))
	if err := checkUnits(t.Context(), a, timer.reach); err == nil || !strings.Contains(err.Error(), "next boot") {
		t.Errorf("got %v", err)
	}
}
