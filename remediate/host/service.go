package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"docker-harden/plan/inventory"
)

// The service managers that [Open] knows, as inventory names them.
const (
	Systemd = "systemd"
	Bare    = "bare"
)

// Service is how the engine is started: enough to start it again when it is down. It holds the
// engine's environment, which may hold secrets: it belongs in the rollback file and nowhere else.
type Service struct {
	Manager string `json:"manager"`
	// Unit and Socket are units of systemd. A socket unit that does not exist does no harm.
	Unit   string `json:"unit,omitempty"`
	Socket string `json:"socket,omitempty"`
	// PID and StartTicks (clock ticks after boot) name the process that was seen running.
	PID        int    `json:"pid,omitempty"`
	StartTicks uint64 `json:"start_ticks,omitempty"`
	// The rest is of a bare process.
	Exe  string   `json:"exe,omitempty"`
	Argv []string `json:"argv,omitempty"`
	Env  []string `json:"env,omitempty"`
	Dir  string   `json:"dir,omitempty"`
	// Stdout and Stderr are files; empty where the process wrote to a terminal or a pipe.
	Stdout string `json:"stdout,omitempty"`
	Stderr string `json:"stderr,omitempty"`
	UID    int    `json:"uid"`
	GID    int    `json:"gid"`
	// Umask and Limits are inherited by everything that the engine starts.
	Umask   int              `json:"umask"`
	Limits  map[string]Limit `json:"limits,omitempty"`
	PidFile string           `json:"pid_file,omitempty"`
}

// Limit is a resource limit of a process.
type Limit struct {
	Soft uint64 `json:"soft"`
	Hard uint64 `json:"hard"`
}

// String names the service without its environment, so that no accidental print shows a secret.
func (s Service) String() string {
	if s.Manager == Systemd {
		return "systemd unit " + s.Unit
	}
	return fmt.Sprintf("%s process %s (pid %d)", s.Manager, s.Exe, s.PID)
}

// GoString is the same, for %#v.
func (s Service) GoString() string { return s.String() }

// defaultPidFile is where the engine writes its process id unless it is told otherwise.
const defaultPidFile = "/var/run/docker.pid"

// Describe says how a running engine can be started again. root prefixes host paths; "" is this machine.
func Describe(d inventory.Daemon, root string) (Service, error) {
	s := Service{Manager: d.Manager, Unit: d.Unit, PID: d.PID}
	if d.Manager == Systemd {
		s.Socket = strings.TrimSuffix(d.Unit, ".service") + ".socket"
		if d.PID != 0 {
			p, err := statOf(root, d.PID)
			if err != nil {
				return Service{}, fmt.Errorf("cannot describe the engine's service: %w", err)
			}
			s.StartTicks = p.ticks
		}
		return s, nil
	}
	if d.PID == 0 {
		return Service{}, errors.New("cannot describe the engine's process: it does not run, so nothing tells how it is started")
	}
	s.PidFile = pidFile(d)
	if err := s.observe(root); err != nil {
		return Service{}, fmt.Errorf("cannot describe the engine's process %d: %w", d.PID, err)
	}
	return s, nil
}

// pidFile is the engine's --pidfile, from its flags or daemon.json.
func pidFile(d inventory.Daemon) string {
	if values := inventory.ParseFlags(d.Argv)["pidfile"]; len(values) > 0 {
		return values[len(values)-1]
	}
	var name string
	if json.Unmarshal(d.Keys["pidfile"], &name) == nil && name != "" {
		return name
	}
	return defaultPidFile
}

// observe fills in what /proc says of process s.PID. It fails when that process ended meanwhile.
func (s *Service) observe(root string) error {
	before, err := statOf(root, s.PID)
	if err != nil {
		return err
	}
	proc := filepath.Join(root, "/proc", fmt.Sprint(s.PID))
	if root == "" && !sameMounts(proc) {
		return errors.New("it runs in another mount namespace (a container, or snap), where this program cannot start it again")
	}
	exe, err1 := os.Readlink(proc + "/exe")
	dir, err2 := os.Readlink(proc + "/cwd")
	argv, err3 := readStrings(proc + "/cmdline")
	env, err4 := readStrings(proc + "/environ")
	err5 := s.credentials(proc)
	limits, err6 := limitsOf(proc)
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		return err
	}
	s.Exe, s.Dir, s.Argv, s.Env, s.Limits = strings.TrimSuffix(exe, deleted), dir, argv, env, limits
	s.Stdout, s.Stderr = output(proc+"/fd/1"), output(proc+"/fd/2")
	after, err := statOf(root, s.PID)
	if err != nil || after.ticks != before.ticks || len(argv) == 0 {
		return errors.New("it ended while it was looked at")
	}
	s.StartTicks = after.ticks
	return nil
}

// deleted is what the kernel adds to the name of a file that was removed or replaced.
const deleted = " (deleted)"

// output is the file behind a standard stream, if it can be opened again.
func output(link string) string {
	name, err := os.Readlink(link)
	if err != nil || !filepath.IsAbs(name) || strings.HasSuffix(name, deleted) {
		return ""
	}
	if info, err := os.Stat(link); err != nil || !info.Mode().IsRegular() && name != os.DevNull {
		return ""
	}
	return name
}
