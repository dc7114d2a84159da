package inventory

import (
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"
)

// take fills a container from the engine's answer as the client decoded it already, which spares
// decoding it again. The result is that of decode; a test compares the two. An answer that lacks a
// part is decoded from its bytes.
func (c *Container) take(answer container.InspectResponse) error {
	if answer.ContainerJSONBase == nil || answer.Name == "" || answer.State == nil || answer.Config == nil || answer.HostConfig == nil || answer.NetworkSettings == nil {
		return c.decode()
	}
	c.ID, c.Name = answer.ID, strings.TrimPrefix(answer.Name, "/")
	i := &c.Inspect
	i.Created, i.Image, i.Driver = answer.Created, answer.Image, answer.Driver
	i.Path, i.Args = answer.Path, answer.Args
	i.RestartCount, i.AppArmorProfile = answer.RestartCount, answer.AppArmorProfile
	i.GraphDriver.Name, i.GraphDriver.Data = answer.GraphDriver.Name, answer.GraphDriver.Data
	i.takeState(answer.State)
	i.takeConfig(answer.Config)
	i.takeHostConfig(answer.HostConfig)
	if answer.Mounts != nil {
		i.Mounts = make([]Mount, 0, len(answer.Mounts))
	}
	for _, m := range answer.Mounts {
		i.Mounts = append(i.Mounts, Mount{
			Type: string(m.Type), Name: m.Name, Source: m.Source, Destination: m.Destination,
			Mode: m.Mode, RW: m.RW, Propagation: string(m.Propagation),
		})
	}
	i.NetworkSettings.Ports = takePorts(answer.NetworkSettings.Ports)
	if answer.NetworkSettings.Networks != nil {
		i.NetworkSettings.Networks = map[string]Network{}
	}
	for name, endpoint := range answer.NetworkSettings.Networks {
		var n Network
		if endpoint != nil {
			n.IPAddress = endpoint.IPAddress
		}
		i.NetworkSettings.Networks[name] = n
	}
	i.sortMounts()
	return nil
}

func (i *Inspect) takeState(s *container.State) {
	i.State.Status, i.State.Running, i.State.Paused, i.State.Restarting = s.Status, s.Running, s.Paused, s.Restarting
	i.State.OOMKilled, i.State.PID, i.State.StartedAt = s.OOMKilled, s.Pid, s.StartedAt
	if s.Health != nil {
		i.State.Health = &Health{Status: s.Health.Status}
	}
}

func (i *Inspect) takeConfig(c *container.Config) {
	i.Config.User, i.Config.Image, i.Config.Labels, i.Config.Tty = c.User, c.Image, c.Labels, c.Tty
	i.Config.StopTimeout, i.Config.StopSignal = c.StopTimeout, c.StopSignal
	i.Config.Entrypoint, i.Config.Cmd = c.Entrypoint, c.Cmd
	i.Config.Hostname, i.Config.WorkingDir = c.Hostname, c.WorkingDir
}

func (i *Inspect) takeHostConfig(h *container.HostConfig) {
	o := &i.HostConfig
	o.Binds, o.VolumesFrom, o.Links, o.Tmpfs = h.Binds, h.VolumesFrom, h.Links, h.Tmpfs
	o.NetworkMode, o.PidMode, o.IpcMode = string(h.NetworkMode), string(h.PidMode), string(h.IpcMode)
	o.UTSMode, o.UsernsMode = string(h.UTSMode), string(h.UsernsMode)
	o.AutoRemove, o.Privileged, o.ReadonlyRootfs, o.PublishAllPorts = h.AutoRemove, h.Privileged, h.ReadonlyRootfs, h.PublishAllPorts
	o.PortBindings = takePorts(h.PortBindings)
	o.CapAdd, o.CapDrop, o.SecurityOpt = h.CapAdd, h.CapDrop, h.SecurityOpt
	o.Memory, o.MemorySwap, o.MemoryReservation = h.Memory, h.MemorySwap, h.MemoryReservation
	o.NanoCPUs, o.CPUShares, o.CPUQuota, o.PidsLimit = h.NanoCPUs, h.CPUShares, h.CPUQuota, h.PidsLimit
	o.Runtime = h.Runtime
	o.RestartPolicy.Name, o.RestartPolicy.MaximumRetryCount = string(h.RestartPolicy.Name), h.RestartPolicy.MaximumRetryCount
}

func takePorts(ports nat.PortMap) map[string][]Port {
	if ports == nil {
		return nil
	}
	out := make(map[string][]Port, len(ports))
	for name, bindings := range ports {
		var list []Port
		if bindings != nil {
			list = make([]Port, 0, len(bindings))
		}
		for _, b := range bindings {
			list = append(list, Port{HostIP: b.HostIP, HostPort: b.HostPort})
		}
		out[string(name)] = list
	}
	return out
}

// sortMounts orders the mounts by destination: the engine's order is random.
func (i *Inspect) sortMounts() {
	slices.SortStableFunc(i.Mounts, func(a, b Mount) int { return strings.Compare(a.Destination, b.Destination) })
}
