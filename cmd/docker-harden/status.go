package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"docker-harden/remediate/journal"
)

func (a *app) statusCommand() *cli.Command {
	return leaf(&cli.Command{
		Name: "status", Usage: "say where this host stands: the newest generation, and what moved since",
		Flags: []cli.Flag{formatFlag()},
		Description: `Exit status 2 when an apply is unfinished or something was changed since.

Examples:
  sudo $CMD status
  sudo $CMD status --format json`,
	}, 0, a.status)
}

// statusJSON is the state of a host for programs.
type statusJSON struct {
	Format     string          `json:"format"`
	Generation *generationJSON `json:"generation"` // null: nothing was applied
	Unfinished bool            `json:"unfinished"`
	Drift      []drift         `json:"drift"`
	Problem    string          `json:"problem,omitempty"` // why the drift is not known
}

func (a *app) status(c *cli.Context) error {
	s := statusJSON{Format: "docker-harden/status/v1", Drift: []drift{}}
	gen, err := a.current(c)
	if err != nil && !errors.Is(err, journal.ErrNone) {
		return err
	}
	if gen != nil {
		g := generationOf(gen)
		s.Generation, s.Unfinished = &g, gen.Unfinished()
		_, h, err := a.look(c.Context, c)
		if err != nil {
			s.Problem = err.Error()
		} else {
			s.Drift = append(s.Drift, driftOf(gen, h)...)
		}
	}
	if c.String("format") == "json" {
		err = a.printJSON(s)
	} else {
		err = a.printStatus(s)
	}
	switch {
	case err != nil:
		return err
	case s.Unfinished || len(s.Drift) > 0:
		return statusError(exitFindings)
	case s.Problem != "":
		return statusError(exitError)
	}
	return nil
}

// current is the newest generation that left something on the host, else the newest.
func (a *app) current(c *cli.Context) (*journal.Generation, error) {
	store, err := a.journals(c)
	if err != nil {
		return nil, err
	}
	latest, err := store.Latest()
	if err != nil || latest.Unfinished() || len(latest.UndoOrder()) > 0 {
		return latest, err
	}
	gen, err := a.undoable(c, 0)
	if errors.Is(err, journal.ErrNone) {
		return latest, nil
	}
	return gen, err
}

func (a *app) printStatus(s statusJSON) error {
	var b strings.Builder
	if s.Generation == nil {
		b.WriteString("Nothing was applied on this host.\n")
	} else {
		g := s.Generation
		fmt.Fprintf(&b, "Generation %d is %s (%s, %s", g.Generation, g.State, g.Made.Local().Format("2006-01-02 15:04:05"), count(len(g.Steps), "step"))
		fmt.Fprintf(&b, ", profile %s)%s\n", clean(g.Profile), prefixed(": ", clean(g.Message)))
		if s.Unfinished {
			fmt.Fprintf(&b, "It is unfinished, or still at work. If nothing runs: sudo %s resume   or: sudo %[1]s rollback %d\n", a.name(), g.Generation)
		}
	}
	switch {
	case s.Problem != "":
		fmt.Fprintf(&b, "What moved since is not known: %s\n", clean(s.Problem))
	case len(s.Drift) > 0:
		b.WriteString("Changed since:\n")
		for _, d := range s.Drift {
			fmt.Fprintf(&b, "  %s: %s\n", clean(d.Target), clean(d.What))
		}
	case s.Generation != nil && !s.Unfinished:
		b.WriteString("Nothing was changed since.\n")
	}
	_, err := fmt.Fprint(a.out, b.String())
	return err
}
