package docker

import (
	"fmt"
	"slices"
	"strconv"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// dockerSocketUnit is the one unit whose sockets are changed: its drop-in is known by name to whoever reviews a plan.
const dockerSocketUnit = "docker.socket"

const engineSocketFix = "Where systemd makes the socket: owner and mode of the one that is there, and for the next ones a drop-in of docker.socket (" + inventory.SocketDropIn + "); " +
	"no service restarts. Where the engine makes it: by hand, with the command that the finding names (group in daemon.json; the mode is the engine's own). " +
	"Undone by the drop-in's old bytes or its removal, and the old owner and mode."

// Settings of a socket unit.
const (
	settingSocketUser  = "SocketUser"
	settingSocketGroup = "SocketGroup"
	settingSocketMode  = "SocketMode"
)

// changeable reports whether a plan can change this socket, and the ones after it.
func (f seenFile) changeable() bool {
	m := f.maker()
	return f.Role == inventory.RoleEngineSocket && m.Unit == dockerSocketUnit && m.Problem == ""
}

// change puts the changes of a failing socket in the place of the command, unless another drop-in has the last word.
func (f seenFile) change(h *inventory.Host, found plan.Finding, changes []plan.Change) plan.Finding {
	if found.Status != plan.Fail || !f.changeable() || len(changes) == 0 {
		return found
	}
	durable := false
	for _, c := range changes {
		if file := f.maker().Later[c.Path]; file != "" {
			found.Blocked = fmt.Sprintf("%s says %s=%s and is read after any drop-in of this tool: take it out there, run systemctl daemon-reload, then plan again", file, c.Path, text(c))
			return found
		}
		durable = durable || slices.Contains([]string{settingSocketUser, settingSocketGroup, settingSocketMode}, c.Path)
	}
	found.Blocked, found.Changes = "", changes
	found.Risk = found.Risk.Raise(plan.RiskMedium, "whoever talked to the engine without being root or in the group of its socket loses it")
	if swapless := liftedByReload(h); durable && len(swapless) > 0 {
		found.Notes = append(found.Notes, fmt.Sprintf("systemd reads its units again, and lifts the swap limit of %s until docker update or a restart sets it again, as with every daemon-reload: with cgroup v2 runc sets a limit of zero past it (docker/swap-limit tells then)", list(swapless)))
	}
	if !durable {
		found.Notes = append(found.Notes, f.source()+" makes it right at each start, so somebody changed it since: look for what does that at boot")
	}
	return found
}

// liftedByReload are the running containers that may not swap, which only the kernel knows and systemd does not.
func liftedByReload(h *inventory.Host) []string {
	if h.Engine.CgroupVersion != "2" || h.Engine.CgroupDriver != "systemd" {
		return nil
	}
	var out []string
	for i := range h.Containers {
		c := &h.Containers[i]
		if hc := c.Inspect.HostConfig; running(c) && hc.Memory > 0 && hc.MemorySwap == hc.Memory {
			out = append(out, c.Name)
		}
	}
	return out
}

// text is what a change comes from.
func text(c plan.Change) string {
	s, err := strconv.Unquote(string(c.From))
	if err != nil {
		return string(c.From)
	}
	return plainName(s)
}

// ownerChanges are what makes root and the right group the owners. now and next say which is so already.
func (f seenFile) ownerChanges(now, next bool) []plan.Change {
	m := f.maker()
	var out []plan.Change
	group := m.Group
	if !next {
		if m.User != groupRoot && m.User != "0" {
			out = append(out, unitChange(settingSocketUser, m.User, groupRoot))
		}
		if !slices.Contains(f.groups(), m.Group) {
			group = f.properGroup()
			out = append(out, unitChange(settingSocketGroup, m.Group, group))
		}
	}
	if !now {
		gid := 0
		if group == groupDocker {
			gid = m.DockerGID
		}
		out = append(out, socketChange(settingOwner, ownerText(f.is), fmt.Sprintf("0:%d", gid)))
	}
	return differing(out...)
}

// modeChanges are what takes away from the mode of the socket, and of the next one.
func (f seenFile) modeChanges(now, next uint32) []plan.Change {
	var out []plan.Change
	if next&^f.modes[0] != 0 {
		out = append(out, unitChange(settingSocketMode, octal(next), octal(narrowed(next, f.modes))))
	}
	if now&^f.modes[0] != 0 {
		out = append(out, socketChange(settingMode, octal(now), octal(narrowed(now, f.modes))))
	}
	return out
}

func socketChange(path, from, to string) plan.Change {
	return plan.Change{Path: path, From: raw(from), To: raw(to), Kind: plan.KindSocket, Reversibility: plan.Exact}
}

func unitChange(path, from, to string) plan.Change {
	c := socketChange(path, from, to)
	c.Note = "in " + inventory.SocketDropIn
	return c
}

// wishes reports whether a control could ask for a change of this socket. from is not compared with the host: a
// plan for another state is stale and not edited, and says so later.
func (f seenFile) wishes(from, to string, c plan.Change) bool {
	if !f.changeable() || c.Kind != plan.KindSocket {
		return false
	}
	m := f.maker()
	switch c.Path {
	case settingSocketUser:
		return to == groupRoot
	case settingSocketGroup:
		return to == f.properGroup()
	case settingOwner:
		return to == rootOwner || m.Docker && m.DockerGID > 0 && to == fmt.Sprintf("0:%d", m.DockerGID)
	case settingMode, settingSocketMode:
		was, err := strconv.ParseUint(from, 8, 32)
		return err == nil && to == octal(narrowed(uint32(was), f.modes))
	}
	return false
}
