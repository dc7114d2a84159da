package inventory

import (
	"fmt"

	"docker-harden/plan/evidence"
)

// Learn gives a container what was seen of it while it was watched: its largest memory and number of processes count
// from then on. It is an error that the evidence is of another image or of another way to run it.
func (c *Container) Learn(f *evidence.File) error {
	if err := f.About(c.Inspect.Image, c.Work()); err != nil {
		return fmt.Errorf("cannot use the evidence of container %s: %w", c.Name, err)
	}
	if c.Learnt != nil {
		var err error
		if f, err = evidence.Merge(c.Learnt, f); err != nil {
			return fmt.Errorf("cannot use the evidence of container %s: %w", c.Name, err)
		}
	}
	c.Learnt = f
	if u := c.Usage; u != nil {
		u.WorkingSet, u.Unreclaimable = max(u.WorkingSet, f.Memory.WorkingSet), max(u.Unreclaimable, f.Memory.Unreclaimable)
		u.Peak, u.OOMKills = max(u.Peak, f.Memory.Peak), max(u.OOMKills, f.Memory.OOMKills)
		u.Pids, u.PidsPeak = max(u.Pids, f.Pids.Most), max(u.PidsPeak, f.Pids.Peak)
		u.Samples, u.Window = u.Samples+f.Memory.Samples, max(u.Window, f.Time())
	}
	return nil
}
