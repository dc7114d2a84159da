package main

import (
	"os"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// width is the terminal's width in columns, or 0 when it is not known.
func width(stream any) int {
	f, ok := stream.(interface{ Fd() uintptr })
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// colour says whether a stream is coloured: the flag decides, then NO_COLOR, then CLICOLOR_FORCE,
// then whether somebody looks at a terminal.
func (a *app) colour(c *cli.Context, stream any) bool {
	switch c.String("color") {
	case "always":
		return true
	case "never":
		return false
	}
	if a.getenv("NO_COLOR") != "" {
		return false
	}
	if force := a.getenv("CLICOLOR_FORCE"); force != "" && force != "0" {
		return true
	}
	return isTerminal(stream) && a.getenv("TERM") != "dumb"
}

// unprivileged reports whether the tool runs for a rootless engine: as somebody who cannot write /run.
func (a *app) unprivileged() bool { return os.Geteuid() != 0 }
