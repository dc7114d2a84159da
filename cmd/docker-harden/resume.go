package main

import (
	"slices"

	"github.com/urfave/cli/v2"

	"docker-harden/plan/profile"
	"docker-harden/remediate"
	"docker-harden/remediate/journal"
)

func (a *app) resumeCommand() *cli.Command {
	return leaf(&cli.Command{
		Name: "resume", Usage: "finish undoing or doing an interrupted apply",
		Flags: append(waitFlags(), formatFlag()),
		Description: `After a crash, a kill or a power loss the rollback file says how far the apply came. resume goes on in
the direction it was going; rollback goes back instead.

Examples:
  sudo $CMD resume`,
	}, 0, a.resume)
}

func (a *app) resume(c *cli.Context) error {
	if err := a.overdue(c); err != nil {
		return err
	}
	gen, err := a.unfinished(c)
	if err != nil {
		return err
	}
	if gen == nil {
		a.elsewhere(c)
		return a.nothing(c, "Nothing to resume: no apply is unfinished on this host.")
	}
	var prof *profile.Profile
	if !gen.GoingBack() { // the way back needs no proof by profile
		if prof, err = sameProfile(gen.Begin.Profile); err != nil {
			return err
		}
	}
	e, err := a.connect(c)
	if err != nil {
		return err
	}
	return a.work(c, e, nil, func(r *remediate.Runner) (remediate.Outcome, error) {
		r.Raise = a.raiser(c, e)
		r.Verify = a.prover(c, e, prof, gen.Begin.Ran)
		return r.Resume(c.Context, remediate.ResumeRequest{OnFailure: remediate.RollbackOnFailure, Basis: a.basisNow(c, e), Bound: a.boundNow(c, e)})
	})
}

// unfinished is the newest generation that is unfinished, as the runner finds it; nil is none.
func (a *app) unfinished(c *cli.Context) (*journal.Generation, error) {
	store, err := a.journals(c)
	if err != nil {
		return nil, err
	}
	all, err := store.List()
	if err != nil {
		return nil, err
	}
	for i, gen := range slices.Backward(all) {
		switch {
		case gen.Err != nil && i == len(all)-1:
			return nil, gen.Err
		case gen.Err == nil && gen.Unfinished():
			return gen, nil
		}
	}
	return nil, nil
}
