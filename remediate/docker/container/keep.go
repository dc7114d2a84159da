package container

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"docker-harden/remediate/docker/container/layer"
	"docker-harden/remediate/internal/atomic"
	"docker-harden/remediate/internal/crash"
)

// keptName is the directory below State for what would go with a container that is removed: what it wrote, and its log.
// It is none of a generation's: only a person knows when nobody needs it any more.
const keptName = "kept"

// wrote finds what the new container wrote into its layer, as long as neither container runs.
func (b *back) wrote(now, base layer.Layer) error {
	paths, err := layer.Since(now, base, b.rec.moved()...) // of volumes it says more where it removes them
	if err != nil {
		return err
	}
	skip := stubs(b.new)
	b.written = slices.DeleteFunc(paths, func(p string) bool { return p == "/" || slices.Contains(skip, p) })
	return nil
}

// keep saves what a container that is about to be removed has and nobody else: what the new one wrote into its layer, and
// its log. When it fails, the container has to stay.
func (b *back) keep(ctx context.Context, c *state) error {
	if !c.began() {
		return nil
	}
	if c == b.new && len(b.unreadable) > 0 {
		return fmt.Errorf("%s, in a layer that cannot be read here", named(b.unreadable))
	}
	if c == b.new && len(b.written) > 0 {
		if err := b.tell(b.keepFiles()); err != nil {
			return err
		}
	}
	return b.tell(b.r.keepLog(ctx, b.a, b.rec, c))
}

// tell says what was kept, if anything.
func (b *back) tell(what string, err error) error {
	if what != "" {
		b.said = append(b.said, what)
	}
	return err
}

// Names in the directory of what is kept of one container.
const (
	keptFiles = "files"
	keptLog   = "log"
)

// keepLog saves the log of a container of a step that is about to be removed, and says where. Empty: it has none.
func (r *Recreator) keepLog(ctx context.Context, a *api, rec *record, c *state) (string, error) {
	log := r.logOf(c)
	if log.none() {
		return "", nil
	}
	name, place, err := r.makeKept(rec, c)
	if err != nil {
		return "", err
	}
	kept, err := log.keep(ctx, a, filepath.Join(place, keptLog))
	if err != nil {
		return "", fmt.Errorf("its log: %w", err)
	}
	if !kept {
		return "", dropEmpty(place)
	}
	crash.Point("after keeping the log in", place)
	return "its log is kept: " + filepath.Join(name, keptLog), atomic.SyncDir(place)
}

// makeKept makes the directory for what is kept of one container, in which nobody else can look, and says where this
// process finds it. A step that is resumed may leave several containers of a name.
func (r *Recreator) makeKept(rec *record, c *state) (name, place string, err error) {
	if !filepath.IsAbs(r.Options.State) {
		return "", "", errors.New("there is no directory to keep it in")
	}
	const short = 12
	name = filepath.Join(r.Options.State, keptName, rec.short()+"."+c.ID[:min(len(c.ID), short)])
	place = r.Options.path(name)
	if err := makePrivate(os.Geteuid(), filepath.Dir(place), place); err != nil {
		return "", "", err
	}
	return name, place, atomic.SyncDir(filepath.Dir(place))
}

// keepFiles copies what the new container wrote. A copy that an earlier run began is made anew.
func (b *back) keepFiles() (string, error) {
	now, err := b.r.openLayer(b.new)
	if err != nil {
		return "", err
	}
	name, place, err := b.r.makeKept(b.rec, b.new)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(place, keptFiles)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := atomic.Mkdir(dir, privateMode); err != nil {
		return "", err
	}
	kept, err := now.Keep(dir, b.written)
	if err != nil {
		return "", err
	}
	if kept.Clean() { // it has only deleted files
		return "", errors.Join(dropEmpty(dir), dropEmpty(place))
	}
	shown := named(kept.Paths)
	if n := kept.Files - int64(len(kept.Paths)); n > 0 {
		shown = fmt.Sprintf("%s and %d more", shown, n)
	}
	return fmt.Sprintf("what it wrote since it was made is kept in %s: %s", filepath.Join(name, keptFiles), shown), atomic.SyncDir(place)
}

// named lists a few paths.
func named(paths []string) string {
	shown := slices.Clone(paths[:min(len(paths), layer.MaxPaths)])
	for i, path := range shown {
		shown[i] = clean(path, maxMessage)
	}
	if n := len(paths) - len(shown); n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(shown, ", "), n)
	}
	return strings.Join(shown, ", ")
}

// dropEmpty removes a directory in which nothing is kept.
func dropEmpty(dir string) error {
	err := os.Remove(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTEMPTY) {
		return nil
	}
	return err
}
