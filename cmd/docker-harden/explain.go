package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v2"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/report"
)

func (a *app) explainCommand() *cli.Command {
	return leaf(&cli.Command{
		Name: "explain", Usage: "say what a control wants, why, what it may break and how it is undone",
		ArgsUsage: "CONTROL...", Flags: []cli.Flag{formatFlag()},
		Description: `CONTROL is an id (docker/live-restore), the end of one (live-restore), or a benchmark number (2.13,
cis-docker-1.6.0:2.14).

Examples:
  $CMD explain live-restore
  $CMD explain 5.26
  $CMD explain docker/capabilities docker/memory-limit`,
	}, many, a.explain)
}

func (a *app) explain(c *cli.Context) error {
	if !c.Args().Present() {
		return usagef("which control? %s controls list shows all", program)
	}
	var found []control.Control
	for _, word := range c.Args().Slice() {
		some, err := matchControls(rulebook(), word)
		if err != nil {
			return err
		}
		found = append(found, some...)
	}
	if c.String("format") == "json" {
		return report.ControlsJSON(a.out, found)
	}
	for i, rule := range found {
		if i > 0 {
			if _, err := fmt.Fprintln(a.out); err != nil {
				return err
			}
		}
		if err := report.Explain(a.out, rule); err != nil {
			return err
		}
	}
	return nil
}

// printJSON writes one document on stdout.
func (a *app) printJSON(v any) error {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("internal error: cannot encode the answer: %w", err)
	}
	_, err := a.out.Write(plan.Visible(out.Bytes()))
	return err
}
