package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"docker-harden/remediate"
	"docker-harden/remediate/host"
	"docker-harden/remediate/journal"
)

const (
	// expiryLock is how long the timer waits for a run that holds the host.
	expiryLock = time.Hour
	// expiryLook is how often a timer that waits looks at the clock, which goes on while the host sleeps.
	expiryLook = 2 * time.Second
	// expiryTries and expiryPause: what cannot be undone now may be in a while.
	expiryTries = 3
	expiryPause = 20 * time.Second
)

// unconfirmed is what the timer runs: it waits until the deadline of a generation, and rolls it back
// unless it was confirmed.
func (a *app) unconfirmed(c *cli.Context, n int) error {
	if n == 0 {
		return usagef("--unconfirmed needs the number of a generation")
	}
	gen, err := a.generation(c, n)
	if err != nil {
		return err
	}
	d, ok := gen.Deadline()
	if !ok {
		return fmt.Errorf("%w: generation %d was applied without --confirm; rollback %d alone undoes it", remediate.ErrRefused, n, n)
	}
	if err := a.restore(c, filepath.Join(gen.Dir, alarmDir, alarmFile)); err != nil {
		return err
	}
	log, err := a.keepLog(filepath.Join(gen.Dir, alarmLog))
	if err != nil {
		return err
	}
	defer log.Close()
	a.stamp("waiting until generation %d is confirmed, or its time is over", n)
	if err := a.await(c.Context, d); err != nil {
		a.stamp("stopped before that: %v", err)
		return err
	}
	err = a.expireUntilDone(c, n)
	if err != nil {
		a.stamp("%s", clean(err.Error()))
		return statusError(exitCode(c.Context, err))
	}
	return nil
}

// restore takes over what was saved when the timer was armed. Without it, what is usual is used: the
// rollback file says what to do, this only how to reach the engine.
func (a *app) restore(c *cli.Context, name string) error {
	data, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var s saved
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return fmt.Errorf("cannot read what the timer is to do: %w", err)
	}
	for k, v := range s.Env {
		if err := os.Setenv(k, v); err != nil {
			return err
		}
	}
	for k, v := range s.Flags {
		if err := c.Set(k, v); err != nil {
			return fmt.Errorf("cannot use what the timer is to do: --%s: %w", k, err)
		}
	}
	return nil
}

// keepLog sends everything that is said to a file as well, unless it goes there already.
func (a *app) keepLog(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	mine, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if now, err := os.Stderr.Stat(); err != nil || !os.SameFile(mine, now) {
		a.out, a.err = io.MultiWriter(f, a.out), io.MultiWriter(f, a.err)
	}
	return f, nil
}

// stamp says something with the time in front.
func (a *app) stamp(format string, args ...any) {
	a.say("%s %s", time.Now().Format(time.RFC3339), fmt.Sprintf(format, args...))
}

// await returns when the time is over.
func (a *app) await(ctx context.Context, d journal.Deadline) error {
	for {
		now, err := host.Clock()
		if err != nil {
			return err
		}
		wait := d.Left(now)
		if wait == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(min(wait, expiryLook)):
		}
	}
}

// expireUntilDone rolls back, and tries again what could not be undone.
func (a *app) expireUntilDone(c *cli.Context, n int) error {
	if !c.IsSet("lock-timeout") {
		if err := c.Set("lock-timeout", expiryLock.String()); err != nil {
			return err
		}
	}
	for try := 1; ; try++ {
		out, err := a.expire(c, n, remediate.ByTimer)
		switch {
		case err == nil && len(out.Undone) == 0 && out.State != string(journal.StateRolledBack):
			a.stamp("generation %d is %s: there is nothing to do", n, out.State)
			return nil
		case err == nil:
			a.stamp("generation %d is %s", n, out.State)
			return nil
		case try == expiryTries, c.Context.Err() != nil:
			return err
		}
		a.stamp("not done, trying again: %s", clean(err.Error()))
		select {
		case <-c.Context.Done():
			return err
		case <-time.After(expiryPause):
		}
	}
}

// expire acts on a deadline that passed.
func (a *app) expire(c *cli.Context, n int, by string) (remediate.Outcome, error) {
	e, err := a.connect(c)
	if err != nil {
		return remediate.Outcome{}, err
	}
	var out remediate.Outcome
	err = a.work(c, e, nil, func(r *remediate.Runner) (remediate.Outcome, error) {
		r.Raise = a.raiser(c, e)
		var err error
		out, err = r.Expire(c.Context, remediate.ExpireRequest{Generation: n, By: by, Basis: a.basisNow(c, e)})
		return out, err
	})
	return out, err
}
