package main

import (
	"github.com/urfave/cli/v2"

	"docker-harden/plan/report"
)

func (a *app) controlsCommand() *cli.Command {
	format := choice("format", "print as `FORMAT`: text, json or markdown", "text", "text", "json", "markdown")
	format.EnvVars = []string{"DOCKER_HARDEN_FORMAT"}
	list := leaf(&cli.Command{
		Name: "list", Usage: "list every control: numbers, class, source of truth, threat, fix and undo", Flags: []cli.Flag{format},
		Description: `As text one line a control; json and markdown have everything that there is to say of each.

Examples:
  $CMD controls list
  $CMD controls list --format json | jq -r '.[] | select(.class == "automatic") | .id'
  $CMD controls list --format markdown > controls.md`,
	}, 0, a.controlsList)
	coverage := leaf(&cli.Command{
		Name: "coverage", Usage: "show what covers each recommendation of the benchmark", Flags: []cli.Flag{format},
		Description: `One row for each recommendation of the CIS Docker Benchmark: its numbers in 1.2.0, 1.6.0 and 1.8.0, the class of its
control (automatic, with an answer, reported), the control, and what the verdict is verified by. The totals come last.

Examples:
  $CMD controls coverage
  $CMD controls coverage --format json | jq .totals
  $CMD controls coverage --format markdown > coverage.md`,
	}, 0, a.controlsCoverage)
	threats := leaf(&cli.Command{
		Name: "threats", Usage: "print the threat model, and the controls that answer each threat, as Markdown",
		Description: `Examples:
  $CMD controls threats > threat-model.md`,
	}, 0, a.controlsThreats)
	return branch(&cli.Command{
		Name: "controls", Usage: "list the controls, what they cover and what they defend against", Subcommands: []*cli.Command{list, coverage, threats},
		Description: `Examples:
  $CMD controls list
  $CMD controls coverage`,
	})
}

func (a *app) controlsList(c *cli.Context) error {
	rules := rulebook()
	switch c.String("format") {
	case "json":
		return report.ControlsJSON(a.out, rules)
	case "markdown":
		return report.ControlsMarkdown(a.out, rules)
	}
	return report.ControlsText(a.out, rules)
}

func (a *app) controlsCoverage(c *cli.Context) error {
	rules := rulebook()
	switch c.String("format") {
	case "json":
		return report.CoverageJSON(a.out, rules)
	case "markdown":
		return report.CoverageMarkdown(a.out, rules)
	}
	return report.CoverageText(a.out, rules)
}

func (a *app) controlsThreats(*cli.Context) error { return report.ThreatModel(a.out, rulebook()) }
