package inventory

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Place is one mount of a container as the kernel holds it.
type Place struct {
	// Shared is true when what is mounted below it in the container is mounted on the host too.
	Shared   bool `json:"shared"`
	ReadOnly bool `json:"read_only"`
}

// systemDirs are the directories that make up the system of a host. Whoever writes to one of them decides what
// root runs there, or what the engine does.
var systemDirs = []string{
	"/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/root", "/run", "/sbin", "/sys", "/usr",
	"/var/lib/containerd", "/var/lib/docker", "/var/lib/kubelet", "/var/lib/systemd", "/var/spool/cron",
}

// OfSystem reports whether a bind mount shows the host's root, or a directory of its system or something below one.
func (m Mount) OfSystem() bool {
	source := path.Clean("/" + m.Source)
	if rest, linked := strings.CutPrefix(source, "/var/run"); linked && (rest == "" || rest[0] == '/') {
		source = "/run" + rest
	}
	return m.Type == "bind" && (source == "/" || slices.ContainsFunc(systemDirs, func(dir string) bool {
		return source == dir || strings.HasPrefix(source, dir+"/")
	}))
}

// Shares reports whether a mount is configured so that mounts below it in the container reach the host.
func (m Mount) Shares() bool { return m.Propagation == "shared" || m.Propagation == "rshared" }

// Reaches reports whether a mount could reach the host's system, so that the kernel is asked how it holds it.
// The others are not looked at: a container has some thirty mounts, and writing the table takes the kernel long.
func (m Mount) Reaches() bool {
	private := m.Propagation == "" || m.Propagation == "private" || m.Propagation == "rprivate"
	return m.Type == "bind" && (!private || m.OfSystem())
}

// reaching are the places of a container's mounts that [Mount.Reaches].
func (i *Inspect) reaching() []string {
	var places []string
	for _, m := range i.Mounts {
		if m.Reaches() {
			places = append(places, m.Destination)
		}
	}
	return places
}

// ReadPlaces tells how the kernel holds mounts of the container whose first process is pid, by their places in it.
// One that is not there has no entry. root is as for [ReadProc].
func ReadPlaces(root string, pid int, places []string) (map[string]Place, error) {
	return hostRoot(root).places(pid, places)
}

func (r hostRoot) places(pid int, places []string) (map[string]Place, error) {
	if len(places) == 0 {
		return nil, nil
	}
	host, err := readLimited(r.mountTable(), maxProcFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the host's mounts: %w", cause(err))
	}
	own, err := readLimited(r.proc(pid, "mountinfo"), maxProcFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the mounts of process %d: %w", pid, explain(err))
	}
	groups := make(map[string]bool)
	for _, m := range parseMounts(host) {
		groups[m.peers] = m.peers != ""
	}
	mounts, inside := parseMounts(own), hostRoot(r.proc(pid, "root"))
	out := make(map[string]Place, len(places))
	for _, place := range places {
		real, _, err := inside.resolve(place) // the image may have a link there
		if err != nil {
			real = path.Clean(place)
		}
		for _, m := range mounts { // of several in one place the last one is seen
			if m.point == real {
				// A group that only the container has is one that it made itself, as nested engines do.
				out[place] = Place{Shared: groups[m.peers], ReadOnly: m.readOnly()}
			}
		}
	}
	return out, nil
}
