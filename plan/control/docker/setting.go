package docker

import (
	"encoding/json"
	"reflect"
	"slices"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
	"docker-harden/plan/secret"
)

// anySecret is the setting of any variable whose value moves into a file.
const anySecret = "Config.Env[]"

// settings are all that the controls of this package may ask to change, by kind of resource.
var settings = map[plan.ResourceKind][]string{
	plan.ResourceDaemon: {
		"authorization-plugins", "cgroup-parent", "debug", "default-ulimits", "experimental", "hosts", "icc", "insecure-registries", "iptables", "live-restore",
		"log-driver", "log-level", "no-new-privileges", "seccomp-profile", "tlscacert", "tlscert", "tlskey", "tlsverify", "userland-proxy", "userns-remap",
	},
	plan.ResourceContainer: {
		"HostConfig.CapAdd", "HostConfig.CapDrop", "HostConfig.CpuShares", "HostConfig.Memory", "HostConfig.MemorySwap",
		"HostConfig.PidsLimit", "HostConfig.ReadonlyRootfs", "HostConfig.RestartPolicy", "HostConfig.SecurityOpt", "HostConfig.Tmpfs",
		anySecret, "Config.ExposedPorts", plan.HealthcheckPath, "Config.User", "HostConfig.CgroupParent", "HostConfig.Devices", "HostConfig.IpcMode", "HostConfig.NetworkMode",
		"HostConfig.PidMode", plan.PortsPath, portSetting(plan.PortAddress), portSetting(plan.PortNumber), portSetting(plan.PortPublished),
		"HostConfig.Privileged", "HostConfig.PublishAllPorts",
		"HostConfig.UTSMode", "Mounts[].Propagation", "Mounts[].RW", "Mounts[].Volume", plan.NetworksPath,
	},
	plan.ResourceSwarm: {plan.AutoLockPath, plan.CertExpiryPath, plan.UnlockKeyFilePath},
	plan.ResourceFile:  {"mode", "owner", plan.MembersPath(""), "SocketGroup", "SocketMode", "SocketUser"},
}

// Changes reports whether any control of this package may ask for a change of this setting. A plan that
// changes something else was not made by this tool, whatever its digest says.
func Changes(kind plan.ResourceKind, setting string) bool {
	if _, rule := inventory.AuditedPath(setting); rule && kind == plan.ResourceFile {
		return true // which files and rules that may be, ChangesFile says
	}
	return slices.Contains(settings[kind], generic(setting)) || kind == plan.ResourceContainer && control.TakesDefault(setting)
}

// portSetting is a setting of any published port.
func portSetting(which string) string { return plan.PortPath(plan.Port{}, which) }

// generic is a setting without the mount, the variable or the port that it is about.
func generic(setting string) string {
	if _, ok := plan.SecretOf(setting); ok {
		return anySecret
	}
	if _, ok := plan.VolumeOf(setting); ok {
		return plan.VolumePath("")
	}
	if _, ok := plan.MembersOf(setting); ok {
		return plan.MembersPath("")
	}
	if _, which, ok := plan.MountOf(setting); ok {
		return plan.MountPath("", which)
	}
	if _, which, ok := plan.PortOf(setting); ok {
		return portSetting(which)
	}
	return setting
}

// asking are the controls that ask for a setting, for those settings that a plan must not give another value than
// they do. What they ask for depends on the profile and on what cannot change while a container exists.
func asking(setting string) []control.Control {
	switch generic(setting) {
	case "Mounts[].Propagation":
		return []control.Control{mountPropagation()}
	case "Mounts[].RW":
		return []control.Control{sensitiveMounts()}
	case anySecret:
		return []control.Control{secretsInContainers(secret.New())}
	case plan.HealthcheckPath:
		return []control.Control{healthcheck()}
	case "Config.User":
		return []control.Control{containerUser()}
	case "HostConfig.CgroupParent":
		return []control.Control{containerCgroup()}
	case "HostConfig.IpcMode":
		return []control.Control{hostIPC()}
	case "HostConfig.NetworkMode", "HostConfig.PortBindings", "HostConfig.PublishAllPorts", "Config.ExposedPorts":
		return []control.Control{hostNetwork()}
	case portSetting(plan.PortAddress):
		return []control.Control{hostInterface()}
	case portSetting(plan.PortNumber):
		return []control.Control{privilegedPorts()}
	case portSetting(plan.PortPublished):
		return []control.Control{openPorts()}
	case "HostConfig.PidMode":
		return []control.Control{hostPID()}
	case "HostConfig.UTSMode":
		return []control.Control{hostUTS()}
	case "HostConfig.RestartPolicy":
		return []control.Control{restartPolicy()}
	case "HostConfig.ReadonlyRootfs", "HostConfig.Tmpfs", "Mounts[].Volume":
		return []control.Control{readOnlyRootfs()}
	case "HostConfig.Privileged":
		return []control.Control{privileged()}
	case "HostConfig.Devices":
		return []control.Control{privileged(), hostDevices()}
	}
	return nil
}

// ChangesContainer reports whether a change of a container is one that a control asks for with this profile. Of
// settings whose wanted values come from what is measured nothing is said here: true.
func ChangesContainer(h *inventory.Host, c *inventory.Container, p *profile.Profile, change plan.Change) bool {
	if change.Path == plan.NetworksPath {
		return movesAsAsked(h, c, p, change)
	}
	if _, _, ok := plan.PortOf(change.Path); ok {
		return publishesAsAsked(c, p, change)
	}
	controls := asking(change.Path)
	if len(controls) == 1 && controls[0].ID == hostNetworkID {
		return bridgesAsAsked(h, c, p, change)
	}
	if change.Path == "HostConfig.CapAdd" && !takesAway(c, change) {
		// No other control gives capabilities; the second one only those that are there already, in other words.
		controls = []control.Control{privileged(), capabilities()}
	}
	for _, one := range controls {
		params, on := p.ParamsFor(one.ID, c.Name, one.Params)
		if on && slices.ContainsFunc(one.Container(h, c, params).Changes, func(asked plan.Change) bool {
			return asked.Path == change.Path && sameValue(asked.To, change.To)
		}) {
			return true
		}
	}
	return len(controls) == 0 && !loosens(c, change)
}

// takesAway reports whether a change of CapAdd leaves nothing that is not there now.
func takesAway(c *inventory.Container, change plan.Change) bool {
	var to []string
	return json.Unmarshal(change.To, &to) == nil && len(without(capList(to), capList(c.Inspect.HostConfig.CapAdd))) == 0
}

// loosens reports whether a change leaves a container less confined than it is, or without a limit. How tight a
// setting is to be comes from what is measured, but no control ever asks for that. What the plan says it is now
// does not count.
func loosens(c *inventory.Container, change plan.Change) bool {
	now := c.Inspect.HostConfig
	var to []string
	switch change.Path {
	case "HostConfig.CapDrop":
		// ALL stands for every one of them, except beside a CapAdd of ALL, where the engine takes it for none.
		bad := json.Unmarshal(change.To, &to) != nil
		all := slices.Contains(capList(to), allCaps) && !slices.Contains(capList(now.CapAdd), allCaps)
		return bad || !all && len(without(capList(now.CapDrop), capList(to))) > 0
	case "HostConfig.SecurityOpt":
		return json.Unmarshal(change.To, &to) != nil ||
			slices.ContainsFunc(without(to, now.SecurityOpt), confines) || slices.ContainsFunc(without(to, now.SecurityOpt), unconfines) ||
			slices.ContainsFunc(without(now.SecurityOpt, to), confines) ||
			control.ParseNoNewPrivs(now.SecurityOpt).On && !control.ParseNoNewPrivs(to).On
	case "HostConfig.MemorySwap":
		var limit int64
		return json.Unmarshal(change.To, &limit) != nil || limit <= 0 && (limit != -1 || now.MemorySwap > 0)
	case "HostConfig.Memory", "HostConfig.PidsLimit", "HostConfig.CpuShares":
		var limit int64
		return json.Unmarshal(change.To, &limit) != nil || limit <= 0
	}
	return false
}

// confines reports whether an option of SecurityOpt chooses a guard. Those that turn one off do not, and
// no-new-privileges has several forms, of which the last counts.
func confines(opt string) bool {
	name, _, _ := control.CutOption(opt)
	return name != optNoNewPrivileges && !unconfines(opt)
}

// unconfines reports whether an option of SecurityOpt turns a guard off that is on without it.
func unconfines(opt string) bool {
	_, value, _ := control.CutOption(opt)
	return value == "unconfined" || value == "disable"
}

// guardedKeys are the keys of daemon.json that a plan must not give another value than the one control does, with this
// profile: where the engine listens, whom it lets in and by which files, whom it asks. Anything else could open it to
// everybody, or close it.
func guardedKeys() map[string]func() control.Control {
	return map[string]func() control.Control{
		"hosts": tlsOnTCP, "tlscacert": tlsOnTCP, "tlscert": tlsOnTCP, "tlskey": tlsOnTCP, "tlsverify": tlsOnTCP,
		"authorization-plugins": authorizationPlugin, "userns-remap": usernsRemap,
	}
}

// ChangesDaemon reports whether a change of a guarded key is the one that its control asks for with this profile. Of
// other keys nothing is said here: true.
func ChangesDaemon(h *inventory.Host, p *profile.Profile, change plan.Change) bool {
	guard, guarded := guardedKeys()[change.Path]
	if !guarded {
		return true
	}
	one := guard()
	params, on := p.ParamsFor(one.ID, "", one.Params)
	return on && slices.ContainsFunc(one.Host(h, params), func(f plan.Finding) bool {
		return slices.ContainsFunc(f.Changes, func(asked plan.Change) bool {
			return asked.Path == change.Path && sameValue(asked.To, change.To)
		})
	})
}

// sameValue compares JSON values, whose spaces and order of keys differ in a plan file.
func sameValue(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
