package inventory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
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
	ImageHistory(ctx context.Context, id string, options ...client.ImageHistoryOption) ([]image.HistoryResponseItem, error)
	NetworkList(ctx context.Context, options network.ListOptions) ([]network.Summary, error)
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
	// Enough ends the sampling early when it is closed; nil: never.
	Enough <-chan struct{}
	// Effective reports whether the content with this hash at this path is known to be what the
	// engine with this pid and start time reads, although the file is newer than the engine's
	// start. started is exact to a few seconds only. nil: nothing is known.
	Effective func(path, sha256 string, pid int, started time.Time) bool
	// Audit asks the kernel for its audit; nil: [ReadKernelAudit].
	Audit func() (KernelAudit, error)
	// History also asks for how the images were built: one more request for each image.
	History bool
	// Places are directories of a container, by its name, of which it is to be known how much is in them; nil: none.
	Places func(container string) []string
	// Programs also looks through the layers of the containers' images for files that give privileges.
	Programs bool
	// TLS are files that somebody means to give the engine, to be looked at as well.
	TLS TLSFiles
	// Plugins are names of plugins that somebody means to let authorize requests, to be looked for.
	Plugins []string
	// Remap is the user namespace that somebody means to give the engine; empty: none. What is in its data directory
	// is listed then.
	Remap string
}

// parallel is how many requests and containers are worked on at once.
const parallel = 8

// Collect observes the host behind an engine. It fails only when the engine cannot be asked at all;
// whatever else could not be read is a problem in the result.
func Collect(ctx context.Context, reader Reader, o Options) (*Host, error) {
	c := &collector{reader: reader, options: o, root: hostRoot(strings.TrimSuffix(o.Root, "/")), seen: map[string]imageAnswer{}}
	c.host = &Host{Format: SnapshotFormat, Taken: time.Now().UTC(), Images: map[string]Image{}, Files: map[string]File{}}
	c.endpoint = first(o.Endpoint, reader.DaemonHost())
	if err := c.ask(ctx); err != nil {
		return nil, err
	}
	c.doubt()
	if err := c.givenPlugins(ctx); err != nil {
		return nil, err
	}
	if err := c.givenRemap(ctx); err != nil {
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
	remote   string // why nothing of the host itself can be read; empty: it can
	// daemonProblems are those of reading the engine's process and files.
	daemonProblems []plan.Problem
	engineFiles    []EngineFile
	givenTLS       []EngineFile
	files          map[string]File // of both
	kernelAudit    KernelAudit
	kernelAuditErr error
	clients        []unitClient
	self           ownWorld
	proc           procReader
	found          []observed
	seen           map[string]imageAnswer // by id, also of containers that are gone
}

// observed is one container under observation.
type observed struct {
	container Container
	search    string // PATH of its environment
	meter     *meter
	gone      bool
}

// ask puts all questions to the engine but those about images, and reads the host meanwhile.
func (c *collector) ask(ctx context.Context) error {
	var err error
	if c.answers.ping, err = c.reader.Ping(ctx); err != nil {
		return fmt.Errorf("cannot reach the engine at %s: %w", c.endpoint, err)
	}
	// The API version is settled here: left to the client, whichever of the requests below came first would
	// settle it while the others read it.
	if n, ok := c.reader.(interface{ NegotiateAPIVersionPing(types.Ping) }); ok {
		n.NegotiateAPIVersionPing(c.answers.ping)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		// This takes the engine a while: it runs other programs to answer.
		if c.answers.info, err = c.reader.Info(ctx); err != nil {
			return fmt.Errorf("cannot read the engine's information: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		if err := c.start(ctx); err != nil {
			return err
		}
		group.Go(func() error { return c.readImages(ctx, c.listedImages()) })
		group.Go(func() error {
			c.lookAtFiles()
			return nil
		})
		group.Go(func() error {
			if c.remote == "" {
				c.kernelAudit, c.kernelAuditErr = c.options.kernelAudit()
			}
			return nil
		})
		return c.containers(ctx)
	})
	var networksErr error
	group.Go(func() error {
		c.host.Networks, c.answers.bridge, networksErr = readNetworks(ctx, c.reader)
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if networksErr != nil {
		c.problem("daemon", networksErr.Error(), false)
	}
	c.host.Engine = c.answers.engine(c.reader.ClientVersion())
	return nil
}

// distinct refuses a list in which containers cannot be told apart.
func distinct(list []container.Summary) error {
	seen := make(map[string]bool, len(list))
	for _, s := range list {
		if s.ID == "" || seen[s.ID] {
			return fmt.Errorf("the engine's answer has a container without an id, or %q twice", s.ID)
		}
		seen[s.ID] = true
	}
	return nil
}

// start asks for the containers and reads the engine's process and files.
func (c *collector) start(ctx context.Context) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		c.list, err = c.listed(groupCtx)
		if err == nil {
			err = distinct(c.list)
		}
		if err != nil {
			return fmt.Errorf("cannot list containers: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		c.self = newOwnWorld()
		c.local()
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if c.remote == "" {
		// The process behind the socket was seen to be dockerd: its word on what product it is adds
		// nothing, and the engine would run two programs to give it.
		return nil
	}
	var err error
	if c.answers.version, err = c.reader.ServerVersion(ctx); err != nil {
		return fmt.Errorf("cannot read the engine's version: %w", err)
	}
	return nil
}

// local reads the engine's process and files, if they are on this machine.
func (c *collector) local() {
	socket, err := unixSocket(c.endpoint)
	if err != nil {
		c.remote = err.Error()
		return
	}
	table, err := c.root.processes()
	if err != nil {
		c.remote = explain(err).Error()
		return
	}
	engine, err := c.root.findEngine(socket, table)
	if err != nil {
		c.remote = err.Error()
		return
	}
	d := &daemonReader{root: c.root, options: c.options}
	c.host.Daemon = d.read(engine, table)
	c.daemonProblems = d.problems
	c.clients = c.root.clients(table)
	c.proc.root = c.root
	if err := c.proc.prepare(engine.pid); err != nil {
		c.remote = err.Error()
	}
}

// lookAtFiles looks at owner and mode of the engine's files, if they are on this machine.
func (c *collector) lookAtFiles() {
	if c.remote != "" {
		return
	}
	socket, err := unixSocket(c.endpoint)
	if err != nil {
		return
	}
	c.engineFiles, c.files = c.root.engineFiles(&c.host.Daemon, strings.TrimPrefix(socket, string(c.root)))
	c.givenTLS = c.root.givenTLS(c.options.TLS, c.engineFiles, c.files)
}

// doubt compares the engine's answers with what was found on this machine. What was read of another
// engine's process is dropped.
func (c *collector) doubt() {
	e := &c.host.Engine
	kernel, err := c.root.readProcFile("/proc/sys/kernel/osrelease")
	switch got := strings.TrimSpace(string(kernel)); {
	case e.Product != productDocker:
		c.remote = fmt.Sprintf("the engine is %s; only Docker Engine on Linux can be hardened", e.Product)
	case c.remote == "" && err == nil && got != e.Kernel:
		c.remote = fmt.Sprintf("the engine runs on kernel %s, this machine on %s; run docker-harden on the engine's host", e.Kernel, got)
	}
	if c.remote == "" {
		e.Local = true
		c.host.Problems = append(c.host.Problems, c.daemonProblems...)
		c.host.EngineFiles, c.host.GivenTLS = c.engineFiles, c.givenTLS
		maps.Copy(c.host.Files, c.files)
		if c.host.Daemon.Resolved != "" {
			c.host.Files[c.host.Daemon.Resolved] = c.host.Daemon.Config
		}
		return
	}
	c.problem("daemon", c.remote, true)
	c.host.Daemon = Daemon{}
	for i := range c.found {
		c.found[i].outOfSight(c.remote)
	}
}

// finish puts everything in order.
func (c *collector) finish() {
	c.host.Containers = slices.Grow(c.host.Containers, len(c.found))
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
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	c.bindSources()
	c.composeFiles()
	c.imagePrograms()
	if c.host.Engine.Local {
		c.audit()
		if cluster := c.host.Engine.Cluster; cluster != nil {
			cluster.Disk = c.root.swarmDisk(c.host.Engine.RootDir)
		}
		c.host.Reachable = c.root.reachable(c.host.Daemon.PID)
		c.host.DataRoot, c.host.Group = c.root.dataRoot(c.host.Engine.RootDir), c.root.group(c.socketGroup())
	}
	slices.SortStableFunc(c.host.Problems, func(a, b plan.Problem) int { return strings.Compare(a.Subject, b.Subject) })
	c.host.Identity = identity(c.root, c.host.Engine, c.answers.info, c.endpoint)
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
