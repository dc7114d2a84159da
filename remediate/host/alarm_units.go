package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"

	"docker-harden/remediate/internal/atomic"
)

// transients is what is needed of systemd's D-Bus interface for units that are no files.
type transients interface {
	StartTransientUnitAux(ctx context.Context, name, mode string, properties []dbus.Property, aux []dbus.PropertyCollection, done chan<- string) (int, error)
	units
}

const (
	unitPrefix = "docker-harden-"
	unitDir    = "/etc/systemd/system"
	wantsDir   = "multi-user.target.wants"
	// unitWait is how long systemd may take for a job that does next to nothing.
	unitWait = 30 * time.Second
)

func (t Timer) systemd(ctx context.Context) (transients, error) {
	if t.reach != nil {
		return t.reach(ctx)
	}
	return firstProcess(ctx)
}

// firstProcess reaches systemd where it is the first process of the machine and takes orders from the
// caller, which is root.
func firstProcess(ctx context.Context) (transients, error) {
	if info, err := os.Lstat("/run/systemd/system"); err != nil || !info.IsDir() {
		return nil, errors.New("systemd does not run here")
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("systemd takes orders from root alone")
	}
	conn, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	all, ok := conn.(transients)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("internal error: %T makes no units", conn)
	}
	return all, nil
}

func (t Timer) dir() string {
	if t.units != "" {
		return t.units
	}
	return unitDir
}

func (t Timer) planUnits() Alarm {
	a := Alarm{
		By: Systemd, Dir: t.Dir,
		Timer: unitPrefix + "deadline-" + t.Name + ".timer", Service: unitPrefix + "deadline-" + t.Name + ".service",
		Boot: filepath.Join(t.dir(), unitPrefix+"confirm-"+t.Name+".service"),
	}
	a.Wants = filepath.Join(t.dir(), wantsDir, filepath.Base(a.Boot))
	_, err := os.Lstat(filepath.Dir(a.Wants))
	a.MadeDir = errors.Is(err, fs.ErrNotExist)
	return a
}

// armUnits first makes sure of the next boot, then starts the timer. systemd is never told to read all
// its units again: that would bring into effect what others edited and left for later.
func (t Timer) armUnits(ctx context.Context, a Alarm, program string, within time.Duration) error {
	if err := t.armBoot(a, program); err != nil {
		return fmt.Errorf("cannot make the unit that acts after a reboot: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, unitWait)
	defer cancel()
	conn, err := t.systemd(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	property := func(name string, v any) dbus.Property { return dbus.Property{Name: name, Value: godbus.MakeVariant(v)} }
	command := append(throughShell(program), t.Args...)
	for i := range command {
		command[i] = strings.ReplaceAll(command[i], "$", "$$")
	}
	service := []dbus.Property{
		dbus.PropDescription(t.Why), dbus.PropType("oneshot"), dbus.PropExecStart(command, false),
		property("KillMode", "process"), // an engine that it starts outlives it
		property("CollectMode", "inactive-or-failed"),
	}
	timer := []dbus.Property{
		dbus.PropDescription(t.Why),
		property("TimersMonotonic", []monotonic{{"OnActiveSec", uint64(within / time.Microsecond)}}),
		property("AccuracyUSec", uint64(100*time.Millisecond/time.Microsecond)),
		property("RemainAfterElapse", false),
		property("CollectMode", "inactive-or-failed"),
	}
	done := make(chan string, 1)
	aux := []dbus.PropertyCollection{{Name: a.Service, Properties: service}}
	if _, err := conn.StartTransientUnitAux(ctx, a.Timer, "fail", timer, aux, done); err != nil {
		return fmt.Errorf("cannot start %s: %w", a.Timer, err)
	}
	select {
	case result := <-done:
		if result != "done" {
			return fmt.Errorf("cannot start %s: the job's result is %q", a.Timer, result)
		}
	case <-ctx.Done():
		return fmt.Errorf("cannot start %s: %w", a.Timer, ctx.Err())
	}
	return active(ctx, conn, a.Timer)
}

// monotonic is one entry of a timer's list, as D-Bus carries it.
type monotonic struct {
	Base string
	USec uint64
}

// throughShell starts a program through the shell: where SELinux is enforced, systemd itself may not
// run what lies below /var.
func throughShell(program string) []string {
	return []string{"/bin/sh", "-c", `exec "$0" "$@"`, program}
}

const bootUnit = `# Made by docker-harden apply --confirm, and removed by it: confirm, rollback, or the end of the time.
[Unit]
Description=%s
RequiresMountsFor=%s
%s
[Service]
Type=oneshot
ExecStart=%s
KillMode=process

[Install]
WantedBy=multi-user.target
`

// armBoot makes the unit of the next boot. It is never loaded in this one.
func (t Timer) armBoot(a Alarm, program string) error {
	after := ""
	if t.After != "" {
		after = "After=" + t.After + "\n"
	}
	words := append(throughShell(program), t.Args...)
	for i := range words {
		words[i] = quoted(words[i])
	}
	specifiers := strings.NewReplacer("%", "%%")
	mounts := strings.ReplaceAll(quoted(filepath.Dir(t.Dir)), "$$", "$") // a list of paths, no command
	text := fmt.Sprintf(bootUnit, specifiers.Replace(t.Why), mounts, after, strings.Join(words, " "))
	own := atomic.Options{UID: os.Geteuid(), GID: os.Getegid(), Mode: 0o644}
	if err := atomic.WriteFile(a.Boot, []byte(text), own); err != nil {
		return err
	}
	if err := atomic.Mkdir(filepath.Dir(a.Wants), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.Symlink("../"+filepath.Base(a.Boot), a.Wants); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return atomic.SyncDir(filepath.Dir(a.Wants))
}

// quoted is a word as a unit file has it.
func quoted(word string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", "$$", "%", "%%", "\n", `\n`).Replace(word) + `"`
}

// active makes sure of a unit.
func active(ctx context.Context, conn units, unit string) error {
	props, err := conn.GetAllPropertiesContext(ctx, unit)
	if err != nil {
		return fmt.Errorf("cannot look at %s: %w", unit, err)
	}
	if state, _ := props["ActiveState"].(string); state != "active" {
		return fmt.Errorf("%s is %s", unit, state)
	}
	return nil
}

// removeUnits removes what acts at the next boot first: a crash after that leaves what ends by itself.
func removeUnits(ctx context.Context, a Alarm, reach func(context.Context) (transients, error)) error {
	for _, path := range []string{a.Wants, a.Boot} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if a.MadeDir {
		_ = os.Remove(filepath.Dir(a.Wants)) // others may have put something into it
	}
	if err := atomic.SyncDir(filepath.Dir(a.Boot)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, unitWait)
	defer cancel()
	conn, err := reach(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, unit := range []string{a.Timer, a.Service, filepath.Base(a.Boot)} {
		if err := stopUnit(ctx, conn, unit); err != nil {
			return fmt.Errorf("cannot stop %s: %w", unit, err)
		}
	}
	return nil
}

// stopUnit stops a unit that systemd knows and that is not this process.
func stopUnit(ctx context.Context, conn units, unit string) error {
	props, err := conn.GetAllPropertiesContext(ctx, unit)
	if err != nil {
		return err
	}
	if state, _ := props["ActiveState"].(string); state == "inactive" {
		return nil
	}
	if pid, _ := props["MainPID"].(uint32); int(pid) == os.Getpid() {
		return nil
	}
	done := make(chan string, 1)
	_, err = conn.StopUnitContext(ctx, unit, "replace", done)
	if err == nil {
		select {
		case <-done:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	var call godbus.Error
	if errors.As(err, &call) && call.Name == "org.freedesktop.systemd1.NoSuchUnit" {
		return nil
	}
	if err == nil {
		_ = conn.ResetFailedUnitContext(ctx, unit) // usually it is gone by now
	}
	return err
}

func checkUnits(ctx context.Context, a Alarm, reach func(context.Context) (transients, error)) error {
	if _, err := os.Lstat(a.Wants); err != nil {
		return fmt.Errorf("its unit for the next boot is gone: %w", err)
	}
	conn, err := reach(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return active(ctx, conn, a.Timer)
}
