package learn

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"docker-harden/plan/evidence"
	"docker-harden/plan/evidence/trace"
	"docker-harden/plan/inventory"
)

// Watch is one time of looking at a host.
type Watch struct {
	Tool     string
	From, To time.Time
	Hook     string // where checks were counted; "": they were not
	Reason   string // why not
	Counts   trace.Counts
	// Host as it was seen at the end, with samples of the whole time.
	Host *inventory.Host
}

// Evidence is what was seen of a container. It is an error that the container was not there the whole time, or could
// not be read at the end.
func (w *Watch) Evidence(was *inventory.Container) (*evidence.File, error) {
	is := w.Host.Find(was.ID)
	switch {
	case is == nil:
		return nil, fmt.Errorf("cannot learn of container %s: it is gone", was.Name)
	case is.Problem != "":
		return nil, fmt.Errorf("cannot learn of container %s: %s", was.Name, is.Problem)
	case !is.Running():
		return nil, fmt.Errorf("cannot learn of container %s: it ended meanwhile", was.Name)
	case is.Proc == nil:
		return nil, fmt.Errorf("cannot learn of container %s: %s", was.Name, is.ProcProblem)
	}
	f := &evidence.File{
		Format: evidence.Format, Tool: w.Tool, Kernel: w.Host.Engine.Kernel,
		Container: evidence.Container{ID: is.ID, Name: is.Name, Image: is.Inspect.Image, Digest: is.Work().Digest()},
		Windows:   []evidence.Window{{From: w.From.UTC(), To: w.To.UTC(), Hook: w.Hook, Reason: w.Reason, Startup: w.startup(is), Lost: w.Counts.Lost}},
		Checks:    []evidence.Check{}, Execs: []evidence.Exec{},
	}
	sortChecks(f, of(is.ID, w.Counts.Checks, func(c trace.Check) string { return c.Group.Container }))
	for _, e := range of(is.ID, w.Counts.Execs, func(e trace.Exec) string { return e.Group.Container }) {
		f.Execs = append(f.Execs, evidence.Exec{Path: e.Path, UID: e.UID, EUID: e.EUID, Gained: e.Gained, Times: times(e.Seen)})
	}
	f.Execs = evidence.JoinedExecs(f.Execs)
	givenByFiles(f, is.Inspect.State.PID)
	f.Processes = processes(is.Proc)
	if u := is.Usage; u != nil {
		f.Memory = evidence.Memory{Samples: u.Samples, WorkingSet: u.WorkingSet, Unreclaimable: u.Unreclaimable, Peak: u.Peak, OOMKills: u.OOMKills}
		f.Pids = evidence.Pids{Most: u.Pids, Peak: u.PidsPeak}
	}
	f.Writes = writes(is)
	f.Listeners, f.Sysctls, f.Programs = is.Listeners(), is.NetworkSettings(), is.Programs()
	return f, nil
}

// processes are the kinds of processes that run now.
func processes(proc *inventory.Proc) []evidence.Process {
	var out []evidence.Process
	for _, p := range proc.All {
		out = append(out, evidence.Process{
			Name: p.Name, UID: p.UID, Capabilities: p.CapEff|p.CapPrm|p.CapAmb != 0, Init: p.PID == proc.Init.PID, NoNewPrivs: p.NoNewPrivs,
			Effective: evidence.MaskOf(p.CapEff), Permitted: evidence.MaskOf(p.CapPrm), Bounding: evidence.MaskOf(p.CapBnd),
		})
	}
	return evidence.Kinds(out)
}

// givenByFiles adds the capabilities of executed files: without them in the container's set the kernel refuses to
// execute such a file, and makes no check that could be counted. One that cannot be looked at (it was called by a
// path from a folder that is not known, or the kernel refuses) counts as lost: it must not cost what was watched for a
// day, nor be taken for a file without.
func givenByFiles(f *evidence.File, pid int) {
	for _, e := range f.Execs {
		mask, err := uint64(0), errRelative
		if path.IsAbs(e.Path) {
			mask, err = inventory.FileCapabilities(pid, e.Path)
		}
		if err != nil {
			f.Windows[0].Lost++
			continue
		}
		f.Checks = append(f.Checks, asked(evidence.Check{Call: "execve", Process: path.Base(e.Path), UID: e.UID, Times: e.Times}, mask)...)
	}
	f.Checks = evidence.Joined(f.Checks)
}

var errRelative = errors.New("its path begins in a folder that is not known")

// startup reports whether the container was started while it was watched.
func (w *Watch) startup(c *inventory.Container) bool {
	started, err := time.Parse(time.RFC3339Nano, c.Inspect.State.StartedAt)
	return err == nil && started.After(w.From) && started.Before(w.To)
}

func of[T any](id string, list []T, container func(T) string) []T {
	var out []T
	for _, one := range list {
		if container(one) == id {
			out = append(out, one)
		}
	}
	return out
}

func writes(c *inventory.Container) evidence.Writes {
	if c.Layer == nil {
		return evidence.Writes{Problem: c.LayerProblem}
	}
	out := evidence.Writes{Paths: c.Layer.Paths, Files: c.Layer.Files, Partial: c.Layer.Truncated || int64(len(c.Layer.Paths)) < c.Layer.Files}
	var err error
	if out.Dirs, out.DirsPartial, err = c.WrittenDirs(); err != nil {
		out.DirsProblem = err.Error()
	}
	return out
}

// Unwatched is in a few words why capability checks cannot be counted here.
func Unwatched(err error) string {
	var unsupported *trace.UnsupportedError
	if errors.As(err, &unsupported) {
		return strings.TrimSpace(unsupported.Error())
	}
	return err.Error()
}
