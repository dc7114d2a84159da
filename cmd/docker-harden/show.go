package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/urfave/cli/v2"

	"docker-harden/plan"
)

func (a *app) showCommand() *cli.Command {
	return leaf(&cli.Command{
		Name: "show", Usage: "print a saved plan or an applied generation", ArgsUsage: "PLAN|GEN",
		Flags: []cli.Flag{
			formatFlag(),
			&cli.BoolFlag{Name: "verbose", Usage: "print what passes too, and the evidence"},
			&cli.BoolFlag{Name: "summary", Usage: "print only the totals"},
		},
		Description: `A number is a generation of this host, anything else is a plan file. Nothing is asked of the engine.

Examples:
  $CMD show host.plan
  $CMD show host.plan --format json | jq '.plan.steps[].id'
  sudo $CMD show 3`,
	}, 1, a.show)
}

func (a *app) show(c *cli.Context) error {
	word := c.Args().First()
	if word == "" {
		return usagef("show what? a plan file, or the number of a generation")
	}
	var p *plan.Plan
	var err error
	if n, nerr := strconv.Atoi(word); nerr == nil {
		p, err = a.planOf(c, n)
	} else {
		p, err = readPlan(word)
	}
	if err != nil {
		return err
	}
	return a.printPlan(c, p, a.textOptions(c))
}

// planOf is the plan of a generation, as it was reviewed.
func (a *app) planOf(c *cli.Context, n int) (*plan.Plan, error) {
	gen, err := a.generation(c, n)
	if err != nil {
		return nil, err
	}
	data, err := gen.PlanFile()
	if err != nil {
		return nil, err
	}
	p, _, err := plan.Decode(data)
	if err == nil {
		a.note(c, "Generation %d is %s.", n, gen.State())
	}
	return p, err
}

// readPlan reads a plan to look at it: whoever owns it, however open it is. Only apply must trust it.
func readPlan(name string) (*plan.Plan, error) {
	p, _, _, err := plan.ReadFile(name)
	if err == nil || errors.Is(err, plan.ErrEdited) || errors.Is(err, plan.ErrFormat) || errors.Is(err, os.ErrNotExist) {
		return p, err
	}
	info, serr := os.Stat(name)
	if serr != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	data, rerr := os.ReadFile(name)
	if rerr != nil {
		return nil, fmt.Errorf("cannot read plan: %w", rerr)
	}
	p, _, err = plan.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("cannot read plan %s: %w", name, err)
	}
	return p, nil
}

// note is a remark on stderr that --quiet leaves out.
func (a *app) note(c *cli.Context, format string, args ...any) {
	if !c.Bool("quiet") {
		a.say(format, args...)
	}
}
