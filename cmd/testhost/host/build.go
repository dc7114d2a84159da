package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/gofrs/flock"
)

// buildVersion is part of every cache key; it moves when archives are made differently.
const buildVersion = 1

// CacheDir is where built images are kept: $DOCKER_HARDEN_CACHE/images, or
// docker-harden/images in the user's cache directory.
func CacheDir() (string, error) {
	base := os.Getenv("DOCKER_HARDEN_CACHE")
	if base == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("cannot choose a cache directory (set DOCKER_HARDEN_CACHE): %w", err)
		}
		base = filepath.Join(user, "docker-harden")
	}
	dir := filepath.Join(base, "images")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cannot make the cache directory: %w", err)
	}
	return dir, nil
}

// Build makes the image's file system archive, or finds it in the cache, and
// returns its path. Any number of processes may build at once.
func Build(ctx context.Context, i Image) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	lock := flock.New(filepath.Join(cache, i.Name+".lock"))
	if err := lock.Lock(); err != nil {
		return "", fmt.Errorf("cannot lock the image cache: %w", err)
	}
	defer func() { _ = lock.Unlock() }()
	busybox, err := findBusybox(ctx, cache)
	if err != nil {
		return "", err
	}
	key, err := cacheKey(i, busybox)
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, i.Name+"-"+key+".tar")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := build(ctx, i, busybox, path); err != nil {
		return "", fmt.Errorf("cannot build image %s: %w", i.Name, err)
	}
	return path, removeOlder(cache, i.Name, path)
}

// build writes the archive under another name first: an interrupted build must
// not look like a finished one.
func build(ctx context.Context, i Image, busybox, path string) (err error) {
	out, err := os.CreateTemp(filepath.Dir(path), ".building-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			out.Close()
			os.Remove(out.Name())
		}
	}()
	w, err := newArchive(ctx, out, busybox)
	if err != nil {
		return err
	}
	if err := w.image(ctx, i); err != nil {
		return err
	}
	if err := errors.Join(out.Sync(), out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), path)
}

// cacheKey is different whenever the archive would be.
func cacheKey(i Image, busybox string) (string, error) {
	program, err := os.ReadFile(busybox)
	if err != nil {
		return "", err
	}
	recipe, err := json.Marshal(struct {
		Version int
		Arch    string
		Suite   string
		Image   Image
		Busybox [32]byte
	}{buildVersion, runtime.GOARCH, suiteOf(i), i, sha256.Sum256(program)})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(recipe)
	return hex.EncodeToString(sum[:8]), nil
}

// suiteOf is the Debian release an image's packages come from, "" without packages.
func suiteOf(i Image) string {
	if len(i.Packages) == 0 {
		return ""
	}
	return suite()
}

// suite is this machine's Debian release; a host with another root remembers it.
func suite() string {
	if data, err := os.ReadFile(machineSuite); err == nil && inside() {
		return strings.TrimSpace(string(data))
	}
	data, err := os.ReadFile("/etc/os-release")
	if err == nil {
		for line := range strings.Lines(string(data)) {
			if name, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok {
				return strings.Trim(name, `"`)
			}
		}
	}
	return "stable"
}

// removeOlder drops archives of the same image made from older recipes. Somebody
// who is reading one keeps reading it.
func removeOlder(cache, name, keep string) error {
	old, err := filepath.Glob(filepath.Join(cache, name+"-????????????????.tar"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range old {
		if path != keep {
			errs = append(errs, os.Remove(path))
		}
	}
	return errors.Join(errs...)
}
