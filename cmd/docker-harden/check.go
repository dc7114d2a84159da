package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"docker-harden/plan"
	"docker-harden/plan/report"
)

func (a *app) checkCommand() *cli.Command {
	flags := append(selectFlags(), checkFormatFlag(), fromFlag(), scanFlag(), evidenceFlag(),
		&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write the report to `FILE`; stdout then has it as text"},
		&cli.StringFlag{Name: "baseline", Usage: "`FILE` with the failures that are known"},
		&cli.BoolFlag{Name: "write-baseline", Usage: "write what fails now to the file of --baseline"},
		choice("fail-on", "exit with 2 on `WHICH` failures: any, or new (not in the baseline)", "any", "any", "new"),
		&cli.BoolFlag{Name: "verbose", Usage: "print what passes too"},
		&cli.BoolFlag{Name: "summary", Usage: "print only the totals (text and markdown)"})
	return leaf(&cli.Command{
		Name: "check", Usage: "audit only: exit with 2 when something fails", ArgsUsage: "[TARGET...]", Flags: flags,
		Description: `The same controls as plan, judged and listed one by one. Exit status 0: nothing fails, 2: something
does, 1: it could not be found out. What needs a decision, and what an exception accepts, does not fail.

A baseline lets what is known pass: write it once, keep it beside the code, and fail on what is new. It names
controls and targets (container/web), so that a container that is made again is still the same. docs/check.md has
examples for CI servers.

Examples:
  $CMD check                           the whole host
  $CMD check --severity high           only what matters most
  $CMD check --only no-new-privileges  one control
  $CMD check 'container/web-*'         some containers
  $CMD check --format sarif -o docker.sarif          for code scanning; junit and markdown likewise
  $CMD check --scan web.json           with what Trivy or Grype found in an image
  $CMD check --baseline known.json --write-baseline  accept what fails now
  $CMD check --baseline known.json --fail-on new     fail on the rest`,
	}, many, a.check)
}

func checkFormatFlag() cli.Flag {
	f := choice("format", "print as `FORMAT`: text, json, junit, sarif or markdown", "text", "text", "json", "junit", "sarif", "markdown")
	f.EnvVars = []string{"DOCKER_HARDEN_FORMAT"}
	return f
}

func (a *app) check(c *cli.Context) error {
	known, err := openBaseline(c)
	if err != nil {
		return err
	}
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
	audit := report.AuditOf(made, rulebook())
	if audit.LeftOut, err = leftOut(c, h, p); err != nil {
		return err
	}
	if known != nil {
		asked, err := inScope(c, h, made)
		if err != nil {
			return err
		}
		if err := a.compare(c, known, &audit, made, asked); err != nil {
			return err
		}
	}
	if err := a.printAudit(c, audit); err != nil {
		return err
	}
	return gateResult(c, audit, made)
}

// gateResult is how a check ends.
func gateResult(c *cli.Context, audit report.Audit, made *plan.Plan) error {
	switch {
	case made.Errored:
		return incomplete(made)
	case c.Bool("write-baseline"):
		return nil
	case slices.ContainsFunc(audit.Findings, audit.Fails):
		return statusError(exitFindings)
	case audit.Counts.Unknown > 0:
		return unknowns(audit)
	}
	return nil
}

// auditWriter writes an audit in one format.
func auditWriter(format string, o report.TextOptions) func(io.Writer, report.Audit) error {
	switch format {
	case "json":
		return report.FindingsJSON
	case "junit":
		return report.JUnit
	case "sarif":
		return func(w io.Writer, a report.Audit) error { return report.SARIF(w, a, o) }
	case "markdown":
		return func(w io.Writer, a report.Audit) error { return report.FindingsMarkdown(w, a, o) }
	}
	return func(w io.Writer, a report.Audit) error { return report.Findings(w, a, o) }
}

// printAudit writes the document to stdout, or to the file of --out and then text to stdout: who reads the
// log of a CI server sees what the uploaded document says, of the same look.
func (a *app) printAudit(c *cli.Context, audit report.Audit) error {
	o := a.textOptions(c)
	file := c.String("out")
	if file == "" {
		return auditWriter(c.String("format"), o)(a.out, audit)
	}
	var b bytes.Buffer
	plain := o
	plain.Color = false
	if err := auditWriter(c.String("format"), plain)(&b, audit); err != nil {
		return err
	}
	const readable = 0o644 // it holds no secrets, and the step that uploads it is seldom root
	if err := writeWhole(file, b.Bytes(), readable, isReport); err != nil {
		return err
	}
	if err := report.Findings(a.out, audit, o); err != nil {
		return err
	}
	a.note(c, "Saved %s.", clean(file))
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

// unknowns says what could not be judged, where nothing else fails: that is not known to be well.
func unknowns(audit report.Audit) error {
	const most = 5
	text, n := fmt.Sprintf("cannot judge %s", count(audit.Counts.Unknown, "verdict")), 0
	for _, f := range audit.Findings {
		if f.Status != plan.Unknown {
			continue
		}
		if n++; n > most {
			return fmt.Errorf("%s\n  … %d more", text, audit.Counts.Unknown-most)
		}
		text += fmt.Sprintf("\n  %s on %s: %s", f.Control, f.Resource, f.Message)
	}
	return errors.New(text)
}
