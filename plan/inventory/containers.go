package inventory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

func isNotFound(err error) bool { return errdefs.IsNotFound(err) }

// ahead is for how many containers one connection is asked before the first answer is read: the engine
// has the next answer ready when the one before was worked on, and both need not wait for each other.
const ahead = 4

// containers inspects every container and looks at its processes, usage and layer, several at once.
func (c *collector) containers(ctx context.Context) error {
	c.found = make([]observed, len(c.list))
	for i, listed := range c.list {
		c.found[i].container = Container{ID: listed.ID, Name: ownName(listed)}
	}
	var taken atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range min(parallel, len(c.list)) {
		group.Go(func() error {
			w := newWire(c.reader)
			defer w.close()
			for {
				to := taken.Add(ahead)
				from := to - ahead
				if from >= int64(len(c.found)) {
					return nil
				}
				if err := c.next(ctx, w, c.found[from:min(to, int64(len(c.found)))]); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// next inspects and observes some containers over one connection.
func (c *collector) next(ctx context.Context, w *wire, some []observed) error {
	paths := make([]string, len(some))
	for i := range some {
		paths[i] = "/containers/" + some[i].container.ID + "/json"
	}
	w.ask(ctx, paths...)
	for i := range some {
		o := &some[i]
		if err := c.inspect(ctx, w, o); err != nil {
			return err
		}
		if o.container.Problem == "" && !o.gone {
			c.observe(o)
		}
	}
	return nil
}

// ownName is a container's own name: the list also has the names other containers link it by.
func ownName(summary container.Summary) string {
	for _, name := range summary.Names {
		if name = strings.TrimPrefix(name, "/"); name != "" && !strings.Contains(name, "/") {
			return name
		}
	}
	return summary.ID
}

// inspect asks the engine for one container. The error is that of the context only.
func (c *collector) inspect(ctx context.Context, w *wire, o *observed) error {
	listed := o.container.ID
	err := c.read(ctx, w, o)
	if err == nil && (o.container.ID != listed || o.container.Name == "") {
		err = fmt.Errorf("the engine's answer is about another container (%.12q) or has no name", o.container.ID)
		o.container = Container{ID: listed, Name: listed}
	}
	if stop := canceled(ctx, err); stop != nil {
		return stop
	}
	switch {
	case isNotFound(err):
		o.gone = true
	case err != nil:
		o.container.Problem = fmt.Sprintf("cannot inspect: %s", err)
		o.container.Raw = nil
	}
	return nil
}

// read fills a container from the engine's answer.
func (c *collector) read(ctx context.Context, w *wire, o *observed) error {
	x := &o.container
	raw, ok := w.next()
	if !ok {
		var err error
		if _, raw, err = c.reader.ContainerInspectWithRaw(ctx, x.ID, false); err != nil {
			return err
		}
	}
	x.Raw = trimRaw(raw)
	env, err := x.walk()
	o.search = searchPath(env)
	return err
}

// observe reads what the host tells of a container.
func (c *collector) observe(o *observed) {
	x := &o.container
	x.Owner, x.Self = ownerOf(x, c.clients), c.self.in(x.ID)
	if c.remote != "" {
		return
	}
	var err error
	if x.Layer, err = readLayer(x, c.root); err != nil {
		x.LayerProblem = err.Error()
	}
	x.Moved = c.root.movedSecrets(x)
	if c.options.Places != nil {
		x.Held = c.root.contents(x, c.options.Places(x.Name))
	}
	pid := x.Inspect.State.PID
	switch {
	case !x.Running():
		return
	case pid <= 0:
		x.ProcProblem = "it is being restarted and has no process at the moment"
		x.UsageProblem = x.ProcProblem
		return
	}
	groups, err := c.proc.groupsOf(pid, x.ID)
	if err != nil {
		x.ProcProblem, x.UsageProblem = ended(err), ended(err)
		return
	}
	if x.Proc, err = c.proc.read(pid, groups); err == nil {
		x.Proc.Places, err = c.root.places(pid, x.Inspect.reaching())
	}
	if err != nil {
		x.Proc, x.ProcProblem = nil, ended(err)
	} else {
		x.Proc.Entry = c.proc.entry(pid, &x.Inspect, o.search)
		if names := x.Made().UlimitNames; len(names) > 0 {
			x.Proc.Ulimits = c.root.ulimits(pid, names)
		}
	}
	if o.meter, err = c.proc.newMeter(groups); err == nil {
		err = o.meter.sample(time.Now())
	}
	if err != nil {
		x.UsageProblem = ended(err)
		o.meter = nil
		return
	}
	if start, err := time.Parse(time.RFC3339Nano, x.Inspect.State.StartedAt); err == nil {
		o.meter.usage.Uptime = max(0, time.Since(start))
	}
}

// outOfSight drops what was read on this machine of a container that runs elsewhere.
func (o *observed) outOfSight(reason string) {
	x := &o.container
	x.Proc, x.Layer, x.Usage, x.Moved, o.meter = nil, nil, nil, nil, nil
	if x.Problem != "" {
		return
	}
	x.LayerProblem = reason
	if x.Running() {
		x.ProcProblem, x.UsageProblem = reason, reason
	}
}

// groupsOf reads the control groups of a container's first process and makes sure that it is the
// container's: the pid may have been given to another process since the engine named it.
func (r *procReader) groupsOf(pid int, id string) (cgroups, error) {
	groups, err := r.root.cgroups(pid)
	if err != nil {
		return nil, fmt.Errorf("cannot read process %d: %w", pid, explain(err))
	}
	for _, group := range groups {
		if strings.Contains(group, id) {
			return groups, nil
		}
	}
	return nil, fmt.Errorf("cannot tell that process %d is the container's: its control groups do not name it", pid)
}

// ended puts into words that a process went away while it was read.
func ended(err error) string {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return "it stopped while it was being read"
	}
	return err.Error()
}

// resample takes the further samples of memory and processes, all containers at the same times.
func (c *collector) resample(ctx context.Context) error {
	for range c.options.Samples - 1 {
		wait := time.NewTimer(c.options.Interval)
		select {
		case <-ctx.Done():
			wait.Stop()
			return context.Cause(ctx)
		case <-c.options.Enough:
			wait.Stop()
			return nil
		case <-wait.C:
		}
		for i := range c.found {
			if m := c.found[i].meter; m != nil {
				// One that stopped meanwhile keeps what was seen.
				_ = m.sample(time.Now())
			}
		}
	}
	return nil
}
