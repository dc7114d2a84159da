package docker

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// paramVolumes are the directories that get a volume.
const paramVolumes = "volumes"

// GivenVolumes are the directories of a container that a profile means to put into volumes, for the inventory to look at.
func GivenVolumes(p *profile.Profile) func(container string) []string {
	one := readOnlyRootfs()
	return func(container string) []string {
		params, on := p.ParamsFor(one.ID, container, one.Params)
		if !on || !params.Bool("accept") {
			return nil
		}
		return params.List(paramVolumes)
	}
}

// intoVolumes are the changes that put directories into volumes, beside places that are a tmpfs, or why they cannot be made.
func intoVolumes(h *inventory.Host, c *inventory.Container, places []string, tmpfs map[string]string) (changes []plan.Change, blocked string) {
	if len(places) == 0 {
		return nil, ""
	}
	if why := noVolume(h, c); why != "" {
		return nil, fmt.Sprintf("the profile's volumes cannot be given: %s", why)
	}
	for _, place := range places {
		if why := wrongPlace(c, place, places, tmpfs); why != "" {
			return nil, fmt.Sprintf("the profile's volume %q %s", place, why)
		}
		held, looked := c.Held[place]
		if held.Problem != "" {
			return nil, fmt.Sprintf("what it has in %s cannot be put into a volume: %s", plainName(place), held.Problem)
		}
		changes = append(changes, plan.Change{
			Path: plan.VolumePath(place), From: raw(plan.VolumeLayer), To: raw(plan.VolumeOwn), Kind: plan.KindRecreate, Reversibility: plan.Exact,
			Note: carried(held, looked),
		})
	}
	return changes, ""
}

// carried says how much goes into a volume. In a snapshot that was made without the profile nobody looked.
func carried(h inventory.Held, looked bool) string {
	switch {
	case !looked:
		return "how much is carried over was not looked at"
	case h.Files == 0:
		return "it is empty now"
	}
	least := ""
	if h.Partial {
		least = "at least "
	}
	return fmt.Sprintf("%s%d files, %s, are carried over", least, h.Files, size(h.Bytes))
}

// noVolume says why this tool gives a container no volume; empty: it can.
func noVolume(h *inventory.Host, c *inventory.Container) string {
	switch {
	case c.Owner.Kind == inventory.OwnedByCompose:
		return "Docker Compose made the container and would make it without them: name them under volumes: in its own file"
	case c.Owner.Kind != inventory.OwnedByNobody:
		return fmt.Sprintf("%s made the container and would make it without them: name them there", c.Owner.Kind)
	case !h.Engine.Local:
		return "its files are on another host, where they could not be looked at"
	case driverOf(h, c) != "overlay2":
		return fmt.Sprintf("what it has cannot be carried into one with storage driver %s", plainName(driverOf(h, c)))
	case h.Engine.SELinux:
		return "the engine uses SELinux, which labels what is in a volume"
	}
	return ""
}

// driverOf is the storage driver of a container's layer.
func driverOf(h *inventory.Host, c *inventory.Container) string {
	return cmp.Or(c.Inspect.GraphDriver.Name, c.Inspect.Driver, h.Engine.StorageDriver, "unknown")
}

// wrongPlace says why a directory cannot be in a volume; empty: it can.
func wrongPlace(c *inventory.Container, place string, volumes []string, tmpfs map[string]string) string {
	switch {
	case !plan.IsVolumePlace(place):
		return "is not an absolute path below / in its shortest form, or in /dev, /proc, /sys or /run/secrets"
	case below(place, systemPlaces):
		return "is where programs and settings are: with it writable, the root file system is not read-only where it matters"
	}
	taken := slices.Collect(maps.Keys(tmpfs))
	for _, m := range c.Inspect.Mounts {
		taken = append(taken, m.Destination)
	}
	for _, v := range volumes {
		if v != place {
			taken = append(taken, v)
		}
	}
	slices.Sort(taken)
	for _, at := range taken {
		switch at = path.Clean("/" + at); {
		case at == place:
			return "has something mounted on it already, or is in tmpfs too"
		case plan.Below(at, place):
			return fmt.Sprintf("has another mount in it, on %s", plainName(at))
		case plan.Below(place, at):
			return fmt.Sprintf("is in another mount, on %s", plainName(at))
		}
	}
	return ""
}
