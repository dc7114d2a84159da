package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/docker/docker/client"
	"github.com/urfave/cli/v2"

	"docker-harden/plan"
	"docker-harden/plan/control"
	controls "docker-harden/plan/control/docker"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/container"
	"docker-harden/remediate/docker/daemon"
	"docker-harden/remediate/docker/network"
	"docker-harden/remediate/docker/swarm"
	"docker-harden/remediate/host"
	"docker-harden/remediate/host/audit"
	"docker-harden/remediate/host/membership"
	"docker-harden/remediate/journal"
)

// rulebook is every control there is, in benchmark order.
func rulebook() []control.Control { return controls.Controls() }

// engine is the way to one engine.
type engine struct {
	*client.Client
	address string
}

// connect makes a client of the engine that the command line means. The engine need not answer.
func (a *app) connect(c *cli.Context) (*engine, error) {
	e, err := a.endpoint(c)
	if err != nil {
		return nil, err
	}
	cl, err := e.dial()
	if err != nil {
		return nil, err
	}
	a.clients = append(a.clients, cl)
	if c.Bool("debug") {
		a.say("engine: %s", clean(withoutPassword(e.Host)))
	}
	return &engine{Client: cl, address: withoutPassword(e.Host)}, nil
}

// wants is what an observation has to show for a profile besides the usual.
func wants(p *profile.Profile) inventory.Options {
	o := meant(p)
	o.History, o.Programs = control.NeedsHistory(p, rulebook()), control.NeedsPrograms(p, rulebook())
	return o
}

// meant is what a profile means to give the engine, which an observation then has to look at.
func meant(p *profile.Profile) inventory.Options {
	return inventory.Options{TLS: controls.GivenTLS(p), Places: controls.GivenVolumes(p), Plugins: controls.GivenPlugins(p), Remap: controls.GivenRemap(p)}
}

// look connects to the engine and observes its host, with what is wanted of it besides the usual.
func (a *app) look(ctx context.Context, c *cli.Context, wanted inventory.Options) (*engine, *inventory.Host, error) {
	e, err := a.connect(c)
	if err != nil {
		return nil, nil, err
	}
	h, err := a.observation(ctx, c, e, e.Client, wanted)
	return e, h, a.busy(ctx, c, err)
}

// busy adds to an engine that does not answer what may well be the reason: a run that restarts it right
// now, or one that was interrupted while it did.
func (a *app) busy(ctx context.Context, c *cli.Context, err error) error {
	if err == nil || !client.IsErrConnectionFailed(err) {
		return err
	}
	return a.halfDone(ctx, c, err)
}

// halfDone adds to something that is not as it should be that another run is at work on this host, or was interrupted.
func (a *app) halfDone(ctx context.Context, c *cli.Context, err error) error {
	store, serr := a.journals(c)
	if serr != nil {
		return err
	}
	r := &remediate.Runner{Store: store, Lock: a.lockPath()}
	why := r.Ready(ctx)
	if errors.Is(why, remediate.ErrLocked) || errors.Is(why, remediate.ErrUnfinished) {
		return fmt.Errorf("%w\n%w", why, err)
	}
	return err
}

// observe reads a host through r, which may show less than the engine does.
func (a *app) observe(ctx context.Context, c *cli.Context, e *engine, r inventory.Reader) (*inventory.Host, error) {
	return a.observation(ctx, c, e, r, inventory.Options{})
}

func (a *app) observation(ctx context.Context, c *cli.Context, e *engine, r inventory.Reader, wanted inventory.Options) (*inventory.Host, error) {
	start := time.Now()
	wanted.Endpoint, wanted.Effective = e.address, daemon.Effective(a.stateDir(c))
	h, err := inventory.Collect(ctx, r, wanted)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err // it is no fault of the engine's
		}
		return nil, unreachable(e.address, err)
	}
	if _, narrow := r.(oneContainer); !narrow {
		a.hideKept(c, h)
	}
	if c.Bool("debug") {
		a.say("inventory: %s in %s", count(len(h.Containers), "container"), time.Since(start).Round(time.Millisecond))
	}
	return h, nil
}

// unreachable adds what to do when an engine does not answer.
func unreachable(address string, err error) error {
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w\nThe socket is for root and group docker: use sudo", err)
	case client.IsErrConnectionFailed(err):
		return fmt.Errorf("%w\nIs the engine running? Try: docker -H %s version", err, address)
	}
	return err
}

// runner puts together what performs plans. h is needed to apply; undoing works from the rollback file.
func (a *app) runner(c *cli.Context, e *engine, h *inventory.Host, p progress) (*remediate.Runner, error) {
	state := a.stateDir(c)
	if err := os.MkdirAll(filepath.Dir(state), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the directory above %s: %w", state, err)
	}
	store, err := journal.Open(state)
	if err != nil {
		return nil, err
	}
	r, service := a.assemble(c, e, h, p, store)
	if service.Manager != "" {
		if err := saveService(state, service); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// assemble makes a runner and writes nothing. The service is how the engine is started, if that is known.
func (a *app) assemble(c *cli.Context, e *engine, h *inventory.Host, p progress, store *journal.Store) (*remediate.Runner, host.Service) {
	engineHandler := &daemon.Handler{Engine: e.Client, Open: host.Open, StateDir: a.stateDir(c)}
	if h == nil {
		engineHandler.Observe = a.observer(c, e)
	} else if h.Engine.Local {
		service, err := host.Describe(h.Daemon, "")
		if err != nil {
			a.note(c, "The engine cannot be restarted by this tool: %s", clean(err.Error()))
		}
		engineHandler.Daemon, engineHandler.Service = h.Daemon, service
	}
	o := a.containerOptions(c)
	recreator := &container.Recreator{Engine: e.Client, Options: o}
	updater := &container.Updater{Engine: e.Client, Options: o}
	return &remediate.Runner{
		Handlers: map[plan.Kind]remediate.Handler{
			plan.KindFile: &host.FileMode{}, plan.KindSocket: &host.Socket{}, plan.KindAudit: &audit.Handler{}, plan.KindGroup: &membership.Handler{},
			plan.KindReload: engineHandler, plan.KindRestart: engineHandler,
			plan.KindUpdate: updater, plan.KindRecreate: recreator,
			plan.KindSwarm:   &swarm.Handler{Engine: e.Client},
			plan.KindNetwork: &network.Mover{Engine: e.Client, Limits: updater, Stable: o.Stable},
		},
		Store: store, Lock: a.lockPath(), LockTimeout: c.Duration("lock-timeout"),
		Timer: alarm{app: a, c: c, unit: engineHandler.Service.Unit}, Clock: host.Clock,
		Events: p.event, Now: time.Now, Tool: toolVersion(), Machine: inventory.MachineID(),
	}, engineHandler.Service
}

func (a *app) containerOptions(c *cli.Context) container.Options {
	state, _ := filepath.Abs(a.stateDir(c)) // without it no value of a variable is moved into a file there
	return container.Options{State: state, Stable: c.Duration("stable"), HealthTimeout: c.Duration("wait-timeout"), Refused: a.refused}
}

// watcher looks at containers after an apply.
func (a *app) watcher(c *cli.Context, e *engine) *container.Watcher {
	return &container.Watcher{Engine: e.Client, Options: a.containerOptions(c), Known: knownProcesses(a.learnt)}
}

// observer looks at an engine that was not looked at before, or was restarted since.
func (a *app) observer(c *cli.Context, e *engine) func(context.Context) (inventory.Daemon, host.Service, error) {
	return func(ctx context.Context) (inventory.Daemon, host.Service, error) {
		h, err := a.observe(ctx, c, e, e.Client)
		if err != nil {
			return inventory.Daemon{}, host.Service{}, err
		}
		service, err := host.Describe(h.Daemon, "")
		return h.Daemon, service, err
	}
}

// journals opens the generations of this host to read them.
func (a *app) journals(c *cli.Context) (*journal.Store, error) { return journal.Look(a.stateDir(c)) }

// generation reads one generation; 0 is the newest.
func (a *app) generation(c *cli.Context, n int) (*journal.Generation, error) {
	store, err := a.journals(c)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return store.Latest()
	}
	return store.Load(n)
}

type basisFunc = func(context.Context, plan.Resource) (plan.Basis, bool, error)

type boundFunc = func(context.Context) ([]plan.Bound, error)

// boundOf answers from one observation.
func boundOf(h *inventory.Host) boundFunc {
	return func(context.Context) ([]plan.Bound, error) { return control.Bound(h, nil, nil), nil }
}

// basisOf answers from one observation.
func basisOf(h *inventory.Host) basisFunc {
	return func(_ context.Context, r plan.Resource) (plan.Basis, bool, error) {
		basis, ok := h.Basis(r)
		return basis, ok, nil
	}
}

// basisOnce observes the host when it is first asked, which is after the runner holds the lock, and
// answers from that. The second answer is which containers are bound to others.
func (a *app) basisOnce(c *cli.Context, e *engine) (basisFunc, boundFunc) {
	var seen *inventory.Host
	look := func(ctx context.Context) (err error) {
		if seen == nil {
			seen, err = a.observe(ctx, c, e, e.Client)
		}
		return err
	}
	basis := func(ctx context.Context, r plan.Resource) (plan.Basis, bool, error) {
		if err := look(ctx); err != nil {
			return nil, false, err
		}
		return basisOf(seen)(ctx, r)
	}
	return basis, func(ctx context.Context) ([]plan.Bound, error) {
		if err := look(ctx); err != nil {
			return nil, err
		}
		return control.Bound(seen, nil, nil), nil
	}
}

// boundNow observes which containers are bound to others each time it is asked.
func (a *app) boundNow(c *cli.Context, e *engine) boundFunc {
	return func(ctx context.Context) ([]plan.Bound, error) {
		h, err := a.observe(ctx, c, e, e.Client)
		if err != nil {
			return nil, err
		}
		return control.Bound(h, nil, nil), nil
	}
}

// basisNow observes a resource each time it is asked, and of the containers only that one.
func (a *app) basisNow(c *cli.Context, e *engine) basisFunc {
	return func(ctx context.Context, r plan.Resource) (plan.Basis, bool, error) {
		h, err := a.observe(ctx, c, e, oneContainer{e.Client, r})
		if err != nil {
			return nil, false, err
		}
		basis, ok := h.Basis(r)
		return basis, ok, nil
	}
}

// prover looks at the host again and returns the findings of the steps' controls that do not hold, and the
// containers of ran that ended since. What could not be looked at is not proven.
func (a *app) prover(c *cli.Context, e *engine, p *profile.Profile, ran []plan.Ran) func(context.Context, []plan.Step) ([]plan.Finding, error) {
	return func(ctx context.Context, steps []plan.Step) ([]plan.Finding, error) {
		h, err := a.observe(ctx, c, e, e.Client)
		if err != nil {
			return nil, err
		}
		still := unproven(control.Evaluate(h, p, rulebook(), time.Now()), steps)
		return append(still, control.Fallen(ran, h, steps)...), nil
	}
}

// unproven picks the findings of the steps' controls that are not seen to hold. A control without
// any verdict on its target is not proven either.
func unproven(findings []plan.Finding, steps []plan.Step) []plan.Finding {
	out := []plan.Finding{}
	for _, s := range steps {
		for _, part := range s.Parts() {
			for _, id := range part.Controls {
				out = append(out, unprovenOf(findings, part.Resource, id)...)
			}
		}
	}
	return out
}

func unprovenOf(findings []plan.Finding, r plan.Resource, control string) []plan.Finding {
	var out []plan.Finding
	judged := false
	for _, f := range findings {
		if f.Control != control || f.Resource.Kind != r.Kind || f.Resource.Name != r.Name {
			continue
		}
		judged = true
		if slices.Contains([]plan.Status{plan.Fail, plan.Unknown}, f.Status) {
			out = append(out, f)
		}
	}
	if !judged {
		out = append(out, plan.Finding{Control: control, Resource: r, Status: plan.Unknown, Message: "it could not be looked at again"})
	}
	return out
}
