package evidence

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Merge puts the evidence of several times of one container together; that of another one is an error.
func Merge(a, b *File) (*File, error) {
	if a.Container.Digest != b.Container.Digest || a.Container.Image != b.Container.Image {
		return nil, fmt.Errorf("evidence of %s and of %s cannot be put together: %w", a.Container.Name, b.Container.Name, ErrOther)
	}
	newer := a
	if b.end().After(a.end()) {
		newer = b
	}
	out := *newer
	out.Windows = slices.Concat(a.Windows, b.Windows)
	slices.SortStableFunc(out.Windows, func(x, y Window) int { return x.From.Compare(y.From) })
	out.Windows = slices.Compact(out.Windows)
	if len(out.Windows) < len(a.Windows)+len(b.Windows) {
		return nil, errors.New("the same time of looking is in both: counts would be doubled")
	}
	out.Checks, out.Denied, out.Noise = joined(a.Checks, b.Checks), joined(a.Denied, b.Denied), joined(a.Noise, b.Noise)
	out.Execs = joinedExecs(a.Execs, b.Execs)
	out.Processes = Kinds(slices.Concat(a.Processes, b.Processes))
	out.Memory = Memory{
		Samples: a.Memory.Samples + b.Memory.Samples, WorkingSet: max(a.Memory.WorkingSet, b.Memory.WorkingSet),
		Unreclaimable: max(a.Memory.Unreclaimable, b.Memory.Unreclaimable), Peak: max(a.Memory.Peak, b.Memory.Peak),
		OOMKills: max(a.Memory.OOMKills, b.Memory.OOMKills),
	}
	out.Pids = Pids{Most: max(a.Pids.Most, b.Pids.Most), Peak: max(a.Pids.Peak, b.Pids.Peak)}
	mergeSeen(&out, a, b, newer)
	return &out, nil
}

// ErrOther is why evidence is of no use for a container.
var ErrOther = errors.New("the image, the command, the user, or the names of variables or mounts differ")

func (f *File) end() (end Window) { return f.Windows[len(f.Windows)-1] }

// After reports whether a window ended later.
func (w Window) After(o Window) bool { return w.To.After(o.To) }

func joined(a, b []Check) []Check {
	out := once(slices.Concat(a, b), func(c *Check) *Times { return &c.Times })
	SortChecks(out)
	return out
}

func joinedExecs(a, b []Exec) []Exec {
	out := once(slices.Concat(a, b), func(e *Exec) *Times { return &e.Times })
	SortExecs(out)
	return out
}

// once puts the times of what is alike in everything else together.
func once[T comparable](list []T, times func(*T) *Times) []T {
	var out []T
	at := make(map[T]int)
	for _, one := range list {
		kind := one
		*times(&kind) = Times{}
		i, there := at[kind]
		if !there {
			at[kind] = len(out)
			out = append(out, one)
			continue
		}
		*times(&out[i]) = times(&out[i]).and(*times(&one))
	}
	return out
}

// Joined is a list of checks with those of one kind in one place.
func Joined(list []Check) []Check { return joined(list, nil) }

// JoinedExecs is the same for executions.
func JoinedExecs(list []Exec) []Exec { return joinedExecs(list, nil) }

// SortChecks puts checks in the order in which they are written.
func SortChecks(list []Check) {
	slices.SortStableFunc(list, func(a, b Check) int {
		return cmp.Or(strings.Compare(a.Capability, b.Capability), strings.Compare(a.Process, b.Process), strings.Compare(a.Call, b.Call), cmp.Compare(a.UID, b.UID))
	})
}

// SortExecs does the same for executions.
func SortExecs(list []Exec) {
	slices.SortStableFunc(list, func(a, b Exec) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), cmp.Compare(a.UID, b.UID), cmp.Compare(a.EUID, b.EUID))
	})
}

// Kinds are the processes that differ, sorted.
func Kinds(list []Process) []Process {
	out := slices.Clone(list)
	slices.SortFunc(out, func(a, b Process) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID), strings.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
	return slices.Compact(out)
}
