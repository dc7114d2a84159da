package inventory

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/api/types/system"

	"docker-harden/plan"
)

// productDocker is the product of engines this tool is made for.
const productDocker = "docker"

// answers are the engine's own words of itself.
type answers struct {
	ping    types.Ping
	version types.Version
	info    system.Info
	bridge  *network.Summary // nil: there is none
}

// engine puts the answers into our own form.
func (a *answers) engine(api string) Engine {
	info := a.info
	e := Engine{
		Product: a.product(), Version: first(a.version.Version, info.ServerVersion), API: api, MaxAPI: a.ping.APIVersion,
		OS: info.OperatingSystem, Kernel: info.KernelVersion, CgroupVersion: first(info.CgroupVersion, "1"), CgroupDriver: info.CgroupDriver,
		StorageDriver: info.Driver, RootDir: info.DockerRootDir, LoggingDriver: info.LoggingDriver,
		DefaultRuntime: info.DefaultRuntime, SecurityOptions: info.SecurityOptions,
		InsecureRegistries: insecureRegistries(info.RegistryConfig), Authorization: info.Plugins.Authorization, LiveRestore: info.LiveRestoreEnabled,
		Debug: info.Debug, Experimental: info.ExperimentalBuild, Swarm: string(info.Swarm.LocalNodeState),
		MemTotal: info.MemTotal, NCPU: info.NCPU, MemoryLimit: info.MemoryLimit, SwapLimit: info.SwapLimit,
		PidsLimit: info.PidsLimit, CPUShares: info.CPUShares, Warnings: info.Warnings,
	}
	e.Cluster = clusterOf(info.Swarm)
	for name := range info.Runtimes {
		e.Runtimes = append(e.Runtimes, name)
	}
	slices.Sort(e.Runtimes)
	for _, option := range info.SecurityOptions {
		name, _, _ := strings.Cut(strings.TrimPrefix(option, "name="), ",")
		switch name {
		case "apparmor":
			e.AppArmor = true
		case "selinux":
			e.SELinux = true
		case "seccomp":
			e.Seccomp = true
		case "rootless":
			e.Rootless = true
		case "userns":
			e.UsernsRemap = true
		}
	}
	if a.bridge != nil {
		e.Bridge = a.bridge.Options
		if e.Bridge == nil {
			e.Bridge = map[string]string{}
		}
	}
	return e
}

// product tells engines apart that speak the same API.
func (a *answers) product() string {
	for _, component := range a.version.Components {
		if strings.HasPrefix(component.Name, "Podman") {
			return "podman"
		}
	}
	name := a.version.Platform.Name
	switch {
	case strings.Contains(a.info.OperatingSystem, "Docker Desktop"):
		return "Docker Desktop"
	case name == "" || strings.HasPrefix(name, "Docker Engine"):
		return productDocker
	}
	return name
}

// insecureRegistries lists what was configured: the loopback networks are always insecure.
func insecureRegistries(config *registry.ServiceConfig) []string {
	if config == nil {
		return nil
	}
	var list []string
	for _, cidr := range config.InsecureRegistryCIDRs {
		if prefix, err := netip.ParsePrefix(cidr.String()); err != nil || !prefix.Addr().IsLoopback() {
			list = append(list, cidr.String())
		}
	}
	for name, index := range config.IndexConfigs {
		if index != nil && !index.Secure {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// identity binds a plan to the host.
func identity(root hostRoot, e Engine, info system.Info, endpoint string) plan.Host {
	privileges, restore := "rootful", "off"
	if e.Rootless {
		privileges = "rootless"
	}
	if e.UsernsRemap {
		privileges += ", user namespaces"
	}
	if e.LiveRestore {
		restore = "on"
	}
	host := plan.Host{
		Name: info.Name, EngineID: info.ID, Engine: e.Version, API: e.API, Endpoint: endpoint,
		Summary: fmt.Sprintf("%s, cgroup v%s, live-restore %s", privileges, e.CgroupVersion, restore),
	}
	if e.Product != productDocker {
		host.Summary = e.Product + ", " + host.Summary
	}
	if e.Local {
		host.MachineID = machineID(root)
	}
	return host
}

// MachineID is the id of this machine as plans and rollback files carry it; empty where the machine has none.
func MachineID() string { return machineID("") }

// machineID is a hash of the machine's id made for this tool alone, as machine-id(5) asks.
func machineID(root hostRoot) string {
	data, err := root.readFile("/etc/machine-id", maxProcFile)
	id := strings.TrimSpace(string(data))
	if err != nil || id == "" || id == "uninitialized" {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(id))
	mac.Write([]byte("docker-harden"))
	return hex.EncodeToString(mac.Sum(nil))
}
