package container

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"docker-harden/remediate/docker/container/body"
	"docker-harden/remediate/docker/container/layer"
)

// unfill gives an old container that was made again what is in the volumes: what it had itself in their places is gone.
func (b *back) unfill(ctx context.Context) error {
	if !b.rebuilt || b.useless != nil || b.old.name() == b.rec.Name {
		return nil // it has its own, or an earlier Undo has done it: renaming comes after
	}
	for _, v := range b.rec.volumes() {
		have, err := b.a.volume(ctx, v.Name)
		if err != nil {
			return err
		}
		if have == nil {
			b.said = append(b.said, fmt.Sprintf("what was in %s is lost: volume %s is gone", v.Target, v.Name))
			continue
		}
		place, err := b.r.volumePlace(ctx, b.a, b.rec, v)
		if err != nil {
			return err
		}
		to, err := b.r.openLayer(b.old)
		if err != nil {
			return err
		}
		if err := to.Replace(v.Target, place); err != nil {
			return fmt.Errorf("cannot give %s back what is in volume %s: %w", b.rec.Name, v.Name, err)
		}
		b.said = append(b.said, fmt.Sprintf("what it has in %s is that of volume %s", v.Target, v.Name))
	}
	return nil
}

// volumes removes those that the step made and that nobody has written to since they were filled. What was written is
// data: such a volume stays, and the undo says where it is.
func (b *back) volumes(ctx context.Context) error {
	for _, v := range b.rec.volumes() {
		have, err := b.a.volume(ctx, v.Name)
		if err != nil {
			return err
		}
		if have == nil {
			continue
		}
		why, err := b.needed(ctx, v, have)
		if err != nil {
			return err
		}
		if why != "" {
			b.said = append(b.said, why)
			continue
		}
		b.acted = true
		if err := b.a.removeVolume(ctx, v.Name); err != nil {
			return err
		}
	}
	return nil
}

// needed says why a volume has to stay; empty: nobody needs it.
func (b *back) needed(ctx context.Context, v body.Volume, have *volume) (string, error) {
	if !have.made(b.rec.labels(v)) {
		return fmt.Sprintf("volume %s stays: it is not the one that was made for %s", v.Name, b.rec.Name), nil
	}
	holder, err := b.a.mountingVolume(ctx, v.Name)
	if err != nil {
		return "", err
	}
	if holder != "" {
		return fmt.Sprintf("volume %s stays, because container %s mounts it", v.Name, clean(holder, maxMessage)), nil
	}
	filled, began := b.notes.Filled[v.Target], b.new != nil && b.new.began()
	if filled == "" && !began {
		return "", nil // it was not filled, and no container that mounts it has ever run
	}
	now, err := layer.Digest(b.r.Options.path(have.Mountpoint))
	switch {
	case err != nil:
		return fmt.Sprintf("volume %s stays: whether something was written to it could not be seen: %s", v.Name, clean(err.Error(), maxMessage)), nil
	case now == filled:
		return "", nil
	}
	return fmt.Sprintf("volume %s stays: the hardened container wrote to it as its %s; when nobody needs that: docker volume rm %s", v.Name, v.Target, v.Name), nil
}

// began reports whether a container was ever started.
func (c *state) began() bool {
	return c.State.StartedAt != "" && !strings.HasPrefix(c.State.StartedAt, "0001-01-01")
}

// volume is what the engine says of one.
type volume struct {
	Name       string
	Driver     string
	Mountpoint string
	Options    map[string]string
	Labels     map[string]string
}

// volume describes one by name; nil without an error when there is none.
func (a *api) volume(ctx context.Context, name string) (*volume, error) {
	v := new(volume)
	err := a.call(ctx, http.MethodGet, "/volumes/"+url.PathEscape(name), nil, v)
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot inspect volume %s: %w", name, err)
	}
	return v, nil
}

func (a *api) makeVolume(ctx context.Context, name string, labels map[string]string) error {
	in := map[string]any{"Name": name, "Driver": "local", "Labels": labels}
	if err := a.call(ctx, http.MethodPost, "/volumes/create", in, nil); err != nil {
		return fmt.Errorf("cannot make volume %s: %w", name, err)
	}
	return nil
}

// removeVolume deletes one that no container mounts. One that is gone is no error.
func (a *api) removeVolume(ctx context.Context, name string) error {
	err := a.call(ctx, http.MethodDelete, "/volumes/"+url.PathEscape(name), nil, nil)
	if err != nil && !isNotFound(err) {
		return fmt.Errorf("cannot remove volume %s: %w", name, err)
	}
	return nil
}

// mountingVolume is the name of a container that mounts a volume; empty: none does.
func (a *api) mountingVolume(ctx context.Context, name string) (string, error) {
	return a.holder(ctx, func(m mounted) bool { return m.Type == "volume" && m.Name == name })
}

// mounted is a mount as the list of containers has it.
type mounted struct{ Type, Name, Source string }

// holder is the name of a container that has a mount of a kind; empty: none has.
func (a *api) holder(ctx context.Context, is func(mounted) bool) (string, error) {
	var list []struct {
		ID     string `json:"Id"`
		Names  []string
		Mounts []mounted
	}
	if err := a.call(ctx, http.MethodGet, "/containers/json?all=1", nil, &list); err != nil {
		return "", fmt.Errorf("cannot list containers: %w", err)
	}
	for _, c := range list {
		if slices.ContainsFunc(c.Mounts, is) {
			return strings.TrimPrefix(append(c.Names, c.ID)[0], "/"), nil
		}
	}
	return "", nil
}
