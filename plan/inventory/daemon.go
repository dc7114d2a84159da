package inventory

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"docker-harden/plan"
)

// changeTolerance is how much later than the engine's start daemon.json may have changed and still
// count as read: the engine reads it shortly after its process starts. An edit within the first
// second is therefore taken for effective.
const changeTolerance = time.Second

// Ways the engine is restarted, see [Daemon.Manager].
const (
	managerSystemd = "systemd"
	managerBare    = "bare"
	managerUnknown = "unknown"
)

// supervisors restart what they started: an engine below one must not be restarted by hand.
var supervisors = []string{
	"runsv", "s6-supervise", "supervise", "supervise-daemon", "supervisord", "monit", "procd",
	"rootlesskit", "circusd", "dinit", "launchd",
}

// daemonReader collects what there is to know of the engine's process and configuration.
type daemonReader struct {
	root     hostRoot
	options  Options
	problems []plan.Problem
}

// read fills Daemon for the engine's process. A problem is recorded for whatever could not be read.
func (d *daemonReader) read(p process, table []process) Daemon {
	daemon := Daemon{PID: p.pid}
	var err error
	if daemon.Started, err = d.root.started(p); err != nil {
		d.problem("daemon", err.Error(), true)
	}
	if daemon.Exe, daemon.ExeDeleted, err = d.root.exe(p.pid); err != nil {
		d.problem("daemon", fmt.Sprintf("cannot read the binary of process %d: %s", p.pid, explain(err)), true)
	}
	if daemon.Argv, err = d.root.args(p.pid); err != nil {
		d.problem("daemon", fmt.Sprintf("cannot read the command line of process %d: %s", p.pid, explain(err)), true)
	}
	daemon.Manager, daemon.Unit = d.manager(p, table)
	daemon.NextArgv = d.nextArgv(&daemon)
	daemon.Flags = ParseFlags(daemon.NextArgv)
	daemon.ConfigPath, daemon.ConfigExplicit = d.configPath(p.pid, daemon.Flags)
	if now, _ := d.configPath(p.pid, ParseFlags(daemon.Argv)); now != daemon.ConfigPath {
		d.problem("daemon", fmt.Sprintf("the running engine read %s, the next start will read %s", now, daemon.ConfigPath), false)
	}
	for _, child := range table {
		if child.parent == p.pid && child.name == "docker-proxy" {
			daemon.ProxyProcesses++
		}
	}
	d.config(&daemon)
	return daemon
}

// config reads daemon.json.
func (d *daemonReader) config(daemon *Daemon) {
	var err error
	daemon.Resolved, daemon.Links, err = d.root.resolve(daemon.ConfigPath)
	if err != nil {
		daemon.ParseError = err.Error()
		d.problem(daemon.ConfigPath, err.Error(), true)
		return
	}
	daemon.Config, daemon.Bytes, err = d.root.readConfig(daemon.Resolved)
	if err != nil {
		reason := err.Error()
		if errors.Is(err, fs.ErrPermission) {
			reason += "; run docker-harden as root"
		}
		daemon.ParseError = reason
		d.problem(daemon.Resolved, reason, true)
		return
	}
	if !daemon.Config.Exists {
		d.dangling(daemon)
		return
	}
	daemon.Keys, daemon.ParseError = parseConfig(daemon.Bytes)
	if daemon.ParseError != "" {
		d.problem(daemon.Resolved, daemon.ParseError, false)
	}
	for _, reason := range ignoredKeys(daemon.Keys) {
		d.problem(daemon.Resolved, reason, false)
	}
	daemon.Pending = d.pending(daemon)
}

// dangling finds a daemon.json that is a link to nowhere. The engine takes it for a missing file; to write
// where it leads would be to guess what somebody meant.
func (d *daemonReader) dangling(daemon *Daemon) {
	dir, _, err := d.root.resolve(path.Dir(daemon.ConfigPath))
	if err != nil {
		return
	}
	if _, err := os.Readlink(d.root.join(path.Join(dir, path.Base(daemon.ConfigPath)))); err != nil {
		return
	}
	daemon.ParseError = fmt.Sprintf("it is a link to %s, which does not exist; make that file, or remove the link", daemon.Resolved)
	d.problem(daemon.ConfigPath, daemon.ParseError, false)
}

// pending compares the time of the file's last change with the engine's start: the engine reads
// daemon.json when it starts, and a reload makes only a few keys effective.
func (d *daemonReader) pending(daemon *Daemon) bool {
	if daemon.Started.IsZero() || !daemon.Config.Changed.After(daemon.Started.Add(changeTolerance)) {
		return false
	}
	known := d.options.Effective
	return known == nil || !known(daemon.Resolved, daemon.Config.SHA256, daemon.PID, daemon.Started)
}

// configPath is where an engine with these flags looks for daemon.json, and whether a flag says so.
func (d *daemonReader) configPath(pid int, flags map[string][]string) (string, bool) {
	if named := flags["config-file"]; len(named) > 0 {
		name := named[len(named)-1]
		if path.IsAbs(name) {
			return path.Clean(name), true
		}
		cwd, err := os.Readlink(d.root.proc(pid, "cwd"))
		if err != nil {
			d.problem("daemon", fmt.Sprintf("cannot tell where %q is: the engine's working directory: %s", name, explain(err)), true)
			cwd = "/"
		}
		return path.Join(cwd, name), true
	}
	if d.root.environ(pid, "ROOTLESSKIT_STATE_DIR") != "" {
		if dir := d.root.environ(pid, "XDG_CONFIG_HOME"); dir != "" {
			return path.Join(dir, "docker/daemon.json"), false
		}
		return path.Join(d.root.environ(pid, "HOME"), ".config/docker/daemon.json"), false
	}
	return "/etc/docker/daemon.json", false
}

// manager tells who restarts the engine.
func (d *daemonReader) manager(p process, table []process) (manager, unit string) {
	groups, err := d.root.cgroups(p.pid)
	if err != nil {
		d.problem("daemon", "cannot tell who restarts the engine: "+explain(err).Error(), false)
		return managerUnknown, ""
	}
	if d.root.initName(table) == "systemd" {
		if unit, user := groups.service(); user {
			d.problem("daemon", fmt.Sprintf("the engine is run by a user's own systemd (%s): restart it yourself after a change", unit), false)
			return managerUnknown, unit
		} else if unit != "" {
			return managerSystemd, unit
		}
	}
	if p.pid == 1 {
		return managerUnknown, "" // the engine is all there is: nobody is left to start it again
	}
	for _, parent := range table {
		if parent.pid == p.parent && slices.Contains(supervisors, parent.name) {
			return managerUnknown, parent.name
		}
	}
	return managerBare, ""
}

func (r hostRoot) initName(table []process) string {
	for _, p := range table {
		if p.pid == 1 {
			return p.name
		}
	}
	return ""
}

// nextArgv is the command line of the next start; the running one where no unit file tells better.
func (d *daemonReader) nextArgv(daemon *Daemon) []string {
	running := slices.Clone(daemon.Argv)
	if daemon.Manager != managerSystemd {
		return running
	}
	argv, err := d.root.nextArgv(daemon.Unit)
	if err != nil {
		d.problem("daemon", fmt.Sprintf("cannot tell the engine's flags at its next start, those of the running one are assumed: %s", err), false)
		return running
	}
	if len(argv) > 0 && !strings.Contains(path.Base(argv[0]), "dockerd") {
		d.problem("daemon", fmt.Sprintf("unit %s starts the engine through %s, which may add flags; those of the running engine are assumed", daemon.Unit, argv[0]), false)
		return running
	}
	return argv
}

func (d *daemonReader) problem(subject, reason string, fatal bool) {
	problem := plan.Problem{Subject: subject, Reason: reason, Fatal: fatal}
	if !slices.Contains(d.problems, problem) {
		d.problems = append(d.problems, problem)
	}
}
