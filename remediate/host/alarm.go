package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"docker-harden/remediate/internal/atomic"
)

// Detached names an alarm that is a process of its own, where systemd does not run.
const Detached = "detached"

// Timer runs a copy of a program at a deadline, whatever becomes of the program and of the process
// that asks for it. Where systemd runs, that is a timer of systemd and a unit for the next boot;
// elsewhere a process in a session of its own, which nothing starts again after a reboot.
type Timer struct {
	// Name is part of the names of units: different for everything that may wait at the same time.
	Name string
	// Dir, in a private directory, is made for the copy.
	Dir     string
	Program string            // what to copy
	As      string            // the name of the copy
	Files   map[string][]byte // what else the copy finds beside it
	Try     []string          // arguments of a harmless run of the copy, before anything relies on it
	Args    []string          // arguments of the copy that waits until the deadline and then acts
	Env     []string          // environment of the process; units have that of systemd
	Log     string            // file for what the process prints
	After   string            // unit that the copy waits for at the next boot
	Why     string            // describes the units for people
	// units is where units live; "" is systemd's own directory.
	units string
	// reach connects to systemd; nil: if it is the first process here.
	reach func(context.Context) (transients, error)
}

// Alarm is a timer as it stands on a host, and everything that it leaves there. It holds no secret.
type Alarm struct {
	By  string `json:"by"`  // Systemd or Detached
	Dir string `json:"dir"` // with the copy of the program
	// Units of systemd. Boot is a file, and Wants the link that makes systemd start it.
	Timer   string `json:"timer_unit,omitempty"`
	Service string `json:"service_unit,omitempty"`
	Boot    string `json:"boot_unit,omitempty"`
	Wants   string `json:"wants,omitempty"`
	// MadeDir says that the directory of the link was not there.
	MadeDir bool `json:"made_dir,omitempty"`
	// PID and StartTicks (clock ticks after boot) name the detached process.
	PID        int    `json:"pid,omitempty"`
	StartTicks uint64 `json:"start_ticks,omitempty"`
}

// String names the alarm for people.
func (a Alarm) String() string {
	if a.By == Systemd {
		return "systemd timer " + a.Timer
	}
	return fmt.Sprintf("process %d", a.PID)
}

// Plan says what Arm will leave, and leaves nothing.
func (t Timer) Plan(ctx context.Context) (Alarm, error) {
	conn, err := t.systemd(ctx)
	if err != nil {
		return Alarm{By: Detached, Dir: t.Dir}, nil // systemd is not there or does not answer
	}
	conn.Close()
	return t.planUnits(), nil
}

// Arm copies the program and starts what Plan described. The alarm it returns is to be given to
// Disarm; when it fails, Disarm of the planned one takes away what is there.
func (t Timer) Arm(ctx context.Context, planned Alarm, within time.Duration) (Alarm, error) {
	program, err := t.copy(ctx)
	if err != nil {
		return planned, err
	}
	if planned.By == Systemd {
		return planned, t.armUnits(ctx, planned, program, within)
	}
	return t.detach(ctx, planned, program)
}

// copy makes the directory, and returns the name of the program's copy in it when it is seen to run.
func (t Timer) copy(ctx context.Context) (string, error) {
	if err := os.RemoveAll(t.Dir); err != nil {
		return "", err
	}
	if err := atomic.Mkdir(t.Dir, 0o700); err != nil {
		return "", err
	}
	for name, data := range t.Files {
		own := atomic.Options{UID: os.Geteuid(), GID: os.Getegid(), Mode: 0o600}
		if err := atomic.WriteFile(filepath.Join(t.Dir, name), data, own); err != nil {
			return "", err
		}
	}
	to := filepath.Join(t.Dir, t.As)
	if err := copyProgram(t.Program, to); err != nil {
		return "", fmt.Errorf("cannot copy %s: %w", t.Program, err)
	}
	if err := atomic.SyncDir(t.Dir); err != nil {
		return "", err
	}
	const trial = 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, trial)
	defer cancel()
	cmd := exec.CommandContext(ctx, to, t.Try...)
	cmd.Env = append([]string{}, t.Env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the copy of this program does not run in %s (is that file system mounted noexec? then use another --state-dir): %w: %.200s", t.Dir, err, out)
	}
	return to, nil
}

func copyProgram(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// detach starts the process, and waits a moment: one that ends at once does not wait for anything.
func (t Timer) detach(ctx context.Context, a Alarm, program string) (Alarm, error) {
	log, err := os.OpenFile(t.Log, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return a, err
	}
	defer log.Close()
	service := Service{Exe: program, Argv: append([]string{program}, t.Args...), Env: t.Env, Dir: "/", UID: os.Geteuid(), GID: os.Getegid()}
	cmd := service.command(log, log)
	if err := cmd.Start(); err != nil {
		return a, err
	}
	a.PID = cmd.Process.Pid
	p, err := statOf("", a.PID) // before it is waited for, as one that ended is there until then
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err != nil {
		return a, err
	}
	a.StartTicks = p.ticks
	if err := watch(ctx, ended); err != nil {
		return a, fmt.Errorf("the process that waits for the deadline: %w; see %s", err, t.Log)
	}
	return a, nil
}

// Disarm takes an alarm away, whole or half, armed, planned or fired. Called by the alarm itself, it
// leaves that process to end by itself.
func Disarm(ctx context.Context, a Alarm) error {
	return disarm(ctx, a, firstProcess)
}

func disarm(ctx context.Context, a Alarm, reach func(context.Context) (transients, error)) error {
	var err error
	if a.By == Systemd {
		err = removeUnits(ctx, a, reach)
	} else {
		err = endCopies(ctx, a.Dir)
	}
	if err != nil {
		return err
	}
	if err := os.RemoveAll(a.Dir); err != nil {
		return fmt.Errorf("cannot remove the copy of the program: %w", err)
	}
	err = atomic.SyncDir(filepath.Dir(a.Dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// endCopies ends the processes that run the copy in dir. They are found by what they run, because a
// crash may have come before their numbers were written down.
func endCopies(ctx context.Context, dir string) error {
	all, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return err
	}
	for _, link := range all {
		exe, err := os.Readlink(link)
		if err != nil || filepath.Dir(exe) != dir {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(strings.TrimPrefix(link, "/proc/"), "%d/exe", &pid); err != nil || pid == os.Getpid() {
			continue
		}
		if err := end(ctx, pid); err != nil {
			return fmt.Errorf("cannot end process %d, which waits for the deadline: %w", pid, err)
		}
	}
	return nil
}

func end(ctx context.Context, pid int) error {
	p, err := statOf("", pid)
	if err != nil || p.ended() {
		return nil
	}
	h, err := hold(pid, p.ticks)
	if errors.Is(err, errEnded) {
		return nil
	}
	if err != nil {
		return err
	}
	defer h.close()
	if err := h.signal(unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, brake)
	defer cancel()
	for alive(pid, p.ticks) {
		if err := pause(ctx, poll); err != nil {
			return err
		}
	}
	return nil
}

// Check says why an alarm will not go off; nil: it will.
func Check(ctx context.Context, a Alarm) error {
	if _, err := os.Stat(a.Dir); err != nil {
		return fmt.Errorf("its copy of the program is gone: %w", err)
	}
	if a.By == Systemd {
		return checkUnits(ctx, a, firstProcess)
	}
	if !alive(a.PID, a.StartTicks) {
		return fmt.Errorf("process %d, which waited for the deadline, is gone", a.PID)
	}
	return nil
}
