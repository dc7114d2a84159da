package container

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate/docker/container/body"
	"docker-harden/remediate/docker/container/layer"
)

// Labels of a volume that a recreate made. They say to a person what it is, and to an undo that it is the step's own.
const (
	labelContainer = "docker-harden.container"
	labelPath      = "docker-harden.path"
	labelStep      = "docker-harden.step"
)

// volumes are those that the new container gets in place of what the old one has in a directory.
func (rec *record) volumes() []body.Volume {
	if rec.New == nil { // it is only stopped and started
		return nil
	}
	return rec.New.Volumes
}

// moved are the directories of these.
func (rec *record) moved() []string {
	var out []string
	for _, v := range rec.volumes() {
		out = append(out, v.Target)
	}
	return out
}

// tx is the step's own mark.
func (rec *record) tx() string {
	return strings.TrimSuffix(strings.TrimPrefix(rec.TempOld, rec.Name+".dh-"), "-old")
}

// volumePrefix begins the names of the volumes of one container and step. They are no volumes without a name: those
// go with "docker rm -v" and "docker volume prune", and nobody sees whose they are.
func (rec *record) volumePrefix() string {
	return plan.VolumeName + rec.short() + "-" + rec.tx() + "-"
}

// short is a name for what belongs to a container, by which a person finds it.
func (rec *record) short() string {
	const most = 64 // characters; the rest of a name is not needed to find it
	name := rec.Name[:min(len(rec.Name), most)]
	if !ordinaryName(name) {
		return rec.ID[:min(len(rec.ID), most)]
	}
	return name
}

func (rec *record) labels(v body.Volume) map[string]string {
	return map[string]string{labelContainer: rec.Name, labelPath: v.Target, labelStep: rec.tx()}
}

// prepareVolumes refuses what could not be carried into volumes exactly, and a disk without the room for it.
func (r *Recreator) prepareVolumes(ctx context.Context, a *api, old *state, rec *record) error {
	if len(rec.volumes()) == 0 {
		return nil
	}
	switch {
	case rec.Compose:
		return refused("%s belongs to Docker Compose, which would make it without the volumes: name them in its own file", rec.Name)
	case old.MountLabel != "":
		return refused("the engine uses SELinux, which labels what is in a volume: files of %s cannot be carried into one unchanged", rec.Name)
	}
	info, err := a.info(ctx)
	if err != nil {
		return err
	}
	l, err := r.openLayer(old)
	if err != nil {
		return refused("what %s has in %s cannot be carried into a volume: %w", rec.Name, rec.moved()[0], err)
	}
	var all layer.Written
	for _, v := range rec.volumes() {
		taken, err := a.volume(ctx, v.Name)
		if err != nil {
			return err
		}
		if taken != nil {
			return refused("a volume named %s exists already: look at it and remove it", v.Name)
		}
		tree, err := l.Merged(v.Target)
		if err != nil {
			return refused("what %s has in %s cannot be carried into a volume: %w", rec.Name, v.Target, err)
		}
		size := tree.Size()
		all.Files, all.Bytes = all.Files+size.Files, all.Bytes+size.Bytes
	}
	return r.volumeRoom(r.Options.path(info.DockerRootDir, "volumes"), l, old, all, rec)
}

// volumeRoom fails when the disk cannot take what goes into volumes, and beside it what is carried over in the layer.
func (r *Recreator) volumeRoom(dir string, l layer.Layer, old *state, all layer.Written, rec *record) error {
	rest, err := l.Written(stubs(old), rec.moved()...)
	if err != nil {
		return err
	}
	var here, there unix.Stat_t
	if unix.Stat(dir, &here) == nil && unix.Stat(l.Upper, &there) == nil && here.Dev == there.Dev {
		all.Files, all.Bytes = all.Files+rest.Files, all.Bytes+rest.Bytes
	}
	if err := layer.Room(dir, "what goes into volumes of "+rec.Name, all); err != nil {
		return refused("%w", err)
	}
	return nil
}

// volumes makes them, empty, before the container that mounts them: the engine would make them without labels.
func (x *swap) volumes(ctx context.Context) error {
	for _, v := range x.rec.volumes() {
		if err := x.a.makeVolume(ctx, v.Name, x.rec.labels(v)); err != nil {
			return err
		}
		place, err := x.r.volumePlace(ctx, x.a, x.rec, v)
		if err != nil {
			return err
		}
		if list, err := os.ReadDir(place); err != nil {
			return fmt.Errorf("cannot read volume %s: %w", v.Name, err)
		} else if len(list) > 0 {
			return fmt.Errorf("volume %s has something in it already", v.Name)
		}
	}
	return nil
}

// volumePlace is where this process finds what is in a volume of a step. One that is not the step's own is none of it.
func (r *Recreator) volumePlace(ctx context.Context, a *api, rec *record, v body.Volume) (string, error) {
	have, err := a.volume(ctx, v.Name)
	if err != nil {
		return "", err
	}
	if have == nil {
		return "", fmt.Errorf("volume %s of %s has vanished", v.Name, rec.Name)
	}
	if !have.made(rec.labels(v)) {
		return "", fmt.Errorf("volume %s is not the one that was made for %s", v.Name, rec.Name)
	}
	place := r.Options.path(have.Mountpoint)
	info, err := os.Lstat(place)
	if err != nil || !info.IsDir() {
		return "", fmt.Errorf("cannot read volume %s: %s is no directory here: %w", v.Name, clean(have.Mountpoint, maxMessage), err)
	}
	return place, nil
}

// made reports whether a volume is a plain directory of the engine's that a step made.
func (v *volume) made(labels map[string]string) bool {
	return v.Driver == "local" && len(v.Options) == 0 && filepath.IsAbs(v.Mountpoint) && maps.Equal(v.Labels, labels)
}

// fill copies what the old container has in a directory into its volume, now that it writes no more. The new one was
// never started.
func (x *swap) fill(ctx context.Context) error {
	if len(x.rec.volumes()) == 0 {
		return nil
	}
	from, err := x.r.openLayer(x.old)
	if err != nil {
		return err
	}
	filled := make(map[string]string)
	for _, v := range x.rec.volumes() {
		tree, err := from.Merged(v.Target)
		if err != nil {
			return fmt.Errorf("cannot carry %s of %s into a volume: %w", v.Target, x.rec.Name, err)
		}
		place, err := x.r.volumePlace(ctx, x.a, x.rec, v)
		if err != nil {
			return err
		}
		size := tree.Size()
		x.say(fmt.Sprintf("carrying %d files (%d bytes) of %s into volume %s", size.Files, size.Bytes, v.Target, v.Name))
		if err := tree.CopyTo(place); err != nil {
			return fmt.Errorf("cannot carry %s of %s into a volume: %w", v.Target, x.rec.Name, err)
		}
		if filled[v.Target], err = layer.Digest(place); err != nil {
			return err
		}
	}
	if err := x.still(ctx); err != nil {
		return err
	}
	return x.note(note{Filled: filled})
}

// still fails when the old container has run since it was stopped: an engine that was started again starts it again. What it
// wrote then is in its own layer only, and the two must not run beside each other.
func (x *swap) still(ctx context.Context) error {
	old, err := x.a.inspect(ctx, x.old.ID)
	if err != nil {
		return err
	}
	if old == nil || old.State.Running || old.State.StartedAt != x.old.State.StartedAt {
		return fmt.Errorf("the old container of %s was started again while the new one was made ready", x.rec.Name)
	}
	return nil
}

// volumesTruth lists what does not hold of the volumes: that the container has this very directory, and can write it.
func (x *swap) volumesTruth(ctx context.Context) []string {
	if len(x.rec.volumes()) == 0 {
		return nil
	}
	places, err := inventory.ReadPlaces(x.r.Options.Root, x.new.State.PID, x.rec.moved())
	if err != nil {
		return []string{"its mounts could not be read: " + clean(err.Error(), maxMessage)}
	}
	var wrong []string
	for _, v := range x.rec.volumes() {
		place, err := x.r.volumePlace(ctx, x.a, x.rec, v)
		if err != nil {
			return []string{err.Error()}
		}
		have, err := os.Lstat(place)
		if err != nil {
			return []string{"its volume could not be read: " + clean(err.Error(), maxMessage)}
		}
		inside, err := os.Lstat(x.r.Options.path("proc", strconv.Itoa(x.new.State.PID), "root", v.Target))
		if at, there := places[v.Target]; !there || at.ReadOnly || err != nil || !os.SameFile(have, inside) {
			wrong = append(wrong, fmt.Sprintf("volume %s is not mounted on %s", v.Name, v.Target))
		}
	}
	return wrong
}
