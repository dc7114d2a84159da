package main

import (
	"github.com/urfave/cli/v2"

	"docker-harden/plan/report"
)

func (a *app) controlsCommand() *cli.Command {
	format := choice("format", "print as `FORMAT`: text, json or markdown", "text", "text", "json", "markdown")
	format.EnvVars = []string{"DOCKER_HARDEN_FORMAT"}
	list := leaf(&cli.Command{
		Name: "list", Usage: "list every control with its benchmark numbers", Flags: []cli.Flag{format},
		Description: `Examples:
  $CMD controls list
  $CMD controls list --format markdown > controls.md`,
	}, 0, a.controlsList)
	return branch(&cli.Command{
		Name: "controls", Usage: "list the controls", Subcommands: []*cli.Command{list},
		Description: `Examples:
  $CMD controls list`,
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
