package body

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"docker-harden/plan"
)

// Volume is a volume that a container gets in place of what its image and its writable layer have in a directory.
type Volume struct {
	Target string `json:"target"`
	Name   string `json:"name"`
}

// moveVolume makes a planned move of one directory into a volume. From the plan comes only which one: what the volume
// is called is not for a plan to say.
func (b *builder) moveVolume(c plan.Change, target string) error {
	from, to := encode(plan.VolumeLayer), encode(plan.VolumeOwn)
	if string(c.From) != string(from) || string(c.To) != string(to) {
		return fmt.Errorf("cannot change %s from %s to %s: a recreate only moves what is in a directory from the %s to a %s", c.Path, c.From, c.To, from, to)
	}
	if b.src.VolumePrefix == "" {
		return errors.New("internal error: no name for volumes")
	}
	volume := Volume{Target: target, Name: b.volumeName(target)}
	// Not filled by the engine: it would take what the image has, and at once, while the old container still runs.
	list := append(b.host.objects("Mounts"), object{
		"Type": encode("volume"), "Source": encode(volume.Name), "Target": encode(target), "VolumeOptions": encode(map[string]bool{"NoCopy": true}),
	})
	b.host.set("Mounts", list)
	b.transform(mounts, "what it has in "+target+" is in a volume")
	b.req.Volumes = append(b.req.Volumes, volume)
	return nil
}

// volumeName is a name that says where a volume belongs, and that no other one of the step has.
func (b *builder) volumeName(target string) string {
	const most = 64 // characters of a place; the labels of a volume say all of it
	words := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, target[1:])
	name := b.src.VolumePrefix + words[:min(len(words), most)]
	for n := 2; ; n++ {
		taken := false
		for _, v := range b.req.Volumes {
			taken = taken || v.Name == name
		}
		if !taken {
			return name
		}
		name = fmt.Sprintf("%s%s-%d", b.src.VolumePrefix, words[:min(len(words), most)], n)
	}
}

// apartVolumes refuses volumes that would be over or under something else that is mounted: what the container sees in
// the directory then would not be what is carried over.
func (b *builder) apartVolumes() error {
	for _, v := range b.req.Volumes {
		for _, at := range b.places() {
			at = path.Clean("/" + at)
			if at != v.Target && (plan.Below(at, v.Target) || plan.Below(v.Target, at)) {
				return fmt.Errorf("cannot put a volume on %s: something is mounted on %s", v.Target, at)
			}
		}
		times := 0
		for _, at := range b.places() {
			if path.Clean("/"+at) == v.Target {
				times++
			}
		}
		if have := b.old.mountAt(v.Target); have != nil || times != 1 {
			return fmt.Errorf("%w: something is mounted on %s already", ErrStale, v.Target)
		}
	}
	return nil
}

// places are all in which the new container, or the old one, has something mounted.
func (b *builder) places() []string {
	var out []string
	for _, m := range b.old.Mounts {
		out = append(out, m.Destination)
	}
	asked := make(map[string]bool)
	for _, spec := range b.host.strings("Binds") {
		_, target, _ := splitBind(spec)
		asked[target] = true
	}
	for target := range b.host.child("Tmpfs") {
		asked[target] = true
	}
	for _, m := range b.old.Mounts {
		delete(asked, m.Destination)
	}
	for target := range asked {
		out = append(out, target)
	}
	for _, m := range b.host.objects("Mounts") {
		if b.old.mountAt(m.text("Target")) == nil {
			out = append(out, m.text("Target"))
		}
	}
	return out
}

// volumeMount is the mount that a request makes for a volume in a place where nothing was mounted; nil: none. Where on
// the host it is, the engine chooses.
func (d *differ) volumeMount(target string, is *mount) *mount {
	for _, v := range d.req.Volumes {
		if v.Target != target {
			continue
		}
		want := &mount{Type: "volume", Name: v.Name, Destination: target, RW: true}
		if is != nil {
			want.Source = is.Source
		}
		return want
	}
	return nil
}
