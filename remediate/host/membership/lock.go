package membership

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	lockFile = "/etc/.pwd.lock"
	// lockWait is how long lckpwdf(3) waits too.
	lockWait  = 15 * time.Second
	lockEvery = 100 * time.Millisecond
)

// locked does something while nobody else changes users and groups. The lock is the one of lckpwdf(3), bound to
// the open file: it ends with it, also when the program is killed.
func (h *Handler) locked(ctx context.Context, do func() error) error {
	f, err := os.OpenFile(h.Root+lockFile, os.O_WRONLY|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("cannot lock users and groups: %w", err)
	}
	defer f.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	for end := time.Now().Add(lockWait); ; {
		err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock)
		switch {
		case err == nil:
			return do()
		case !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES):
			return fmt.Errorf("cannot lock users and groups: %w", err)
		case time.Now().After(end):
			return fmt.Errorf("cannot lock users and groups: another program has held %s for %s", lockFile, lockWait)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockEvery):
		}
	}
}
