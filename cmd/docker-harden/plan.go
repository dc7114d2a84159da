package main

import (
	"github.com/urfave/cli/v2"

	"docker-harden/plan"
	"docker-harden/plan/report"
)

func (a *app) planCommand() *cli.Command {
	flags := append(selectFlags(),
		&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "save the plan to `FILE`, for apply"},
		formatFlag(), fromFlag(), scanFlag(), evidenceFlag(),
		&cli.BoolFlag{Name: "detailed-exitcode", Usage: "exit with 2 when there is something to change"},
		&cli.BoolFlag{Name: "verbose", Usage: "print what passes too, and the evidence"},
		&cli.BoolFlag{Name: "summary", Usage: "print only the totals"})
	return leaf(&cli.Command{
		Name: "plan", Usage: "compare the host with a profile; print and save a plan", ArgsUsage: "[TARGET...]", Flags: flags,
		Description: `Nothing is changed, nothing is run in a container, nothing is downloaded.

TARGET narrows the plan: daemon, host, swarm, container/NAME, project/NAME (Compose), image/REF, control:ID.
Names may be patterns: 'container/web-*'.

For containers of Compose projects, -o also writes compose.harden.yaml beside FILE (with several projects,
PROJECT.compose.harden.yaml for each): given to docker compose after the project's own files, it keeps what the
plan changes. What Swarm, Kubernetes, systemd units and others own is left to them, with the command to use.

Examples:
  $CMD plan                                    what cis-level1 would change
  $CMD plan -p baseline -o host.plan           save it for apply
  $CMD plan container/web daemon               only these
  $CMD plan --skip container/db --skip 5.12    all but these
  $CMD plan --from host.snapshot               on another machine`,
	}, many, a.plan)
}

func (a *app) plan(c *cli.Context) error {
	p, err := openProfile(c.String("profile"))
	if err != nil {
		return err
	}
	h, err := a.sight(c.Context, c, p)
	if err != nil {
		return err
	}
	made, err := a.review(c, h, p, c.Args().Slice())
	if err != nil {
		return err
	}
	if !c.IsSet("from") {
		a.remind(c)
	}
	if err := a.advise(c, h, made, c.String("out")); err != nil {
		return err
	}
	o := a.textOptions(c)
	if file := c.String("out"); file != "" {
		data, sum, err := plan.Encode(made)
		if err != nil {
			return err
		}
		if err := writePrivate(file, data, isPlanFile); err != nil {
			return err
		}
		o.SavedAs, o.SHA256 = file, sum
	}
	if err := a.printPlan(c, made, o); err != nil {
		return err
	}
	if !c.Bool("detailed-exitcode") {
		return nil
	}
	switch {
	case made.Errored:
		return incomplete(made)
	case len(made.Steps) > 0:
		return statusError(exitFindings)
	}
	return nil
}

func (a *app) printPlan(c *cli.Context, p *plan.Plan, o report.TextOptions) error {
	if c.String("format") == "json" {
		return report.JSON(a.out, p)
	}
	return report.Text(a.out, p, o)
}

func (a *app) textOptions(c *cli.Context) report.TextOptions {
	return report.TextOptions{Color: a.colour(c, a.out), Verbose: c.Bool("verbose"), Summary: c.Bool("summary")}
}
