package learn

import (
	"slices"
	"strings"

	"docker-harden/plan/evidence"
	"docker-harden/plan/evidence/trace"
)

// Why a granted check is not the container's own work.
const (
	byRuntime  = "made by the runtime before the container's program began"
	byMounter  = "made with the rights of who mounted the file system, not with its own"
	forAccount = "made when the kernel counts memory, which works with either answer"
)

var (
	// ownRights are the calls that check with other rights on behalf of who calls: the answer is for the caller.
	ownRights = []string{"access", "faccessat", "faccessat2"}
	// readable are the capabilities that such an answer depends on. Any other is asked for below, by the file system.
	readable = []string{"DAC_OVERRIDE", "DAC_READ_SEARCH"}
	// accounting are the calls in which memory is counted.
	accounting = []string{"brk", "mmap", "mprotect", "mremap", "execve", "execveat", "fork", "vfork", "clone", "clone3", "shmat"}
)

// noise is the reason why a check is not the container's own work; "": it is.
func noise(c evidence.Check, borrowed bool) string {
	switch {
	case strings.HasPrefix(c.Process, "runc:["):
		return byRuntime
	case borrowed && !(slices.Contains(ownRights, c.Call) && slices.Contains(readable, c.Capability)):
		return byMounter
	case c.Capability == "SYS_ADMIN" && slices.Contains(accounting, c.Call):
		return forAccount
	}
	return ""
}

// sortChecks puts the checks of a container where they belong.
func sortChecks(f *evidence.File, checks []trace.Check) {
	for _, raw := range checks {
		c := evidence.Check{
			Capability: capabilityName(raw.Capability), Call: callName(raw.Call), Process: raw.Comm, UID: raw.EUID, Times: times(raw.Seen),
		}
		switch c.Reason = noise(c, raw.Borrowed); {
		case raw.Denied:
			c.Reason = ""
			f.Denied = append(f.Denied, c)
		case c.Reason != "":
			f.Noise = append(f.Noise, c)
		default:
			f.Checks = append(f.Checks, c)
			f.Checks = append(f.Checks, asked(c, raw.Wanted)...)
		}
	}
	f.Checks, f.Denied, f.Noise = evidence.Joined(f.Checks), evidence.Joined(f.Denied), evidence.Joined(f.Noise)
}

// asked are the capabilities that a process asked capset for.
func asked(c evidence.Check, mask uint64) []evidence.Check {
	const bits = 64
	var out []evidence.Check
	for i := range bits {
		if mask&(1<<i) != 0 {
			c.Capability, c.Asked = capabilityName(i), true
			out = append(out, c)
		}
	}
	return out
}

func times(s trace.Seen) evidence.Times {
	return evidence.Times{Count: s.Count, First: s.First.UTC(), Last: s.Last.UTC()}
}
