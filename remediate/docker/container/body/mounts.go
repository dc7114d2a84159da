package body

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"docker-harden/plan"
)

const (
	binds  = "HostConfig.Binds"
	mounts = "HostConfig.Mounts"
)

// changeMount makes a planned change of one bind mount in the words in which it was asked for, and leaves every
// other word as it is.
func (b *builder) changeMount(c plan.Change, target, setting string) error {
	have := b.old.mountAt(target)
	if have == nil || have.Type != "bind" {
		return fmt.Errorf("%w: nothing of the host is mounted on %s", ErrStale, target)
	}
	now := encode(have.Propagation)
	if setting == plan.MountWritable {
		now = encode(have.RW)
	}
	if !Equal(c.Path, now, c.From) {
		return fmt.Errorf("%w: %s is %s, the plan expected %s", ErrStale, c.Path, now, c.From)
	}
	edit, err := mountEdit(c, setting)
	if err != nil {
		return err
	}
	specs := b.host.strings("Binds")
	if i := slices.IndexFunc(specs, func(spec string) bool { return bindsAt(spec, target) }); i >= 0 {
		specs[i] = edit.bind(specs[i])
		b.host.set("Binds", specs)
		b.transform(binds, "the mount on "+target+" is changed")
		return nil
	}
	list := b.host.objects("Mounts")
	i := slices.IndexFunc(list, func(m object) bool { return path.Clean(m.text("Target")) == path.Clean(target) })
	if i < 0 || list[i].text("Type") != "bind" {
		return fmt.Errorf("cannot change the mount on %s: the container did not ask for it itself; make the plan again", target)
	}
	edit.mount(list[i])
	b.host.set("Mounts", list)
	b.transform(mounts, "the mount on "+target+" is changed")
	return nil
}

func bindsAt(spec, target string) bool {
	source, at, _ := splitBind(spec)
	return source != "" && path.Clean(at) == path.Clean(target)
}

// mountChange is one edit of a bind mount in both ways of asking for one.
type mountChange struct {
	old, word string // the option in a bind's text, and the one that takes its place; old may not be there
	key       string // in the other way
	value     any
}

// mountEdit refuses every value but those that narrow a mount, whatever a plan says.
func mountEdit(c plan.Change, setting string) (mountChange, error) {
	var from, to string
	if setting == plan.MountWritable {
		if string(c.From) == "true" && string(c.To) == "false" {
			return mountChange{old: "rw", word: "ro", key: "ReadOnly", value: true}, nil
		}
	} else if json.Unmarshal(c.From, &from) == nil && json.Unmarshal(c.To, &to) == nil &&
		(from == "shared" && to == "slave" || from == "rshared" && to == "rslave") {
		return mountChange{old: from, word: to, key: "Propagation", value: to}, nil
	}
	return mountChange{}, fmt.Errorf("cannot set %s to %s: a recreate only makes a mount read-only, or a shared one a slave", c.Path, c.To)
}

func (m mountChange) bind(spec string) string {
	source, target, mode := splitBind(spec)
	words := strings.Split(mode, ",")
	if i := slices.Index(words, m.old); i >= 0 {
		words[i] = m.word
		return source + ":" + target + ":" + strings.Join(words, ",")
	}
	return source + ":" + target + ":" + join(mode, m.word)
}

func (m mountChange) mount(in object) {
	if m.key == "ReadOnly" {
		in.set(m.key, m.value)
		return
	}
	options := in.child("BindOptions").clone()
	options.set(m.key, m.value)
	in.set("BindOptions", options)
}

// mountWanted is a mount of the old container as the request wants it: with its planned changes, and none else. is: the new one's.
func (d *differ) mountWanted(was, is *mount, target string) *mount {
	if was == nil {
		return cmp.Or(d.secretMount(target, is), d.volumeMount(target, is))
	}
	want := *was
	if slices.Contains(d.req.Changed, plan.MountPath(target, plan.MountWritable)) {
		want.RW = false
	}
	if slices.Contains(d.req.Changed, plan.MountPath(target, plan.MountPropagation)) {
		want.Propagation = map[string]string{"shared": "slave", "rshared": "rslave"}[was.Propagation]
	}
	return &want
}
