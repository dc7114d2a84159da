package evidence

import (
	"fmt"
	"slices"
	"time"
)

// Format is the version of the file.
const Format = "docker-harden/evidence/v1"

// File is the evidence of one container.
type File struct {
	Format    string    `json:"format"`
	Tool      string    `json:"tool"`
	Kernel    string    `json:"kernel"`
	Container Container `json:"container"`
	Windows   []Window  `json:"windows"` // one for each time that was looked, the oldest first
	// Phases of all windows, the oldest first; none: nobody wrote them down.
	Phases []Phase `json:"phases,omitempty"`
	// Checks are capability checks of the container's own work that were granted, by capability and use.
	Checks []Check `json:"checks"`
	// Denied are checks that were refused: what the container works without today.
	Denied []Check `json:"denied,omitempty"`
	// Noise are granted checks that are not the container's own work, each with the reason.
	Noise     []Check   `json:"noise,omitempty"`
	Execs     []Exec    `json:"execs"`
	Processes []Process `json:"processes"`
	Memory    Memory    `json:"memory"`
	Pids      Pids      `json:"pids"`
	Writes    Writes    `json:"writes"`
	// Listeners are those below port 1024: the others need no capability anywhere.
	Listeners []Listener `json:"listeners,omitempty"`
	Sysctls   Sysctls    `json:"sysctls,omitzero"`
	Programs  Programs   `json:"programs,omitzero"`
}

// Container is what the evidence is about.
type Container struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Image  string `json:"image"`  // id
	Digest string `json:"digest"` // of what decides how it works: see [Work]
}

// Window is one time of looking.
type Window struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Hook is where the kernel's checks were counted; empty: they were not, for the reason given.
	Hook   string `json:"hook,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Startup is true when the container was started in it.
	Startup bool `json:"startup"`
	// Creates is how often it was made from its image in it, without the files of a container before it; Starts and
	// Stops how often it was started, and ended itself when it was asked to. Older files do not say.
	Creates int `json:"creates,omitempty"`
	Starts  int `json:"starts,omitempty"`
	Stops   int `json:"stops,omitempty"`
	// SecondStart is true when a container that had ended itself was started again in it.
	SecondStart bool `json:"second_start,omitempty"`
	Rehearsed   bool `json:"rehearsed,omitempty"` // by learn --rehearse
	// ChecksPassed is true when something that would have failed said that it worked: its health check, or an exercise.
	ChecksPassed bool `json:"checks_passed,omitempty"`
	// Lost is how much could not be counted for lack of room, and how many programs could not be looked at.
	Lost uint64 `json:"lost,omitempty"`
}

// Check is one use of one capability.
type Check struct {
	Capability string `json:"capability"` // as in docker run: NET_RAW
	Call       string `json:"call"`       // system call
	Process    string `json:"process"`    // name, as the process says itself
	UID        uint32 `json:"uid"`        // effective, in the first user namespace
	// Asked is true when the process asked capset for it: the kernel makes no check of its own for that.
	Asked  bool   `json:"asked,omitempty"`
	Reason string `json:"reason,omitempty"` // why it is noise
	Times
}

// Exec is one program that was executed.
type Exec struct {
	Path   string `json:"path"` // as it was called, inside the container
	UID    uint32 `json:"uid"`
	EUID   uint32 `json:"euid"`
	Gained bool   `json:"gained"` // privileges, by setuid, setgid or capabilities of the file
	Times
}

// Times is how often, and when.
type Times struct {
	Count uint64    `json:"count"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

func (t Times) and(o Times) Times {
	if o.First.Before(t.First) {
		t.First = o.First
	}
	if o.Last.After(t.Last) {
		t.Last = o.Last
	}
	t.Count += o.Count
	return t
}

// Process is one kind of process that ran at the end of a window.
type Process struct {
	Name         string `json:"name"`
	UID          int    `json:"uid"`
	Capabilities bool   `json:"capabilities"` // it has some
	// What follows is not in older files.
	Init       bool `json:"init,omitempty"` // it is the first process
	Effective  Mask `json:"cap_eff,omitempty"`
	Permitted  Mask `json:"cap_prm,omitempty"`
	Bounding   Mask `json:"cap_bnd,omitempty"`
	NoNewPrivs bool `json:"no_new_privs,omitempty"`
}

// Memory in bytes, the largest of every sample.
type Memory struct {
	Samples       int   `json:"samples"`
	WorkingSet    int64 `json:"working_set"`
	Unreclaimable int64 `json:"unreclaimable"`
	Peak          int64 `json:"peak"`
	OOMKills      int64 `json:"oom_kills"`
}

// Pids are processes and threads. Peak is the kernel's own, 0 where it has none.
type Pids struct {
	Most int64 `json:"most"`
	Peak int64 `json:"peak"`
}

// Writes are the places in the writable layer that were written since the container was made.
type Writes struct {
	Paths   []string `json:"paths"`
	Files   int64    `json:"files"`
	Partial bool     `json:"partial,omitempty"` // there are more
	Problem string   `json:"problem,omitempty"`
	// Dirs are the directories that have to be writable; see [Dir]. Older files have none.
	Dirs        []Dir  `json:"dirs,omitempty"`
	DirsPartial bool   `json:"dirs_partial,omitempty"` // there are more
	DirsProblem string `json:"dirs_problem,omitempty"` // why they are not known
}

// Watched reports whether capability checks were counted in every window, and nothing was lost.
func (f *File) Watched() bool {
	return len(f.Windows) > 0 && !slices.ContainsFunc(f.Windows, func(w Window) bool { return w.Hook == "" || w.Lost > 0 })
}

// Time is how long was looked, all in all.
func (f *File) Time() time.Duration {
	var all time.Duration
	for _, w := range f.Windows {
		all += w.To.Sub(w.From)
	}
	return all
}

// Uses are the checks of one capability.
func (f *File) Uses(capability string) []Check {
	var out []Check
	for _, c := range f.Checks {
		if c.Capability == capability {
			out = append(out, c)
		}
	}
	return out
}

// Used are the capabilities that were used or asked for, sorted.
func (f *File) Used() []string {
	var out []string
	for _, c := range f.Checks {
		out = append(out, c.Capability)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Gained are the executions that gained privileges.
func (f *File) Gained() []Exec {
	var out []Exec
	for _, e := range f.Execs {
		if e.Gained {
			out = append(out, e)
		}
	}
	return out
}

// Started reports whether a start of the container was seen.
func (f *File) Started() bool {
	return slices.ContainsFunc(f.Windows, func(w Window) bool { return w.Startup })
}

// String is a use in words: "used 2x in bind by nginx (uid 0)".
func (c Check) String() string {
	how := "used"
	if c.Asked {
		how = "asked for"
	}
	return fmt.Sprintf("%s %dx in %s by %s (uid %d)", how, c.Count, c.Call, c.Process, c.UID)
}

// About says why the evidence cannot be used for a container with this image and work; nil: it can.
func (f *File) About(image string, w Work) error {
	switch {
	case f.Container.Image != image:
		return fmt.Errorf("it was learnt with another image (%.19s, now %.19s)", f.Container.Image, image)
	case f.Container.Digest != w.Digest():
		return fmt.Errorf("it was learnt when it was made differently: the command, the user, or the names of variables or mounts differ")
	}
	return nil
}
