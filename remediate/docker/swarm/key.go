package swarm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/docker/docker/api/types/swarm"

	"docker-harden/remediate/internal/atomic"
	"docker-harden/remediate/internal/crash"
)

const (
	// keyMark is how every unlock key begins.
	keyMark = "SWMKEY-"
	keyMode = fs.FileMode(0o400)
	// maxKey bounds what is read of a file that should hold one.
	maxKey = 4 << 10
)

// free refuses a place for the key in which something is, or that others than root may write to.
func (h *Handler) free(file string) error {
	if !filepath.IsAbs(file) || filepath.Clean(file) != file {
		return refused("%s is no plain absolute path", file)
	}
	if _, err := os.Lstat(h.Root + file); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			return refused("%s is there already: it may hold a key that is still needed; name another file", file)
		}
		return fmt.Errorf("cannot look at %s: %w", file, err)
	}
	for dir := filepath.Dir(file); ; dir = filepath.Dir(dir) {
		st, err := os.Lstat(h.Root + dir)
		if err != nil {
			return fmt.Errorf("cannot look at %s: %w", dir, err)
		}
		const othersWrite = 0o022
		owner, ok := st.Sys().(*syscall.Stat_t)
		switch {
		case !st.IsDir():
			return refused("%s is no directory", dir)
		// Further up a sticky one will do: what is root's there, nobody else can replace.
		case !ok || owner.Uid != 0 || st.Mode()&othersWrite != 0 && (dir == filepath.Dir(file) || st.Mode()&fs.ModeSticky == 0):
			return refused("others than root may write to %s: the key to unlock managers cannot lie there", dir)
		}
		if dir == "/" {
			return nil
		}
	}
}

// saveKey writes the key of locked managers down.
func (h *Handler) saveKey(ctx context.Context, file string) error {
	var key string
	err := until(ctx, "the engine gives no key to unlock managers", func() (bool, error) {
		answer, err := h.Engine.SwarmGetUnlockKey(ctx)
		if err != nil {
			return false, fmt.Errorf("cannot get the key to unlock managers: %w", said(err))
		}
		key = answer.UnlockKey
		return key != "", nil
	})
	if err != nil {
		return err
	}
	if !isKey([]byte(key)) {
		return errors.New("cannot get the key to unlock managers: what the engine gives is none")
	}
	crash.Point("before the key file")
	if err := atomic.WriteFile(h.Root+file, []byte(key+"\n"), atomic.Options{Mode: keyMode}); err != nil {
		return err
	}
	crash.Point("after the key file")
	return nil
}

// isKey reports whether a text is one unlock key, in one line.
func isKey(text []byte) bool {
	text = bytes.TrimSuffix(text, []byte("\n"))
	return bytes.HasPrefix(text, []byte(keyMark)) && !bytes.ContainsAny(text, "\n\x00") && len(text) < maxKey
}

// readKey reads the key from the file that the step made; empty: it is not there, or holds something else.
func (h *Handler) readKey(file string) (string, error) {
	f, err := os.OpenFile(h.Root+file, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	switch {
	case file == "" || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP):
		return "", nil
	case err != nil:
		return "", err
	}
	defer f.Close() //nolint:errcheck // read only
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKey))
	if err != nil || !isKey(text) {
		return "", err
	}
	return strings.TrimSuffix(string(text), "\n"), nil
}

// dropKey removes the file with a key that unlocks nothing any more. Nothing was in its place before the step.
func (h *Handler) dropKey(file string) (gone bool, err error) {
	key, err := h.readKey(file)
	if err != nil || key == "" {
		return false, err
	}
	crash.Point("before the key file goes")
	if err := atomic.Remove(h.Root + file); err != nil {
		return false, fmt.Errorf("cannot remove %s: %w", file, err)
	}
	crash.Point("after the key file went")
	return true, nil
}

// unlocked unlocks a manager that was locked by the step and has started again since, with the key from the step's file.
func (h *Handler) unlocked(ctx context.Context, rec *record) error {
	info, err := h.Engine.Info(ctx)
	if err != nil {
		return fmt.Errorf("cannot ask the engine: %w", said(err))
	}
	if info.Swarm.LocalNodeState != swarm.LocalNodeStateLocked {
		return nil
	}
	key, err := h.readKey(rec.KeyFile)
	switch {
	case err != nil:
		return err
	case key == "":
		return errors.New("this manager is locked since the engine started again: run docker swarm unlock with the key, then try again")
	}
	if err := h.Engine.SwarmUnlock(ctx, swarm.UnlockRequest{UnlockKey: key}); err != nil {
		return fmt.Errorf("this manager is locked, and the key in %s does not unlock it (%w): run docker swarm unlock, then try again", rec.KeyFile, said(err))
	}
	return until(ctx, "this manager does not take part in the swarm", func() (bool, error) {
		info, err := h.Engine.Info(ctx)
		if err != nil {
			return false, fmt.Errorf("cannot ask the engine: %w", said(err))
		}
		return info.Swarm.LocalNodeState == swarm.LocalNodeStateActive && info.Swarm.ControlAvailable, nil
	})
}
