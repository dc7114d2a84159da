package daemon

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/volume"

	"docker-harden/remediate/docker/daemon/canary"
	"docker-harden/remediate/host"
)

// Engine is what the handler asks of the engine's API; the Docker client has it.
type Engine interface {
	canary.Engine
	Ping(ctx context.Context) (types.Ping, error)
	Info(ctx context.Context) (system.Info, error)
	Events(ctx context.Context, options events.ListOptions) (<-chan events.Message, <-chan error)
	ContainerPause(ctx context.Context, id string) error
	NetworkList(ctx context.Context, options network.ListOptions) ([]network.Summary, error)
	VolumeList(ctx context.Context, options volume.ListOptions) (volume.ListResponse, error)
	NetworkInspect(ctx context.Context, name string, options network.InspectOptions) (network.Inspect, error)
}

// pollEvery is how often the engine is asked while it is waited for.
const pollEvery = 100 * time.Millisecond

// answers reports whether the engine serves its API. A signal sent before it does kills the engine.
func answers(ctx context.Context, engine Engine) bool { return ping(ctx, engine) == nil }

// ping asks for a sign of life; the error is that of the engine, or that there was none in time.
func ping(ctx context.Context, engine Engine) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := engine.Ping(ctx)
	return err
}

// process names one run of a program: process ids are reused, a start time with them is not.
type process struct {
	PID   int    `json:"pid"`
	Ticks uint64 `json:"ticks"` // start time in clock ticks after boot
}

// processOf reads who has a process id now; ok is false, and the process zero, when nobody has, or only a
// process that ended and was not collected yet.
func processOf(pid int) (p process, ok bool) {
	fields := statFields(pid)
	if pid <= 0 || fields == nil || fields[statState] == "Z" || fields[statState] == "X" {
		return process{}, false
	}
	ticks, err := strconv.ParseUint(fields[statStart], 10, 64)
	if err != nil {
		return process{}, false
	}
	return process{PID: pid, Ticks: ticks}, true
}

// Fields of /proc/PID/stat behind the program's name, which may hold anything.
const (
	statState  = 0
	statParent = 1
	statUser   = 11
	statSystem = 12
	statStart  = 19
)

func statFields(pid int) []string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	if len(fields) <= statStart {
		return nil
	}
	return fields
}

// cpu is the processor time a process has used, in ticks: it grows while the process makes progress.
func (p process) cpu() uint64 {
	fields := statFields(p.PID)
	if fields == nil {
		return 0
	}
	user, _ := strconv.ParseUint(fields[statUser], 10, 64)
	system, _ := strconv.ParseUint(fields[statSystem], 10, 64)
	return user + system
}

// ticksPerSecond is USER_HZ, which Linux fixes to 100 on every architecture it tells programs about.
const ticksPerSecond = 100

// started is the time a process began, to about a second.
func (p process) started() (time.Time, error) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}, fmt.Errorf("cannot tell when the host was started: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "btime "); ok {
			boot, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			if err != nil {
				break
			}
			since := time.Duration(p.Ticks) * (time.Second / ticksPerSecond)
			return time.Unix(boot, 0).Add(since), nil
		}
	}
	return time.Time{}, fmt.Errorf("cannot tell when the host was started: /proc/stat has no btime")
}

// reloadTimeout: an engine with a broken authorization plugin takes 16 s to give up.
const reloadTimeout = 20 * time.Second

// reload makes the engine read its file again and returns when it says that it did. The exit status of a
// service manager says nothing: the engine refuses a bad file silently and goes on.
func (f *flow) reload(ctx context.Context) error {
	if !answers(ctx, f.handler.Engine) {
		return fmt.Errorf("cannot reload the engine: it does not answer, and a signal before it is up would end it")
	}
	timeout := reloadTimeout
	if f.handler.Timeout != 0 {
		timeout = min(timeout, f.handler.Timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	begin := time.Now()
	seen, failed := f.handler.Engine.Events(ctx, events.ListOptions{
		Since:   fmt.Sprintf("%d.%09d", begin.Unix(), begin.Nanosecond()),
		Filters: filters.NewArgs(filters.Arg("type", "daemon"), filters.Arg("event", "reload")),
	})
	if err := f.manager.Reload(ctx); err != nil {
		return fmt.Errorf("cannot reload the engine: %w", err)
	}
	select {
	case <-seen:
		return nil
	case err := <-failed:
		return fmt.Errorf("cannot reload the engine: it did not say that it read its file: %w%s", err, f.said(begin))
	case <-ctx.Done():
		return fmt.Errorf("cannot reload the engine: it did not say that it read its file: %w%s", ctx.Err(), f.said(begin))
	}
}

// said is the end of the engine's own log, for an error message.
func (f *flow) said(since time.Time) string { return host.LastWords(f.manager, since) }
