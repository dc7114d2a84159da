package body

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
)

const noCopy = "nocopy"

// storage attaches exactly the volumes the old container has: the anonymous ones by name, those
// of other containers one by one, and none of them filled from the image.
func (b *builder) storage() {
	binds, changed := b.binds()
	covered := b.covered(binds)
	for _, m := range b.old.Mounts {
		if covered[path.Clean(m.Destination)] {
			continue
		}
		if spec := bindFor(m); spec != "" {
			binds, changed = append(binds, spec), true
		}
	}
	if changed {
		b.host.set("Binds", binds)
		b.transform("HostConfig.Binds", "volumes without a name are attached by the name the engine gave them")
	}
	if len(b.host.strings("VolumesFrom")) > 0 {
		b.host.set("VolumesFrom", []string(nil))
		b.transform("HostConfig.VolumesFrom", "volumes of other containers are attached one by one")
	}
}

// binds returns HostConfig.Binds with anonymous and empty volumes made safe.
func (b *builder) binds() (binds []string, changed bool) {
	for _, spec := range b.host.strings("Binds") {
		source, target, mode := splitBind(spec)
		switch {
		case source == "":
			if m := b.old.mountAt(target); m != nil && m.Type == "volume" {
				spec, changed = bindFor(*m), true
			}
		case slices.Contains(b.src.EmptyVolumes, source) && !slices.Contains(strings.Split(mode, ","), noCopy):
			spec, changed = source+":"+target+":"+join(mode, noCopy), true
		}
		binds = append(binds, spec)
	}
	return binds, changed
}

// covered are the destinations that the request names already. It completes HostConfig.Mounts.
func (b *builder) covered(binds []string) map[string]bool {
	done := make(map[string]bool)
	for _, spec := range binds {
		_, target, _ := splitBind(spec)
		done[path.Clean(target)] = true
	}
	for target := range b.host.child("Tmpfs") {
		done[path.Clean(target)] = true
	}
	mounts, changed := b.host.objects("Mounts"), false
	for i, m := range mounts {
		target := path.Clean(m.text("Target"))
		done[target] = true
		if m.text("Type") != "volume" {
			continue
		}
		have := b.old.mountAt(target)
		if m.text("Source") == "" && have != nil {
			m.set("Source", have.Name)
		} else if !slices.Contains(b.src.EmptyVolumes, m.text("Source")) {
			continue
		}
		opts := m.child("VolumeOptions")
		opts.set("NoCopy", true)
		m.set("VolumeOptions", opts)
		mounts[i], changed = m, true
	}
	if changed {
		b.host.set("Mounts", mounts)
		b.transform("HostConfig.Mounts", "volumes without a name are attached by the name the engine gave them")
	}
	return done
}

func (c *inspect) mountAt(target string) *mount {
	for i := range c.Mounts {
		if path.Clean(c.Mounts[i].Destination) == path.Clean(target) {
			return &c.Mounts[i]
		}
	}
	return nil
}

// bindFor writes a mount as an entry of HostConfig.Binds; empty for kinds that cannot be one.
func bindFor(m mount) string {
	mode := ""
	if !m.RW {
		mode = "ro"
	}
	switch m.Type {
	case "volume":
		return m.Name + ":" + m.Destination + ":" + join(mode, noCopy)
	case "bind":
		if m.Propagation != "" && m.Propagation != "rprivate" {
			mode = join(mode, m.Propagation)
		}
		return strings.TrimSuffix(m.Source+":"+m.Destination+":"+mode, ":")
	}
	return ""
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "," + b
}

// splitBind reads "source:target:mode"; a lone path is an anonymous volume at that path.
func splitBind(spec string) (source, target, mode string) {
	parts := strings.SplitN(spec, ":", 3)
	switch len(parts) {
	case 1:
		return "", parts[0], ""
	case 2:
		return parts[0], parts[1], ""
	}
	return parts[0], parts[1], parts[2]
}

// Unfilled are the volumes that a container attaches without filling them from its image.
func Unfilled(raw json.RawMessage) ([]string, error) {
	c, err := parse(raw)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, spec := range c.HostConfig.strings("Binds") {
		if source, _, mode := splitBind(spec); slices.Contains(strings.Split(mode, ","), noCopy) {
			names = append(names, source)
		}
	}
	for _, m := range c.HostConfig.objects("Mounts") {
		if string(m.child("VolumeOptions")["NoCopy"]) == "true" {
			names = append(names, m.text("Source"))
		}
	}
	return names, nil
}
