package learn

import (
	"errors"
	"path"
	"slices"
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
	// Passed is true when an exercise ran and ended well; Rehearsed when this tool itself made the containers anew,
	// stopped and started them.
	Passed, Rehearsed bool
	Events            []Event
	Looks             []Look
	// Usage are the samples of containers that were made meanwhile, by id.
	Usage map[string]*inventory.Usage
	// Host as it was seen at the end, with samples of the whole time.
	Host *inventory.Host
}

// Evidence is what was seen of a container, and of those that took its place meanwhile and work in the same way. It is
// an error that none of them could be looked at while it ran.
func (w *Watch) Evidence(was *inventory.Container) (*evidence.File, error) {
	ids := w.same(was)
	seen, alive := w.last(ids)
	if seen == nil {
		return nil, w.unseen(was)
	}
	is := seen.Container
	f := &evidence.File{
		Format: evidence.Format, Tool: w.Tool, Kernel: w.Host.Engine.Kernel,
		Container: evidence.Container{ID: is.ID, Name: was.Name, Image: is.Inspect.Image, Digest: is.Work().Digest()},
		Windows:   []evidence.Window{w.window(is, alive)},
		Checks:    []evidence.Check{}, Execs: []evidence.Exec{},
	}
	f.Phases = w.told(was, ids, &f.Windows[0])
	sortChecks(f, of(ids, w.Counts.Checks, func(c trace.Check) trace.Group { return c.Group }))
	for _, e := range of(ids, w.Counts.Execs, func(e trace.Exec) trace.Group { return e.Group }) {
		f.Execs = append(f.Execs, evidence.Exec{Path: e.Path, UID: e.UID, EUID: e.EUID, Gained: e.Gained, Times: times(e.Seen)})
	}
	f.Execs = evidence.JoinedExecs(f.Execs)
	f.Listeners, f.Sysctls, f.Programs = seen.Listeners, seen.Sysctls, seen.Programs
	if alive {
		givenByFiles(f, inProcess(is.Inspect.State.PID))
	} else {
		givenByFiles(f, noneAmong(seen.Programs))
	}
	f.Processes = processes(is.Proc)
	w.used(f, ids)
	f.Writes = w.writes(ids, seen)
	return f, nil
}

// window is the time of looking, without what events say of it.
func (w *Watch) window(is *inventory.Container, alive bool) evidence.Window {
	health := is.Inspect.State.Health
	return evidence.Window{
		From: w.From.UTC(), To: w.To.UTC(), Hook: w.Hook, Reason: w.Reason, Startup: w.startup(is), Lost: w.Counts.Lost,
		Rehearsed: w.Rehearsed, ChecksPassed: w.Passed || alive && health != nil && health.Status == "healthy",
	}
}

// used fills in the most memory and processes of all of them.
func (w *Watch) used(f *evidence.File, ids []string) {
	add := func(u *inventory.Usage) {
		if u == nil {
			return
		}
		m := &f.Memory
		m.Samples = max(m.Samples, u.Samples)
		m.WorkingSet, m.Unreclaimable = max(m.WorkingSet, u.WorkingSet), max(m.Unreclaimable, u.Unreclaimable)
		m.Peak, m.OOMKills = max(m.Peak, u.Peak), max(m.OOMKills, u.OOMKills)
		f.Pids.Most, f.Pids.Peak = max(f.Pids.Most, u.Pids), max(f.Pids.Peak, u.PidsPeak)
	}
	for _, id := range ids {
		if c := w.final(id); c != nil {
			add(c.Usage)
		}
		add(w.Usage[id])
		for _, look := range w.Looks {
			if look.Container.ID == id {
				add(look.Container.Usage)
			}
		}
	}
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
func givenByFiles(f *evidence.File, given func(path string) (uint64, error)) {
	for _, e := range f.Execs {
		mask, err := given(e.Path)
		if err != nil {
			f.Windows[0].Lost++
			continue
		}
		f.Checks = append(f.Checks, asked(evidence.Check{Call: "execve", Process: path.Base(e.Path), UID: e.UID, Times: e.Times}, mask)...)
	}
	f.Checks = evidence.Joined(f.Checks)
}

// inProcess looks at the files that a process sees.
func inProcess(pid int) func(string) (uint64, error) {
	return func(name string) (uint64, error) {
		if !path.IsAbs(name) {
			return 0, errRelative
		}
		return inventory.FileCapabilities(pid, name)
	}
}

// noneAmong stands for the files of a container that has ended: only that none of them gave any is known.
func noneAmong(programs evidence.Programs) func(string) (uint64, error) {
	gives := slices.ContainsFunc(programs.Found, func(p evidence.Program) bool { return p.Gives != "" })
	known := programs.Looked && !programs.Partial && programs.Problem == "" && !gives
	return func(string) (uint64, error) {
		if !known {
			return 0, errEnded
		}
		return 0, nil
	}
}

var errEnded = errors.New("the container has ended")

var errRelative = errors.New("its path begins in a folder that is not known")

// startup reports whether the container was started while it was watched.
func (w *Watch) startup(c *inventory.Container) bool {
	started, err := time.Parse(time.RFC3339Nano, c.Inspect.State.StartedAt)
	return err == nil && started.After(w.From) && started.Before(w.To)
}

func of[T any](ids []string, list []T, group func(T) trace.Group) []T {
	var out []T
	for _, one := range list {
		if slices.ContainsFunc(ids, group(one).In) {
			out = append(out, one)
		}
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
