package plan

import (
	"fmt"
	"path"
	"strings"
)

// ResourceKind says what sort of thing a [Resource] is.
type ResourceKind string

// The kinds of resources that controls judge and steps change.
const (
	ResourceDaemon    ResourceKind = "daemon"    // the engine and its daemon.json
	ResourceContainer ResourceKind = "container" // one container
	ResourceFile      ResourceKind = "file"      // owner and mode of one host file, or the audit rules of a rules file
	ResourceSwarm     ResourceKind = "swarm"     // the swarm that this host is a manager of
)

// Resource names one thing on the host. It is comparable and can be a map key.
type Resource struct {
	Kind ResourceKind `json:"kind"`
	// Name is the container's name without the leading slash, or the absolute path of a file.
	// It is empty for the daemon and for the swarm: a host has one.
	Name string `json:"name,omitempty"`
	// ID is the full id of a container (64 hex digits). Empty for other kinds.
	ID string `json:"id,omitempty"`
}

// Daemon is the engine's own resource.
func Daemon() Resource { return Resource{Kind: ResourceDaemon} }

// Swarm is the resource of the swarm that the host is a manager of.
func Swarm() Resource { return Resource{Kind: ResourceSwarm} }

// Container is the resource of one container; name has no leading slash, id is the full id.
func Container(name, id string) Resource {
	return Resource{Kind: ResourceContainer, Name: name, ID: id}
}

// File is the resource of one host file; name is an absolute path.
func File(name string) Resource { return Resource{Kind: ResourceFile, Name: name} }

// String is the target by which a person names the resource: daemon, swarm, container/NAME, host/PATH.
func (r Resource) String() string {
	switch r.Kind {
	case ResourceDaemon, ResourceSwarm:
		return string(r.Kind)
	case ResourceFile:
		return "host" + path.Clean("/"+r.Name)
	default:
		return string(r.Kind) + "/" + r.Name
	}
}

// Match reports whether a target pattern (daemon, swarm, host, host/PATH, container/GLOB) names the resource.
// Globs are those of [path.Match] and do not cross a slash, except that "host" alone means every file.
// A malformed glob is an error.
func (r Resource) Match(pattern string) (bool, error) {
	if pattern == "host" {
		return r.Kind == ResourceFile, nil
	}
	kind, name, found := strings.Cut(pattern, "/")
	if !found {
		return r.String() == pattern, nil
	}
	if kind == "host" {
		return r.Kind == ResourceFile && path.Clean("/"+name) == path.Clean("/"+r.Name), nil
	}
	ok, err := path.Match(name, r.Name)
	if err != nil {
		return false, fmt.Errorf("cannot read target %q: %w", pattern, err)
	}
	return ok && kind == string(r.Kind), nil
}
