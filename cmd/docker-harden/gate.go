package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/urfave/cli/v2"

	"docker-harden/plan"
	"docker-harden/plan/baseline"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
	"docker-harden/plan/report"
)

// openBaseline reads the file of --baseline before the host is looked at: a slip there should not cost a look.
// It is nil without the flag, and an empty one where the file is to be written for the first time.
func openBaseline(c *cli.Context) (*baseline.File, error) {
	name, write := c.String("baseline"), c.Bool("write-baseline")
	switch {
	case name == "" && write:
		return nil, usagef("--write-baseline to which file? name it with --baseline")
	case name == "" && c.String("fail-on") == string(report.FailOnNew):
		return nil, usagef("--fail-on new compares with a baseline; name its file with --baseline")
	case name == "":
		return nil, nil
	case write && c.IsSet("fail-on"):
		return nil, usagef("--write-baseline accepts what fails now, so there is nothing for --fail-on to decide")
	}
	f, err := baseline.Read(name)
	switch {
	case err == nil:
		return &f, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case write:
		return &baseline.File{}, nil
	}
	return nil, fmt.Errorf("%w; make it with --write-baseline", err)
}

// compare marks what the baseline knows; with --write-baseline that is what fails now.
func (a *app) compare(c *cli.Context, known *baseline.File, audit *report.Audit, made *plan.Plan, asked func(baseline.Entry) bool) error {
	name := c.String("baseline")
	found := known.Compare(made.Findings, asked)
	if c.Bool("write-baseline") && !made.Errored {
		now := baseline.Make(made.Findings, found.Open, program+" "+toolVersion(), made.Made)
		data, err := now.Encode()
		if err != nil {
			return err
		}
		const readable = 0o644 // it is kept beside code
		if err := writeWhole(name, data, readable, isBaseline); err != nil {
			return err
		}
		a.note(c, "Baseline %s: %s written, %d of them new, %d dropped.", clean(name), count(len(now.Failures), "failure"),
			len(now.Failures)-len(found.Known)-len(found.Open), len(found.Fixed))
		if len(found.Open) > 0 {
			a.note(c, "Kept, because this run did not judge them: %d.", len(found.Open))
		}
		known, found = &now, now.Compare(made.Findings, asked)
	}
	audit.Against(name, *known, found, report.FailOn(c.String("fail-on")))
	return nil
}

// inScope tells whether this run judges a resource that a baseline names, if there is one. Where sight was
// incomplete, nothing that was not seen is known to be gone.
func inScope(c *cli.Context, h *inventory.Host, made *plan.Plan) (func(baseline.Entry) bool, error) {
	selected, err := selection(c, h, c.Args().Slice(), rulebook())
	if err != nil {
		return nil, err
	}
	keeps, err := selected.Keeps(resourcesOf(h), made.Rules)
	if err != nil {
		return nil, err
	}
	return func(e baseline.Entry) bool {
		return !made.Errored && keeps(plan.Finding{Control: e.Control, Resource: e.Resource()})
	}, nil
}

// leftOut counts the controls of the profile that only --severity keeps from being asked.
func leftOut(c *cli.Context, h *inventory.Host, p *profile.Profile) (*report.LeftOut, error) {
	least := plan.RiskLevel(c.String("severity"))
	if least == "" {
		return nil, nil
	}
	rules := rulebook()
	named, err := named(c, h, c.Args().Slice())
	if err != nil {
		return nil, err
	}
	all, err := taken(named, h, rules)
	if err != nil {
		return nil, err
	}
	out := report.LeftOut{Severity: least}
	for _, rule := range all {
		if _, on := p.ParamsFor(rule.ID, "", rule.Params); on && rule.Severity.Rank() < least.Rank() {
			out.Controls++
		}
	}
	if out.Controls == 0 {
		return nil, nil
	}
	return &out, nil
}
