package evidence

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The phases of a container's life.
const (
	PhaseCreate      = "create"       // it was made, before its first process ran
	PhaseStart       = "start"        // from its first process until its own check passed, or it was said to be up
	PhaseRun         = "run"          // it worked
	PhaseStop        = "stop"         // from the signal to its end
	PhaseSecondStart = "second_start" // the same container once more, after it had ended by itself
)

// phaseNames are all of them, in the order of a life.
var phaseNames = []string{PhaseCreate, PhaseStart, PhaseRun, PhaseStop, PhaseSecondStart}

// Phase is one phase of a window.
type Phase struct {
	Name string    `json:"name"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Mask is a set of capabilities, a bit each, as /proc/PID/status writes it: sixteen digits. Empty: not known.
type Mask string

// MaskOf writes a set.
func MaskOf(bits uint64) Mask { return Mask(fmt.Sprintf("%016x", bits)) }

// Bits reads a set; false: it is not known.
func (m Mask) Bits() (uint64, bool) {
	const base, width, digits = 16, 64, 16
	bits, err := strconv.ParseUint(string(m), base, width)
	return bits, err == nil && len(m) == digits
}

// Listener is a port on which a process of the container waits.
type Listener struct {
	Protocol string `json:"protocol"` // tcp, tcp6, udp, udp6
	Address  string `json:"address"`
	Port     int    `json:"port"`
	Process  string `json:"process,omitempty"` // name; empty: whose it is was not seen
}

// Sysctls are settings of the kernel that decide which capabilities a network program needs, as they are in the
// container's own network namespace.
type Sysctls struct {
	// UnprivilegedPortStart is the first port that everybody may open.
	UnprivilegedPortStart *int `json:"ip_unprivileged_port_start,omitempty"`
	// PingGroupRange are the groups that may send pings without a capability: "0 2147483647"; "1 0" is none.
	PingGroupRange string `json:"ping_group_range,omitempty"`
}

// Programs are the files of the root file system that give privileges to who executes them. That they are there does
// not say that they are used.
type Programs struct {
	Looked  bool      `json:"looked"`            // nobody looks into a container of an older file
	Partial bool      `json:"partial,omitempty"` // there are more, or places that could not be looked at
	Problem string    `json:"problem,omitempty"`
	Found   []Program `json:"found,omitempty"`
}

// Program is one of them.
type Program struct {
	Path   string `json:"path"`
	Setuid bool   `json:"setuid,omitempty"`
	Setgid bool   `json:"setgid,omitempty"`
	Gives  Mask   `json:"gives,omitempty"` // capabilities
}

// Dir is a directory of the image in which something was written, or the topmost that the container made itself below
// /, as it stands in the writable layer.
type Dir struct {
	Path  string `json:"path"`
	Files int64  `json:"files"` // in it and below, as far as they were counted
	Bytes int64  `json:"bytes"` // in these
	UID   int    `json:"uid"`
	GID   int    `json:"gid"`
	Mode  uint32 `json:"mode"` // permissions with setuid, setgid and sticky, in decimal
	// Image says what the image has there: nothing, an empty directory, or content.
	Image string `json:"image,omitempty"`
}

// What an image has at a place.
const (
	ImageAbsent  = "absent"
	ImageEmpty   = "empty"
	ImageContent = "content"
)

// PhaseAt is the phase in which a moment was; empty: none that was written down.
func (f *File) PhaseAt(at time.Time) string {
	for _, p := range slices.Backward(f.Phases) {
		if !at.Before(p.From) && !at.After(p.To) {
			return p.Name
		}
	}
	return ""
}

// SinceStart is how long after the last start before it a moment was; false: no start before it was written down.
func (f *File) SinceStart(at time.Time) (time.Duration, bool) {
	var last time.Time
	for _, p := range f.Phases {
		if (p.Name == PhaseStart || p.Name == PhaseSecondStart) && !p.From.After(at) && p.From.After(last) {
			last = p.From
		}
	}
	return at.Sub(last), !last.IsZero()
}

// mergeSeen puts together what is not counted: newer is what of both was seen later.
func mergeSeen(out, a, b, newer *File) {
	out.Phases = slices.Concat(a.Phases, b.Phases)
	slices.SortStableFunc(out.Phases, func(x, y Phase) int { return x.From.Compare(y.From) })
	out.Listeners = Ports(slices.Concat(a.Listeners, b.Listeners))
	out.Sysctls = newer.Sysctls
	out.Programs = newer.Programs
	older := a
	if newer == a {
		older = b
	}
	if !newer.Programs.Looked {
		out.Programs = older.Programs
	}
	if newer.Sysctls == (Sysctls{}) {
		out.Sysctls = older.Sysctls
	}
	out.Writes = mergeWrites(newer.Writes, older.Writes)
}

// mergeWrites keeps every place that was written at any time: a new container does not have those of the old one.
func mergeWrites(newer, older Writes) Writes {
	out := newer
	out.Paths = slices.Concat(newer.Paths, older.Paths)
	slices.Sort(out.Paths)
	out.Paths = slices.Compact(out.Paths)
	out.Files = max(newer.Files, older.Files, int64(len(out.Paths)))
	out.Partial = newer.Partial || older.Partial
	out.Problem = cmp.Or(newer.Problem, older.Problem)
	out.DirsPartial = newer.DirsPartial || older.DirsPartial
	out.DirsProblem = cmp.Or(newer.DirsProblem, older.DirsProblem)
	out.Dirs = slices.Concat(newer.Dirs, older.Dirs)
	slices.SortStableFunc(out.Dirs, func(x, y Dir) int { return strings.Compare(x.Path, y.Path) })
	out.Dirs = slices.CompactFunc(out.Dirs, func(x, y Dir) bool { return x.Path == y.Path }) // the first is the newer one's
	return out
}

// Ports are the listeners that differ, sorted.
func Ports(list []Listener) []Listener {
	out := slices.Clone(list)
	slices.SortFunc(out, func(a, b Listener) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), strings.Compare(a.Protocol, b.Protocol), strings.Compare(a.Address, b.Address), strings.Compare(a.Process, b.Process))
	})
	return slices.Compact(out)
}

// validSeen refuses what a learn cannot have written.
func (f *File) validSeen() error {
	for _, w := range f.Windows {
		if w.Creates < 0 || w.Starts < 0 || w.Stops < 0 {
			return fmt.Errorf("it has a window with less than no starts")
		}
	}
	for _, p := range f.Phases {
		if !slices.Contains(phaseNames, p.Name) || p.To.Before(p.From) {
			return fmt.Errorf("it has a phase %q that is none, or that ended before it began", p.Name)
		}
	}
	for _, p := range f.Processes {
		for _, m := range []Mask{p.Effective, p.Permitted, p.Bounding} {
			if _, ok := m.Bits(); m != "" && !ok {
				return fmt.Errorf("it has a process with capabilities %q, which are none", m)
			}
		}
	}
	for _, l := range f.Listeners {
		if l.Port < 1 || l.Port > 65535 {
			return fmt.Errorf("it has a listener on port %d, which is none", l.Port)
		}
	}
	for _, d := range f.Writes.Dirs {
		if !strings.HasPrefix(d.Path, "/") || !slices.Contains([]string{"", ImageAbsent, ImageEmpty, ImageContent}, d.Image) || d.UID < 0 || d.GID < 0 || d.Files < 0 || d.Bytes < 0 || d.Mode > 0o7777 {
			return fmt.Errorf("it has a written directory %q that cannot be one", d.Path)
		}
	}
	return nil
}
