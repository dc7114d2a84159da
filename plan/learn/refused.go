package learn

import (
	"fmt"
	"slices"

	"docker-harden/plan/evidence"
	"docker-harden/plan/evidence/trace"
)

// Refused are the checks of a container's own work that the kernel refused.
func Refused(counts trace.Counts, id string) []evidence.Check {
	var out []evidence.Check
	for _, raw := range counts.Checks {
		if !raw.Group.In(id) || !raw.Denied {
			continue
		}
		c := evidence.Check{
			Capability: capabilityName(raw.Capability), Call: callName(raw.Call), Process: raw.Comm, UID: raw.EUID, Times: times(raw.Seen),
		}
		if noise(c, raw.Borrowed) == "" {
			out = append(out, c)
		}
	}
	return evidence.Joined(out)
}

// Missed is the first of some refused checks that the evidence saw granted: the same capability in the same system call,
// or by the same program. What was refused in the same way while it was learnt is no loss.
func Missed(f *evidence.File, refused []evidence.Check) (evidence.Check, bool) {
	for _, c := range refused {
		before := func(d evidence.Check) bool {
			return d.Capability == c.Capability && d.Call == c.Call && d.Process == c.Process
		}
		granted := func(u evidence.Check) bool { return u.Call == c.Call || u.Process == c.Process }
		if slices.ContainsFunc(f.Uses(c.Capability), granted) && !slices.ContainsFunc(f.Denied, before) {
			return c, true
		}
	}
	return evidence.Check{}, false
}

// RefusedText is a refused check in words.
func RefusedText(c evidence.Check) string {
	return fmt.Sprintf("%s denied in %s by %s", c.Capability, c.Call, c.Process)
}

// Amend adds to evidence a check that was refused and needed, so that it counts as used. Its time of watching is that of
// the refusals alone: what else was used since is not written down, so that no longer time says anything.
func Amend(f *evidence.File, hook string, missed evidence.Check) (*evidence.File, error) {
	more := &evidence.File{
		Format: f.Format, Tool: f.Tool, Kernel: f.Kernel, Container: f.Container,
		Windows: []evidence.Window{{From: missed.First.UTC(), To: missed.Last.UTC(), Hook: hook}},
		Checks:  []evidence.Check{missed}, Execs: []evidence.Exec{},
	}
	return evidence.Merge(f, more)
}
