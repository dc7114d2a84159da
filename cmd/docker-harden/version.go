package main

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/urfave/cli/v2"
)

func (a *app) versionCommand() *cli.Command {
	return leaf(&cli.Command{
		Name: "version", Usage: "print the version",
		Flags: []cli.Flag{formatFlag()},
		Description: `Examples:
  $CMD version
  $CMD version --format json`,
	}, 0, func(c *cli.Context) error {
		if c.String("format") == "json" {
			return json.NewEncoder(a.out).Encode(map[string]string{
				"version": toolVersion(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
			})
		}
		_, err := fmt.Fprintf(a.out, "%s %s (%s, %s/%s)\n", program, toolVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return err
	})
}
