package plan

import (
	"encoding/json"
	"slices"
	"strings"
)

// Settings of one mount that can be changed. They stand in the engine's merged list of mounts, whatever way
// the mount was asked for.
const (
	MountPropagation = "Propagation"
	MountWritable    = "RW"
)

// MountPath is the path of a change of one mount: "Mounts[/data].Propagation". target is its place in the
// container.
func MountPath(target, setting string) string { return "Mounts[" + target + "]." + setting }

// MountOf reads what [MountPath] wrote.
func MountOf(path string) (target, setting string, ok bool) {
	rest, isMount := strings.CutPrefix(path, "Mounts[")
	if end := strings.LastIndex(rest, "]."); isMount && end > 0 {
		target, setting = rest[:end], rest[end+len("]."):]
		return target, setting, setting == MountPropagation || setting == MountWritable
	}
	return "", "", false
}

// NetworksPath is the path of a change of the networks that a container is connected to. Its values are their
// names, sorted.
const NetworksPath = "NetworkSettings.Networks"

// NetworkModePath is the path of a change of the network that a container is made on.
const NetworkModePath = "HostConfig.NetworkMode"

// HealthcheckPath is the path of a change of how a container is checked.
const HealthcheckPath = "Config.Healthcheck"

// Moves reports whether making a change moves a field of the resource's [Basis]: its own, and those that
// the engine moves along with it.
func (c Change) Moves(field string) bool {
	if _, _, mount := MountOf(c.Path); mount {
		return slices.Contains([]string{"Mounts", "HostConfig.Binds", "HostConfig.Mounts"}, field)
	}
	if _, volume := VolumeOf(c.Path); volume {
		return slices.Contains([]string{"Mounts", "HostConfig.Mounts"}, field)
	}
	if _, _, port := PortOf(c.Path); port {
		return field == PortsPath
	}
	if _, secret := SecretOf(c.Path); secret {
		return slices.Contains([]string{"Config.Env", "Mounts", "HostConfig.Mounts"}, field)
	}
	if name, network := strings.CutPrefix(field, "Networks."); network && c.Path == NetworksPath {
		return c.leavesOrJoins(name)
	}
	if name, network := strings.CutPrefix(field, "Networks."); network && c.Path == NetworkModePath {
		return c.modeOf(name)
	}
	const securityOpt = "HostConfig.SecurityOpt"
	along := map[string][]string{
		"owner":             {"uid", "gid"},
		"HostConfig.Memory": {"HostConfig.MemorySwap"},
		// The engine's own label=disable goes with what opened the container to the host.
		"HostConfig.Privileged": {securityOpt, "HostConfig.MaskedPaths", "HostConfig.ReadonlyPaths"},
		"HostConfig.PidMode":    {securityOpt},
		"HostConfig.IpcMode":    {securityOpt},
		"HostConfig.UTSMode":    {"Config.Hostname"},
		NetworkModePath:         {"Config.Hostname"}, // on the host's network it is the host's
	}
	return c.Path == field || slices.Contains(along[c.Path], field)
}

// leavesOrJoins reports whether a change of networks is about one of them.
func (c Change) leavesOrJoins(name string) bool {
	var from, to []string
	if json.Unmarshal(c.From, &from) != nil || json.Unmarshal(c.To, &to) != nil {
		return false
	}
	return slices.Contains(from, name) != slices.Contains(to, name)
}

// modeOf reports whether a change of the network mode is from or to a network.
func (c Change) modeOf(name string) bool {
	return slices.ContainsFunc([]json.RawMessage{c.From, c.To}, func(raw json.RawMessage) bool {
		var mode string
		if json.Unmarshal(raw, &mode) != nil {
			return false
		}
		if mode == "" || mode == "default" {
			mode = "bridge"
		}
		return mode == name
	})
}
