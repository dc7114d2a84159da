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

// wrote finds what the new container wrote into its layer beyond that of another one, before that one is started. That it
// cannot be known must not keep the old container from coming back: the new one stays then.
func (b *back) wrote(ctx context.Context, than *state) {
	if b.new == nil || !b.new.began() {
		return
	}
	now, err := b.r.openLayer(b.new)
	if err != nil { // a driver whose layers were empty when the step was prepared
		paths, err := b.a.changed(ctx, b.new)
		if err == nil && len(paths) > 0 {
			err = fmt.Errorf("%s, in a layer that cannot be read here", named(paths))
		}
		b.doubt = err
		return
	}
	base, err := b.r.openLayer(than)
	if err != nil {
		b.doubt = err
		return
	}
	paths, err := layer.Since(now, base, b.rec.moved()...) // of volumes it says more where it removes them
	if err != nil {
		b.doubt = err
		return
	}
	skip := stubs(b.new)
	b.written = slices.DeleteFunc(paths, func(p string) bool { return p == "/" || slices.Contains(skip, p) })
}

// keep saves what a container that is about to be removed has and nobody else: what the new one wrote into its layer, and
// its log. When it fails, the container has to stay.
func (b *back) keep(ctx context.Context, c *state) error {
	if !c.began() {
		return nil
	}
	if c == b.new && b.doubt != nil {
		return b.doubt
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
		b.said, b.told = append(b.said, what), true
	}
	return err
}

// before finds what an earlier Undo has kept of the new container, which may have ended before it could say so. A copy that
// was cut off is none.
func (b *back) before() string {
	if b.notes.New == "" || !filepath.IsAbs(b.r.Options.State) {
		return ""
	}
	dir := b.r.keptDir(b.rec, b.notes.New)
	there := func(name string) bool {
		_, err := os.Lstat(b.r.Options.path(dir, name))
		return err == nil
	}
	if there(keptPart) || !there(keptFiles) && !there(keptLog) {
		return ""
	}
	return dir
}

// finish removes a container whose removal was cut off: it can be neither started nor changed any more. What is left of it
// is kept, unless an earlier Undo has kept it whole.
func (b *back) finish(ctx context.Context, c *state) error {
	if c == b.new && b.before() == "" && b.old != nil {
		b.wrote(ctx, b.old)
		if err := b.keep(ctx, c); err != nil {
			b.said = append(b.said, fmt.Sprintf("container %s was half removed, and what was left of it could not be kept: %s", clean(c.name(), maxMessage), clean(err.Error(), maxMessage)))
		}
	}
	b.acted = true
	return b.a.remove(ctx, c.ID)
}

// Names in the directory of what is kept of one container.
const (
	keptFiles = "files"
	keptPart  = keptFiles + ".part" // a copy on its way
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
	name = r.keptDir(rec, c.ID)
	place = r.Options.path(name)
	if err := makePrivate(os.Geteuid(), filepath.Dir(place), place); err != nil {
		return "", "", err
	}
	return name, place, atomic.SyncDir(filepath.Dir(place))
}

// stays says that a container was not removed.
func stays(name string, why error) string {
	name = clean(name, maxMessage)
	return fmt.Sprintf("container %s stays, stopped: what it wrote and logged could not be kept elsewhere (%s); take what is needed (docker cp, docker logs), then docker rm %[1]s",
		name, clean(why.Error(), maxMessage))
}

// keptDir is the directory for what is kept of one container.
func (r *Recreator) keptDir(rec *record, id string) string {
	const short = 12
	return filepath.Join(r.Options.State, keptName, rec.short()+"."+id[:min(len(id), short)])
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
	whole, part := filepath.Join(place, keptFiles), filepath.Join(place, keptPart)
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	if err := atomic.Mkdir(part, privateMode); err != nil {
		return "", err
	}
	kept, err := now.Keep(part, b.written)
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(part), dropEmpty(place))
	}
	if kept.Clean() { // it has only deleted files
		return "", errors.Join(dropEmpty(part), dropEmpty(place))
	}
	if err := os.RemoveAll(whole); err != nil {
		return "", err
	}
	if err := os.Rename(part, whole); err != nil {
		return "", err
	}
	crash.Point("after keeping all files in", whole)
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
