package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"docker-harden/plan/inventory"
	"docker-harden/plan/report"
	"docker-harden/remediate/journal"
)

func (a *app) statusCommand() *cli.Command {
	return leaf(&cli.Command{
		Name: "status", Usage: "say where this host stands: the newest generation, and what moved since",
		Flags: []cli.Flag{formatFlag()},
		Description: `Exit status 2 when an apply is unfinished, waits for its confirm, or something was changed since.

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
	// Expired says that the newest generation was not confirmed, and what became of it.
	Expired string `json:"expired,omitempty"`
}

func (a *app) status(c *cli.Context) error {
	s := statusJSON{Format: "docker-harden/status/v1", Drift: []drift{}}
	gen, err := a.current(c)
	if err != nil && !errors.Is(err, journal.ErrNone) {
		return err
	}
	if gen == nil {
		a.elsewhere(c)
	}
	if gen != nil {
		g := generationOf(gen)
		a.checkTimer(c, gen, g.Confirm)
		s.Generation, s.Unfinished = &g, gen.Unfinished()
		h, err := a.lookOnly(c)
		if err != nil {
			s.Problem = err.Error()
		} else {
			s.Drift = append(s.Drift, driftOf(gen, h)...)
		}
	}
	if newest, err := a.generation(c, 0); err == nil {
		s.Expired = expiredText(newest)
	}
	if c.String("format") == "json" {
		err = a.printJSON(s)
	} else {
		err = a.printStatus(s)
	}
	switch {
	case err != nil:
		return err
	case s.Unfinished || len(s.Drift) > 0 || gen != nil && gen.Pending():
		return statusError(exitFindings)
	case s.Problem != "":
		return statusError(exitError)
	}
	return nil
}

// lookOnly observes the host. That a run is unfinished, status says by itself.
func (a *app) lookOnly(c *cli.Context) (*inventory.Host, error) {
	e, err := a.connect(c)
	if err != nil {
		return nil, err
	}
	return a.observe(c.Context, c, e, e.Client)
}

// elsewhere tells a person who is not root, and of whom nothing was applied, about what root applied.
func (a *app) elsewhere(c *cli.Context) {
	if a.unprivileged() && otherState(a.stateDir(c), defaultState) {
		a.note(c, "This is about %s, as for a rootless engine. What root applied is in %s: use sudo.", clean(a.stateDir(c)), defaultState)
	}
}

// otherState reports whether there is a state of root beside the one that is looked at.
func otherState(dir, root string) bool {
	_, err := os.Stat(root)
	return err == nil && dir != root
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
	if s.Expired != "" {
		fmt.Fprintln(&b, clean(s.Expired))
	}
	if s.Generation == nil {
		b.WriteString("Nothing was applied on this host.\n")
	} else {
		g := s.Generation
		fmt.Fprintf(&b, "Generation %d is %s (%s, %s", g.Generation, g.State, g.Made.Local().Format("2006-01-02 15:04:05"), count(len(g.Steps), "step"))
		fmt.Fprintf(&b, ", profile %s)%s\n", clean(g.Profile), prefixed(": ", report.Clean(g.Message)))
		if s.Unfinished {
			fmt.Fprintf(&b, "It is unfinished, or still at work. If nothing runs: sudo %s resume   or: sudo %[1]s rollback %d\n", a.name(), g.Generation)
		}
		b.WriteString(a.confirmText(g))
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
