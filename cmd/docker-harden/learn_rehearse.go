package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/urfave/cli/v2"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/learn"
	"docker-harden/plan/profile"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/daemon"
)

// rehearsal lets containers begin, work, end and begin again, as an apply does it and with its way back, and changes
// nothing on them.
type rehearsal struct {
	a       *app
	c       *cli.Context
	engine  *engine
	profile *profile.Profile
	watched []*inventory.Container
}

// rehearsal refuses what cannot be rehearsed, and asks.
func (a *app) rehearsal(c *cli.Context, e *engine, h *inventory.Host, watched []*inventory.Container) (*rehearsal, error) {
	if err := a.overdue(c); err != nil {
		return nil, err
	}
	prof, err := openProfile(c.String("profile"))
	if err != nil {
		return nil, err
	}
	r := &rehearsal{a: a, c: c, engine: e, profile: prof, watched: watched}
	var said strings.Builder
	for _, one := range watched {
		x, err := r.plan(h, one)
		if err != nil {
			return nil, err
		}
		if err := r.check(x); err != nil {
			return nil, err
		}
		r.describe(&said, x.plan.Steps[0])
	}
	if c.Bool("yes") {
		return r, nil
	}
	a.say("%s\nEach is made anew without any change, as apply does it and with its way back, then stopped and started once more.", said.String())
	return r, a.ask(c.Context, fmt.Sprintf("\nRehearse %s?", count(len(watched), "container")), "--yes")
}

// describe says what a rehearsal of one container does to it and to others.
func (*rehearsal) describe(b *strings.Builder, s plan.Step) {
	fmt.Fprintf(b, "%s %s  %s, then a restart\n", s.Kind.Symbol(), clean(s.ID), s.Effect.Text)
	for _, m := range s.Members {
		fmt.Fprintf(b, "    %s %s goes along\n", m.Action.Symbol(), clean(m.Resource.String()))
	}
	for _, ch := range s.Changes {
		fmt.Fprintf(b, "    %s  %s -> %s  # %s\n", clean(ch.Path), inOneLine(ch.From), inOneLine(ch.To), clean(ch.Note))
	}
	for _, reason := range s.Risk.Reasons {
		fmt.Fprintf(b, "    # %s\n", clean(reason))
	}
	for _, note := range s.Notes {
		fmt.Fprintf(b, "    # %s\n", clean(note))
	}
}

// plan is the recreate of one container that changes nothing.
func (r *rehearsal) plan(h *inventory.Host, one *inventory.Container) (*application, error) {
	now := time.Now()
	c := h.Find(one.ID)
	if c == nil {
		return nil, fmt.Errorf("cannot rehearse %s: it is gone", one.Name)
	}
	if c.Inspect.State.Paused {
		return nil, fmt.Errorf("cannot rehearse %s: it is paused; docker unpause it first", c.Name)
	}
	p, err := plan.Again(plan.Input{
		Findings: []plan.Finding{control.Again(h, r.profile, c)}, Basis: h.Basis, Bound: control.Bound(h, r.profile, nil),
		Host: h.Identity, Profile: identity(r.profile), Rules: map[string]plan.Rule{}, Problems: h.Problems, Tool: toolVersion(), Made: now,
	})
	if err == nil {
		err = errors.Join(p.Applicable(now), sharesNothing(p.Steps[0]))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot rehearse %s: %w", c.Name, err)
	}
	data, sum, err := plan.Encode(p)
	if err != nil {
		return nil, err
	}
	return &application{plan: p, data: data, sum: sum, profile: r.profile, engine: r.engine, host: h}, nil
}

// sharesNothing refuses a container whose namespaces others use: they would lose them when it is stopped and started
// by itself.
func sharesNothing(s plan.Step) error {
	for _, m := range s.Members {
		for _, b := range m.Binds {
			if slices.Contains([]string{"network", "pid", "ipc"}, b.By) {
				return fmt.Errorf("container %s uses the %s namespace of %s, and would lose it at the second start; watch without --rehearse while you restart them", m.Resource.Name, b.By, b.To.Name)
			}
		}
	}
	return nil
}

func (r *rehearsal) request(x *application) remediate.ApplyRequest {
	return remediate.ApplyRequest{
		Plan: x.plan, PlanBytes: x.data, SHA256: x.sum, Host: x.host.Identity, OnFailure: remediate.RollbackOnFailure,
		Message: "learn --rehearse " + x.plan.Steps[0].Resource.Name,
		Basis:   basisOf(x.host), Bound: boundOf(x.host), Ran: control.Ran(x.host, x.plan.Steps),
	}
}

// check refuses what the recreate would refuse, before anything is touched or anybody asked.
func (r *rehearsal) check(x *application) error {
	store, err := r.a.journals(r.c)
	if err != nil {
		return err
	}
	runner, _ := r.a.assemble(r.c, r.engine, x.host, quietProgress{}, store)
	_, err = runner.Check(r.c.Context, r.request(x))
	return err
}

// run rehearses one container after the other, and then watches them.
func (r *rehearsal) run(w *learn.Watch, p period) error {
	generations := make([]int, len(r.watched))
	for i, one := range r.watched {
		var err error
		if generations[i], err = r.recreate(one); err != nil {
			return err
		}
	}
	if p.exercise != "" && r.c.Context.Err() == nil {
		var err error
		if w.Passed, err = r.a.exercise(r.c.Context, p.exercise); err != nil {
			return fmt.Errorf("%w; sudo %s rollback brings back the containers as they were", err, r.a.name())
		}
	}
	for i, one := range r.watched {
		// A later generation may have taken this container along, and goes back before the one that made it anew.
		if err := r.restart(one, generations[i:]); err != nil {
			return err
		}
	}
	w.Rehearsed = r.c.Context.Err() == nil
	if p.lasts == 0 {
		return nil
	}
	p.exercise = "" // it was done
	return r.a.observeWhile(r.c, w, r.watched, p)
}

// recreate makes a container anew, as an apply does, and gives the generation that brings back the one before.
func (r *rehearsal) recreate(one *inventory.Container) (generation int, err error) {
	if r.c.Context.Err() != nil {
		return 0, nil // interrupted: what was not begun stays as it is
	}
	defer onInterrupt(r.c.Context, betweenSteps)()
	// A rehearsal before this one may have taken this container along.
	_, h, err := r.a.look(r.c.Context, r.c, inventory.Options{})
	if err != nil {
		return 0, err
	}
	now := h.Find(one.Name)
	if now == nil {
		return 0, fmt.Errorf("cannot rehearse %s: it is gone", one.Name)
	}
	x, err := r.plan(h, now)
	if err != nil {
		return 0, err
	}
	out, err := r.apply(x)
	if err != nil {
		return 0, err
	}
	r.a.note(r.c, "%s was made anew, unchanged (generation %d). The one before is kept.\nUndo: sudo %s rollback %[2]d   Keep: sudo %[3]s confirm, then prune", clean(one.Name), out.Generation, r.a.name())
	return out.Generation, nil
}

func (r *rehearsal) apply(x *application) (remediate.Outcome, error) {
	p := &listener{progress: r.a.newProgress(r.c)}
	runner, err := r.a.runner(r.c, r.engine, x.host, p)
	if err != nil {
		p.close()
		return remediate.Outcome{}, err
	}
	q := r.request(x)
	runner.Verify = r.a.prover(r.c, r.engine, r.profile, q.Ran)
	q.Basis, q.Bound = r.a.basisOnce(r.c, r.engine)
	var out remediate.Outcome
	if err = daemon.Observed(r.a.stateDir(r.c), x.host.Daemon); err == nil {
		out, err = runner.Apply(r.c.Context, q)
	}
	p.close()
	return out, r.ended(p, out, err)
}

// ended tells how a run ended that did not end well.
func (r *rehearsal) ended(p *listener, out remediate.Outcome, err error) error {
	if err == nil {
		return nil
	}
	if perr := r.a.printOutcome(r.a.err, out, err); perr != nil {
		return errors.Join(err, perr)
	}
	return p.after(err)
}

// restart stops and starts a container. The engine does both by itself, also when this tool is killed between. One
// that does not come back is replaced by the container that was there before.
func (r *rehearsal) restart(one *inventory.Container, generations []int) error {
	if r.c.Context.Err() != nil {
		return nil
	}
	ctx := context.WithoutCancel(r.c.Context)
	r.a.note(r.c, "Stopping and starting %s.", clean(one.Name))
	err := r.engine.ContainerRestart(ctx, one.Name, container.StopOptions{})
	if err == nil {
		err = r.settled(ctx, one.Name)
	}
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s did not come back when it was stopped and started: %w", one.Name, err)
	for _, generation := range slices.Backward(generations) {
		if generation == 0 { // it was interrupted before it
			continue
		}
		if rerr := r.back(ctx, generation); rerr != nil {
			return fmt.Errorf("%w: %w; %w", remediate.ErrRollbackIncomplete, err, rerr)
		}
	}
	return fmt.Errorf("%w: %w; the container that was there before is back", remediate.ErrRolledBack, err)
}

// back rolls one generation of the rehearsal back.
func (r *rehearsal) back(ctx context.Context, generation int) error {
	p := &listener{progress: r.a.newProgress(r.c)}
	runner, err := r.a.runner(r.c, r.engine, nil, p)
	if err != nil {
		p.close()
		return err
	}
	out, err := runner.Rollback(ctx, remediate.RollbackRequest{Generation: generation, Basis: r.a.basisNow(r.c, r.engine)})
	p.close()
	return errors.Join(err, r.a.printOutcome(r.a.err, out, err))
}

// settled waits until a container has been up for a while and is healthy, if it has a health check.
func (r *rehearsal) settled(ctx context.Context, name string) error {
	stable, patience := r.c.Duration("stable"), r.c.Duration("wait-timeout")
	if stable == 0 {
		stable = 5 * time.Second
	}
	if patience == 0 {
		patience = 5 * time.Minute
	}
	const every = 200 * time.Millisecond
	began := time.Now()
	for {
		is, err := r.engine.ContainerInspect(ctx, name)
		if err != nil {
			return fmt.Errorf("cannot look at it: %w", err)
		}
		up := time.Since(began)
		done, err := again(is, up >= stable, up >= patience)
		if done || err != nil {
			return err
		}
		time.Sleep(every)
	}
}

// again judges a container that was started once more: whether it is there, or will not be.
func again(is container.InspectResponse, stable, late bool) (done bool, err error) {
	s := is.State
	health := container.NoHealthcheck
	if s.Health != nil {
		health = s.Health.Status
	}
	switch {
	case !s.Running && s.OOMKilled:
		return false, errors.New("it was killed for lack of memory")
	case !s.Running:
		return false, fmt.Errorf("it ended with status %d", s.ExitCode)
	case s.Restarting || is.RestartCount > 0:
		return false, errors.New("it ended, and its restart policy started it again")
	case health == container.Unhealthy:
		return false, errors.New("its health check says unhealthy")
	case health == container.Starting && late:
		return false, errors.New("it is not healthy in time")
	}
	return stable && health != container.Starting, nil
}
