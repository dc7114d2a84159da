package host

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

//go:embed keeper.sh
var keeperScript string

//go:embed namespace.sh
var namespaceScript string

//go:embed bare.sh
var bareScript string

//go:embed debian.sh
var debianScript string

//go:embed guest.sh
var guestScript string

//go:embed systemd.sh
var systemdScript string

// The names of a host's directory start so, and those of its control groups.
const (
	statePrefix = "docker-harden-host-"
	youngPrefix = "docker-harden-newhost-" // a directory not locked yet
)

// An Option changes what kind of host is started.
type Option func(*options)

type options struct {
	systemd bool
	release Release
}

// A keeper is the process that removes a host once its owner is gone.
type keeper struct {
	cmd    *exec.Cmd
	hold   *os.File // closed: the keeper tears the host down
	ready  io.Reader
	errors *bytes.Buffer
	once   sync.Once
	result error
}

// Launch starts a host. Its engine is not started yet: see Boot. Close removes
// the host, and the keeper does when this process ends without Close.
func Launch(ctx context.Context, opts ...Option) (*Host, error) {
	o := options{release: Release(os.Getenv(EngineVariable))}
	for _, set := range opts {
		set(&o)
	}
	if err := Check(); err != nil {
		return nil, err
	}
	root := ""
	if o.systemd || o.release != currentRelease() {
		var err error
		if root, err = layers(ctx, o.release); err != nil {
			return nil, err
		}
	}
	sweep(os.TempDir())
	state, lock, err := newState()
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	h := &Host{state: state, systemd: o.systemd}
	if err := h.prepare(root, o.release); err != nil {
		return nil, errors.Join(err, removeState(state))
	}
	if err := h.start(ctx, lock); err != nil {
		return nil, err
	}
	return h, nil
}

// newState makes the host's directory and takes its lock, which the keeper
// inherits: a directory whose lock is free belongs to nobody. It gets its name
// when it is locked, lest a sweep in another process takes it for abandoned.
func newState() (string, *os.File, error) {
	young, err := os.MkdirTemp("", youngPrefix)
	if err != nil {
		return "", nil, fmt.Errorf("cannot make a directory for the host: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(young, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", nil, fmt.Errorf("cannot lock %s: %w", young, err)
	}
	state := filepath.Join(filepath.Dir(young), statePrefix+strings.TrimPrefix(filepath.Base(young), youngPrefix))
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return "", nil, fmt.Errorf("cannot lock %s: %w", young, err)
	}
	if err := os.Rename(young, state); err != nil {
		return "", nil, fmt.Errorf("cannot make a directory for the host: %w", err)
	}
	return state, lock, nil
}

// prepare writes what the scripts read, then makes the control groups.
func (h *Host) prepare(root string, release Release) error {
	groups, err := readCgroups(filepath.Base(h.state), h.systemd)
	if err != nil {
		return err
	}
	h.joins = groups.join
	inner := bareScript
	switch {
	case h.systemd:
		inner = systemdScript
	case root != "":
		inner = guestScript
	}
	files := map[string]string{
		"namespace.sh":  namespaceScript,
		"debian.sh":     debianScript,
		"inner.sh":      inner,
		"suite":         suite() + "\n",
		"release":       string(release) + "\n",
		"go":            goRoot() + "\n",
		"root":          root,
		"hostname":      "testhost\n",
		"cgroups.made":  lines(groups.made),
		"cgroups.enter": lines(groups.enter),
		"cgroups.mount": lines(groups.mount),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(h.state, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("cannot prepare the host: %w", err)
		}
	}
	return groups.create()
}

func lines(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return strings.Join(list, "\n") + "\n"
}

// start runs the keeper and waits until the host says that it is ready.
func (h *Host) start(ctx context.Context, lock *os.File) error {
	hold, release, err := os.Pipe()
	if err != nil {
		return err
	}
	defer hold.Close()
	k := &keeper{hold: release, errors: &bytes.Buffer{}}
	k.cmd = exec.Command("/bin/sh", "-c", keeperScript, "keeper", h.state)
	k.cmd.Env = append(os.Environ(), "PATH="+systemPath(os.Getenv("PATH")))
	k.cmd.Dir = "/"
	k.cmd.ExtraFiles = []*os.File{hold, lock}
	k.cmd.Stderr = k.errors
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := k.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := k.cmd.Start(); err != nil {
		release.Close()
		return errors.Join(fmt.Errorf("cannot start the host's keeper: %w", err), removeState(h.state))
	}
	h.keeper, k.ready = k, out
	h.pid, err = awaitReady(ctx, out)
	if err != nil {
		_ = k.close()
		return fmt.Errorf("cannot start the host: %w: %s", err, strings.TrimSpace(k.errors.String()))
	}
	return nil
}

// awaitReady reads the keeper's first line, "ready PID".
func awaitReady(ctx context.Context, out io.Reader) (int, error) {
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(out).ReadString('\n')
		line <- text
	}()
	timeout := time.NewTimer(30 * time.Second)
	defer timeout.Stop()
	select {
	case text := <-line:
		f := strings.Fields(text)
		if len(f) != 2 || f[0] != "ready" {
			return 0, errors.New("its namespaces could not be set up")
		}
		return strconv.Atoi(f[1])
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-timeout.C:
		return 0, errors.New("its namespaces were not ready after 30 s")
	}
}

// Close ends everything in the host, removes it, and reports whatever is left.
func (h *Host) Close() error {
	if h.keeper == nil {
		return errors.New("internal error: only who started a host may close it")
	}
	h.keeper.once.Do(func() {
		h.keeper.result = h.remove()
	})
	return h.keeper.result
}

// remove lets the keeper remove the host, and checks that it did.
func (h *Host) remove() error {
	ns, err := holdNamespace(h.pid)
	if err != nil { // it died early, and all its processes with it
		return h.keeper.close()
	}
	defer ns.close()
	if err := h.keeper.close(); err != nil {
		return err
	}
	left, err := lookFor(h.state, ns)
	return errors.Join(err, left.err())
}

// close lets the keeper do its work and waits for it.
func (k *keeper) close() error {
	k.hold.Close()
	if err := k.cmd.Wait(); err != nil {
		return fmt.Errorf("cannot remove the host: %w: %s", err, strings.TrimSpace(k.errors.String()))
	}
	return nil // unshare complains when its child is killed; that is no failure
}

// sweep removes what killed keepers left in dir.
func sweep(dir string) {
	states, _ := filepath.Glob(filepath.Join(dir, statePrefix+"*"))
	for _, state := range states {
		lock, err := os.OpenFile(filepath.Join(state, "lock"), os.O_RDWR, 0)
		if err != nil {
			continue // just being removed
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = removeState(state)
		}
		lock.Close()
	}
	young, _ := filepath.Glob(filepath.Join(dir, youngPrefix+"*"))
	for _, path := range young {
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > time.Hour {
			_ = os.RemoveAll(path)
		}
	}
}

// removeState removes a host's control groups and directory when no process is
// left in it.
func removeState(state string) error {
	made, _ := os.ReadFile(filepath.Join(state, "cgroups.made"))
	dirs := strings.Fields(string(made))
	for _, dir := range dirs {
		thaw(dir)
	}
	var err error
	for range 40 { // what thawed needs a moment to die
		var errs []error
		for _, dir := range dirs {
			errs = append(errs, removeCgroup(dir))
		}
		if err = errors.Join(errs...); err == nil {
			return os.RemoveAll(state)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err // the directory stays: it names the control groups
}

// thaw lets the processes of paused containers die: a killed process that is frozen stays.
func thaw(dir string) {
	_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			switch filepath.Base(path) {
			case "freezer.state":
				_ = os.WriteFile(path, []byte("THAWED"), 0)
			case "cgroup.freeze":
				_ = os.WriteFile(path, []byte("0"), 0)
			}
		}
		return nil
	})
}
