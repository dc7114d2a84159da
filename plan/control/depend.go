package control

import (
	"fmt"
	"strings"

	"docker-harden/plan/inventory"
)

// dependentsOf says, by container id, which other containers are bound to exactly this container:
// they would be left with the old one when it is replaced.
func dependentsOf(containers []inventory.Container) map[string][]string {
	byName := make(map[string]string, 2*len(containers))
	for _, c := range containers {
		byName[c.Name], byName[c.ID] = c.ID, c.ID
		if len(c.ID) > shortID {
			byName[c.ID[:shortID]] = c.ID
		}
	}
	out := make(map[string][]string)
	for i := range containers {
		c := &containers[i]
		for _, d := range dependsOn(c) {
			if id := byName[strings.TrimPrefix(d.on, "/")]; id != "" && id != c.ID {
				out[id] = append(out[id], fmt.Sprintf("container %s depends on it (%s)", c.Name, d.by))
			}
		}
	}
	return out
}

// shortID is the length of the ids that docker ps prints.
const shortID = 12

// dependency is a container that another one is bound to, and by what.
type dependency struct{ on, by string }

func dependsOn(c *inventory.Container) []dependency {
	var out []dependency
	hc := &c.Inspect.HostConfig
	for _, mode := range []struct{ value, by string }{
		{hc.NetworkMode, "shares its network"}, {hc.PidMode, "shares its processes"}, {hc.IpcMode, "shares its ipc"},
	} {
		if name, ok := strings.CutPrefix(mode.value, "container:"); ok {
			out = append(out, dependency{name, mode.by})
		}
	}
	for _, from := range hc.VolumesFrom {
		name, _, _ := strings.Cut(from, ":")
		out = append(out, dependency{name, "volumes-from"})
	}
	for _, link := range hc.Links {
		name, _, _ := strings.Cut(link, ":")
		out = append(out, dependency{name, "link"})
	}
	return out
}
