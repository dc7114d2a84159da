package main

import (
	"errors"

	"github.com/urfave/cli/v2"

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
	gen, err := a.generation(c, 0)
	if errors.Is(err, journal.ErrNone) {
		return a.nothing(c, "Nothing to resume: nothing was applied on this host.")
	}
	if err != nil {
		return err
	}
	if !gen.Unfinished() {
		return a.nothing(c, "Nothing to resume: the newest generation is finished.")
	}
	prof, err := sameProfile(gen.Begin.Profile)
	if err != nil {
		return err
	}
	e, h, err := a.lookIfUp(c)
	if err != nil {
		return err
	}
	return a.work(c, e, h, func(r *remediate.Runner) (remediate.Outcome, error) {
		r.Verify = a.prover(c, e, prof)
		return r.Resume(c.Context, remediate.ResumeRequest{OnFailure: remediate.RollbackOnFailure, Basis: a.basisNow(c, e)})
	})
}
