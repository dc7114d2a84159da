package inventory

import (
	"encoding/json"
	"time"

	"docker-harden/plan/evidence"

	"docker-harden/plan"
	"docker-harden/plan/secret"
)

// Container is one container, running or not.
type Container struct {
	ID   string `json:"id"`   // full
	Name string `json:"name"` // without the leading slash
	// Raw is the engine's whole inspect answer at the negotiated API version, so that no field is lost.
	Raw json.RawMessage `json:"raw"`
	// Inspect is the part of Raw that controls read.
	Inspect Inspect `json:"-"`
	made    *Made   // what Raw says of it, once that was read
	Owner   Owner   `json:"owner"`
	// Self is true for the container that this program runs in.
	Self bool `json:"self,omitempty"`
	// Proc is what the kernel says of the container's processes; nil when it is not running or
	// could not be read (then ProcProblem says why).
	Proc        *Proc  `json:"proc,omitempty"`
	ProcProblem string `json:"proc_problem,omitempty"`
	// Learnt is what was seen of it while it was watched, as far as it was given; nil: nothing was.
	Learnt *evidence.File `json:"learnt,omitempty"`
	Usage  *Usage         `json:"usage,omitempty"`
	// UsageProblem says why Usage is nil for a running container.
	UsageProblem string `json:"usage_problem,omitempty"`
	// Layer is what was written into the writable layer; nil when it could not be read.
	Layer        *Layer `json:"layer,omitempty"`
	LayerProblem string `json:"layer_problem,omitempty"`
	// Replaced are the sources of bind mounts that are another file or directory on the host now than
	// the one the running container uses. Sockets are not among them: a server makes its own anew.
	Replaced []string `json:"replaced,omitempty"`
	// Submounts are the sources of read-only bind mounts below which the host has other file systems.
	Submounts []string `json:"submounts,omitempty"`
	// Moved are the variables whose values stand in files that this tool made.
	Moved []MovedSecret `json:"moved,omitempty"`
	// Held is how much is in directories that somebody asked for, by their paths.
	Held map[string]Held `json:"held,omitempty"`
	// Credentials are what [Host.Credentials] found before they were masked; nil: nobody looked.
	Credentials []secret.Find `json:"credentials,omitzero"`
	// Problem says why the container could not be inspected; then only ID and Name are set.
	Problem string `json:"problem,omitempty"`
}

// Resource is the container's plan resource.
func (c *Container) Resource() plan.Resource { return plan.Container(c.Name, c.ID) }

// Running reports whether the container has a process (paused and restarting count as running).
func (c *Container) Running() bool { return c.Inspect.State.Running }

// Inspect is the subset of GET /containers/{id}/json that controls read. Pointers and slices keep
// the engine's difference between null, empty and set.
type Inspect struct {
	Created string `json:"Created"`
	Image   string `json:"Image"` // image id
	Driver  string `json:"Driver"`
	// Path and Args are the command line the container is started with. Args may hold secrets.
	Path  string   `json:"Path"`
	Args  []string `json:"Args"`
	State struct {
		Status     string  `json:"Status"` // created, running, paused, restarting, exited, dead
		Running    bool    `json:"Running"`
		Paused     bool    `json:"Paused"`
		Restarting bool    `json:"Restarting"`
		OOMKilled  bool    `json:"OOMKilled"`
		PID        int     `json:"Pid"`
		StartedAt  string  `json:"StartedAt"`
		Health     *Health `json:"Health"`
	} `json:"State"`
	RestartCount    int    `json:"RestartCount"`
	AppArmorProfile string `json:"AppArmorProfile"`
	Config          struct {
		User        string            `json:"User"`
		Image       string            `json:"Image"` // as given at create: a tag or an id
		Labels      map[string]string `json:"Labels"`
		Tty         bool              `json:"Tty"`
		StopTimeout *int              `json:"StopTimeout"`
		StopSignal  string            `json:"StopSignal"`
		Entrypoint  []string          `json:"Entrypoint"`
		Cmd         []string          `json:"Cmd"`
		Hostname    string            `json:"Hostname"`
		WorkingDir  string            `json:"WorkingDir"`
		Healthcheck *Healthcheck      `json:"Healthcheck"`
	} `json:"Config"`
	HostConfig struct {
		Binds             []string          `json:"Binds"`
		Mounts            []MountSpec       `json:"Mounts"`
		NetworkMode       string            `json:"NetworkMode"`
		PidMode           string            `json:"PidMode"`
		IpcMode           string            `json:"IpcMode"`
		UTSMode           string            `json:"UTSMode"`
		UsernsMode        string            `json:"UsernsMode"`
		AutoRemove        bool              `json:"AutoRemove"`
		Privileged        bool              `json:"Privileged"`
		ReadonlyRootfs    bool              `json:"ReadonlyRootfs"`
		PublishAllPorts   bool              `json:"PublishAllPorts"`
		PortBindings      map[string][]Port `json:"PortBindings"`
		CapAdd            []string          `json:"CapAdd"`
		CapDrop           []string          `json:"CapDrop"`
		SecurityOpt       []string          `json:"SecurityOpt"`
		VolumesFrom       []string          `json:"VolumesFrom"`
		Links             []string          `json:"Links"`
		Tmpfs             map[string]string `json:"Tmpfs"`
		Memory            int64             `json:"Memory"`
		MemorySwap        int64             `json:"MemorySwap"`
		MemoryReservation int64             `json:"MemoryReservation"`
		NanoCPUs          int64             `json:"NanoCpus"`
		CPUShares         int64             `json:"CpuShares"`
		CPUQuota          int64             `json:"CpuQuota"`
		PidsLimit         *int64            `json:"PidsLimit"`
		Runtime           string            `json:"Runtime"`
		CgroupParent      string            `json:"CgroupParent"`
		Devices           []Device          `json:"Devices"`
		DeviceRequests    []DeviceRequest   `json:"DeviceRequests"`
		DeviceCgroupRules []string          `json:"DeviceCgroupRules"`
		RestartPolicy     struct {
			Name              string `json:"Name"`
			MaximumRetryCount int    `json:"MaximumRetryCount"`
		} `json:"RestartPolicy"`
	} `json:"HostConfig"`
	Mounts      []Mount `json:"Mounts"` // sorted by Destination: the engine's order is random
	GraphDriver struct {
		Name string            `json:"Name"`
		Data map[string]string `json:"Data"`
	} `json:"GraphDriver"`
	NetworkSettings struct {
		Ports    map[string][]Port  `json:"Ports"`
		Networks map[string]Network `json:"Networks"`
	} `json:"NetworkSettings"`
}

// Health is the state of a container's health check.
type Health struct {
	Status string `json:"Status"` // starting, healthy, unhealthy
}

// Healthcheck is how a container is checked. Test is empty when it is the image's, and NONE turns that off.
// It may hold secrets.
type Healthcheck struct {
	Test []string `json:"Test"`
}

// Device is a device of the host that a container may use.
type Device struct {
	PathOnHost        string `json:"PathOnHost"`
	PathInContainer   string `json:"PathInContainer"`
	CgroupPermissions string `json:"CgroupPermissions"` // of r, w and m
}

// DeviceRequest asks a driver for devices, GPUs mostly.
type DeviceRequest struct {
	Driver string `json:"Driver"`
}

// Network is a container's place in one network.
type Network struct {
	IPAddress string `json:"IPAddress"`
}

// Port is one published address.
type Port = plan.PortBinding

// Mount is one entry of the engine's merged mount list.
type Mount struct {
	Type        string `json:"Type"`
	Name        string `json:"Name,omitempty"`
	Source      string `json:"Source"`
	Destination string `json:"Destination"`
	Mode        string `json:"Mode"`
	RW          bool   `json:"RW"`
	Propagation string `json:"Propagation"`
}

// MountSpec is one mount as it was asked for in HostConfig.Mounts.
type MountSpec struct {
	Type   string `json:"Type"`
	Source string `json:"Source"`
	Target string `json:"Target"`
}

// OwnerKind says which tool made a container and will make it again.
type OwnerKind string

// The owners.
const (
	OwnedByNobody     OwnerKind = ""
	OwnedByCompose    OwnerKind = "compose"
	OwnedBySwarm      OwnerKind = "swarm"
	OwnedByKubernetes OwnerKind = "kubernetes"
	OwnedBySystemd    OwnerKind = "systemd"

	OwnedByNomad          OwnerKind = "nomad"
	OwnedByECS            OwnerKind = "ecs"
	OwnedByKind           OwnerKind = "kind"
	OwnedByK3d            OwnerKind = "k3d"
	OwnedByMinikube       OwnerKind = "minikube"
	OwnedByBuildx         OwnerKind = "buildx"
	OwnedByGitLab         OwnerKind = "gitlab-runner"
	OwnedByDevContainer   OwnerKind = "devcontainer"
	OwnedByTestcontainers OwnerKind = "testcontainers"
)

// Owner is who made a container. Name is the Compose project and service ("shop/web"), the Swarm
// service, the pod ("namespace/name"), the systemd unit, or what the tool calls its work.
type Owner struct {
	Kind OwnerKind `json:"kind,omitempty"`
	Name string    `json:"name,omitempty"`
}

// Proc is the truth of the kernel for a running container. Everything is read from /proc of the
// engine's pid namespace; nothing is executed in the container.
type Proc struct {
	// Entry is the program that a new container like this one would start with; nil: not looked at.
	Entry *Executable `json:"entry,omitempty"`
	// Init is the container's first process.
	Init Process `json:"init"`
	// All are every process in the container's cgroup at the time of reading, Init included.
	All []Process `json:"all"`
	// Namespaces shared with the host's first process: "net", "pid", "ipc", "uts", "user".
	SharedNamespaces []string `json:"shared_namespaces"`
	// Subnets are the IPv4 networks that the container's own network namespace is connected to; nil where it has none
	// of its own, or could not be read.
	Subnets []string `json:"subnets,omitempty"`
	// Listeners are the ports on which its processes wait, where they share the host's network; elsewhere nobody looked.
	Listeners []evidence.Listener `json:"listeners,omitempty"`
	// ListenersProblem says why there may be more.
	ListenersProblem string `json:"listeners_problem,omitempty"`
	// ReadOnlyRoot is the mount option of / in the container's mount namespace.
	ReadOnlyRoot bool `json:"read_only_root"`
	// Places are mounts of the container as the kernel holds them, by their place in it. Only bind mounts
	// that could reach the host's system are looked at, see [Mount.Reaches].
	Places map[string]Place `json:"places,omitempty"`
	// Limits as the kernel holds them; -1 is unlimited, nil could not be read.
	MemoryLimit *int64 `json:"memory_limit"`
	PidsLimit   *int64 `json:"pids_limit"`
	// MemorySwapLimit is that of memory and swap together, as the engine counts; nil also where the kernel keeps no
	// account of swap.
	MemorySwapLimit *int64 `json:"memory_swap_limit,omitempty"`
	CPUShares       *int64 `json:"cpu_shares"` // cgroup v1 cpu.shares, or the v2 weight converted to shares
	// CPUWeight is cpu.weight of cgroup v2 itself, 1 to 10000; the kernel's own is 100.
	CPUWeight *int64 `json:"cpu_weight,omitempty"`
	AppArmor  string `json:"apparmor,omitempty"`
	// Ulimits are those of the first process by name, as "soft:hard" with -1 for none; only the limits
	// that the container was given, or took from the engine, are looked at.
	Ulimits map[string]string `json:"ulimits,omitempty"`
}

// Executable is the file a container starts with, found inside the container as the runtime finds
// it, and through launchers such as tini. What a shell or a script goes on to start is not seen.
type Executable struct {
	Path     string `json:"path"` // inside the container; as configured where it was not found
	Setuid   bool   `json:"setuid"`
	FileCaps bool   `json:"file_caps"`
	Problem  string `json:"problem,omitempty"` // why Setuid and FileCaps are not known
	// SecretFiles are the variables whose value it takes from the file that NAME_FILE names, if it is a shell script
	// whose text shows that; LateSecretFiles those that it reads once it has given up root.
	SecretFiles     []string `json:"secret_files,omitempty"`
	LateSecretFiles []string `json:"late_secret_files,omitempty"`
	ScriptProblem   string   `json:"script_problem,omitempty"` // why these are not known
}

// Process is one process of a container.
type Process struct {
	PID        int    `json:"pid"`
	Name       string `json:"name"` // comm
	UID        int    `json:"uid"`  // effective, as seen from the host
	NoNewPrivs bool   `json:"no_new_privs"`
	Seccomp    int    `json:"seccomp"` // 0 off, 1 strict, 2 filter
	CapEff     uint64 `json:"cap_eff"`
	CapPrm     uint64 `json:"cap_prm"`
	CapInh     uint64 `json:"cap_inh"`
	CapBnd     uint64 `json:"cap_bnd"`
	CapAmb     uint64 `json:"cap_amb"`
	Exe        string `json:"exe"`                   // path inside the container
	Setuid     bool   `json:"setuid"`                // the executable has the setuid or setgid bit
	FileCaps   bool   `json:"file_caps"`             // the executable carries file capabilities
	ExeProblem string `json:"exe_problem,omitempty"` // why Setuid and FileCaps are not known
}

// Usage is how much memory and how many processes a container was seen to use.
type Usage struct {
	Samples int           `json:"samples"`
	Window  time.Duration `json:"window_ns"`
	Uptime  time.Duration `json:"uptime_ns"`
	// WorkingSet is the largest usage minus inactive file cache seen, bytes.
	WorkingSet int64 `json:"working_set"`
	// Unreclaimable is the largest anon + shmem + unreclaimable kernel memory seen, bytes.
	Unreclaimable int64 `json:"unreclaimable"`
	// Swap is the most that was swapped out, bytes; it comes back into memory when it is touched.
	Swap int64 `json:"swap,omitempty"`
	// Peak is the kernel's own high-water mark, bytes; it includes page cache. 0: not known.
	Peak int64 `json:"peak"`
	// OOMKills counted by the kernel in this container's cgroup.
	OOMKills int64 `json:"oom_kills"`
	// Pids is the largest number of processes and threads seen.
	Pids int64 `json:"pids"`
	// PidsPeak is the kernel's high-water mark (pids.peak, Linux 6.6 and later); 0: not known.
	PidsPeak int64 `json:"pids_peak"`
}

// Layer is the content of a container's writable layer, read from the overlay upper directory
// without mount points and what the engine itself puts there. A directory counts only when nothing
// in it does: it was made, changed, or had a file for a while.
type Layer struct {
	Files int64 `json:"files"` // files, directories and deletions
	Bytes int64 `json:"bytes"`
	// Paths are the first written paths inside the container, sorted, at most 20.
	Paths []string `json:"paths,omitempty"`
	// Truncated is true when there was too much to walk; then Files and Bytes are lower bounds.
	Truncated bool `json:"truncated,omitempty"`
}
