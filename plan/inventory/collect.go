package inventory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"
	"golang.org/x/sync/errgroup"

	"docker-harden/plan"
)

// Reader is the part of the engine's API that an observation needs: requests that change nothing.
// *client.Client satisfies it.
type Reader interface {
	DaemonHost() string
	ClientVersion() string
	Ping(ctx context.Context) (types.Ping, error)
	ServerVersion(ctx context.Context) (types.Version, error)
	Info(ctx context.Context) (system.Info, error)
	ContainerList(ctx context.Context, options container.ListOptions) ([]container.Summary, error)
	ContainerInspectWithRaw(ctx context.Context, id string, size bool) (container.InspectResponse, []byte, error)
	ImageInspect(ctx context.Context, id string, options ...client.ImageInspectOption) (image.InspectResponse, error)
	NetworkInspect(ctx context.Context, id string, options network.InspectOptions) (network.Inspect, error)
}

// Options say where and how a host is observed. The zero value observes this machine.
type Options struct {
	// Root is where the host's own / is found: "" for this machine, /proc/PID/root for another
	// one. It prefixes every host file and every path in /proc.
	Root string
	// Endpoint is the engine's address as a plan shows it; empty: as the Reader says.
	Endpoint string
	// Samples of memory and processes taken of each running container, and the time between them.
	// Fewer than two: one sample, without waiting.
	Samples  int
	Interval time.Duration
	// Effective reports whether the content with this hash at this path is known to be what the
	// engine with this pid and start time reads, although the file is newer than the engine's
	// start. started is exact to a few seconds only. nil: nothing is known.
	Effective func(path, sha256 string, pid int, started time.Time) bool
}

// parallel is how many requests and containers are worked on at once.
const parallel = 8

// Collect observes the host behind an engine. It fails only when the engine cannot be asked at all;
// whatever else could not be read is a problem in the result.
func Collect(ctx context.Context, reader Reader, o Options) (*Host, error) {
	c := &collector{reader: reader, options: o, root: hostRoot(strings.TrimSuffix(o.Root, "/"))}
	c.host = &Host{Format: SnapshotFormat, Taken: time.Now().UTC(), Images: map[string]Image{}, Files: map[string]File{}}
	c.endpoint = first(o.Endpoint, reader.DaemonHost())
	if err := c.ask(ctx); err != nil {
		return nil, err
	}
	c.local()
	if err := c.containers(ctx); err != nil {
		return nil, err
	}
	if err := c.images(ctx); err != nil {
		return nil, err
	}
	if err := c.resample(ctx); err != nil {
		return nil, err
	}
	c.finish()
	return c.host, nil
}

// collector is one observation under way.
type collector struct {
	reader   Reader
	options  Options
	root     hostRoot
	endpoint string
	host     *Host
	answers  answers
	list     []container.Summary
	table    []process
	tableErr error
	remote   string // why nothing of the host itself can be read; empty: it can
	clients  []unitClient
	proc     procReader
	found    []observed
}

// observed is one container under observation.
type observed struct {
	container Container
	meter     *meter
	gone      bool
	problem   string
}

// ask puts every question to the engine that does not depend on another, and reads the process
// table meanwhile.
func (c *collector) ask(ctx context.Context) error {
	var err error
	// The first answer fixes the API version for all others.
	if c.answers.ping, err = c.reader.Ping(ctx); err != nil {
		return fmt.Errorf("cannot reach the engine at %s: %w", c.endpoint, err)
	}
	var bridgeErr error
	group, ctx := errgroup.WithContext(ctx)
	question := func(what string, ask func() error) {
		group.Go(func() error {
			if err := ask(); err != nil {
				return fmt.Errorf("cannot read the engine's %s: %w", what, err)
			}
			return nil
		})
	}
	question("container list", func() (err error) {
		c.list, err = c.reader.ContainerList(ctx, container.ListOptions{All: true})
		return err
	})
	question("version", func() (err error) {
		c.answers.version, err = c.reader.ServerVersion(ctx)
		return err
	})
	question("information", func() (err error) {
		c.answers.info, err = c.reader.Info(ctx)
		return err
	})
	group.Go(func() error {
		c.answers.bridge, bridgeErr = readBridge(ctx, c.reader)
		return ctx.Err()
	})
	group.Go(func() error {
		c.table, c.tableErr = c.root.processes()
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if bridgeErr != nil {
		c.problem("daemon", bridgeErr.Error(), false)
	}
	c.host.Engine = c.answers.engine(c.reader.ClientVersion())
	return nil
}

// local reads the engine's process and files, if they are on this machine.
func (c *collector) local() {
	engine, err := c.findEngine()
	if err != nil {
		c.remote = err.Error()
		c.problem("daemon", c.remote, true)
		return
	}
	c.host.Engine.Local = true
	d := &daemonReader{root: c.root, options: c.options}
	c.host.Daemon = d.read(engine, c.table)
	c.host.Problems = append(c.host.Problems, d.problems...)
	if c.host.Daemon.Resolved != "" {
		c.host.Files[c.host.Daemon.Resolved] = c.host.Daemon.Config
	}
	c.clients = c.root.clients(c.table)
	c.proc.root = c.root
	if err := c.proc.prepare(engine.pid); err != nil {
		c.remote = err.Error()
		c.problem("daemon", c.remote, true)
	}
}

func (c *collector) findEngine() (process, error) {
	if product := c.host.Engine.Product; product != productDocker {
		return process{}, fmt.Errorf("the engine is %s; only Docker Engine on Linux can be hardened", product)
	}
	socket, err := unixSocket(c.endpoint)
	if err != nil {
		return process{}, err
	}
	if c.tableErr != nil {
		return process{}, explain(c.tableErr)
	}
	kernel, err := c.root.readProcFile("/proc/sys/kernel/osrelease")
	if got := strings.TrimSpace(string(kernel)); err == nil && got != c.host.Engine.Kernel {
		return process{}, fmt.Errorf("the engine runs on kernel %s, this machine on %s; run docker-harden on the engine's host", c.host.Engine.Kernel, got)
	}
	return c.root.findEngine(socket, c.table)
}

// images looks at the images of the containers.
func (c *collector) images(ctx context.Context) error {
	var ids []string
	for _, o := range c.found {
		if id := o.container.Inspect.Image; id != "" && !o.gone {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	images, problems := make([]Image, len(ids)), make([]string, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, id := range ids {
		group.Go(func() error {
			image, err := readImage(ctx, c.reader, id)
			if err != nil {
				problems[i] = err.Error()
			}
			images[i] = image
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, image := range images {
		if problems[i] != "" {
			c.problem("image/"+ids[i], problems[i], false)
			continue
		}
		c.host.Images[ids[i]] = image
	}
	return nil
}

// readImage looks at one image. One that the engine no longer has is no error.
func readImage(ctx context.Context, reader Reader, id string) (Image, error) {
	var raw bytes.Buffer
	_, err := reader.ImageInspect(ctx, id, client.ImageInspectWithRawResponse(&raw))
	if isNotFound(err) {
		return Image{ID: id, Missing: true}, nil
	}
	if err != nil {
		return Image{}, fmt.Errorf("cannot read the image: %w", err)
	}
	return decodeImage(id, trimRaw(raw.Bytes()))
}

// finish puts everything in order.
func (c *collector) finish() {
	for _, o := range c.found {
		name := o.container.Name
		switch {
		case o.gone:
			c.problem("container/"+name, "was removed while the host was read", false)
			continue
		case o.container.Problem != "":
			c.problem("container/"+name, o.container.Problem, false)
		}
		if o.meter != nil && o.meter.usage.Samples > 0 {
			o.container.Usage = &o.meter.usage
		}
		c.host.Containers = append(c.host.Containers, o.container)
	}
	slices.SortFunc(c.host.Containers, func(a, b Container) int {
		return compare(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	slices.SortStableFunc(c.host.Problems, func(a, b plan.Problem) int { return strings.Compare(a.Subject, b.Subject) })
	c.host.Identity = identity(c.root, c.host.Engine, c.answers.info, c.endpoint)
}

func compare(results ...int) int {
	for _, r := range results {
		if r != 0 {
			return r
		}
	}
	return 0
}

func (c *collector) problem(subject, reason string, fatal bool) {
	c.host.Problems = append(c.host.Problems, plan.Problem{Subject: subject, Reason: reason, Fatal: fatal})
}

// canceled is the error of a context, if that is why something failed.
func canceled(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return context.Cause(ctx)
	}
	return nil
}
