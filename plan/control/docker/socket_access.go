package docker

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// Sockets are made anew at each start, by engine, containerd or systemd, so what chmod does to one lasts until
// then. Both are judged, the socket and how the next one will be, and both are changed where systemd makes it;
// see socket_change.go. Elsewhere a finding has the command.

const socketFix = "By hand, with the command that the finding names: the socket is made anew at each start, so that what makes it has to change, and not the socket alone."

// socketMakers are what says how the next socket will be.
const socketMakers = "its unit in force, else what the engine or containerd is configured with"

const (
	groupDocker = "docker"
	groupRoot   = "root"
)

// maker is who makes the socket.
func (f seenFile) maker() inventory.SocketMaker {
	if f.Socket == nil {
		return inventory.SocketMaker{Problem: "it is not known who makes it"}
	}
	return *f.Socket
}

// groups are those that a socket may belong to.
func (f seenFile) groups() []string {
	if f.Role == inventory.RoleEngineSocket {
		return []string{groupRoot, groupDocker}
	}
	return []string{groupRoot}
}

// proper is the owner that a socket should have.
func (f seenFile) proper() string {
	if f.Role == inventory.RoleEngineSocket && f.maker().Docker && f.maker().DockerGID > 0 {
		return "root:docker"
	}
	return "root:root"
}

// properGroup is the group of proper.
func (f seenFile) properGroup() string {
	_, group, _ := strings.Cut(f.proper(), ":")
	return group
}

func judgeSocketOwner(h *inventory.Host, f seenFile) plan.Finding {
	m := f.maker()
	group := orWord(m.Is, strconv.Itoa(f.is.GID))
	found := accessFinding(settingOwner, ownerText(f.is), fmt.Sprintf("it belongs to %d:%s", f.is.UID, plainName(group)))
	now := f.is.UID == 0 && (f.is.GID == 0 || slices.Contains(f.groups(), m.Is))
	next := (m.User == groupRoot || m.User == "0") && slices.Contains(f.groups(), m.Group)
	if m.User == groupRoot && f.is.UID == 0 && !next && (now || m.Is == m.Group) {
		return askGroup(f, found) // somebody chose this group
	}
	return f.change(h, socketVerdict(f, found, now, next), f.ownerChanges(now, next))
}

// askGroup asks about a group that somebody chose: it may be another name for the same people.
func askGroup(f seenFile, found plan.Finding) plan.Finding {
	m := f.maker()
	group := plainName(m.Group)
	found.Message += fmt.Sprintf(", and the next one will belong to root:%s, as %s says", group, f.source())
	return ask(found, fmt.Sprintf("Is everybody in group %s meant to be root on this host? Else: %s.", group, f.remedy()),
		fmt.Sprintf(`exceptions: [{control: docker/%s-owner, target: %q, reason: "…", owner: "…", expires: YYYY-MM-DD}]`,
			dockerSock().id, plan.File(f.Resolved)))
}

func judgeSocketMode(h *inventory.Host, f seenFile) plan.Finding {
	mode := unixMode(f.is.Mode)
	found := accessFinding(settingMode, octal(mode), "its mode is "+octal(mode))
	next, err := strconv.ParseUint(f.maker().Mode, 8, 32)
	found = socketVerdict(f, found, mode&^f.modes[0] == 0, err == nil && uint32(next)&^f.modes[0] == 0)
	return f.change(h, found, f.modeChanges(mode, uint32(next)))
}

// socketVerdict passes a socket that is as it should be and will be so again.
func socketVerdict(f seenFile, found plan.Finding, now, next bool) plan.Finding {
	m := f.maker()
	switch {
	case now && m.Problem != "":
		found.Status = plan.Unknown
		found.Message += ", and how the next one will be could not be told: " + m.Problem
	case now && next:
		found.Status = plan.Pass
	case now:
		found.Message += fmt.Sprintf(", and the next one will have owner and mode %s:%s %s, as %s says", plainName(m.User), plainName(m.Group), m.Mode, f.source())
		found.Blocked = f.remedy()
	case next && f.Role == inventory.RoleEngineSocket:
		found.Blocked = fmt.Sprintf("%s makes it as %s:%s with mode %s at each start, so somebody changed it since: run %s, and look for what does that at boot",
			f.source(), plainName(m.User), plainName(m.Group), m.Mode, f.command())
	default:
		found.Blocked = f.remedy()
	}
	if found.Blocked != "" && f.Role == inventory.RoleContainerdSocket {
		found.Reason = plan.NeedsPolicy // who may use containerd is said in its own configuration
	}
	return found
}

// source is what says how the next socket will be.
func (f seenFile) source() string {
	switch {
	case f.Role == inventory.RoleContainerdSocket:
		return "containerd"
	case f.maker().Unit != "":
		return "unit " + plainName(f.maker().Unit)
	}
	return "the engine"
}

// command makes this one socket what it should be, until the next start.
func (f seenFile) command() string {
	name := shellWord(f.Resolved)
	return fmt.Sprintf("chown %s %s && chmod %s %s", f.proper(), name, octal(f.modes[0]), name)
}

// remedy makes this socket and the next ones what they should be.
func (f seenFile) remedy() string {
	m := f.maker()
	group := f.properGroup()
	switch {
	case f.Role == inventory.RoleContainerdSocket:
		return "in containerd's configuration (/etc/containerd/config.toml) take uid and gid out of the table [grpc], or set both to 0, and run " + f.command()
	case m.Unit != "":
		dir := shellWord("/etc/systemd/system/" + m.Unit + ".d")
		return fmt.Sprintf(`run printf '[Socket]\nSocketUser=root\nSocketGroup=%s\nSocketMode=%s\n' | install -D -m 0644 /dev/stdin %s/90-owner-and-mode.conf && systemctl daemon-reload && %s`,
			group, octal(f.modes[0]), dir, f.command())
	}
	return fmt.Sprintf(`set "group": %q in daemon.json, or take out the flag --group, restart the engine, and run %s`, group, f.command())
}

// ordinary are words that a shell takes as they are.
var ordinary = regexp.MustCompile(`^[A-Za-z0-9/._@:+-]+$`)

// shellWord is a host's own name as one word of a command.
func shellWord(name string) string {
	if ordinary.MatchString(name) {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}
