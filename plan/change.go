package plan

import "encoding/json"

// Kind is the way a change or a step is made. [Build] picks one per resource: the least
// disruptive kind that makes every change of that resource.
type Kind string

// The kinds, least disruptive first.
const (
	KindFile     Kind = "file"     // owner and mode of a host file; nothing restarts
	KindSocket   Kind = "socket"   // owner and mode of the engine's socket, also of the next one: a drop-in of its unit
	KindAudit    Kind = "audit"    // rules of the kernel's audit and the file with them; nothing restarts
	KindGroup    Kind = "group"    // who is in a group of the host; nothing restarts
	KindUpdate   Kind = "update"   // POST /containers/{id}/update; nothing restarts
	KindSwarm    Kind = "swarm"    // settings of the whole swarm, through one of its managers; nothing restarts
	KindNetwork  Kind = "network"  // a container leaves one network for another one; it is not restarted, its connections end
	KindReload   Kind = "reload"   // daemon.json and SIGHUP; nothing restarts
	KindRestart  Kind = "restart"  // daemon.json and an engine restart
	KindRecreate Kind = "recreate" // a new container takes the old one's place; its service stops shortly
)

// cost orders kinds by disruption.
func (k Kind) cost() int {
	switch k {
	case KindFile:
		return 0
	case KindSocket, KindAudit, KindGroup:
		return 1
	case KindUpdate, KindSwarm:
		return 2
	case KindNetwork:
		return 3
	case KindReload:
		return 4
	case KindRestart:
		return 5
	case KindRecreate:
		return 6
	}
	return -1
}

// Symbol is the mark a kind has in printed plans.
func (k Kind) Symbol() string {
	switch k {
	case KindFile:
		return "F"
	case KindSocket:
		return "S"
	case KindAudit:
		return "A"
	case KindGroup:
		return "G"
	case KindUpdate:
		return "~"
	case KindSwarm:
		return "W"
	case KindNetwork:
		return "N"
	case KindReload:
		return "R"
	case KindRestart:
		return "!"
	case KindRecreate:
		return "-/+"
	}
	return "?"
}

// Reversibility says how exactly a change can be undone.
type Reversibility string

// The reversibilities, best first.
const (
	Exact      Reversibility = "exact"      // rollback brings back what was, byte for byte
	Functional Reversibility = "functional" // rollback has the same effect; the difference is named
	None       Reversibility = "none"       // cannot be undone; never applied without being allowed by name
)

// Change is one setting going from what is to what should be. It is data: never code, never a secret.
type Change struct {
	// Path names the setting in the terms of its owner: a top-level key of daemon.json
	// ("log-level"), a field of a container's inspect answer ("HostConfig.CapDrop"), or
	// "mode" / "owner" of a file, what a socket unit says of the next socket ("SocketMode"), or a rule of the audit
	// as auditctl writes it ("-w /etc/docker -p wa -k docker"). "Config.Env[NAME]" is where the value of a variable is.
	// The networks of a container are [NetworksPath]. Settings of a swarm are [AutoLockPath] and what follows it.
	Path string `json:"path"`
	// From and To are JSON values in the owner's own form. null means unset (for daemon.json: key absent).
	// File modes are strings of octal digits ("0644"); owners are "uid:gid" in decimal.
	// A rule's value is where it is: a list of "file" and "kernel".
	From json.RawMessage `json:"from"`
	To   json.RawMessage `json:"to"`
	Kind Kind            `json:"kind"`
	// Reversibility and its note: the note names the difference that a functional rollback leaves.
	Reversibility Reversibility `json:"reversibility"`
	ReverseNote   string        `json:"reverse_note,omitempty"`
	// Controls that asked for this change; filled by Build.
	Controls []string `json:"controls,omitempty"`
	// Note is a short remark printed behind the change ("reloaded first: containers keep running").
	Note string `json:"note,omitempty"`
}
