package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"docker-harden/plan/report"
	"docker-harden/remediate/journal"
)

func (a *app) historyCommand() *cli.Command {
	return leaf(&cli.Command{
		Name: "history", Usage: "list the generations, newest first", Flags: []cli.Flag{formatFlag()},
		Description: `Examples:
  sudo $CMD history
  sudo $CMD history --format json | jq '.[0]'`,
	}, 0, a.history)
}

// generationJSON is a generation for programs.
type generationJSON struct {
	Generation int       `json:"generation"`
	State      string    `json:"state"`
	Made       time.Time `json:"made,omitzero"`
	Profile    string    `json:"profile,omitempty"`
	Plan       string    `json:"plan_sha256,omitempty"`
	Tool       string    `json:"tool,omitempty"`
	Message    string    `json:"message,omitempty"`
	Steps      []string  `json:"steps"`
	Journal    string    `json:"directory"`
	Problem    string    `json:"problem,omitempty"`
	// Confirm is of an apply that waits, or waited, for its confirm.
	Confirm *confirmJSON `json:"confirm,omitempty"`
}

func generationOf(gen *journal.Generation) generationJSON {
	j := generationJSON{Generation: gen.N, State: string(gen.State()), Steps: []string{}, Journal: gen.Dir}
	if gen.Err != nil {
		j.Problem = gen.Err.Error()
		return j
	}
	j.Made, j.Profile, j.Plan = begun(gen), gen.Begin.Profile.Name, gen.Begin.PlanSHA256
	j.Confirm = confirmOf(gen)
	j.Tool, j.Message = gen.Begin.Tool, gen.Begin.Message
	for _, s := range gen.Begin.Steps {
		j.Steps = append(j.Steps, s.ID)
	}
	return j
}

// begun is when the apply of a generation started.
func begun(gen *journal.Generation) time.Time {
	if len(gen.Records) == 0 {
		return time.Time{}
	}
	return gen.Records[0].Time
}

func (a *app) history(c *cli.Context) error {
	store, err := a.journals(c)
	if err != nil {
		return err
	}
	all, err := store.List()
	if err != nil {
		return err
	}
	list := []generationJSON{}
	for i := len(all) - 1; i >= 0; i-- {
		list = append(list, generationOf(all[i]))
	}
	if c.String("format") == "json" {
		return a.printJSON(list)
	}
	if len(list) == 0 {
		a.elsewhere(c)
		_, err := fmt.Fprintln(a.out, "Nothing was applied on this host.")
		return err
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "GEN\tSTATE\tAPPLIED\tSTEPS\tPROFILE\tMESSAGE")
	for _, g := range list {
		made := "-"
		if !g.Made.IsZero() {
			made = g.Made.Local().Format("2006-01-02 15:04:05")
		}
		_, _ = fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\t%s\n", g.Generation, g.stateText(), made, len(g.Steps), dash(report.Clean(g.Profile)), report.Clean(g.Message+g.Problem))
	}
	return w.Flush()
}
