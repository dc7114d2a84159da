package docker

import (
	"path"
	"strings"

	"docker-harden/plan/inventory"
)

// deviceOf reads a device as docker run --device takes it; problem says what is wrong with it.
func deviceOf(text string) (d inventory.Device, problem string) {
	parts := strings.Split(text, ":")
	d = inventory.Device{PathOnHost: parts[0], PathInContainer: parts[0], CgroupPermissions: "rwm"}
	last := parts[len(parts)-1]
	switch {
	case len(parts) == 3:
		d.PathInContainer, d.CgroupPermissions = parts[1], last
	case len(parts) == 2 && strings.HasPrefix(last, "/"):
		d.PathInContainer = last
	case len(parts) == 2:
		d.CgroupPermissions = last
	case len(parts) > 3:
		return d, "has too many colons"
	}
	for _, name := range []string{d.PathOnHost, d.PathInContainer} {
		if path.Clean(name) != name || !strings.HasPrefix(name, "/dev/") || plainName(name) != name {
			return d, "is no plain path below /dev"
		}
	}
	if d.CgroupPermissions == "" || strings.Trim(d.CgroupPermissions, "rwm") != "" || len(d.CgroupPermissions) > len("rwm") {
		return d, "allows something else than r, w and m"
	}
	return d, ""
}
