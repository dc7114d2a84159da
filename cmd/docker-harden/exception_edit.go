package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"docker-harden/plan/control"
	"docker-harden/plan/owner"
	"docker-harden/plan/profile"
	"docker-harden/remediate/host"
)

func (a *app) exceptionAddCommand() *cli.Command {
	return leaf(&cli.Command{
		Name: "add", Usage: "write an exception into a profile of yours", ArgsUsage: "TARGET CONTROL",
		Flags: []cli.Flag{
			profileFlag(),
			&cli.StringFlag{Name: "reason", Usage: "why the risk is accepted: `TEXT` for whoever reads the plan"},
			&cli.StringFlag{Name: "owner", Usage: "`WHO` answers for it"},
			&cli.StringFlag{Name: "expires", Usage: "`WHEN` it ends: a date (2027-06-30), or days or weeks from today (90d, 12w); without it, never"},
			&cli.BoolFlag{Name: "replace", Usage: "change the one that is there already for this target and control"},
		},
		Description: `TARGET is daemon, swarm, host, host/PATH or container/NAME; in NAME, * and ? stand for other letters. CONTROL is
an id (docker/host-network), the end of one (host-network), or a benchmark number (cis-docker-1.6.0:5.10). The
exception holds to the end of its last day, UTC.

Only the lines of the exception are written: comments, order and format of the file stay. To leave a container
a single capability is no exception: set keep for it in the profile ($CMD explain capabilities).

Examples:
  $CMD exception add container/node-exporter host-network --reason "reads the host's counters" --owner monitoring --expires 180d -p site.yaml
  $CMD exception add "container/build-*" docker/privileged --reason "until the new builder is ready" --owner platform --expires 2027-06-30 -p site.yaml
  $CMD exception add daemon icc --reason "old links" --owner ops --replace -p site.yaml`,
	}, 2, a.exceptionAdd)
}

func (a *app) exceptionRemoveCommand() *cli.Command {
	return leaf(&cli.Command{
		Name: "remove", Usage: "take an exception out of a profile of yours", ArgsUsage: "TARGET CONTROL",
		Flags: []cli.Flag{profileFlag(), &cli.IntFlag{Name: "line", Usage: "the one on line `N`, where there are several for this target and control"}},
		Description: `TARGET is written as in the file. The comments directly above the exception, and those in it, go with it; what
was removed is printed.

Examples:
  $CMD exception remove container/node-exporter host-network -p site.yaml`,
	}, 2, a.exceptionRemove)
}

func (a *app) exceptionAdd(c *cli.Context) error {
	target, rule, err := a.exceptionArgs(c)
	if err != nil {
		return err
	}
	e := profile.Exception{Control: rule.ID, Target: target, Reason: c.String("reason"), Owner: c.String("owner")}
	for _, name := range []string{"reason", "owner"} {
		if strings.TrimSpace(c.String(name)) == "" {
			return usagef("an exception needs --%s", name)
		}
	}
	if c.IsSet("expires") {
		if e.Expires, err = expiry(c.String("expires"), time.Now()); err != nil {
			return err
		}
	}
	catalog := control.Catalog(rulebook())
	if err := e.Check(catalog); err != nil {
		return usagef("%v", err)
	}
	if container := strings.HasPrefix(target, "container/"); container != (rule.Container != nil) {
		kind := "daemon, swarm or host"
		if rule.Container != nil {
			kind = "container/NAME"
		}
		return usagef("%s does not judge %s: its targets are %s", rule.ID, target, kind)
	}
	f, err := a.ownProfile(c.String("profile"), catalog)
	if err != nil {
		return err
	}
	done, edit, err := "added", profile.Edit{}, error(profile.ErrNone)
	if c.Bool("replace") {
		edit, err = f.Replace(e)
		done = "replaced"
	}
	if errors.Is(err, profile.ErrNone) || errors.Is(err, profile.ErrInherited) {
		edit, err = f.Add(e)
		done = "added"
	}
	if err != nil {
		return hint(err, "--replace changes it", profile.ErrExists)
	}
	if err := a.rewrite(f, edit, done); err != nil {
		return err
	}
	if p, err := profile.Load(edit.Data, f.Source, catalog); err == nil {
		if _, on := p.Controls[rule.ID]; !on {
			a.note(c, "%s is off in this profile: the exception has no effect until it is on.", rule.ID)
		}
	}
	a.note(c, "Next: %s", a.nextCheck(f.Source, rule.ID))
	return nil
}

func (a *app) exceptionRemove(c *cli.Context) error {
	target, rule, err := a.exceptionArgs(c)
	if err != nil {
		return err
	}
	if c.IsSet("line") && c.Int("line") < 1 {
		return usagef("--line is %d; lines count from 1", c.Int("line"))
	}
	f, err := a.ownProfile(c.String("profile"), control.Catalog(rulebook()))
	if err != nil {
		return err
	}
	edit, err := f.Remove(rule.ID, target, c.Int("line"))
	if err != nil {
		err = hint(err, "--line says which", profile.ErrSeveral)
		return hint(err, a.name()+" "+owner.Command("exception", "list", "-p", f.Source)+" shows all", profile.ErrNone)
	}
	if err := a.rewrite(f, edit, "removed"); err != nil {
		return err
	}
	a.note(c, "Next: %s", a.nextCheck(f.Source, rule.ID))
	return nil
}

// exceptionArgs are the two arguments of add and remove.
func (a *app) exceptionArgs(c *cli.Context) (target string, rule control.Control, err error) {
	if c.Args().Len() != 2 {
		return "", rule, usagef("which target and which control? for instance: %s exception %s container/web no-new-privileges", a.name(), c.Command.Name)
	}
	target = c.Args().First()
	rules, err := matchControls(rulebook(), c.Args().Get(1))
	if err != nil {
		return "", rule, err
	}
	if len(rules) > 1 {
		var ids []string
		for _, r := range rules {
			ids = append(ids, r.ID)
		}
		return "", rule, usagef("%q can be %s: write the id", c.Args().Get(1), strings.Join(ids, " or "))
	}
	return target, rules[0], nil
}

// ownProfile opens a profile that may be edited.
func (a *app) ownProfile(name string, catalog profile.Catalog) (profile.File, error) {
	f, err := profile.OpenFile(name, catalog)
	if errors.Is(err, profile.ErrEmbedded) {
		return f, usagef("profile %s is built in and cannot be changed: make one of your own that extends it (%s profile init %s > site.yaml) and give it with -p site.yaml", name, a.name(), name)
	}
	return f, err
}

// rewrite writes an edited profile and shows what changed in it.
func (a *app) rewrite(f profile.File, edit profile.Edit, done string) error {
	if err := host.Rewrite(f.Source, f.Data, edit.Data); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.out, "%s: %s:\n\n%s\n\n", clean(fileLine(f.Source, edit.Line)), done, clean(strings.Join(edit.Lines, "\n")))
	return err
}

// nextCheck is the command that judges a host with the profile as it is now.
func (a *app) nextCheck(file, id string) string {
	return clean(a.name() + " " + owner.Command("check", "--only", id, "-p", file))
}

// hint adds to an error what can be done about it, if it is of this kind.
func hint(err error, text string, kind error) error {
	if !errors.Is(err, kind) {
		return err
	}
	return fmt.Errorf("%w; %s", err, text)
}

// expiry reads the last day of an exception: a date, or a time from today.
func expiry(text string, now time.Time) (time.Time, error) {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		units := map[string]int{"d": 1, "w": 7}
		const most = 100000 // days: beyond any year that can be written
		unit := text[max(0, len(text)-1):]
		n, err := strconv.Atoi(strings.TrimSuffix(text, unit))
		if err != nil || units[unit] == 0 || n < 0 || n > most {
			return day, usagef("--expires is %q; it can be a date (2027-06-30), or days or weeks from today (90d, 12w)", text)
		}
		day = today(now).AddDate(0, 0, n*units[unit])
	}
	if !day.After(today(now)) {
		return day, usagef("--expires is %s, and today is %s: it must be a later day", day.Format(time.DateOnly), today(now).Format(time.DateOnly))
	}
	return day, nil
}
