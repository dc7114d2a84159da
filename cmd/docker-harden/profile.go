package main

import (
	"bytes"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"docker-harden/plan/control"
	"docker-harden/plan/profile"
)

func (a *app) profileCommand() *cli.Command {
	list := leaf(&cli.Command{
		Name: "list", Usage: "list the profiles there are", Flags: []cli.Flag{formatFlag()},
		Description: "Examples:\n  $CMD profile list",
	}, 0, a.profileList)
	show := leaf(&cli.Command{
		Name: "show", Usage: "print a profile", ArgsUsage: "NAME|FILE", Flags: []cli.Flag{formatFlag()},
		Description: `Text is the profile's own YAML; JSON is what holds after everything it extends is merged in.

Examples:
  $CMD profile show cis-level1
  $CMD profile show my.yaml --format json`,
	}, 1, a.profileShow)
	validate := leaf(&cli.Command{
		Name: "validate", Usage: "check a profile you wrote", ArgsUsage: "FILE...",
		Description: `Says every mistake with its line. Exit status 1 when there is one.

Examples:
  $CMD profile validate my.yaml
  $CMD profile validate /etc/docker-harden/profiles/*.yaml`,
	}, many, a.profileValidate)
	start := leaf(&cli.Command{
		Name: "init", Usage: "print a commented profile to edit", ArgsUsage: "[NAME]",
		Flags: []cli.Flag{&cli.StringFlag{Name: "from", Value: "cis-level1", Usage: "extend the profile `NAME`"}},
		Description: `Examples:
  $CMD profile init > my.yaml
  $CMD profile init baseline > /etc/docker-harden/profiles/web.yaml`,
	}, 1, a.profileInit)
	return branch(&cli.Command{
		Name: "profile", Usage: "list, show, validate and start profiles",
		Subcommands: []*cli.Command{list, show, validate, start},
		Description: `A profile says what a host should be: the controls that are on, their parameters, overrides for
single containers, and exceptions with owner, reason and expiry.

Examples:
  $CMD profile list
  $CMD profile init > my.yaml && $CMD profile validate my.yaml
  $CMD plan -p my.yaml`,
	})
}

func (a *app) profileList(c *cli.Context) error {
	type entry struct {
		Name        string `json:"name"`
		Controls    int    `json:"controls"`
		SHA256      string `json:"sha256"`
		Source      string `json:"source"`
		Description string `json:"description"`
		Problem     string `json:"problem,omitempty"`
	}
	var all []entry
	for _, name := range profileNames() {
		p, err := openProfile(name)
		if err != nil {
			all = append(all, entry{Name: name, Problem: err.Error()})
			continue
		}
		all = append(all, entry{name, len(p.Controls), p.SHA256, p.Source, p.Description, ""})
	}
	if c.String("format") == "json" {
		return a.printJSON(all)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "PROFILE\tCONTROLS\tDESCRIPTION")
	for _, e := range all {
		if e.Problem != "" {
			_, _ = fmt.Fprintf(w, "%s\t?\tcannot be read: see profile validate\n", clean(e.Name))
			continue
		}
		_, _ = fmt.Fprintf(w, "%s\t%d\t%s\n", clean(e.Name), e.Controls, clean(e.Description))
	}
	return w.Flush()
}

func (a *app) profileShow(c *cli.Context) error {
	name := c.Args().First()
	if name == "" {
		return usagef("which profile? profile list shows them")
	}
	p, err := openProfile(name)
	if err != nil {
		return err
	}
	if c.String("format") == "json" {
		return a.printJSON(p)
	}
	text, err := profileText(name, p)
	if err != nil {
		return err
	}
	_, err = a.out.Write(text)
	return err
}

func (a *app) profileValidate(c *cli.Context) error {
	if !c.Args().Present() {
		return usagef("which file? profile validate takes the files to check")
	}
	bad := false
	for _, name := range c.Args().Slice() {
		p, err := openProfile(name)
		if err != nil {
			bad = true
			a.say("%s", clean(err.Error()))
			continue
		}
		if _, err := fmt.Fprintf(a.out, "%s: valid: %s, %s, %s (sha256 %.12s)\n", clean(name),
			count(len(p.Controls), "control"), count(len(p.Overrides), "override"), count(len(p.Exceptions), "exception"), p.SHA256); err != nil {
			return err
		}
	}
	if bad {
		return statusError(exitError)
	}
	return nil
}

func (a *app) profileInit(c *cli.Context) error {
	from := c.String("from")
	if name := c.Args().First(); name != "" {
		if c.IsSet("from") {
			return usagef("%q and --from %q: give one profile", name, from)
		}
		from = name
	}
	var docs []profile.ControlDoc
	for _, rule := range rulebook() {
		docs = append(docs, controlDoc(rule))
	}
	var b bytes.Buffer
	if err := profile.Init(&b, from, docs); err != nil {
		return err
	}
	_, err := b.WriteTo(a.out)
	return err
}

func controlDoc(rule control.Control) profile.ControlDoc {
	return profile.ControlDoc{ID: rule.ID, Title: rule.Title, Params: rule.Params}
}

// profileText is a profile's own YAML, as it was written.
func profileText(name string, p *profile.Profile) ([]byte, error) {
	if text, ok := profile.Embedded(name); ok {
		return text, nil
	}
	text, err := os.ReadFile(p.Source)
	if err != nil {
		return nil, fmt.Errorf("cannot read profile: %w", err)
	}
	return text, nil
}
