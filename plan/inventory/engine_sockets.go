package inventory

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// SocketMaker is who makes a socket, and how the next one will be: what somebody changed by hand lasts
// until then only.
type SocketMaker struct {
	Unit string `json:"unit,omitempty"` // the socket unit of systemd; empty: the engine, or containerd, itself
	// User, Group and Mode (octal digits) of the next socket.
	User  string `json:"user"`
	Group string `json:"group"`
	Mode  string `json:"mode"`
	// Is is the name of the group that the socket has now; empty when /etc/group does not name it.
	Is string `json:"is,omitempty"`
	// Docker is whether there is a group docker.
	Docker    bool `json:"docker,omitempty"`
	DockerGID int  `json:"docker_gid,omitempty"`
	// Later are the drop-ins that have the last word on a setting ("SocketMode") after any of this tool's.
	Later map[string]string `json:"later,omitempty"`
	// Problem is why it cannot be told how the next socket will be.
	Problem string `json:"problem,omitempty"`
}

const (
	defaultSocket = "/var/run/docker.sock"
	dockerGroup   = "docker"
	rootUser      = "root"
)

// Modes of sockets: the engine's own choice, and systemd's where a unit says nothing.
const (
	engineSocketMode  = "0660"
	systemdSocketMode = "0666"
)

// sockets looks at the sockets on which the engine listens, and the one on which it was reached.
func (f *fileFinder) sockets(reached, unit string) {
	groups := f.root.groups()
	var own, passed []string // made by the engine, by systemd
	for _, host := range f.hosts() {
		if name, ok := strings.CutPrefix(host, "unix://"); ok {
			own = append(own, f.absolute(first(name, defaultSocket)))
		}
	}
	byUnit := slices.ContainsFunc(f.hosts(), func(h string) bool { return strings.HasPrefix(h, "fd://") })
	var maker SocketMaker
	if byUnit {
		maker, passed, f.daemon.Passed = f.root.socketUnit(unit)
	}
	switch {
	case byUnit && !slices.Contains(passed, reached) && !slices.Contains(own, reached):
		passed = append(passed, reached)
	case !byUnit:
		own = append(own, reached)
	}
	for _, name := range own {
		f.socket(RoleEngineSocket, name, f.engineMaker(groups), groups)
	}
	for _, name := range passed {
		f.socket(RoleEngineSocket, name, maker, groups)
	}
}

// hosts are where the engine listens after its next start; it takes flags or the key, never both.
func (f *fileFinder) hosts() []string {
	if hosts := f.daemon.Flags["hosts"]; len(hosts) > 0 {
		return hosts
	}
	var hosts []string
	if json.Unmarshal(f.daemon.Keys["hosts"], &hosts) != nil || len(hosts) == 0 {
		return []string{"unix://" + defaultSocket}
	}
	return hosts
}

// engineMaker is how the engine makes a socket: the group of its setting, or nobody's when there is no
// group docker and none was set.
func (f *fileFinder) engineMaker(groups map[string]int) SocketMaker {
	group := first(f.setting("group"), dockerGroup)
	if gid, err := strconv.Atoi(group); err == nil {
		group = first(groupName(groups, gid), group)
	}
	if _, ok := groups[group]; !ok && group == dockerGroup {
		group = rootUser
	}
	return SocketMaker{User: rootUser, Group: group, Mode: engineSocketMode}
}

// socketUnit is how systemd makes the sockets of a unit, and where.
func (r hostRoot) socketUnit(name string) (maker SocketMaker, paths, network []string) {
	s := &service{root: r, unit: name}
	if err := s.load(); err != nil {
		return SocketMaker{Unit: name, Problem: fmt.Sprintf("cannot read unit %s: %s", name, err)}, nil, nil
	}
	var listen []string
	for _, l := range s.listen {
		switch {
		case path.IsAbs(l):
			listen = append(listen, path.Clean(l))
		case !strings.HasPrefix(l, "@") && !strings.HasPrefix(l, "vsock:"):
			network = append(network, l)
		}
	}
	mode, err := strconv.ParseUint(first(s.socket["SocketMode"], systemdSocketMode), 8, 32)
	if err != nil {
		return SocketMaker{Unit: name, Problem: fmt.Sprintf("unit %s has a SocketMode that is none: %q", name, s.socket["SocketMode"])}, listen, network
	}
	user := first(s.socket["SocketUser"], rootUser)
	return SocketMaker{Unit: name, User: user, Group: first(s.socket["SocketGroup"], user), Mode: fmt.Sprintf("%04o", mode), Later: s.later()}, listen, network
}

// SocketDropIn is the drop-in of the engine's socket unit that this tool writes. Drop-ins are read in the order
// of their names.
const SocketDropIn = "/etc/systemd/system/docker.socket.d/50-docker-harden.conf"

// later are the settings of a socket that a drop-in behind [SocketDropIn] makes, and which.
func (s *service) later() map[string]string {
	var out map[string]string
	for setting, file := range s.socketFrom {
		if path.Base(file) > path.Base(SocketDropIn) && strings.HasSuffix(path.Dir(file), ".d") {
			if out == nil {
				out = map[string]string{}
			}
			out[setting] = file
		}
	}
	return out
}

// socket adds a socket that exists, once.
func (f *fileFinder) socket(role FileRole, name string, maker SocketMaker, groups map[string]int) {
	file := f.look(role, name)
	if slices.ContainsFunc(f.found, func(have EngineFile) bool { return have.Role == role && have.Resolved == file.Resolved }) {
		return
	}
	seen := f.files[file.Resolved]
	if file.Problem == "" && !seen.Exists {
		file.None = "there is no " + name
	}
	maker.DockerGID, maker.Docker = groups[dockerGroup]
	maker.Is = groupName(groups, seen.GID)
	file.Socket = &maker
	f.found = append(f.found, file)
}

// containerd looks at the socket of containerd: one of the system, or one that the engine started.
func (f *fileFinder) containerd() {
	name := strings.TrimPrefix(f.setting("containerd"), "unix://")
	if name == "" {
		const system = "/run/containerd/containerd.sock"
		own := path.Join(first(f.setting("exec-root"), "/var/run/docker"), "containerd/containerd.sock")
		name = system
		if _, err := os.Lstat(f.root.join(system)); err != nil {
			name = own
		}
	}
	f.socket(RoleContainerdSocket, f.absolute(name), SocketMaker{User: rootUser, Group: rootUser, Mode: engineSocketMode}, f.root.groups())
}

// maxGroups bounds /etc/group.
const maxGroups = 4 << 20

// groups are the host's groups by name, without those that only a directory service knows.
func (r hostRoot) groups() map[string]int {
	data, err := r.readFile("/etc/group", maxGroups)
	if err != nil {
		return nil
	}
	groups := map[string]int{}
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		const gid = 2
		if len(fields) <= gid {
			continue
		}
		if n, err := strconv.Atoi(fields[gid]); err == nil {
			groups[fields[0]] = n
		}
	}
	return groups
}

func groupName(groups map[string]int, gid int) string {
	var names []string
	for name, n := range groups {
		if n == gid {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return slices.Min(names)
}
