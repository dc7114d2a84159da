package main

import (
	"fmt"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/remediate/journal"
)

// ended are the containers of a generation's steps that ran when it began and have ended with an error since. That
// one was only started again says nothing so long after.
func ended(gen *journal.Generation, h *inventory.Host, steps []plan.Step) []plan.Finding {
	return slices.DeleteFunc(control.Fallen(gen.Begin.Ran, h, steps), func(f plan.Finding) bool {
		c := containerNamed(h, f.Resource.Name)
		return c == nil || c.Running() && !c.Inspect.State.Restarting
	})
}

func driftEnded(gen *journal.Generation, h *inventory.Host, steps []plan.Step) []drift {
	var out []drift
	for _, f := range ended(gen, h, steps) {
		out = append(out, drift{f.Resource.String(), "", f.Message})
	}
	return out
}

// driftBinds names what a container borrows from one that is not the one under its provider's name any more: somebody
// made the provider anew, and left this one behind.
func driftBinds(m plan.Member, h *inventory.Host) []drift {
	c := containerNamed(h, m.Resource.Name)
	if c == nil {
		return nil
	}
	modes := map[string]string{"network": c.Inspect.HostConfig.NetworkMode, "pid": c.Inspect.HostConfig.PidMode, "ipc": c.Inspect.HostConfig.IpcMode}
	var out []drift
	for _, b := range m.Binds {
		id, borrowed := strings.CutPrefix(modes[b.By], "container:")
		if provider := containerNamed(h, b.To.Name); borrowed && provider != nil && h.Find(id) != provider {
			out = append(out, drift{
				m.Resource.String(), b.By,
				fmt.Sprintf("its %s is that of a container which is not %s any more: %[2]s was made anew, and this one was left behind", b.By, b.To.Name),
			})
		}
	}
	return out
}

// containerNamed is the container of a name, nil where none could be read.
func containerNamed(h *inventory.Host, name string) *inventory.Container {
	for i := range h.Containers {
		if h.Containers[i].Name == name && h.Containers[i].Problem == "" {
			return &h.Containers[i]
		}
	}
	return nil
}
