// Package inventory reads what is: the engine, its daemon.json, containers, images and host files.
//
// It is read-only: no exec into containers, no pulls, no request that changes anything. Whatever
// could not be read is recorded as a problem with its reason, so that a control can say "unknown".
// There is no API promise before v1.
package inventory

import (
	"encoding/json"
	"io/fs"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/evidence"
	"docker-harden/plan/scan"
	"docker-harden/plan/secret"
)

// SnapshotFormat is the format version of saved inventories. A reader refuses any other.
const SnapshotFormat = "docker-harden/snapshot/v1"

// Host is one observation of a Docker host. Secrets are still inside (environment values in
// [Container.Raw], proxy credentials in daemon.json): call Redact before it leaves the process.
type Host struct {
	Format     string           `json:"format"`
	Taken      time.Time        `json:"taken"`
	Identity   plan.Host        `json:"identity"`
	Engine     Engine           `json:"engine"`
	Daemon     Daemon           `json:"daemon"`
	Containers []Container      `json:"containers"` // sorted by name
	Images     map[string]Image `json:"images"`     // by full image id, only those of the containers
	Files      map[string]File  `json:"files"`      // by path; at least the daemon.json in force
	DataRoot   DataRoot         `json:"data_root,omitzero"`
	Group      Group            `json:"group,omitzero"` // that of the engine's socket
	// Networks are those of the engine, sorted by name; nil: they could not be read.
	Networks []HostNetwork `json:"networks,omitempty"`
	// Reachable is the network of the engine's own process; nil: it could not be read.
	Reachable *Reachable `json:"reachable,omitempty"`
	// EngineFiles are the engine's files besides daemon.json, and which of them there are none of.
	EngineFiles []EngineFile `json:"engine_files,omitempty"`
	// GivenTLS are the three files of TLS as they would be with those of [Options.TLS]; nil: none was named.
	GivenTLS []EngineFile `json:"given_tls,omitempty"`
	// GivenPlugins are those of [Options.Plugins], in that order.
	GivenPlugins []Plugin `json:"given_plugins,omitempty"`
	// Remap is about [Options.Remap]; nil: it was not looked at.
	Remap *Remap `json:"remap,omitempty"`
	// Audit is the kernel's audit of these files; nil: it was not looked at.
	Audit *Audit `json:"audit,omitempty"`
	// Compose are the files of the Compose projects that containers belong to, by absolute path.
	Compose  map[string]ComposeFile `json:"compose,omitempty"`
	Problems []plan.Problem         `json:"problems,omitempty"`
	// Scans are what scanners found in images, as far as their reports were given; nil: none was.
	Scans []*scan.Report `json:"scans,omitempty"`
	// Redacted is true when secrets were masked. Then Bases holds what [Host.Basis] computed before,
	// by resource: hashes must not be made from masked values.
	Redacted bool                  `json:"redacted,omitempty"`
	Bases    map[string]plan.Basis `json:"bases,omitempty"`
	// Snapshot is true when the observation was read from a file.
	Snapshot bool `json:"-"`
}

// Engine is what the engine says of itself (GET /info, GET /networks, and GET /version where
// its process is out of sight).
type Engine struct {
	Product            string            `json:"product"` // "docker", "podman", or the platform's name
	Version            string            `json:"version"`
	API                string            `json:"api"` // negotiated
	MaxAPI             string            `json:"max_api"`
	OS                 string            `json:"os"`
	Kernel             string            `json:"kernel"`
	CgroupVersion      string            `json:"cgroup_version"` // "1" or "2"
	CgroupDriver       string            `json:"cgroup_driver"`
	StorageDriver      string            `json:"storage_driver"`
	RootDir            string            `json:"root_dir"`
	LoggingDriver      string            `json:"logging_driver"`
	DefaultRuntime     string            `json:"default_runtime"`
	Runtimes           []string          `json:"runtimes"` // sorted
	SecurityOptions    []string          `json:"security_options"`
	InsecureRegistries []string          `json:"insecure_registries"`     // without the implicit 127.0.0.0/8
	Authorization      []string          `json:"authorization,omitempty"` // plugins that are asked about every request
	LiveRestore        bool              `json:"live_restore"`
	Debug              bool              `json:"debug"`
	Experimental       bool              `json:"experimental"`
	Rootless           bool              `json:"rootless"`
	UsernsRemap        bool              `json:"userns_remap"`
	Swarm              string            `json:"swarm"`             // Swarm.LocalNodeState: "inactive", "active", …
	Cluster            *SwarmCluster     `json:"cluster,omitempty"` // what a manager shows of its swarm; nil on other hosts
	Bridge             map[string]string `json:"bridge"`            // options of network bridge; nil when there is none
	MemTotal           int64             `json:"mem_total"`         // bytes
	NCPU               int               `json:"ncpu"`
	MemoryLimit        bool              `json:"memory_limit"` // the kernel can limit memory
	SwapLimit          bool              `json:"swap_limit"`
	PidsLimit          bool              `json:"pids_limit"`
	CPUShares          bool              `json:"cpu_shares"`
	AppArmor           bool              `json:"apparmor"`
	SELinux            bool              `json:"selinux"`
	Seccomp            bool              `json:"seccomp"`
	Warnings           []string          `json:"warnings,omitempty"`
	// Local is true when the engine's process and files are on this machine and could be read.
	// When false, everything of Daemon, Files and the /proc truth is unknown ("run on the host").
	Local bool `json:"local"`
}

// Daemon is the engine's process and configuration file.
type Daemon struct {
	PID        int       `json:"pid"`
	Exe        string    `json:"exe"`         // path of the running binary, without " (deleted)"
	ExeDeleted bool      `json:"exe_deleted"` // the engine was upgraded but not restarted
	Argv       []string  `json:"argv"`        // of the running process
	Started    time.Time `json:"started"`
	// NextArgv is what the next start will use (unit file, drop-ins, environment files), which may
	// differ from Argv. Equal to Argv where no service manager is known.
	NextArgv []string `json:"next_argv"`
	// Manager is how the engine is restarted: "systemd", "bare" (a process nobody supervises) or "unknown".
	Manager string `json:"manager"`
	Unit    string `json:"unit,omitempty"` // "docker.service"
	// Passed are the addresses on the network (not sockets) that systemd opens for the engine's -H fd://, as the socket
	// unit has them: "2375", "0.0.0.0:2375".
	Passed []string `json:"passed,omitempty"`
	// ConfigPath is daemon.json as the engine is told (--config-file, or the default for its kind).
	ConfigPath     string `json:"config_path"`
	ConfigExplicit bool   `json:"config_explicit"` // named by a flag: it must exist
	// Links is the symlink chain from ConfigPath; Resolved is where it ends.
	Links    []string `json:"links,omitempty"`
	Resolved string   `json:"resolved"`
	Config   File     `json:"config"`
	// Bytes are the file's content; nil when it does not exist. Redact masks credentials in it.
	Bytes []byte `json:"bytes,omitempty"`
	// Keys are the top-level members of the file, last duplicate wins as the engine reads it.
	Keys map[string]json.RawMessage `json:"keys,omitempty"`
	// ParseError says why the file cannot be edited (invalid JSON, duplicate keys, BOM), with the line.
	ParseError string `json:"parse_error,omitempty"`
	// Flags are the settings given on the command line of the next start, by daemon.json key
	// ("log-level", "hosts"), each with every value in order.
	Flags map[string][]string `json:"flags,omitempty"`
	// Pending is true when the file changed after the engine last read it and the change was not
	// made by an earlier apply: an engine restart would activate somebody else's edit.
	Pending bool `json:"pending"`
	// ProxyProcesses are the docker-proxy children of the engine (userland-proxy in effect).
	ProxyProcesses int `json:"proxy_processes"`
}

// Types of files that are no regular ones, see [File.Type].
const (
	TypeDirectory = "directory"
	TypeSocket    = "socket"
)

// File is a host file as found. Mode holds permission, setuid, setgid and sticky bits.
type File struct {
	Path    string      `json:"path"`
	Exists  bool        `json:"exists"`
	Type    string      `json:"type,omitempty"`   // empty for a regular file; "directory", "socket", "link", "device", "pipe"
	SHA256  string      `json:"sha256,omitempty"` // of the content, hex; empty when not read
	UID     int         `json:"uid"`
	GID     int         `json:"gid"`
	Mode    fs.FileMode `json:"mode"`
	ModTime time.Time   `json:"mtime"`
	Changed time.Time   `json:"ctime"`
}

// Image is the part of an image that controls and the recreate need.
type Image struct {
	ID         string          `json:"id"`
	RepoTags   []string        `json:"repo_tags"`
	User       string          `json:"user"`
	Entrypoint []string        `json:"entrypoint"`
	Cmd        []string        `json:"cmd"`
	Volumes    []string        `json:"volumes"` // sorted
	Raw        json.RawMessage `json:"raw,omitempty"`
	Missing    bool            `json:"missing,omitempty"` // the engine no longer has it
	// History are the layers of the image, the newest first; nil when it was not asked for or could not be
	// read (then HistoryProblem says why). Commands may hold secrets.
	History        []ImageLayer `json:"history,omitempty"`
	HistoryProblem string       `json:"history_problem,omitempty"`
	// Programs are the files that give privileges to who executes them; nil: nobody looked.
	Programs *evidence.Programs `json:"programs,omitempty"`
	// Credentials are what [Host.ImageCredentials] found before they were masked; nil: nobody looked.
	Credentials []secret.Find `json:"credentials,omitzero"`
}

// ImageLayer is one step of how an image was built. Some have no layer of files.
type ImageLayer struct {
	Created int64  `json:"created"` // seconds since 1970
	Command string `json:"command"`
	Size    int64  `json:"size"`
}
