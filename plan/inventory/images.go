package inventory

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/docker/docker/client"
	"golang.org/x/sync/errgroup"
)

// images keeps the images of the containers. Most were read while the containers were.
func (c *collector) images(ctx context.Context) error {
	var ids, late []string
	for _, o := range c.found {
		id := o.container.Inspect.Image
		if id == "" || o.gone {
			continue
		}
		ids = append(ids, id)
		if _, known := c.seen[id]; !known {
			late = append(late, id)
		}
	}
	if err := c.readImages(ctx, late); err != nil {
		return err
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if answer := c.seen[id]; answer.problem != "" {
			c.problem("image/"+id, answer.problem, false)
		} else {
			c.host.Images[id] = answer.image
		}
	}
	return nil
}

// listedImages are the images of the containers as the list has them.
func (c *collector) listedImages() []string {
	var ids []string
	for i := range c.list {
		if id := c.list[i].ImageID; id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// imageAnswer is an image, or why it could not be read.
type imageAnswer struct {
	image   Image
	problem string
}

// readImages reads images, each once.
func (c *collector) readImages(ctx context.Context, ids []string) error {
	slices.Sort(ids)
	ids = slices.Compact(ids)
	answers := make([]imageAnswer, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, id := range ids {
		group.Go(func() error {
			image, err := readImage(ctx, c.reader, id)
			if err != nil {
				answers[i].problem = err.Error()
			} else if c.options.History && !image.Missing {
				image.readHistory(ctx, c.reader)
			}
			answers[i].image = image
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, id := range ids {
		c.seen[id] = answers[i]
	}
	return nil
}

// readImage looks at one image. One that the engine no longer has is no error.
func readImage(ctx context.Context, reader Reader, id string) (Image, error) {
	var raw bytes.Buffer
	_, err := reader.ImageInspect(ctx, id, client.ImageInspectWithRawResponse(&raw))
	if isNotFound(err) {
		return Image{ID: id, Missing: true}, nil
	}
	if err != nil {
		return Image{}, fmt.Errorf("cannot read the image: %w", err)
	}
	return decodeImage(id, trimRaw(raw.Bytes()))
}

// readHistory asks how an image was built.
func (i *Image) readHistory(ctx context.Context, reader Reader) {
	items, err := reader.ImageHistory(ctx, i.ID)
	if err != nil {
		i.HistoryProblem = fmt.Sprintf("cannot read the image's history: %s", err)
		return
	}
	i.History = make([]ImageLayer, len(items))
	for n, item := range items {
		i.History[n] = ImageLayer{Created: item.Created, Command: item.CreatedBy, Size: item.Size}
	}
}

// decodeImage reads the engine's answer about an image.
func decodeImage(id string, raw json.RawMessage) (Image, error) {
	var answer struct {
		RepoTags []string
		Config   struct {
			User            string
			Entrypoint, Cmd []string
			Volumes         map[string]struct{}
		}
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return Image{}, fmt.Errorf("cannot read the engine's answer: %w", err)
	}
	image := Image{ID: id, RepoTags: answer.RepoTags, User: answer.Config.User, Entrypoint: answer.Config.Entrypoint, Cmd: answer.Config.Cmd, Raw: raw}
	for name := range answer.Config.Volumes {
		image.Volumes = append(image.Volumes, name)
	}
	slices.Sort(image.Volumes)
	return image, nil
}
