package docker

import (
	"fmt"
	"path"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// Where the truth of a running container stands, as evidence names it.
const (
	sourceStatus  = "/proc/PID/status"
	sourceCgroup  = "cgroup"
	sourceInspect = "inspect"
	sourceExe     = "/proc/PID/exe"
	sourceEntry   = "/proc/PID/root"
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

// entryGives says what the file that the container starts with gives to whoever starts it; empty
// when it gives nothing or could not be looked at. What runs now no longer shows it.
func entryGives(c *inventory.Container) string {
	if c.Proc == nil || c.Proc.Entry == nil || c.Proc.Entry.Problem != "" {
		return ""
	}
	e := c.Proc.Entry
	switch {
	case e.Setuid && e.FileCaps:
		return fmt.Sprintf("it starts with %s, which is setuid and has file capabilities", plainName(e.Path))
	case e.Setuid:
		return fmt.Sprintf("it starts with %s, which is setuid", plainName(e.Path))
	case e.FileCaps:
		return fmt.Sprintf("it starts with %s, which has file capabilities", plainName(e.Path))
	}
	return ""
}

// entryUnseen says why the file that a running container starts with is not known; empty when it is.
func entryUnseen(c *inventory.Container) string {
	switch e := c.Proc.Entry; {
	case e == nil:
		return "whether it starts with a setuid program was not looked at"
	case e.Problem != "":
		return fmt.Sprintf("whether it starts with a setuid program could not be seen: %s: %s", plainName(e.Path), e.Problem)
	}
	return ""
}

// programs are the names of the program a container starts with and of those that run in it.
func programs(c *inventory.Container) []string {
	var names []string
	if c.Proc.Entry != nil {
		names = append(names, path.Base(c.Proc.Entry.Path))
	}
	for _, p := range c.Proc.All {
		names = append(names, p.Name)
	}
	return names
}
