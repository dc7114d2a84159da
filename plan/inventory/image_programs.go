package inventory

import (
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"docker-harden/plan/evidence"
)

// imagePrograms looks into the images of the containers for files that give privileges to who executes them. A layer
// that several images share is looked through once.
func (c *collector) imagePrograms() {
	if !c.options.Programs || !c.host.Engine.Local {
		return
	}
	w := layerPrograms{until: time.Now().Add(programTime), seen: make(map[string]evidence.Programs)}
	for i := range c.host.Containers {
		one := &c.host.Containers[i]
		image, ok := c.host.Images[one.Inspect.Image]
		if !ok || one.Problem != "" || image.Programs != nil && image.Programs.Problem == "" {
			continue // of several containers one will do
		}
		found := w.ofImage(one, c.root)
		image.Programs = &found
		c.host.Images[one.Inspect.Image] = image
	}
}

// layerPrograms are the programs of layers by their directory.
type layerPrograms struct {
	until time.Time
	seen  map[string]evidence.Programs
}

// ofImage puts the layers of a container's image together as overlay does.
func (w *layerPrograms) ofImage(c *Container, r hostRoot) evidence.Programs {
	out := evidence.Programs{Looked: true}
	_, lowers, err := layers(c, r)
	if err != nil {
		out.Problem = err.Error()
		return out
	}
	image, err := openImage(lowers)
	if err != nil {
		out.Problem = err.Error()
		return out
	}
	defer image.close()
	for i, dir := range lowers {
		layer, known := w.seen[dir]
		if !known {
			walk := programWalk{until: w.until}
			layer = walk.programs(dir)
			w.seen[dir] = layer
		}
		out.Partial = out.Partial || layer.Partial
		if layer.Problem != "" {
			out.Problem = layer.Problem
			return out
		}
		for _, p := range layer.Found {
			if !image.hides(i, p.Path) {
				out.Found = append(out.Found, p)
			}
		}
	}
	slices.SortFunc(out.Found, func(a, b evidence.Program) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// hides reports whether a layer above the i-th one has something in a file's place, or took away where it is.
func (t *imageTree) hides(i int, name string) bool {
	return slices.ContainsFunc(t.layers[:i], func(above *os.Root) bool {
		if _, err := above.Lstat(path.Join(".", name)); err == nil {
			return true
		}
		_, last := descend(above, path.Dir(name))
		return last
	})
}
