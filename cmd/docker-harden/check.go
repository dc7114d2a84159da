package main

import (
	"errors"
	"slices"

	"github.com/urfave/cli/v2"

	"docker-harden/plan"
	"docker-harden/plan/report"
)

func (a *app) checkCommand() *cli.Command {
	flags := append(selectFlags(), formatFlag(), fromFlag(),
		&cli.BoolFlag{Name: "verbose", Usage: "print what passes too, and the evidence"},
		&cli.BoolFlag{Name: "summary", Usage: "print only the totals"})
	return leaf(&cli.Command{
		Name: "check", Usage: "audit only: exit with 2 when something fails", ArgsUsage: "[TARGET...]", Flags: flags,
		Description: `The same controls as plan, judged and listed one by one. Exit status 0: nothing fails, 2: something
does, 1: it could not be found out.

Examples:
  $CMD check                           the whole host
  $CMD check -p baseline --format json a gate in CI
  $CMD check --only no-new-privileges  one control
  $CMD check 'container/web-*'         some containers`,
	}, many, a.check)
}

func (a *app) check(c *cli.Context) error {
	p, err := openProfile(c.String("profile"))
	if err != nil {
		return err
	}
	h, err := a.sight(c.Context, c)
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
	if c.String("format") == "json" {
		err = report.FindingsJSON(a.out, report.AuditOf(made))
	} else {
		err = report.Findings(a.out, made.Findings, made.Rules, a.textOptions(c))
	}
	switch {
	case err != nil:
		return err
	case made.Errored:
		return incomplete(made)
	case slices.ContainsFunc(made.Findings, func(f plan.Finding) bool { return f.Status == plan.Fail }):
		return statusError(exitFindings)
	}
	return nil
}

// incomplete says what could not be looked at.
func incomplete(p *plan.Plan) error {
	text := "cannot judge the whole host"
	for _, problem := range p.Problems {
		if problem.Fatal {
			text += "\n  " + problem.Subject + ": " + problem.Reason
		}
	}
	return errors.New(text)
}
