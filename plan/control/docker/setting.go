package docker

import (
	"slices"

	"docker-harden/plan"
)

// settings are all that the controls of this package may ask to change, by kind of resource.
var settings = map[plan.ResourceKind][]string{
	plan.ResourceDaemon: {
		"cgroup-parent", "debug", "default-ulimits", "experimental", "icc", "insecure-registries", "iptables", "live-restore",
		"log-driver", "log-level", "no-new-privileges", "seccomp-profile", "userland-proxy",
	},
	plan.ResourceContainer: {
		"HostConfig.CapAdd", "HostConfig.CapDrop", "HostConfig.CpuShares", "HostConfig.Memory", "HostConfig.MemorySwap",
		"HostConfig.PidsLimit", "HostConfig.ReadonlyRootfs", "HostConfig.RestartPolicy", "HostConfig.SecurityOpt", "HostConfig.Tmpfs",
	},
	plan.ResourceFile: {"mode", "owner"},
}

// Changes reports whether any control of this package may ask for a change of this setting. A plan that
// changes something else was not made by this tool, whatever its digest says.
func Changes(kind plan.ResourceKind, setting string) bool {
	return slices.Contains(settings[kind], setting)
}
