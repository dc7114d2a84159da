package docker

import (
	"fmt"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// Where the truth of a running container stands, as evidence names it.
const (
	sourceStatus  = "/proc/PID/status"
	sourceCgroup  = "cgroup"
	sourceInspect = "inspect"
)

// notRunning is said behind every verdict that rests on configuration alone.
const notRunning = " (configured; it does not run)"

// running reports whether a container has processes to judge by. One in a restart loop has not.
func running(c *inventory.Container) bool {
	return c.Running() && !c.Inspect.State.Restarting
}

// unseen is the verdict when the kernel's truth of a running container could not be read.
func unseen(c *inventory.Container) plan.Finding {
	return verdict(plan.Unknown, "its processes could not be read: %s", unseenReason(c))
}

func unseenReason(c *inventory.Container) string {
	if c.ProcProblem != "" {
		return c.ProcProblem
	}
	return "reason not recorded"
}

// seen reports whether a running container's processes could be read.
func seen(c *inventory.Container) bool { return c.Proc != nil && len(c.Proc.All) > 0 }

// which are the processes that have a property.
func which(c *inventory.Container, has func(inventory.Process) bool) []inventory.Process {
	var out []inventory.Process
	for _, p := range c.Proc.All {
		if has(p) {
			out = append(out, p)
		}
	}
	return out
}

// named lists processes for a message, a few at most. Names come from inside the container.
func named(list []inventory.Process) string {
	const most = 3
	var names []string
	for _, p := range list[:min(most, len(list))] {
		names = append(names, fmt.Sprintf("%s (pid %d)", plainName(p.Name), p.PID))
	}
	text := strings.Join(names, ", ")
	if len(list) > most {
		text += fmt.Sprintf(" and %d more", len(list)-most)
	}
	return text
}

// plainName quotes a name that holds anything but plain characters.
func plainName(s string) string {
	if quoted := fmt.Sprintf("%q", s); quoted != `"`+s+`"` {
		return quoted
	}
	return s
}

// rootUser reports whether a container is configured to start as root.
func rootUser(user string) bool {
	name, _, _ := strings.Cut(user, ":")
	return name == "" || name == "root" || strings.Trim(name, "0") == ""
}

// gained are the processes that hold privileges although the container starts as another user.
func gained(c *inventory.Container) []inventory.Process {
	if rootUser(c.Inspect.Config.User) {
		return nil
	}
	return which(c, func(p inventory.Process) bool { return p.UID == 0 || p.CapEff != 0 })
}

// elevating are the processes whose executable gives privileges at start.
func elevating(c *inventory.Container) []inventory.Process {
	return which(c, func(p inventory.Process) bool { return p.Setuid || p.FileCaps })
}

// opaque are the processes whose executable could not be looked at.
func opaque(c *inventory.Container) []inventory.Process {
	return which(c, func(p inventory.Process) bool { return p.ExeProblem != "" })
}
