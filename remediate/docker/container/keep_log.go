package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/docker/docker/pkg/stdcopy"

	"docker-harden/remediate/docker/container/layer"
	"docker-harden/remediate/internal/crash"
)

// containerLog is the log of a container as far as it goes with the container. One of journald, syslog and the like is
// elsewhere, and stays.
type containerLog struct {
	c *state
	// files are those of the driver json-file, the newest first; asked is true where only the engine can read the log.
	files []string
	asked bool
}

func (l containerLog) none() bool { return len(l.files) == 0 && !l.asked }

func (r *Recreator) logOf(c *state) containerLog {
	l := containerLog{c: c}
	switch c.HostConfig.LogConfig.Type {
	case "json-file":
		newest := r.Options.path(c.LogPath)
		info, err := os.Lstat(newest)
		if c.LogPath == "" || err != nil || !info.Mode().IsRegular() {
			l.asked = true // the engine is on another machine
			return l
		}
		rotated, _ := filepath.Glob(newest + ".*") // the path of an engine's own file is a good pattern
		if info.Size() > 0 || len(rotated) > 0 {
			l.files = append([]string{newest}, rotated...)
		}
	case "local":
		l.asked = true
	}
	return l
}

// keep saves the log as files that begin with a name: those of the engine as they are, or what the engine says of it
// with its times. It reports whether there was anything.
func (l containerLog) keep(ctx context.Context, a *api, name string) (bool, error) {
	for _, from := range l.files {
		if err := keepFile(name+strings.TrimPrefix(from, l.files[0]), from); err != nil {
			return false, err
		}
	}
	if !l.asked {
		return len(l.files) > 0, nil
	}
	return a.keepLog(ctx, l.c, name)
}

// keepFile gives a file another name, for it will be nobody else's soon; on another file system it is copied.
func keepFile(to, from string) error {
	if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) { // of an earlier run that was killed
		return err
	}
	crash.Point("before keeping", to)
	err := os.Link(from, to)
	crash.Point("after keeping", to)
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return writeKept(to, func(w io.Writer) error {
		_, err := io.Copy(w, in)
		return err
	})
}

// keepLog writes what the engine has of a container's log.
func (a *api) keepLog(ctx context.Context, c *state, to string) (bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := a.send(ctx, http.MethodGet, "/v"+a.version+"/containers/"+c.ID+"/logs?stdout=1&stderr=1&timestamps=1", nil)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		return false, refusal(resp, answer)
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	from := &impatient{r: resp.Body, timer: time.AfterFunc(callTimeout, cancel)}
	defer from.timer.Stop()
	err = writeKept(to, func(w io.Writer) error {
		if c.Config.Tty {
			_, err = io.Copy(w, from)
		} else {
			_, err = stdcopy.StdCopy(w, w, from)
		}
		return err
	})
	if err != nil {
		return false, err
	}
	info, err := os.Stat(to)
	if err == nil && info.Size() == 0 {
		return false, os.Remove(to)
	}
	return err == nil, err
}

// impatient gives an engine up that sends nothing for a while: a log may be long, but has an end.
type impatient struct {
	r     io.Reader
	timer *time.Timer
}

// Read starts the time anew.
func (i *impatient) Read(p []byte) (int, error) {
	i.timer.Reset(callTimeout)
	return i.r.Read(p)
}

// writeKept makes a new file that root alone may read, on disk when it returns; when it fails there is none.
func writeKept(to string, write func(io.Writer) error) (err error) {
	const private = 0o600
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, private)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(fmt.Errorf("cannot write %s: %w", to, err), os.Remove(to))
		}
	}()
	if err := write(&sparing{f: f}); err != nil {
		return err
	}
	return f.Sync()
}

// sparing is a file that leaves half of the disk's free space alone.
type sparing struct {
	f    *os.File
	next int // bytes until it looks again
}

// Write looks at the free space once in a while: how long a log is nobody knows before its end.
func (s *sparing) Write(p []byte) (int, error) {
	const every = 16 << 20
	if s.next -= len(p); s.next < 0 {
		if err := layer.Spare(filepath.Dir(s.f.Name()), every); err != nil {
			return 0, fmt.Errorf("no room for the rest: %w", err)
		}
		s.next = every
	}
	return s.f.Write(p)
}
