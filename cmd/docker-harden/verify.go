package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/remediate/journal"
)

func (a *app) verifyCommand() *cli.Command {
	return leaf(&cli.Command{
		Name: "verify", Usage: "prove again that what was applied still holds", ArgsUsage: "[GEN]", Flags: []cli.Flag{formatFlag()},
		Description: `Looks at the host again and judges what the generation changed by the profile it was planned with. A container that ran
before it and has ended with an error since fails too.
Exit status 9 when something does not hold.

Examples:
  sudo $CMD verify
  sudo $CMD verify 3 --format json`,
	}, 1, a.verify)
}

// verdict is the proof of one control on one target.
type verdict struct {
	Control string        `json:"control"`
	Target  string        `json:"target"`
	Holds   bool          `json:"holds"`
	Finding *plan.Finding `json:"finding,omitempty"` // when it does not hold
}

func (a *app) verify(c *cli.Context) error {
	n, err := generationArg(c)
	if err != nil {
		return err
	}
	var gen *journal.Generation
	if n == 0 {
		gen, err = a.undoable(c, 0)
		if errors.Is(err, journal.ErrNone) {
			a.elsewhere(c)
			return fmt.Errorf("cannot verify: %w: nothing was applied that is not rolled back already", err)
		}
	} else {
		gen, err = a.generation(c, n)
	}
	if err != nil {
		return err
	}
	steps := standing(gen)
	if len(steps) == 0 {
		return fmt.Errorf("cannot verify generation %d: it is %s, and nothing of it is on this host", gen.N, gen.State())
	}
	prof, err := sameProfile(gen.Begin.Profile)
	if err != nil {
		return err
	}
	e, err := a.connect(c)
	if err != nil {
		return err
	}
	a.remind(c)
	still, err := a.prover(c, e, prof, nil)(c.Context, steps)
	if err != nil {
		return err
	}
	h, err := a.lookOnly(c)
	if err != nil {
		return err
	}
	return a.printVerdicts(c, gen, steps, append(still, ended(gen, h, steps)...))
}

func (a *app) printVerdicts(c *cli.Context, gen *journal.Generation, steps []plan.Step, still []plan.Finding) error {
	list := []verdict{}
	held := 0
	for _, s := range steps {
		for _, part := range s.Parts() {
			for _, id := range part.Controls {
				v := verdictOf(part.Resource.String(), id, still)
				if v.Holds {
					held++
				}
				list = append(list, v)
			}
			// That a container runs is no control: it is told where it does not.
			if v := verdictOf(part.Resource.String(), control.StillRunning, still); !v.Holds {
				list = append(list, v)
			}
		}
	}
	if c.String("format") == "json" {
		if err := a.printJSON(struct {
			Format     string    `json:"format"`
			Generation int       `json:"generation"`
			Verdicts   []verdict `json:"verdicts"`
		}{"docker-harden/verify/v1", gen.N, list}); err != nil {
			return err
		}
	} else if err := a.verdictText(gen, list, held); err != nil {
		return err
	}
	if held < len(list) {
		return statusError(exitStillFails)
	}
	return nil
}

func verdictOf(target, control string, still []plan.Finding) verdict {
	v := verdict{Control: control, Target: target, Holds: true}
	for i := range still {
		if still[i].Control == control && still[i].Resource.String() == target {
			v.Holds, v.Finding = false, &still[i]
		}
	}
	return v
}

func (a *app) verdictText(gen *journal.Generation, list []verdict, held int) error {
	for _, v := range list {
		line := fmt.Sprintf("ok    %s  %s", v.Target, v.Control)
		if !v.Holds {
			line = fmt.Sprintf("FAIL  %s  %s: %s", v.Target, v.Control, v.Finding.Message)
		}
		if _, err := fmt.Fprintln(a.out, clean(line)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(a.out, "Generation %d: %d of %d hold.\n", gen.N, held, len(list))
	return err
}
