package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/journal"
)

func (a *app) rollbackCommand() *cli.Command {
	return leaf(&cli.Command{
		Name: "rollback", Usage: "undo the newest generation, a given one, or only some targets", ArgsUsage: "[GEN]",
		Flags: append([]cli.Flag{
			targetFlag("undo only `TARGET`; may be repeated"),
			&cli.BoolFlag{Name: "exact", Usage: "bring back exactly where the usual way is by effect only (may recreate a container)"},
			&cli.BoolFlag{Name: "force", Usage: "undo although something was changed since"},
			&cli.BoolFlag{Name: "dry-run", Usage: "say what would be undone, change nothing"},
			&cli.BoolFlag{Name: "unconfirmed", Usage: "wait for the deadline of apply --confirm, then undo unless it was confirmed: what the timer runs", Hidden: true},
			yesFlag(), formatFlag(),
		}, waitFlags()...),
		Description: `Works from the rollback file alone: newest step first, also when the engine is down at its start. A step
that cannot be undone does not keep the others from it.

Examples:
  sudo $CMD rollback
  sudo $CMD rollback 3 --dry-run
  sudo $CMD rollback --target container/web
  sudo $CMD rollback --exact -y`,
	}, 1, a.rollback)
}

// generationArg reads the optional generation of a command; 0 is the newest.
func generationArg(c *cli.Context) (int, error) {
	word := c.Args().First()
	if word == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(word)
	if err != nil || n < 1 {
		return 0, usagef("%q is no generation: it is a number; %s history lists them", word, program)
	}
	return n, nil
}

func (a *app) rollback(c *cli.Context) error {
	n, err := generationArg(c)
	if err != nil {
		return err
	}
	if c.Bool("unconfirmed") {
		return a.unconfirmed(c, n)
	}
	gen, err := a.undoable(c, n)
	if errors.Is(err, journal.ErrNone) && n == 0 {
		a.elsewhere(c)
		return a.nothing(c, "Nothing to roll back: nothing was applied that is not rolled back already.")
	}
	if err != nil {
		return err
	}
	steps, err := narrowed(gen.UndoOrder(), c.StringSlice("target"))
	if err != nil {
		return err
	}
	if len(steps) == 0 && !gen.Unfinished() {
		return a.nothing(c, fmt.Sprintf("Nothing to roll back: generation %d is %s.", gen.N, gen.State()))
	}
	if c.Bool("dry-run") {
		return a.printUndo(c, gen, steps)
	}
	if late, _ := a.waiting(c); late != nil && late.N != gen.N {
		if err := a.overdue(c); err != nil {
			return err
		}
	}
	if !c.Bool("yes") {
		a.say("%s", strings.TrimRight(undoText(gen, steps), "\n"))
		if err := a.ask(c.Context, fmt.Sprintf("\nUndo %s of generation %d?", count(len(steps), "step"), gen.N), "--yes"); err != nil {
			return err
		}
	}
	e, err := a.connect(c)
	if err != nil {
		return err
	}
	q := remediate.RollbackRequest{
		Generation: gen.N, Targets: c.StringSlice("target"), Exact: c.Bool("exact"), Force: c.Bool("force"), Basis: a.basisNow(c, e),
	}
	return a.work(c, e, nil, func(r *remediate.Runner) (remediate.Outcome, error) {
		r.Raise = a.raiser(c, e)
		return r.Rollback(c.Context, q)
	})
}

// undoable finds the generation a rollback means, as the runner does.
func (a *app) undoable(c *cli.Context, n int) (*journal.Generation, error) {
	store, err := a.journals(c)
	if err != nil {
		return nil, err
	}
	if n != 0 {
		return store.Load(n)
	}
	all, err := store.List()
	if err != nil {
		return nil, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Err != nil {
			return nil, all[i].Err
		}
		if all[i].Revertible() {
			return all[i], nil
		}
	}
	return nil, journal.ErrNone
}

func narrowed(steps []plan.Step, targets []string) ([]plan.Step, error) {
	if len(targets) == 0 {
		return steps, nil
	}
	var out []plan.Step
	for _, t := range targets {
		found := false
		for _, s := range steps {
			ok, err := s.Resource.Match(t)
			if err != nil {
				return nil, usagef("%v", err)
			}
			found = found || ok
		}
		if !found {
			return nil, &plan.TargetError{What: "target", Name: t, Hint: undoHint(steps, t)}
		}
	}
	for _, s := range steps {
		for _, t := range targets {
			if ok, _ := s.Resource.Match(t); ok {
				out = append(out, s)
				break
			}
		}
	}
	return out, nil
}

// undoHint says why a target cannot be undone by itself.
func undoHint(steps []plan.Step, target string) string {
	for _, s := range steps {
		for _, m := range s.Members {
			if ok, err := m.Resource.Match(target); err == nil && ok {
				return "it goes along with " + s.ID + ", to which it is bound; name that one"
			}
		}
	}
	return "this generation has nothing to undo for it"
}

// undoText says what an undo would bring back, in its order.
func undoText(gen *journal.Generation, steps []plan.Step) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Generation %d, newest step first:\n", gen.N)
	for _, s := range steps {
		how, notes := s.Reversibility()
		fmt.Fprintf(&b, "\n%s %s  (%s)\n", s.Kind.Symbol(), clean(s.ID), how)
		for _, ch := range s.Changes {
			fmt.Fprintf(&b, "    %s  %s -> %s\n", clean(ch.Path), clean(string(ch.To)), clean(string(ch.From)))
		}
		for _, m := range s.Members {
			fmt.Fprintf(&b, "    %s %s goes along\n", m.Action.Symbol(), clean(m.Resource.String()))
			for _, ch := range m.Changes {
				fmt.Fprintf(&b, "        %s  %s -> %s\n", clean(ch.Path), clean(string(ch.To)), clean(string(ch.From)))
			}
		}
		for _, note := range notes {
			fmt.Fprintf(&b, "    # %s\n", clean(note))
		}
	}
	return b.String()
}

func (a *app) printUndo(c *cli.Context, gen *journal.Generation, steps []plan.Step) error {
	if c.String("format") == "json" {
		return a.printJSON(struct {
			Format     string      `json:"format"`
			Generation int         `json:"generation"`
			DryRun     bool        `json:"dry_run"`
			Steps      []plan.Step `json:"undo"`
		}{"docker-harden/undo/v1", gen.N, true, steps})
	}
	_, err := fmt.Fprintf(a.out, "%s\nDry run: nothing was changed. Rollback would undo %s.\n", undoText(gen, steps), count(len(steps), "step"))
	return err
}

// nothing says that there is nothing to do, which is success.
func (a *app) nothing(c *cli.Context, text string) error {
	if c.String("format") == "json" {
		return a.printJSON(outcomeOf(remediate.Outcome{}, nil))
	}
	_, err := fmt.Fprintln(a.out, text)
	return err
}
