package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
	"docker-harden/remediate/journal"
)

// operated is a host with an engine, a container and an operator who types.
type operated struct {
	*testing.T
	host  *host.Host
	tool  string // the tool as it was installed
	state string // its state directory, in the host
	// before is what a rollback has to bring back.
	config, container string
}

const originalConfig = "{\n    \"log-level\": \"debug\",\n    \"labels\": [\"a=b\"]\n}\n"

// operate makes a host that needs a change of the engine and one of a container.
func operate(t *testing.T, h *host.Host) *operated {
	t.Helper()
	o := &operated{T: t, host: h, state: "/var/lib/docker-harden", tool: "/usr/local/sbin/docker-harden"}
	if h.Path("/x") == "/x" { // the host's /usr is the machine's own
		o.tool, o.state = filepath.Join(t.TempDir(), program), filepath.Join(t.TempDir(), "state")
	}
	o.install()
	h.WriteDaemonJSON(t, originalConfig)
	h.Restart(t)
	h.Docker(t, "run", "-d", "--name", "web", "--restart", "always", h.Image(t, "busybox"))
	o.config, o.container = o.look()
	return o
}

func (o *operated) install() {
	o.Helper()
	self, err := os.Executable()
	if err != nil {
		o.Fatal(err)
	}
	o.host.CopyIn(o.T, self, o.tool)
}

// uninstall puts another program in the place of the tool, as a bad upgrade would.
func (o *operated) uninstall() {
	o.Helper()
	path := o.host.Path(o.tool)
	if err := os.Remove(path); err != nil {
		o.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\nexit 99\n"), 0o755); err != nil {
		o.Fatal(err)
	}
}

// look is what the host is like: bytes, owner and mode of daemon.json, and what docker says of the
// container. Each start of the engine makes its default network anew.
func (o *operated) look() (config, container string) {
	o.Helper()
	config = o.host.Exec(o.T, "sh", "-c", "stat -c '%a %u %g' /etc/docker/daemon.json; cat /etc/docker/daemon.json")
	text := runState.ReplaceAllString(o.host.Docker(o.T, "inspect", "web"), "")
	text = regexp.MustCompile(`(?m)^\s*"(Running|Status|NetworkID)": .*$`).ReplaceAllString(text, "")
	return config, text
}

func (o *operated) command(args ...string) *exec.Cmd {
	return o.host.Command(context.Background(), o.tool, append(args, "--state-dir", o.state)...)
}

// types runs the tool and wants an exit status.
func (o *operated) types(code int, args ...string) string {
	o.Helper()
	cmd := o.command(args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		o.Fatalf("%v: %v", args, err)
	}
	o.Logf("$ docker-harden %s\n%s(exit status %d)", strings.Join(args, " "), out, cmd.ProcessState.ExitCode())
	if got := cmd.ProcessState.ExitCode(); got != code {
		o.Fatalf("docker-harden %v: exit %d, want %d", args, got, code)
	}
	return string(out)
}

func (o *operated) applies(confirm string, more ...string) {
	o.Helper()
	args := append([]string{"apply", "-y", "-p", "cis-level1", "--only", "log-level", "--only", "no-new-privileges", "--stable", "1s", "--confirm", confirm}, more...)
	if out := o.types(0, args...); !strings.Contains(out, "2 steps applied") && !strings.Contains(out, "3 steps applied") {
		o.Fatalf("%s", out)
	}
	if config, container := o.look(); config == o.config || container == o.container {
		o.Fatalf("the apply changed nothing:\n%s", config)
	}
}

// says reads the state of the newest generation, as history tells it.
func (o *operated) says() string {
	o.Helper()
	store, err := journal.Look(o.host.Path(o.state))
	if err != nil {
		o.Fatal(err)
	}
	gen, err := store.Latest()
	if err != nil {
		o.Fatal(err)
	}
	_, left := gen.Timer()
	return fmt.Sprintf("%s, timer left: %v", gen.State(), left)
}

const rolledBack = "rolled-back, timer left: false"

// await waits until the newest generation is in a state, and its timer gone.
func (o *operated) await(want string) {
	o.Helper()
	for end := time.Now().Add(4 * time.Minute); o.says() != want; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			o.Fatalf("it is %s, want %s\n%s", o.says(), want, o.log())
		}
	}
}

func (o *operated) log() string {
	names, _ := filepath.Glob(o.host.Path(o.state) + "/generations/*/" + alarmLog)
	var b strings.Builder
	for _, name := range names {
		text, _ := os.ReadFile(name)
		fmt.Fprintf(&b, "%s:\n%s", name, text)
	}
	return b.String()
}

// original makes sure that the host is as it was before the apply, and that nothing of a timer is left.
func (o *operated) original() {
	o.Helper()
	config, container := o.look()
	if config != o.config {
		o.Errorf("daemon.json is\n%s\nit was\n%s", config, o.config)
	}
	if container != o.container {
		o.Errorf("the container is\n%s\nit was\n%s", container, o.container)
	}
	if got := o.host.Docker(o.T, "ps", "-a", "--format", "{{.Names}} {{.State}}"); got != "web running" {
		o.Errorf("containers: %s", got)
	}
	o.nothingLeft()
}

// nothingLeft: no process, no unit, no file of a timer. A timer that just ended itself gets a moment.
// Of a unit that it started at its boot, systemd remembers the name until it reads its units again,
// which nobody but an administrator may make it do.
func (o *operated) nothingLeft() {
	o.Helper()
	const look = `for exe in /proc/[0-9]*/exe; do readlink $exe; done | grep "^$0/.*/confirm/docker-harden"
ls -d "$0"/generations/*/confirm /etc/systemd/system/docker-harden* /etc/systemd/system/*/docker-harden* 2>/dev/null
[ ! -d /run/systemd/system ] || systemctl list-units --plain --no-legend 'docker-harden*'
exit 0`
	left := "?"
	for end := time.Now().Add(time.Minute); left != "" && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		left = o.host.Exec(o.T, "sh", "-c", look, o.state)
	}
	if left != "" {
		o.Errorf("left of the timer: %s", left)
	}
}

// expired makes sure that everything says what happened.
func (o *operated) expired(gen int, why journal.Lapse) {
	o.Helper()
	o.original()
	o.install()
	if out := o.types(1, "confirm"); !strings.Contains(out, "the time to confirm is over") || !strings.Contains(out, why.String()) {
		o.Errorf("confirm says %q", out)
	}
	if out := o.types(0, "status"); !strings.Contains(out, fmt.Sprintf("Generation %d was rolled back at ", gen)) || !strings.Contains(out, why.String()) {
		o.Errorf("status says %q", out)
	}
	if out := o.types(0, "history"); !strings.Contains(out, "rolled-back, not confirmed") {
		o.Errorf("history says %q", out)
	}
}

// killedApply kills the tool in the middle of an apply: after the first step.
func (o *operated) killedApply(confirm string) {
	o.Helper()
	cmd := o.command("apply", "-y", "-p", "cis-level1", "--only", "log-level", "--only", "no-new-privileges", "--stable", "3s", "--confirm", confirm)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		o.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	middle := func() bool {
		store, err := journal.Look(o.host.Path(o.state))
		if err != nil {
			return false
		}
		gen, err := store.Latest()
		return err == nil && gen.State() == journal.StateApplying && slices.ContainsFunc(gen.Records, func(r journal.Record) bool { return r.Kind == journal.Note && r.Step == "container/web" })
	}
	for end := time.Now().Add(2 * time.Minute); !middle(); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-ended:
			o.Fatalf("the apply ended before it was killed: %v\n%s", err, &out)
		default:
		}
		if time.Now().After(end) {
			o.Fatalf("the apply did not come so far\n%s", &out)
		}
	}
	o.host.Exec(o.T, "sh", "-c", `for p in /proc/[0-9]*; do [ "$(readlink $p/exe)" != "$0" ] || kill -9 ${p#/proc/}; done`, o.tool)
	<-ended
	if got := o.says(); got != "applying, timer left: true" {
		o.Fatalf("the killed apply is %s", got)
	}
}

// Both tests mostly wait for deadlines: they do it together, after all others.
func TestUnconfirmed(t *testing.T) {
	t.Parallel()
	o := operate(t, host.Here(t))
	t.Run("expiry", func(t *testing.T) {
		row.Record(t, row.Row{
			Table: row.Fault, ID: "confirm-expiry", Case: "nobody confirms, and the tool was replaced meanwhile; no systemd",
			Apply: "stays until the deadline", Rollback: "by the watchdog's own copy; daemon.json byte for byte, the old container; status, history and confirm say so",
		})
		o.T = t
		o.applies("75s")
		o.uninstall()
		o.await(rolledBack)
		o.expired(1, journal.TimeIsUp)
		log := o.log()
		for _, want := range []string{"waiting until generation 1 is confirmed", "back, exact", "generation 1 is rolled-back"} {
			if !strings.Contains(log, want) {
				t.Errorf("the log has no %q:\n%s", want, log)
			}
		}
		t.Log(log)
	})
	t.Run("killed", func(t *testing.T) {
		row.Record(t, row.Row{
			Table: row.Fault, ID: "confirm-killed", Case: "SIGKILL of apply --confirm in the middle of a recreate; no systemd",
			Apply: "half done until the deadline", Rollback: "by the watchdog, without anybody",
		})
		o.T = t
		o.killedApply("75s")
		o.await(rolledBack)
		o.expired(2, journal.TimeIsUp)
	})
	t.Run("reboot", func(t *testing.T) {
		row.Record(t, row.Row{
			Table: row.Fault, ID: "confirm-reboot-bare", Case: "power loss before the confirm; no systemd: nothing of ours runs at boot",
			Apply: "stays", Rollback: "by the next command that changes something; status and plan say that it is due",
		})
		o.T = t
		o.applies("10m")
		o.bootAnew()
		if out := o.types(2, "status"); !strings.Contains(out, "still to be rolled back, because the host was rebooted") {
			t.Errorf("status says %q", out)
		}
		if out := o.types(0, "plan", "-p", "baseline", "--summary"); !strings.Contains(out, "still to be rolled back") {
			t.Errorf("plan says %q", out)
		}
		if out := o.types(1, "confirm"); !strings.Contains(out, "was rolled back just now, because the host was rebooted") {
			t.Errorf("confirm says %q", out)
		}
		if got := o.says(); got != rolledBack {
			t.Errorf("it is %s", got)
		}
		o.expired(3, journal.Rebooted)
	})
	t.Run("watchdog killed", func(t *testing.T) {
		row.Record(t, row.Row{
			Table: row.Fault, ID: "confirm-watchdog-killed", Case: "somebody kills the watchdog",
			Apply: "stays; status says that nobody waits for the deadline", Rollback: "by the next command after the deadline, or by hand",
		})
		o.T = t
		o.applies("10m")
		o.killCopies()
		if out := o.types(2, "status"); !strings.Contains(out, "Its timer will not act: process") {
			t.Errorf("status says %q", out)
		}
		o.types(0, "rollback", "-y")
		o.original()
	})
}

// killCopies kills the process that waits for the deadline.
func (o *operated) killCopies() {
	o.Helper()
	o.host.Exec(o.T, "sh", "-c", `for p in /proc/[0-9]*; do case "$(readlink $p/exe)" in "$0"/*/confirm/docker-harden) kill -9 ${p#/proc/};; esac; done`, o.state)
}

// bootAnew plays a power loss on a host whose first process stays, by giving the kernel's boot another name.
func (o *operated) bootAnew() {
	o.Helper()
	const id = "/proc/sys/kernel/random/boot_id"
	o.killCopies()
	o.host.PowerLoss(o.T)
	name := filepath.Join(o.TempDir(), "boot_id")
	if err := os.WriteFile(name, []byte("00000000-0000-4000-8000-000000000000\n"), 0o600); err != nil {
		o.Fatal(err)
	}
	if err := unix.Mount(name, id, "", unix.MS_BIND, ""); err != nil {
		o.Fatal(err)
	}
	o.Cleanup(func() {
		if err := unix.Unmount(id, 0); err != nil {
			o.Error(err)
		}
	})
}

func TestUnconfirmedOnSystemd(t *testing.T) {
	t.Parallel()
	o := operate(t, host.Start(t, host.Systemd()))
	t.Run("confirmed", func(t *testing.T) {
		row.Record(t, row.Row{
			Table: row.Fault, ID: "confirm-in-time", Case: "confirm before the deadline, under systemd", Apply: "stays; no timer, unit or file of it is left", Rollback: "by hand, exact",
		})
		o.T = t
		o.applies("10m")
		if out := o.host.Exec(t, "systemctl", "list-timers", "--all", "--no-pager"); !strings.Contains(out, "docker-harden-deadline-1.timer") {
			t.Errorf("%s", out)
		}
		o.types(2, "status")
		o.types(7, "apply", "-y", "-p", "baseline", "--confirm", "1m")
		o.types(0, "confirm")
		if got := o.says(); got != "confirmed, timer left: false" {
			t.Errorf("it is %s", got)
		}
		o.nothingLeft()
		o.types(0, "rollback", "-y")
		o.original()
	})
	t.Run("expiry", func(t *testing.T) {
		row.Record(t, row.Row{
			Table: row.Fault, ID: "confirm-expiry-systemd", Case: "nobody confirms, and the tool was replaced meanwhile; systemd",
			Apply: "stays until the deadline", Rollback: "by the transient timer's own copy; daemon.json byte for byte, the old container",
		})
		o.T = t
		o.applies("75s")
		o.uninstall()
		o.await(rolledBack)
		o.expired(2, journal.TimeIsUp)
		if out := o.host.Exec(t, "journalctl", "--no-pager", "-o", "cat", "-u", "docker-harden-deadline-2.service"); !strings.Contains(out, "generation 2 is rolled-back") {
			t.Errorf("the journal says %q", out)
		}
	})
	t.Run("killed", func(t *testing.T) {
		row.Record(t, row.Row{
			Table: row.Fault, ID: "confirm-killed-systemd", Case: "SIGKILL of apply --confirm in the middle of a recreate; systemd",
			Apply: "half done until the deadline", Rollback: "by the timer, without anybody",
		})
		o.T = t
		o.killedApply("75s")
		o.await(rolledBack)
		o.expired(3, journal.TimeIsUp)
	})
	t.Run("reboot", func(t *testing.T) {
		row.Record(t, row.Row{
			Table: row.Fault, ID: "confirm-reboot", Case: "power loss before the confirm; systemd",
			Apply: "stays until the boot", Rollback: "by the unit of the next boot, without anybody, long before the deadline",
		})
		o.T = t
		o.applies("20m")
		o.uninstall()
		o.host.PowerLoss(t)
		o.await(rolledBack)
		o.expired(4, journal.Rebooted)
		o.host.PowerLoss(t) // and nothing happens at the next one
		o.nothingLeft()
		if got := o.says(); got != rolledBack {
			t.Errorf("it is %s", got)
		}
	})
}
