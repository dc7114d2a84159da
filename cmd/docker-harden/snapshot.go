package main

import (
	"bytes"
	"fmt"

	"github.com/urfave/cli/v2"

	"docker-harden/plan/inventory"
)

func (a *app) snapshotCommand() *cli.Command {
	return leaf(&cli.Command{
		Name: "snapshot", Usage: "write the inventory to a file, for plan --from", ArgsUsage: "FILE",
		Flags: []cli.Flag{&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "the same as `FILE` as an argument"}},
		Description: `The file holds what plan would look at, with environment values and credentials masked. Look at it
before you pass it on all the same: names, labels and command lines are in it. "-" writes to stdout.

Examples:
  sudo $CMD snapshot host.snapshot
  ssh web01 sudo $CMD snapshot - > web01.snapshot
  $CMD plan --from web01.snapshot -p cis-level2`,
	}, 1, a.snapshot)
}

func (a *app) snapshot(c *cli.Context) error {
	file := c.Args().First()
	switch out := c.String("out"); {
	case file == "" && out == "":
		return usagef("where to? snapshot takes a file name, or - for stdout")
	case file != "" && out != "":
		return usagef("%q and --out %q: give one file name", file, out)
	case file == "":
		file = out
	}
	_, h, err := a.look(c.Context, c, inventory.Options{History: true, Programs: true})
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := h.Redact().Save(&b); err != nil {
		return err
	}
	if file == "-" {
		_, err := b.WriteTo(a.out)
		return err
	}
	if err := writePrivate(file, b.Bytes(), isSnapshot); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "Saved %s: %s. Plan on it anywhere: %s plan --from %[1]s\n", file, count(len(h.Containers), "container"), a.name())
	return err
}
