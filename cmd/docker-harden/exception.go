package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"docker-harden/plan/profile"
)

func (a *app) exceptionCommand() *cli.Command {
	return branch(&cli.Command{
		Name: "exception", Usage: "accept a risk: add, list and remove the exceptions of a profile",
		Subcommands: []*cli.Command{a.exceptionAddCommand(), a.exceptionListCommand(), a.exceptionRemoveCommand()},
		Description: `An exception says that a control may fail on a target, why, who answers for it, and until when. The
finding stays visible as excepted, and fails again after the last day. Exceptions stand in a profile file of
yours; these commands change only their lines in it, and keep comments, order and format.

Examples:
  $CMD profile init > site.yaml
  $CMD exception add container/node-exporter host-network --reason "reads the host's counters" --owner monitoring --expires 180d -p site.yaml
  $CMD exception list -p site.yaml`,
	})
}

func (a *app) exceptionListCommand() *cli.Command {
	return leaf(&cli.Command{
		Name: "list", Usage: "list the exceptions of a profile and how long they hold", Flags: []cli.Flag{profileFlag(), formatFlag()},
		Description: `Those of a profile that it extends are listed too, with the file they stand in. No host is looked at.

Examples:
  $CMD exception list -p site.yaml
  $CMD exception list -p site.yaml --format json`,
	}, 0, a.exceptionList)
}

// acceptedRisk is an exception as exception list shows it.
type acceptedRisk struct {
	Target  string `json:"target"`
	Control string `json:"control"`
	State   string `json:"state"` // in-force or expired
	Expires string `json:"expires,omitempty"`
	// DaysLeft are the days after today on which it still holds; left out without an expiry, negative when it has expired.
	DaysLeft *int   `json:"days_left,omitempty"`
	Reason   string `json:"reason"`
	Owner    string `json:"owner"`
	File     string `json:"file"`
	Line     int    `json:"line"`
}

func accepted(e profile.Exception, now time.Time) acceptedRisk {
	l := acceptedRisk{Target: e.Target, Control: e.Control, State: "in-force", Reason: e.Reason, Owner: e.Owner, File: e.Source, Line: e.Line}
	if e.Expires.IsZero() {
		return l
	}
	days := int((e.Expires.Unix() - today(now).Unix()) / (24 * 60 * 60)) // a Duration ends after 292 years
	l.Expires, l.DaysLeft = e.Expires.Format(time.DateOnly), &days
	if e.Expired(now) {
		l.State = "expired"
	}
	return l
}

// today is the date of now, as exceptions count it.
func today(now time.Time) time.Time {
	year, month, day := now.UTC().Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// words say how long an exception holds.
func (l acceptedRisk) words() string {
	switch {
	case l.State == "expired":
		return "expired"
	case l.DaysLeft == nil:
		return "in force"
	case *l.DaysLeft == 0:
		return "expires today"
	}
	return "expires in " + count(*l.DaysLeft, "day")
}

func (a *app) exceptionList(c *cli.Context) error {
	p, err := openProfile(c.String("profile"))
	if err != nil {
		return err
	}
	all := []acceptedRisk{} // JSON shows none as an empty list
	now := time.Now()
	for _, e := range p.Exceptions {
		all = append(all, accepted(e, now))
	}
	if c.String("format") == "json" {
		return a.printJSON(all)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintf(a.out, "Profile %s has no exceptions.\n", clean(p.Name))
		return err
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "TARGET\tCONTROL\tSTATE\tUNTIL\tOWNER\tREASON\tFILE")
	for _, l := range all {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", cell(l.Target), cell(l.Control), l.words(), dash(l.Expires),
			cell(l.Owner), cell(l.Reason), cell(fileLine(l.File, l.Line)))
	}
	return w.Flush()
}

// cell is text in a table: on one line.
func cell(text string) string { return clean(strings.Join(strings.Fields(text), " ")) }

// fileLine is a place in a file, in the form editors jump to.
func fileLine(name string, line int) string { return filepath.Clean(name) + ":" + strconv.Itoa(line) }
