package host

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// An Image is the recipe of one sample image: which Debian packages are unpacked
// (none: busybox alone), which files are added, and how its container starts.
type Image struct {
	Name     string
	About    string   // one line: what tests use it for
	Packages []string // unpacked without running their install scripts
	Without  []string `json:",omitempty"` // files and folders of the packages that are left out
	Capable  []string `json:",omitempty"` // programs of the packages that get the file capability NET_RAW
	Files    []File   // added afterwards, replacing what is there
	Changes  []string // Dockerfile instructions: CMD, USER, VOLUME …
}

// A File is one file or folder (Mode has the directory bit) of an image.
type File struct {
	Path       string
	Mode       int64 // permission bits, setuid included
	UID, GID   int
	Dir        bool
	Text       string
	Busybox    bool   // the content is the busybox program
	Capability []byte // security.capability attribute
}

// Reference is the name under which an engine knows the image.
func (i Image) Reference() string { return "testhost/" + i.Name + ":latest" }

// Lookup finds an image by name.
func Lookup(name string) (Image, error) {
	var names []string
	for _, i := range Images() {
		if i.Name == name {
			return i, nil
		}
		names = append(names, i.Name)
	}
	slices.Sort(names)
	return Image{}, fmt.Errorf("cannot find a sample image named %q: there are %q", name, names)
}

// Load makes sure that the engine has the named image and returns its reference.
// The file system is built once a machine and kept in the cache.
func (h *Host) Load(ctx context.Context, name string) (string, error) {
	i, err := Lookup(name)
	if err != nil {
		return "", err
	}
	c, err := h.client()
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := c.ImageInspect(ctx, i.Reference()); err == nil {
		return i.Reference(), nil
	}
	path, err := Build(ctx, i)
	if err != nil {
		return "", err
	}
	if err := load(ctx, c, i, path); err != nil {
		return "", fmt.Errorf("cannot load image %s: %w", i.Name, err)
	}
	return i.Reference(), nil
}

// load imports a file system archive as an image of one layer.
func load(ctx context.Context, c *client.Client, i Image, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	out, err := c.ImageImport(ctx, image.ImportSource{Source: f, SourceName: "-"}, i.Reference(), image.ImportOptions{Changes: i.Changes})
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = io.Copy(io.Discard, out)
	if err != nil {
		return err
	}
	// The stream ends without an error of its own when the import failed.
	_, err = c.ImageInspect(ctx, i.Reference())
	return err
}
