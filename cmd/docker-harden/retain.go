package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"docker-harden/remediate"
)

func (a *app) confirmCommand() *cli.Command {
	return leaf(&cli.Command{
		Name: "confirm", Usage: "keep an apply: say that the host works with it", ArgsUsage: "[GEN]", Flags: []cli.Flag{formatFlag()},
		Description: `After apply --confirm it stops the timer, and the generation stays. Run it from a new session: that proves
that you can still get in. After the deadline it fails: the generation was, or is being, rolled back.

A confirmed generation can still be rolled back, until prune drops what that needs.

Examples:
  sudo $CMD confirm
  sudo $CMD confirm 3`,
	}, 1, a.confirm)
}

func (a *app) pruneCommand() *cli.Command {
	return leaf(&cli.Command{
		Name: "prune", Usage: "drop what a confirmed generation kept for rollback (old containers)", ArgsUsage: "[GEN]",
		Flags: []cli.Flag{yesFlag(), formatFlag()},
		Description: `The old containers go, and with them what they had written into their own layer. Rollback then brings
back the configuration from the rollback file.

Examples:
  sudo $CMD prune
  sudo $CMD prune 3 -y`,
	}, 1, a.prune)
}

func (a *app) confirm(c *cli.Context) error {
	n, err := generationArg(c)
	if err != nil {
		return err
	}
	if err := a.overdue(c); err != nil {
		return err
	}
	e, err := a.connect(c)
	if err != nil {
		return err
	}
	runner, err := a.runner(c, e, nil, quietProgress{})
	if err != nil {
		return err
	}
	out, err := runner.Confirm(c.Context, n)
	if err != nil {
		return err
	}
	a.remark(out)
	if c.String("format") == "json" {
		return a.printJSON(outcomeOf(out, nil))
	}
	_, err = fmt.Fprintf(a.out, "Generation %d is confirmed. Drop the old containers: sudo %s prune %[1]d\n", out.Generation, a.name())
	return err
}

func (a *app) prune(c *cli.Context) error {
	n, err := generationArg(c)
	if err != nil {
		return err
	}
	if err := a.overdue(c); err != nil {
		return err
	}
	gen, err := a.generation(c, n)
	if err != nil {
		return err
	}
	if !c.Bool("yes") {
		question := fmt.Sprintf("Drop what generation %d kept for rollback? What old containers wrote into their own layer is lost.", gen.N)
		if err := a.ask(c.Context, question, "--yes"); err != nil {
			return err
		}
	}
	e, err := a.connect(c)
	if err != nil {
		return err
	}
	runner, err := a.runner(c, e, nil, quietProgress{})
	if err != nil {
		return err
	}
	out, err := runner.Prune(c.Context, gen.N)
	if err != nil {
		return err
	}
	return a.printPruned(c, out)
}

func (a *app) printPruned(c *cli.Context, out remediate.Outcome) error {
	if c.String("format") == "json" {
		return a.printJSON(outcomeOf(out, nil))
	}
	_, err := fmt.Fprintf(a.out, "Generation %d is pruned: %s.\n", out.Generation, count(len(out.Done), "target"))
	return err
}
